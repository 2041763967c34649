from datetime import timedelta

import pytest
from sqlalchemy import Engine

from newsletter.db import reading, writing
from subscribers import consent
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.unsubscribe import Undone, gave_reason, give_reason, undo, unsubscribe
from tests.newsroom import IN_W46, MONDAY, TUESDAY, subscribe


def leave(engine: Engine, number: int) -> bool:
    with writing(engine) as session:
        left = unsubscribe(session, session.get_one(Subscriber, number), "a link in a letter", MONDAY)
        session.commit()
        return left


@pytest.mark.parametrize("status", [PENDING, ACTIVE, PAUSED])
def test_a_reader_leaves_at_once_and_it_is_written_down_once(sqlite_engine: Engine, status: str) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"], status)
    assert [leave(sqlite_engine, number) for _ in range(3)] == [True, False, False]
    with reading(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        assert (reader.status, reader.since) == (UNSUBSCRIBED, MONDAY)
        steps = [(step.kind, step.source, step.at) for step in consent.history(session, number)]
        assert steps == [("left", "a link in a letter", MONDAY)]


def test_a_suppressed_reader_who_leaves_stays_suppressed_and_the_wish_is_written_down(engine: Engine) -> None:
    (number,) = subscribe(engine, ["ana@example.com"], SUPPRESSED)
    assert [leave(engine, number) for _ in range(2)] == [True, False]
    with reading(engine) as session:
        reader = session.get_one(Subscriber, number)
        assert (reader.status, reader.since) == (SUPPRESSED, IN_W46)
        assert [step.kind for step in consent.history(session, number)] == ["left"]


def test_a_reader_who_came_back_can_leave_again(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    leave(sqlite_engine, number)
    with writing(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        reader.status, reader.since = ACTIVE, TUESDAY
        session.commit()
    assert leave(sqlite_engine, number)
    with reading(sqlite_engine) as session:
        assert session.get_one(Subscriber, number).status == UNSUBSCRIBED
        assert len(consent.history(session, number)) == 2


def test_nothing_can_be_said_of_somebody_who_was_erased(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"], ERASED)
    assert not leave(sqlite_engine, number)
    with reading(sqlite_engine) as session:
        assert session.get_one(Subscriber, number).status == ERASED
        assert consent.history(session, number) == []


def take_back(engine: Engine, number: int, after: timedelta = timedelta(0)) -> Undone:
    with writing(engine) as session:
        undone = undo(session, session.get_one(Subscriber, number), "a link", MONDAY + after)
        session.commit()
        return undone


def state(engine: Engine, number: int) -> tuple[str, list[str]]:
    with reading(engine) as session:
        return session.get_one(Subscriber, number).status, [step.kind for step in consent.history(session, number)]


def with_history(engine: Engine, kind: str, status: str) -> int:
    (number,) = subscribe(engine, ["ana@example.com"], status)
    with writing(engine) as session:
        consent.note(session, number, kind, "before", IN_W46)
        session.commit()
    return number


@pytest.mark.parametrize("kind", [consent.CONFIRMED, consent.IMPORTED, consent.ADDED])
@pytest.mark.parametrize("status", [ACTIVE, PAUSED])
def test_leaving_is_taken_back_within_a_day_and_twice_is_once(engine: Engine, kind: str, status: str) -> None:
    number = with_history(engine, kind, status)
    leave(engine, number)
    assert take_back(engine, number, timedelta(hours=24)) is Undone.BACK
    assert take_back(engine, number, timedelta(hours=24)) is Undone.BACK
    assert state(engine, number) == (ACTIVE, [kind, "left", "returned"])


def test_after_a_day_leaving_stands(sqlite_engine: Engine) -> None:
    number = with_history(sqlite_engine, consent.CONFIRMED, ACTIVE)
    leave(sqlite_engine, number)
    assert take_back(sqlite_engine, number, timedelta(hours=24, seconds=1)) is Undone.TOO_LATE
    assert state(sqlite_engine, number) == (UNSUBSCRIBED, ["confirmed", "left"])


def test_taking_back_makes_no_reader_of_somebody_who_never_confirmed_however_often(sqlite_engine: Engine) -> None:
    number = with_history(sqlite_engine, consent.SIGNED_UP, PENDING)
    for _ in range(2):
        leave(sqlite_engine, number)
        assert take_back(sqlite_engine, number) is Undone.BACK
        assert state(sqlite_engine, number)[0] == PENDING
    assert not set(state(sqlite_engine, number)[1]) & consent.AGREED


def test_who_came_from_elsewhere_as_one_who_has_left_takes_nothing_back(sqlite_engine: Engine) -> None:
    number = with_history(sqlite_engine, consent.IMPORTED, UNSUBSCRIBED)
    with writing(sqlite_engine) as session:
        session.get_one(Subscriber, number).since = MONDAY
        session.commit()
    assert take_back(sqlite_engine, number) is Undone.TOO_LATE


@pytest.mark.parametrize("status", [SUPPRESSED, ERASED])
def test_who_must_not_be_written_to_does_not_come_back(sqlite_engine: Engine, status: str) -> None:
    number = with_history(sqlite_engine, consent.CONFIRMED, status)
    leave(sqlite_engine, number)
    before = state(sqlite_engine, number)
    assert take_back(sqlite_engine, number) is Undone.GONE
    assert state(sqlite_engine, number) == before


def test_a_reason_is_written_down_once_for_each_leaving(sqlite_engine: Engine) -> None:
    number = with_history(sqlite_engine, consent.CONFIRMED, ACTIVE)

    def say(choice: str) -> bool:
        with writing(sqlite_engine) as session:
            said = give_reason(session, session.get_one(Subscriber, number), choice, "a link", MONDAY)
            session.commit()
            return said

    assert not say("often")  # they are still here
    leave(sqlite_engine, number)
    assert [say("often"), say("other")] == [True, False]
    take_back(sqlite_engine, number)
    assert not say("other")
    leave(sqlite_engine, number)
    assert [say("content"), say("often")] == [True, False]
    with reading(sqlite_engine) as session:
        said = [(step.words, step.words_version) for step in consent.history(session, number) if step.kind == "reason"]
        assert said == [("Too many letters", "reasons-1"), ("I expected something else", "reasons-1")]
        assert gave_reason(session, session.get_one(Subscriber, number))
