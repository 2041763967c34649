from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from newsletter.db import reading, writing
from subscribers import consent
from subscribers.consent import Consent, Whence, Words
from tests.newsroom import IN_W46, IN_W47, MONDAY, subscribe


def test_a_history_has_every_step_of_one_reader_in_the_order_in_which_we_were_told(engine: Engine) -> None:
    ana, bo = subscribe(engine, ["ana@example.com", "bo@example.com"])
    with writing(engine) as session:
        consent.note(session, ana, consent.IMPORTED, "old.csv", IN_W47)
        consent.note(session, bo, consent.ADDED, "by phone", MONDAY)
        consent.note(session, ana, consent.LEFT, "a link in a letter", IN_W46)
        session.commit()
    with reading(engine) as session:
        steps = [(step.kind, step.source, step.at) for step in consent.history(session, ana)]
        assert steps == [("imported", "old.csv", IN_W47), ("left", "a link in a letter", IN_W46)]
        assert [step.kind for step in consent.history(session, bo)] == ["added"]


def test_a_kind_that_is_none_of_the_words_is_refused(sqlite_engine: Engine) -> None:
    (ana,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        consent.note(session, ana, "guessed", "nowhere", IN_W46)
        with pytest.raises(IntegrityError):
            session.flush()


def whence_of_all(engine: Engine) -> list[tuple[str | None, str | None]]:
    with reading(engine) as session:
        steps = session.exec(select(Consent).order_by(col(Consent.id))).all()
    return [(step.network, step.user_agent) for step in steps]


def test_after_ninety_days_network_and_user_agent_are_shortened_and_nothing_else(engine: Engine) -> None:
    (ana,) = subscribe(engine, ["ana@example.com"])
    words = Words("1", "Yes.")
    spoken = [
        Whence("203.0.113.7", "Mozilla/5.0 (X11; Linux) Firefox/140.0"),
        Whence("2001:db8:1:2::9", None),
        Whence(None, "Thing/1"),
        Whence("testclient", "unversioned"),
        Whence(),
    ]
    with writing(engine) as session:
        for whence in spoken:
            consent.note(session, ana, consent.SIGNED_UP, "form", MONDAY, words, whence)
        consent.note(session, ana, consent.CONFIRMED, "link", MONDAY + timedelta(days=1), words, spoken[0])
        session.commit()

    def shorten(now: datetime) -> int:
        with writing(engine) as session:
            count = consent.shorten(session, consent.to_shorten(session, now, 0))
            session.commit()
            return count

    assert shorten(MONDAY + timedelta(days=90)) == 0
    assert shorten(MONDAY + timedelta(days=90, seconds=1)) == 4
    assert shorten(MONDAY + timedelta(days=90, seconds=1)) == 0
    assert whence_of_all(engine) == [
        ("203.0.113.0/24", "Mozilla Firefox"),
        ("2001:db8:1::/48", None),
        (None, "Thing"),
        (None, "unversioned"),
        (None, None),
        ("203.0.113.7", "Mozilla/5.0 (X11; Linux) Firefox/140.0"),
    ]
    with reading(engine) as session:
        first = consent.history(session, ana)[0]
    assert (first.kind, first.at, first.words, first.source) == ("signed_up", MONDAY, "Yes.", "form")


def test_shortening_goes_on_in_chunks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "CHUNK", 3)
    (ana,) = subscribe(engine, ["ana@example.com"])
    with writing(engine) as session:
        for _ in range(7):
            consent.note(session, ana, consent.SIGNED_UP, "form", IN_W46, None, Whence("203.0.113.7"))
        session.flush()
        first = consent.to_shorten(session, IN_W46 + timedelta(days=91), 0)
        second = consent.to_shorten(session, IN_W46 + timedelta(days=91), first[-1])
        third = consent.to_shorten(session, IN_W46 + timedelta(days=91), second[-1])
        assert [len(numbers) for numbers in (first, second, third)] == [3, 3, 1]
        assert consent.shorten(session, [*first, *second, *third]) == 7


def test_what_is_being_erased_just_then_is_not_brought_back_in_part(engine: Engine) -> None:
    (ana,) = subscribe(engine, ["ana@example.com"])
    with writing(engine) as session:
        consent.note(session, ana, consent.SIGNED_UP, "form", IN_W46, None, Whence("203.0.113.7"))
        session.commit()
    with reading(engine) as session:
        numbers = consent.to_shorten(session, IN_W46 + timedelta(days=91), 0)
    with writing(engine) as session:
        session.get_one(Consent, numbers[0], with_for_update=True).network = None
        session.flush()
        if engine.dialect.name == "postgresql":  # on SQLite whoever shortens waits for the lock
            with writing(engine) as other:
                assert consent.shorten(other, numbers) == 0
        session.commit()
    with writing(engine) as session:
        consent.shorten(session, numbers)
        session.commit()
    assert whence_of_all(engine) == [(None, None)]
