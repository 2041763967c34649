"""How the list grew, told from what readers and editors did, week by week."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from newsletter import growth
from newsletter.db import reading, writing
from newsletter.farewell import forget
from newsletter.growth import Grown
from subscribers import consent, subscriber, suppression
from subscribers.address import parse_address
from subscribers.preferences import pause
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, Subscriber
from subscribers.unsubscribe import undo, unsubscribe

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 16, 0, tzinfo=BERLIN).astimezone(UTC)
"""The first moment of 2026-W47 where the newsletter is at home; still Sunday in UTC."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def join(session: Session, name: str, at: datetime, kind: str = consent.IMPORTED) -> Subscriber:
    one = subscriber.add(session, parse_address(f"{name}@example.com"), ACTIVE, at)
    consent.note(session, one.id or 0, kind, "a file", at)
    session.flush()
    return one


def test_each_week_tells_who_came_and_went_and_how_many_were_left(engine: Engine) -> None:
    with writing(engine) as session:
        names = ("ana", "ben", "cleo", "dan", "eva", "finn")
        ana, ben, cleo, dan, eva, finn = (join(session, name, MONDAY - 3 * WEEK) for name in names)
        waiting = subscriber.add(session, parse_address("never@example.com"), PENDING, MONDAY)
        consent.note(session, waiting.id or 0, consent.SIGNED_UP, "a form", MONDAY)
        join(session, "sunday", MONDAY - timedelta(seconds=1), consent.CONFIRMED)
        join(session, "monday", MONDAY, consent.CONFIRMED)

        unsubscribe(session, ana, "a link", MONDAY)
        unsubscribe(session, ben, "a link", MONDAY + DAY)
        undo(session, ben, "a link", MONDAY + DAY)
        suppression.suppress(session, parse_address(cleo.email), suppression.HARD_BOUNCE, "a test", MONDAY + 2 * DAY)
        suppression.suppress(session, parse_address(ana.email), suppression.COMPLAINT, "a test", MONDAY + 2 * DAY)
        forget(session, dan, MONDAY + WEEK)
        forget(session, ana, MONDAY + WEEK)  # had left long before
        pause(session, eva, 2, MONDAY + WEEK)
        suppression.suppress(session, parse_address(finn.email), suppression.MANUAL, "a test", MONDAY)
        suppression.lift(session, parse_address(finn.email), "a mistake", MONDAY + DAY)
        session.commit()
    with reading(engine) as session:
        grown = growth.by_week(session, BERLIN, MONDAY + WEEK + DAY, 3)
        (now,) = session.exec(select(func.count()).where(col(Subscriber.status).in_((ACTIVE, PAUSED))))
    assert grown == [
        Grown("2026-W46", joined=1, left=0, suppressed=0, erased=0, readers=7),
        Grown("2026-W47", joined=2, left=2, suppressed=1, erased=0, readers=6),
        Grown("2026-W48", joined=0, left=0, suppressed=0, erased=1, readers=5),
    ]
    assert grown[-1].readers == now


def test_of_an_empty_list_there_is_a_week_too(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        assert growth.by_week(session, BERLIN, MONDAY, 1) == [Grown("2026-W47", 0, 0, 0, 0, 0)]
