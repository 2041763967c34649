from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest

from newsletter.issues.week import Slot, Week

BERLIN, NEW_YORK, LORD_HOWE, APIA = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
)
ZONES = [ZoneInfo("UTC"), BERLIN, NEW_YORK, LORD_HOWE, APIA, ZoneInfo("Asia/Kathmandu")]
SUNDAY = 6


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("written", "first_day"),
    [
        ("2026-W47", date(2026, 11, 16)),
        ("2020-W53", date(2020, 12, 28)),
        ("2026-W53", date(2026, 12, 28)),
        ("2021-W01", date(2021, 1, 4)),
        ("2026-W01", date(2025, 12, 29)),
        (" 2026-w07\n", date(2026, 2, 9)),
    ],
)
def test_a_week_is_read_and_begins_on_its_monday(written: str, first_day: date) -> None:
    assert Week.parse(written).first_day() == first_day
    assert str(Week.parse(written)) == written.strip().upper()


@pytest.mark.parametrize(
    "written",
    [
        "2021-W53",
        "2025-W53",
        "2026-W00",
        "2026-W54",
        "2026-47",
        "2026W47",
        "2026-W7",
        "26-W07",
        "",
        "next",
        "2026-W47-1",
        "٢٠٢٦-W٤٧",
        "2026-W47\x00",
        "0000-W01",
        "0001-W01",
        "9999-W52",
        "-026-W01",
    ],
)
def test_what_is_no_week_is_refused_and_named(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no ISO week; write it like 2026-W47$") as caught:
        Week.parse(written)
    assert repr(written) in str(caught.value)


def test_weeks_follow_one_another_over_the_turn_of_a_long_and_of_a_short_year() -> None:
    assert Week(2020, 53).after() == Week(2021, 1)
    assert Week(2021, 1).before() == Week(2020, 53)
    assert Week(2026, 53).after() == Week(2027, 1)
    assert Week(2025, 52).after() == Week(2026, 1)
    assert sorted([Week(2021, 1), Week(2020, 53), Week(2020, 9)]) == [Week(2020, 9), Week(2020, 53), Week(2021, 1)]


def test_the_days_around_new_year_belong_to_the_iso_year() -> None:
    assert Week.of(utc(2027, 1, 3, 23, 59), ZoneInfo("UTC")) == Week(2026, 53)
    assert Week.of(utc(2025, 12, 29), ZoneInfo("UTC")) == Week(2026, 1)


def test_a_moment_lies_in_another_week_elsewhere() -> None:
    sunday_evening = utc(2026, 11, 22, 23, 30)
    assert Week.of(sunday_evening, ZoneInfo("UTC")) == Week(2026, 47)
    assert Week.of(sunday_evening, BERLIN) == Week(2026, 48)
    assert Week.of(utc(2026, 11, 23, 4, 59), NEW_YORK) == Week(2026, 47)


def test_the_newest_ended_week_changes_with_the_first_moment_of_monday() -> None:
    monday = utc(2026, 11, 22, 23)  # midnight in Berlin
    assert Week.newest_ended(monday, BERLIN) == Week(2026, 47)
    assert Week.newest_ended(monday - timedelta(microseconds=1), BERLIN) == Week(2026, 46)
    assert Week.newest_ended(utc(2027, 1, 4), ZoneInfo("UTC")) == Week(2026, 53)


@pytest.mark.parametrize(
    ("zone", "week", "start", "end"),
    [
        (BERLIN, "2026-W13", utc(2026, 3, 22, 23), utc(2026, 3, 29, 22)),  # the clock springs forward: 167 hours
        (BERLIN, "2026-W43", utc(2026, 10, 18, 22), utc(2026, 10, 25, 23)),  # and falls back: 169
        (NEW_YORK, "2026-W10", utc(2026, 3, 2, 5), utc(2026, 3, 9, 4)),
        (NEW_YORK, "2026-W44", utc(2026, 10, 26, 4), utc(2026, 11, 2, 5)),
        (LORD_HOWE, "2026-W14", utc(2026, 3, 29, 13), utc(2026, 4, 5, 13, 30)),  # by half an hour
        (APIA, "2011-W52", utc(2011, 12, 26, 10), utc(2012, 1, 1, 10)),  # without its Friday: 144 hours
        (ZoneInfo("UTC"), "2026-W53", utc(2026, 12, 28), utc(2027, 1, 4)),
    ],
)
def test_a_week_begins_and_ends_at_local_midnight(zone: ZoneInfo, week: str, start: datetime, end: datetime) -> None:
    read = Week.parse(week)
    assert (read.start(zone), read.end(zone)) == (start, end)
    assert read.start(zone).tzinfo is UTC


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_weeks_leave_no_gap_and_share_no_moment(zone: ZoneInfo) -> None:
    week = Week(2025, 50)
    for _ in range(60):
        assert Week.of(week.start(zone), zone) == week
        assert Week.of(week.end(zone) - timedelta(microseconds=1), zone) == week
        assert Week.of(week.end(zone), zone) == week.after()
        week = week.after()


@pytest.mark.parametrize(
    ("zone", "week", "slot", "moment"),
    [
        (ZoneInfo("UTC"), "2026-W47", (1, 9, 0), utc(2026, 11, 24, 9)),
        (BERLIN, "2026-W47", (0, 0, 0), utc(2026, 11, 22, 23)),
        # 02:30 does not come: the clock shows 03:30 when it is due.
        (BERLIN, "2026-W12", (SUNDAY, 2, 30), utc(2026, 3, 29, 1, 30)),
        (NEW_YORK, "2026-W09", (SUNDAY, 2, 30), utc(2026, 3, 8, 7, 30)),
        (LORD_HOWE, "2026-W39", (SUNDAY, 2, 15), utc(2026, 10, 3, 15, 45)),
        # It comes twice: the first one counts.
        (BERLIN, "2026-W42", (SUNDAY, 2, 30), utc(2026, 10, 25, 0, 30)),
        (NEW_YORK, "2026-W43", (SUNDAY, 1, 30), utc(2026, 11, 1, 5, 30)),
        (LORD_HOWE, "2026-W13", (SUNDAY, 1, 45), utc(2026, 4, 4, 14, 45)),
        # A whole day does not come: the same time a day later.
        (APIA, "2011-W51", (4, 9, 0), utc(2011, 12, 30, 19)),
        # The Monday after either change is as any other, by the new offset.
        (BERLIN, "2026-W13", (0, 7, 0), utc(2026, 3, 30, 5)),
        (BERLIN, "2026-W43", (0, 7, 0), utc(2026, 10, 26, 6)),
    ],
)
def test_a_slot_is_one_moment_whatever_the_clock_does(zone: ZoneInfo, week: str, slot: Slot, moment: datetime) -> None:
    assert Week.parse(week).slot_after(slot, zone) == moment


def test_the_skipped_friday_of_apia_is_taken_on_saturday() -> None:
    due = Week.parse("2011-W51").slot_after((4, 9, 0), APIA)
    assert due.astimezone(APIA).isoformat() == "2011-12-31T09:00:00+14:00"


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_slot_of_a_week_comes_after_its_end_and_within_the_next_one(zone: ZoneInfo) -> None:
    for week in (Week(2026, 12), Week(2026, 42), Week(2026, 53)):
        slots = [week.slot_after((day, hour, 30), zone) for day in range(7) for hour in range(24)]
        assert all(week.end(zone) <= moment < week.after().end(zone) for moment in slots)
        assert [week.slot_after((day, 12, 0), zone) for day in range(7)] == sorted(
            week.slot_after((day, 12, 0), zone) for day in range(7)
        )


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("week", [Week(2026, number) for number in (9, 12, 13, 42, 43)], ids=str)
def test_there_is_always_time_to_draft_before_the_send(zone: ZoneInfo, week: Week) -> None:
    slots = [(day, hour, minute) for day in (0, SUNDAY) for hour in (0, 1, 2, 3) for minute in (0, 15, 45)]
    for draft_at, send_at in combinations(slots, 2):
        begins, ends = week.drafting(draft_at, send_at, zone)
        assert begins < ends == week.slot_after(send_at, zone)


def test_a_draft_that_the_clock_skips_past_the_send_is_due_as_long_before_it_as_the_times_of_day_say() -> None:
    begins, ends = Week.parse("2026-W12").drafting((SUNDAY, 2, 15), (SUNDAY, 3, 0), BERLIN)
    assert (begins, ends) == (utc(2026, 3, 29, 0, 15), utc(2026, 3, 29, 1))
