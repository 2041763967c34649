"""What has had its time is gone, and what has not is still there."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import housekeeping
from newsletter.db import reading, writing
from newsletter.housekeeping import Tidied, tidy
from newsletter.invariants import violations
from subscribers import consent, limits
from subscribers.consent import Consent, Whence
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, UNSUBSCRIBED, Subscriber, move
from tests.newsroom import IN_W46, subscribe

DAY = timedelta(days=1)
NOTHING = Tidied(forgotten=0, woken=0, shortened=0, counts=0, clean=True)


def statuses(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in session.exec(select(Subscriber).order_by(col(Subscriber.id)))]


def test_an_address_that_nobody_confirms_is_forgotten_after_thirty_days_and_no_other(engine: Engine) -> None:
    subscribe(engine, ["never@example.com"], PENDING)
    subscribe(engine, ["in@example.com"], ACTIVE)
    subscribe(engine, ["out@example.com"], UNSUBSCRIBED)
    assert tidy(engine, IN_W46 + 30 * DAY - timedelta(seconds=1)) == NOTHING
    assert tidy(engine, IN_W46 + 30 * DAY) == Tidied(forgotten=1, woken=0, shortened=0, counts=0, clean=True)
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

    assert tidy(engine, now) == Tidied(forgotten=0, woken=1, shortened=1, counts=1, clean=True)
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
