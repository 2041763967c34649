"""What has had its time is gone, and what has not is still there."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import col, select

from newsletter import farewell, housekeeping
from newsletter.db import reading, writing
from newsletter.housekeeping import Tidied, tidy
from newsletter.invariants import violations
from newsletter.tracking import fading, stats
from newsletter.tracking.event import CLICKED, OPENED, Event, key_of
from newsletter.tracking.keeping import keep
from newsletter.tracking.stats import Touched
from newsletter.tracking.store import StoredEvent
from subscribers import consent, limits
from subscribers.consent import Consent, Whence
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, UNSUBSCRIBED, Subscriber, move
from tests.newsroom import IN_W46, TUESDAY, subscribe
from tests.tracking.heard import letter_of, send_to

DAY = timedelta(days=1)
NOTHING = Tidied(forgotten=0, woken=0, shortened=0, faded=0, counts=0, sessions=0, clean=True)


def statuses(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in session.exec(select(Subscriber).order_by(col(Subscriber.id)))]


def test_an_address_that_nobody_confirms_is_forgotten_after_thirty_days_and_no_other(engine: Engine) -> None:
    subscribe(engine, ["never@example.com"], PENDING)
    subscribe(engine, ["in@example.com"], ACTIVE)
    subscribe(engine, ["out@example.com"], UNSUBSCRIBED)
    assert tidy(engine, IN_W46 + 30 * DAY - timedelta(seconds=1)) == NOTHING
    assert tidy(engine, IN_W46 + 30 * DAY) == replace(NOTHING, forgotten=1)
    assert statuses(engine) == [("", ERASED), ("in@example.com", ACTIVE), ("out@example.com", UNSUBSCRIBED)]
    assert tidy(engine, IN_W46 + 31 * DAY) == NOTHING
    with reading(engine) as session:
        assert violations(session) == []


def test_many_are_forgotten_in_several_transactions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CHUNK", 2)
    subscribe(engine, [f"reader{number}@example.com" for number in range(5)], PENDING)
    assert tidy(engine, IN_W46 + 40 * DAY).forgotten == 5
    assert {status for _, status in statuses(engine)} == {ERASED}


def test_who_confirms_just_then_stays(engine: Engine) -> None:
    (number,) = subscribe(engine, ["late@example.com"], PENDING)
    with writing(engine) as session:
        late = session.get_one(Subscriber, number, with_for_update=True)
        move(late, ACTIVE, IN_W46 + 40 * DAY)
        session.add(late)
        session.flush()
        if engine.dialect.name == "postgresql":  # on SQLite whoever forgets waits for the lock
            assert tidy(engine, IN_W46 + 40 * DAY) == NOTHING
        session.commit()
    assert tidy(engine, IN_W46 + 40 * DAY) == NOTHING
    assert statuses(engine) == [("late@example.com", ACTIVE)]


def test_rests_end_counts_go_and_what_led_to_one_person_is_shortened(engine: Engine) -> None:
    now = IN_W46 + 100 * DAY
    (resting, agreed) = subscribe(engine, ["rest@example.com", "in@example.com"])
    with writing(engine) as session:
        one = session.get_one(Subscriber, resting)
        move(one, PAUSED, IN_W46, paused_until=now)
        session.add(one)
        consent.note(session, agreed, consent.CONFIRMED, "link", IN_W46, None, Whence("203.0.113.7", "A/1 (b)"))
        for at in (IN_W46, now):
            limits.take(session, "a", str(at), 1, timedelta(hours=1), at)
        session.commit()

    assert tidy(engine, now) == replace(NOTHING, woken=1, shortened=1, counts=1)
    assert statuses(engine) == [("rest@example.com", ACTIVE), ("in@example.com", ACTIVE)]
    with reading(engine) as session:
        step = session.exec(select(Consent)).one()
        assert (step.network, step.user_agent) == ("203.0.113.0/24", "A")
    assert tidy(engine, now) == NOTHING


def test_twice_at_any_time_is_once(engine: Engine) -> None:
    moments: list[datetime] = [IN_W46 + days * DAY for days in range(0, 200, 20)]
    subscribe(engine, ["never@example.com"], PENDING)
    done = [tidy(engine, moment).forgotten for moment in moments for _ in range(2)]
    assert sum(done) == 1


def test_what_came_back_is_kept_word_for_word_for_45_days_and_is_counted_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fading, "CHUNK", 2)
    with writing(engine) as session:
        for number in range(7):
            session.add(
                StoredEvent(
                    key=str(number), source="door", record_type="Click", kind="clicked", at=IN_W46,
                    received_at=IN_W46 + number * DAY, link="issues/2026-W46", machine="burst",
                    body="{}" if number % 2 else None, agent=None if number == 1 else "A/1",
                )
            )  # fmt: skip
        session.commit()
    assert tidy(engine, IN_W46 + 45 * DAY) == NOTHING
    assert tidy(engine, IN_W46 + 50 * DAY) == replace(NOTHING, faded=5)
    assert tidy(engine, IN_W46 + 50 * DAY) == NOTHING
    with reading(engine) as session:
        told = session.exec(select(StoredEvent).order_by(col(StoredEvent.id))).all()
    assert [(bool(one.body), bool(one.agent)) for one in told] == [(False, False)] * 5 + [(True, True), (False, True)]
    assert {(one.kind, one.link, one.machine, one.at) for one in told} == {
        ("clicked", "issues/2026-W46", "burst", IN_W46)
    }


def test_what_comes_of_somebody_after_their_erasure_keeps_no_hash_of_the_address(engine: Engine) -> None:
    readers = subscribe(engine, ["gone@example.com", "stays@example.com"])
    with writing(engine) as session:
        farewell.forget(session, session.get_one(Subscriber, readers[0]), IN_W46)
        for number in readers:
            session.add(
                StoredEvent(
                    key=f"hash {number}", source="webhook", record_type="Open", kind="opened", at=IN_W46,
                    received_at=IN_W46, subscriber_id=number,
                )
            )  # fmt: skip
        session.commit()
    assert tidy(engine, IN_W46 + DAY) == NOTHING, "it may be told again"
    assert tidy(engine, IN_W46 + 3 * DAY) == replace(NOTHING, faded=1)
    assert tidy(engine, IN_W46 + 3 * DAY) == NOTHING
    with reading(engine) as session:
        keys = session.exec(select(StoredEvent.key).order_by(col(StoredEvent.id))).all()
    assert keys == ["erased:1", "hash 2"]


def test_where_only_totals_are_wanted_no_key_is_left_by_which_it_could_be_worked_out_who_it_was(engine: Engine) -> None:
    letter, readers = send_to(engine, 2, opens="totals")
    with writing(engine) as session:
        row = letter_of(session, letter).row_key(readers[0])
        opened = Event(key_of(row, "opened"), "Open", OPENED, TUESDAY, row=row)
        followed = Event(key_of(row, "clicked"), "Click", CLICKED, TUESDAY, row=row, link="preferences")
        keep(session, [opened, followed], TUESDAY)
        session.commit()
    assert tidy(engine, TUESDAY + DAY) == NOTHING, "it may be told again"
    assert tidy(engine, TUESDAY + 3 * DAY) == replace(NOTHING, faded=1)
    assert tidy(engine, TUESDAY + 3 * DAY) == NOTHING
    with reading(engine) as session:
        told = {one.kind: one for one in session.exec(select(StoredEvent))}
        assert told[OPENED].key == f"erased:{told[OPENED].id}"
        assert told[CLICKED].key == followed.key
        found = stats.of_letter(session, letter_of(session, letter))
    assert (found.opened, found.clicked) == (Touched(1, 1), Touched(1, 1))


def test_looking_for_events_that_are_due_reads_those_alone(sqlite_engine: Engine) -> None:
    statements: list[tuple[str, Any]] = []
    event.listen(sqlite_engine, "before_cursor_execute", lambda *said: statements.append((said[2], said[3])))
    with writing(sqlite_engine) as session:
        fading.fade(session, IN_W46)
        fading.unname(session, IN_W46)
        whole, _, nobodys = [one for one in statements if one[0].startswith("UPDATE events")]
        for (update, values), index in ((whole, "ix_events_whole"), (nobodys, "ix_events_nobodys")):
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {update}", values).all()
            assert any(f"INDEX {index} (received_at<?)" in str(step) for step in plan), plan
