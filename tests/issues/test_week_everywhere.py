"""What holds of weeks and slots in every time zone that there is, at any moment, and next to any change of a clock.

What a clock on the wall shows is asked of the zone here, never of the module under test.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from newsletter.issues.week import Slot, Week

ZONES = sorted(available_timezones())
MOMENT = timedelta(microseconds=1)  # the smallest that there is
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.timedeltas(timedelta(0), timedelta(days=73_000)).map(
    lambda since: datetime(1900, 1, 1, tzinfo=UTC) + since
)
weeks = st.dates(date(1, 1, 29), date(9999, 12, 5)).map(lambda day: Week(*day.isocalendar()[:2]))
minutes = st.integers(-150, 150).map(lambda number: number * MINUTE)


def offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows, without a word on its zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


@cache
def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The first minute after each change of the clocks, but for those that were undone within a week."""
    first = datetime(year, 1, 1, tzinfo=UTC)
    found = []
    for before, after in pairwise(first + number * 7 * DAY for number in range(54)):
        if offset(before, zone) == offset(after, zone):
            continue
        early, late = before, after
        while late - early > MINUTE:
            middle = early + (late - early) // (2 * MINUTE) * MINUTE
            early, late = (middle, late) if offset(middle, zone) == offset(before, zone) else (early, middle)
        found.append(late)
    return found


@st.composite
def places_and_moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and a moment; where its clocks change in that year, one within a few hours of a change."""
    zone, moment = draw(zones), draw(moments)
    if found := changes(zone, moment.year):
        return zone, draw(st.sampled_from(found)) + draw(minutes)
    return zone, moment


@st.composite
def slots(draw: st.DrawFn) -> tuple[ZoneInfo, Week, Slot]:
    """A zone, a week, and a slot that a change of the clocks may skip or repeat."""
    zone, moment = draw(places_and_moments())
    # Read by the clock from before, so that it is drawn also from what is skipped.
    local = (moment + offset(moment - 4 * HOUR, zone)).replace(tzinfo=None)
    return zone, Week(*local.isocalendar()[:2]).before(), (local.weekday(), local.hour, local.minute)


@settings(deadline=None, max_examples=500)
@given(places_and_moments())
@example((ZoneInfo("America/Toronto"), datetime(1919, 3, 31, 4, 45, tzinfo=UTC)))  # a Monday that began at 00:30
def test_every_moment_lies_in_exactly_one_week(where_and_when: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = where_and_when
    week = Week.of(moment, zone)

    assert week.start(zone) <= moment < week.end(zone)
    assert week.before().end(zone) == week.start(zone)
    assert week.after().start(zone) == week.end(zone)
    day = shown(moment, zone).date()
    assert week.first_day() <= day < week.first_day() + 7 * DAY


@settings(deadline=None, max_examples=500)
@given(places_and_moments())
def test_the_newest_week_that_has_ended_is_followed_by_one_that_has_not(
    where_and_when: tuple[ZoneInfo, datetime],
) -> None:
    zone, now = where_and_when
    newest = Week.newest_ended(now, zone)
    assert newest.end(zone) <= now < newest.after().end(zone)


@pytest.mark.parametrize("initial", sorted({name[0] for name in ZONES}))
def test_in_no_zone_do_weeks_leave_a_gap_or_share_a_moment(initial: str) -> None:
    for zone in (ZoneInfo(name) for name in ZONES if name.startswith(initial)):
        week = Week(2024, 1)
        while week < Week(2038, 1):
            start = week.start(zone)
            assert Week.of(start, zone) == week, zone
            assert Week.of(start - MOMENT, zone) == week.before(), zone
            assert shown(start, zone).date() == week.first_day(), zone
            week = week.after()


@given(weeks)
def test_a_week_is_read_as_it_is_written_and_lies_between_its_neighbours(week: Week) -> None:
    assert Week.parse(str(week)) == week
    assert week.before().after() == week == week.after().before()
    assert week.after().first_day() - week.first_day() == 7 * DAY
    assert week.first_day().weekday() == 0


@given(weeks, weeks)
def test_weeks_are_ordered_as_their_days_and_as_their_names(one: Week, other: Week) -> None:
    assert (one < other) == (one.first_day() < other.first_day()) == (str(one) < str(other))


def test_a_year_has_53_weeks_where_a_thursday_begins_or_ends_it() -> None:
    for year in range(1900, 2400):
        thursdays = [day for day in (date(year, 1, 1), date(year, 12, 31)) if day.weekday() == 3]
        last = Week(year + 1, 1).before()
        assert last == Week(year, 53 if thursdays else 52)
        assert last.after() == Week(year + 1, 1)
        if not thursdays:
            with pytest.raises(ValueError, match="is no ISO week"):
                Week.parse(f"{year}-W53")


@settings(deadline=None, max_examples=1000)
@given(slots())
def test_a_slot_is_when_the_wall_shows_it_first_or_as_late_as_the_clock_jumped(
    case: tuple[ZoneInfo, Week, Slot],
) -> None:
    zone, week, (weekday, hour, minute) = case
    wanted = datetime.combine(week.after().first_day() + weekday * DAY, time(hour, minute))
    around = [wanted.replace(tzinfo=UTC) + hours * HOUR for hours in range(-30, 31)]
    offsets = {offset(moment, zone) for moment in around}
    assume(len(offsets) <= 2)  # a clock that changes twice within three days
    readings = [wanted.replace(tzinfo=UTC) - each for each in sorted(offsets)]
    real = [moment for moment in readings if shown(moment, zone) == wanted]

    due = week.slot_after((weekday, hour, minute), zone)

    if real:
        assert due == min(real)
    else:
        assert due == max(readings)
        assert shown(due, zone) - wanted == max(offsets) - min(offsets)


@settings(deadline=None, max_examples=1000)
@given(slots())
def test_a_slot_comes_once_a_week_and_not_before_the_week_has_ended(case: tuple[ZoneInfo, Week, Slot]) -> None:
    zone, week, slot = case
    due = week.slot_after(slot, zone)

    assert due.tzinfo is UTC
    assert week.end(zone) <= due
    assert week.before().slot_after(slot, zone) < due < week.after().slot_after(slot, zone)
    jump = shown(due, zone) - datetime.combine(
        week.after().first_day() + slot[0] * DAY,
        time(*slot[1:]),
    )
    assert timedelta(0) <= jump <= DAY
    # Later than its own week only where the clock jumped over the end of it.
    assert due - jump < week.after().end(zone)


@pytest.mark.parametrize(
    ("name", "week", "slot", "expected"),
    [
        # Two hours are skipped, and come twice.
        ("Antarctica/Troll", "2026-W12", (6, 1, 30), "2026-03-29T03:30+02:00"),
        ("Antarctica/Troll", "2026-W42", (6, 1, 30), "2026-10-25T01:30+02:00"),
        # Midnight does not come.
        ("Asia/Beirut", "2026-W12", (6, 0, 0), "2026-03-29T01:00+03:00"),
        ("America/Havana", "2026-W09", (6, 0, 0), "2026-03-08T01:00-04:00"),
        ("Africa/Cairo", "2026-W16", (4, 0, 0), "2026-04-24T01:00+03:00"),
        # Nor did the one between two weeks; and it did not come twice, though the hour before it did.
        ("Africa/Casablanca", "2009-W22", (0, 0, 0), "2009-06-01T01:00+01:00"),
        ("Africa/Casablanca", "2008-W35", (0, 0, 0), "2008-09-01T00:00+00:00"),
        # A day was skipped, the clocks going from one side of the date line to the other.
        ("Pacific/Kwajalein", "1993-W32", (5, 9, 0), "1993-08-22T09:00+12:00"),
        # Summer time that goes by another calendar: it ends in the midst of spring, and comes back.
        ("Africa/Casablanca", "2026-W06", (6, 2, 30), "2026-02-15T02:30+01:00"),
        ("Africa/Casablanca", "2026-W11", (6, 2, 30), "2026-03-22T03:30+01:00"),
    ],
)
def test_where_clocks_do_strange_things(name: str, week: str, slot: Slot, expected: str) -> None:
    zone = ZoneInfo(name)
    due = Week.parse(week).slot_after(slot, zone).astimezone(zone)
    assert due.isoformat(timespec="minutes") == expected
    assert Week.parse(week).end(zone) <= due


def test_a_monday_whose_midnight_is_skipped_begins_when_the_clock_has_jumped() -> None:
    toronto, casablanca = ZoneInfo("America/Toronto"), ZoneInfo("Africa/Casablanca")
    # From 23:30 to 00:30: none of its moments belongs to the week before.
    assert Week(1919, 14).start(toronto) == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)
    assert Week(1919, 13).end(toronto) == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)
    # From 00:00 to 01:00.
    assert Week(2009, 23).start(casablanca) == datetime(2009, 6, 1, tzinfo=UTC)
    # From 24:00 back to 23:00: Sunday has 25 hours.
    assert Week(2008, 36).start(casablanca) == datetime(2008, 9, 1, tzinfo=UTC)
