"""How long ago was something, whatever has been done to the clock since?

The wall clock may jump: somebody sets it, a laptop wakes up, the network corrects it. The machine also counts seconds
since it was started, asleep or awake, alike for all of its processes and over their restarts. Where two readings are of
one start of one machine, the time between them is told by that count; else, by the wall clock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux; another one each time the machine is started


@dataclass(frozen=True)
class Uptime:
    """A reading of the machine's own count: of which start, and seconds since it."""

    boot: str
    seconds: float


Stopwatch = Callable[[], Uptime | None]
"""Reads the count; None where the machine has none that could be trusted, or a test goes by a clock of its own."""


def of_this_machine() -> Uptime | None:
    """The count of the machine that this runs on; None where processes cannot tell one start of it from another."""
    boot = _boot()
    return Uptime(boot, time.clock_gettime(time.CLOCK_BOOTTIME)) if boot else None


def no_count() -> Uptime | None:
    """No count: the wall clock alone is gone by."""
    return None


def elapsed(since: datetime, then: Uptime | None, now: datetime, uptime: Uptime | None) -> timedelta:
    """The time between two readings of the wall clock and the count; may be negative by the wall clock alone."""
    if then is not None and uptime is not None and then.boot == uptime.boot:
        return timedelta(seconds=uptime.seconds - then.seconds)
    return now - since


@lru_cache(maxsize=1)
def _boot() -> str | None:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or None
    except OSError:
        return None
