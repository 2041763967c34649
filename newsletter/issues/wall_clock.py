"""Which moment does a clock on the wall mean, and what do clocks elsewhere show then? For who gives an issue its time.

Pure. A local time that a DST change skips is no moment at all, and one that comes twice is two: nobody is to guess
which one an editor means. (A weekly slot must come round every week, and so is taken in one way: see `week`.)
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

CITIES: Final = {
    "Los Angeles": "America/Los_Angeles",
    "New York": "America/New_York",
    "São Paulo": "America/Sao_Paulo",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
    "Lagos": "Africa/Lagos",
    "Delhi": "Asia/Kolkata",
    "Singapore": "Asia/Singapore",
    "Tokyo": "Asia/Tokyo",
    "Sydney": "Australia/Sydney",
}
"""Where many readers of any list in English live, from west to east. Of no reader of ours is it known."""

MORNING, NIGHT = 7, 22
"""Hours between which hardly anybody is asleep."""


@dataclass(frozen=True)
class Elsewhere:
    """What the clocks of a city show at a moment."""

    city: str
    at: datetime
    """Aware, in the city's zone."""

    @property
    def asleep(self) -> bool:
        """Whether most people are asleep there."""
        return not MORNING <= self.at.hour < NIGHT


def read_local(written: str) -> datetime:
    """Read a local time as browsers write it (`2026-11-24T09:00`), to the minute. Raises ValueError."""
    read = datetime.fromisoformat(written.strip())
    # One of the first and last days of the calendar is no moment in some zone.
    if read.tzinfo is not None or not 1970 <= read.year < 9999:
        raise ValueError(f"{written!r} is no local time")
    return read.replace(second=0, microsecond=0)


def moments(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the clocks of a zone show a local time, UTC: once; not at all where they skip it; twice, the earlier first.

    `local` is naive.
    """
    shown = {moment for moment in nearest(local, zone) if moment.astimezone(zone).replace(tzinfo=None) == local}
    return sorted(shown)


def nearest(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """The two moments that a local time may stand for, UTC, the earlier first; the same twice for most times.

    Of a time that is skipped: as long before the change, and after it, as the time lies within the gap.
    """
    return sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def around_the_world(moment: datetime) -> list[Elsewhere]:
    """What the clocks of `CITIES` show at a moment."""
    return [Elsewhere(city, moment.astimezone(ZoneInfo(name))) for city, name in CITIES.items()]


def offset(moment: datetime, zone: ZoneInfo) -> str:
    """How far a zone is ahead of UTC at a moment: `UTC+01:00`."""
    written = f"{moment.astimezone(zone):%z}"
    return f"UTC{written[:3]}:{written[3:5]}"
