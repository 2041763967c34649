import pytest
from sqlalchemy import Engine

from newsletter.db import reading, writing
from subscribers import consent
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.unsubscribe import unsubscribe
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
