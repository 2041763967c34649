"""When does a week begin and end, and when does its issue go out? ISO weeks, in the newsletter's own time zone.

Pure. A local time that a DST change skips is taken as late as the clock jumped (02:30 becomes 03:30); one that comes
twice is taken the first time. So every slot is one moment, and two schedulers mean the same one.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

Slot = tuple[int, int, int]
"""Weekday (0 is Monday), hour and minute, local."""

SECOND = timedelta(seconds=1)


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
        year, number, _ = _day(moment, zone).isocalendar()
        return cls(year, number)

    @classmethod
    def newest_ended(cls, now: datetime, zone: ZoneInfo) -> Self:
        """The newest week that has ended by now."""
        return cls.of(now, zone).before()

    def __str__(self) -> str:
        return f"{self.year:04}-W{self.number:02}"

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
        """The first moment of its Monday, UTC; where midnight is skipped, the one at which the clock has jumped."""
        monday = self.first_day()
        start, early = _moment(monday, time(0), zone), _moment(monday, time(0, fold=1), zone)
        if start <= early:
            return start
        # Midnight is skipped, and the clock may have jumped before it: from 23:30 to 00:30.
        seconds = range((start - early) // SECOND)
        return early + SECOND * bisect_left(seconds, monday, key=lambda past: _day(early + past * SECOND, zone))

    def end(self, zone: ZoneInfo) -> datetime:
        """The first moment that no longer belongs to it, UTC."""
        return self.after().start(zone)

    def slot_after(self, slot: Slot, zone: ZoneInfo) -> datetime:
        """The first time after its end that the slot's weekday and time of day come round, UTC."""
        weekday, hour, minute = slot
        return _moment(self.after().first_day() + timedelta(days=weekday), time(hour, minute), zone)

    def drafting(self, draft_at: Slot, send_at: Slot, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """From when until when its issue is drafted: from the one slot after its end to the other, UTC.

        Where a DST change skips the first one beyond the second, it begins as long before that as their times of day
        are apart.
        """
        begins, ends = self.slot_after(draft_at, zone), self.slot_after(send_at, zone)
        return (begins if begins < ends else ends - (_since_monday(send_at) - _since_monday(draft_at))), ends

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
    """A local day and time as a moment. fold=0, a time's default, makes a gap late and a repeated hour early."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    """The local day that a moment lies in."""
    return moment.astimezone(zone).date()


def _since_monday(slot: Slot) -> timedelta:
    weekday, hour, minute = slot
    return timedelta(days=weekday, hours=hour, minutes=minute)
