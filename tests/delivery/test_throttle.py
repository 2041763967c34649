"""All senders of a database keep one limit together."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine
from sqlmodel import select

from newsletter.db import open_engine, reading, writing
from newsletter.delivery.throttle import PaceRow, take
from tests.delivery.readers import NOW


def free_at(engine: Engine) -> timedelta:
    """How far ahead of NOW the time is taken."""
    with reading(engine) as session:
        return session.exec(select(PaceRow.free_at)).one() - NOW


def test_takers_in_a_row_wait_for_each_other(engine: Engine) -> None:
    assert [take(engine, 10, 10.0, NOW) for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert take(engine, 5, 10.0, NOW + timedelta(seconds=4)) == 0.0
    assert free_at(engine) == timedelta(seconds=4.5)


def test_takers_at_once_keep_the_limit_together_and_each_has_a_slot_of_its_own(
    engine: Engine, database_url: str
) -> None:
    """Four senders with an engine each: what they are given is a row of slots, whoever came first."""
    begin = threading.Barrier(4)

    def take_some(_: int) -> list[float]:
        own = open_engine(database_url)
        begin.wait()
        try:
            return [take(own, 2, 20.0, NOW) for _ in range(5)]
        finally:
            own.dispose()

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(take_some, range(4)))
    waits = sorted(round(wait, 6) for share in shares for wait in share)
    assert waits == [round(number / 10, 6) for number in range(20)]
    assert free_at(engine) == timedelta(seconds=2)


def test_a_slot_that_was_taken_by_a_clock_that_was_wrong_is_not_waited_for(engine: Engine) -> None:
    take(engine, 10, 10.0, NOW + timedelta(days=365))
    assert take(engine, 10, 10.0, NOW) == 0.0
    assert take(engine, 10, 10.0, NOW) == 1.0


def test_there_is_one_row_and_no_second_one(engine: Engine) -> None:
    for _ in range(3):
        take(engine, 1, 10.0, NOW)
    with writing(engine) as session:
        assert [row.id for row in session.exec(select(PaceRow))] == [1]
