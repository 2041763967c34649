"""The alarms themselves: two schedulers that start at once, and clocks that jump while they ring; on both databases.

The wall clock that APScheduler looks at is replaced where it jumps; what the jobs go by is theirs to be given.
"""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import apscheduler.schedulers.base
import pytest
import structlog
from structlog.testing import capture_logs

import scheduler
from newsletter.assembly import Assembly, assemble
from newsletter.sandbox.server import Sandbox
from tests.newsroom import MONDAY, TUESDAY, publish, subscribe
from tests.test_scheduler import HOUR, MINUTE, approved, at_once, at_sandbox, copies, is_sent, ringing, wait_for

READERS = [f"reader{number}@example.com" for number in range(40)]
Assemble = Callable[..., Assembly]


@pytest.fixture
def opened(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Assemble]:
    """Make a running newsletter; each call is another one on the same database, as another process would have it."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def make(**settings: Any) -> Assembly:
            assembly = assemble(database_url=database_url, **settings)
            stack.callback(assembly.close)
            return assembly

        yield make
    structlog.reset_defaults()


class Wall(datetime):
    """A clock on the wall that was set on, or back."""

    by = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + cls.by


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    monkeypatch.setattr(Wall, "by", timedelta(0))
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Wall)
    return Wall


def test_two_schedulers_that_start_at_the_slot_send_once(
    opened: Assemble, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TICK", 0.05)
    one, other = (opened(**at_sandbox(sandbox)) for _ in range(2))
    approved(one, READERS)
    running: list[Any] = []
    at_once(*(lambda each=each: running.append(scheduler.start(each, lambda: TUESDAY)) for each in (one, other)))
    try:
        wait_for(lambda: is_sent(one))
    finally:
        for each in running:
            each.shutdown(wait=True)

    assert len(running) == 2
    assert copies(sandbox) == dict.fromkeys(READERS, 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_two_schedulers_whose_clocks_show_anything_draft_once_and_send_once(
    opened: Assemble, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    one, other = (opened(**at_sandbox(sandbox), approval="automatic") for _ in range(2))
    publish(one.engine)
    subscribe(one.engine, READERS)
    chance, lock, readings = random.Random(seed), threading.Lock(), itertools.count()

    def clock() -> datetime:
        """From an hour before the draft to as late as a letter may be; at first, while there is a draft to make."""
        with lock:
            latest = TUESDAY - MINUTE if next(readings) < 20 else TUESDAY + 6 * HOUR
            return (MONDAY - 2 * HOUR) + chance.random() * (latest - (MONDAY - 2 * HOUR))

    with capture_logs() as logs, ringing(monkeypatch, clock, one, other):
        wait_for(lambda: is_sent(one))
        seen = next(readings)
        wait_for(lambda: next(readings) > seen + 100)  # and some alarms more

    assert Counter(log["event"] for log in logs)["drafted"] == 1
    assert [log for log in logs if log["event"] == "job failed"] == []
    assert copies(sandbox) == dict.fromkeys(READERS, 1)
    assert is_sent(one)


@pytest.mark.parametrize("jump", [-HOUR, timedelta(days=-365), HOUR, timedelta(days=2)], ids=str)
def test_a_wall_clock_that_jumps_silences_no_alarm(
    opened: Assemble, wall: type[Wall], monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    rung = 0

    def clock() -> datetime:
        nonlocal rung
        rung += 1
        return MONDAY

    with ringing(monkeypatch, clock, opened()):
        wait_for(lambda: rung > 20)
        wall.by = jump
        before = rung
        wait_for(lambda: rung > before + 20)
        wall.by = timedelta(0)
        before = rung
        wait_for(lambda: rung > before + 20)


def test_alarms_that_were_slept_through_ring_once(
    opened: Assemble, wall: type[Wall], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TICK", HOUR.total_seconds())
    rung = 0

    def clock() -> datetime:
        nonlocal rung
        rung += 1
        return MONDAY

    monkeypatch.setattr(scheduler, "now", lambda: datetime.now(UTC) + wall.by)
    assembly = opened()
    running = scheduler.start(assembly, clock)
    try:
        wait_for(lambda: rung >= 9)  # each job has looked, or nearly
        woken = rung
        wall.by = timedelta(hours=9)
        running.wakeup()
        wait_for(lambda: rung > woken)
    finally:
        running.shutdown(wait=True)
    # Four jobs look by the hour, and none of them nine times.
    assert rung - woken <= 2 * woken < 4 * 9
