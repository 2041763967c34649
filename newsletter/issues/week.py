"""When does a week begin and end, and when does its issue go out? ISO weeks, in the newsletter's own time zone.

Pure. A local time that a DST change skips is taken as late as the clock jumped (02:30 becomes 03:30); one that comes
twice is taken the first time. So every slot is one moment, and two schedulers mean the same one.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

Slot = tuple[int, int, int]
"""Weekday (0 is Monday), hour and minute, local."""


@dataclass(frozen=True, order=True)
class Week:
    """An ISO week, written `2026-W47`."""

    year: int
    number: int

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read `2026-W47`. Raises ValueError, also for a week that the year does not have."""
        match = re.fullmatch(r"([0-9]{4})-W([0-9]{2})", written.strip().upper())
        week = cls(int(match[1]), int(match[2])) if match else None
        if week is None or not week._exists():
            raise ValueError(f"{written!r} is no ISO week; write it like 2026-W47")
        return week

    @classmethod
    def of(cls, moment: datetime, zone: ZoneInfo) -> Self:
        """The week that a moment lies in."""
        year, number, _ = moment.astimezone(zone).isocalendar()
        return cls(year, number)

    @classmethod
    def newest_ended(cls, now: datetime, zone: ZoneInfo) -> Self:
        """The newest week that has ended by now."""
        return cls.of(now, zone).before()

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"

    def first_day(self) -> date:
        """Its Monday."""
        return date.fromisocalendar(self.year, self.number, 1)

    def before(self) -> Self:
        """The week before it."""
        return self._shifted(-1)

    def after(self) -> Self:
        """The week after it."""
        return self._shifted(1)

    def start(self, zone: ZoneInfo) -> datetime:
        """The first moment of its Monday, UTC."""
        return _moment(self.first_day(), time(0), zone)

    def end(self, zone: ZoneInfo) -> datetime:
        """The first moment that no longer belongs to it, UTC."""
        return self.after().start(zone)

    def slot_after(self, slot: Slot, zone: ZoneInfo) -> datetime:
        """The first time after its end that the slot's weekday and time of day come round, UTC."""
        weekday, hour, minute = slot
        return _moment(self.after().first_day() + timedelta(days=weekday), time(hour, minute), zone)

    def _exists(self) -> bool:
        """Whether its year has it, and every time zone its neighbours."""
        try:
            self.before().before()
            self.after().after()
        except (ValueError, OverflowError):
            return False
        else:
            return True

    def _shifted(self, weeks: int) -> Self:
        year, number, _ = (self.first_day() + timedelta(weeks=weeks)).isocalendar()
        return type(self)(year, number)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A local day and time as a moment. fold=0 is what makes a gap late and a repeated hour early."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
