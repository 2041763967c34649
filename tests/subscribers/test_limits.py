"""Limits are counted in the database, for all processes together, and name nobody."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.db import reading, writing
from subscribers import limits
from subscribers.limits import Attempt
from tests.newsroom import MONDAY

ROOT = Path(__file__).parents[2]
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)

TRY = """
import sys
from datetime import datetime, timedelta
from newsletter.db import open_engine, writing
from subscribers import limits
engine = open_engine(sys.argv[1])
within = 0
for _ in range(20):
    with writing(engine) as session:
        within += limits.take(session, "trial", "someone", 25, timedelta(hours=1), datetime.fromisoformat(sys.argv[2]))
        session.commit()
print(within)
"""


def tried(engine: Engine, who: str = "ana", after: timedelta = timedelta(0), most: int = 2, what: str = "a") -> bool:
    with writing(engine) as session:
        within = limits.take(session, what, who, most, HOUR, MONDAY + after)
        session.commit()
        return within


def test_so_many_are_within_the_limit_and_no_more(engine: Engine) -> None:
    assert [tried(engine) for _ in range(4)] == [True, True, False, False]


def test_everybody_and_everything_has_a_count_of_its_own(engine: Engine) -> None:
    assert [tried(engine, most=1), tried(engine, most=1)] == [True, False]
    assert tried(engine, who="bo", most=1)
    assert tried(engine, what="b", most=1)


def test_the_window_begins_with_the_first_attempt_so_that_two_are_never_closer_than_it_is_long(engine: Engine) -> None:
    assert tried(engine, most=1, after=timedelta(minutes=59))
    assert not tried(engine, most=1, after=timedelta(minutes=61))
    assert not tried(engine, most=1, after=timedelta(minutes=119) - SECOND)
    assert tried(engine, most=1, after=timedelta(minutes=119))


def test_what_is_rolled_back_does_not_count(engine: Engine) -> None:
    with writing(engine) as session:
        assert limits.take(session, "a", "ana", 1, HOUR, MONDAY)
    assert tried(engine, most=1)


def test_no_name_stands_in_the_table(engine: Engine) -> None:
    tried(engine, who="ana@example.com")
    tried(engine, who="203.0.113.7/32")
    with reading(engine) as session:
        stored = [attempt.what for attempt in session.exec(select(Attempt))]
    assert len(stored) == 2
    assert not any("ana" in what or "203" in what for what in stored)


def test_windows_that_are_over_are_removed_and_the_others_stay(engine: Engine) -> None:
    tried(engine, who="ana")
    tried(engine, who="bo", after=timedelta(minutes=30))
    with writing(engine) as session:
        assert limits.tidy(session, MONDAY + HOUR - SECOND) == 0
        assert limits.tidy(session, MONDAY + HOUR) == 1
        session.commit()
    assert [tried(engine, who="bo", after=timedelta(minutes=89), most=2) for _ in range(2)] == [True, False]


def test_threads_share_a_limit(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        within = list(threads.map(lambda _: tried(engine, most=13), range(40)))
    assert sum(within) == 13


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_share_a_limit(new_database: Callable[[str], str], kind: str) -> None:
    command = [sys.executable, "-c", TRY, new_database(kind), MONDAY.isoformat()]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    within = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(within) == 25, within
