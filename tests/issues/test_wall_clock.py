"""Which moment a local time means: none, one or two."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from newsletter.issues import wall_clock

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Europe/Berlin", "2026-11-24T09:00", [utc(2026, 11, 24, 8)]),
        ("Europe/Berlin", "2027-03-28T01:59", [utc(2027, 3, 28, 0, 59)]),
        ("Europe/Berlin", "2027-03-28T02:00", []),
        ("Europe/Berlin", "2027-03-28T02:59", []),
        ("Europe/Berlin", "2027-03-28T03:00", [utc(2027, 3, 28, 1)]),
        ("Europe/Berlin", "2026-10-25T02:30", [utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)]),
        ("Australia/Lord_Howe", "2027-04-04T01:45", [utc(2027, 4, 3, 14, 45), utc(2027, 4, 3, 15, 15)]),
        ("Pacific/Apia", "2011-12-30T12:00", []),  # a day that there was not
    ],
)
def test_a_local_time_is_as_many_moments_as_clocks_show_it(zone: str, local: str, expected: list[datetime]) -> None:
    assert wall_clock.moments(wall_clock.read_local(local), ZoneInfo(zone)) == expected


def test_beside_a_time_that_is_skipped_lie_one_before_and_one_after_the_change() -> None:
    before, after = wall_clock.nearest(wall_clock.read_local("2027-03-28T02:30"), BERLIN)
    assert (f"{before.astimezone(BERLIN):%H:%M %z}", f"{after.astimezone(BERLIN):%H:%M %z}") == (
        "01:30 +0100",
        "03:30 +0200",
    )


@pytest.mark.parametrize("written", ["", "soon", "2026-11-24T09:00Z", "0001-01-01T00:00", "9999-12-31T23:59"])
def test_what_is_no_local_time_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|no local time"):
        wall_clock.read_local(written)


def test_the_clocks_of_the_world_show_one_moment_and_who_is_asleep_then() -> None:
    shown = {each.city: each for each in wall_clock.around_the_world(utc(2026, 11, 24, 8))}
    assert f"{shown['Los Angeles'].at:%a %H:%M}" == "Tue 00:00"
    assert f"{shown['Delhi'].at:%H:%M}" == "13:30"
    assert {city for city, each in shown.items() if each.asleep} == {"Los Angeles", "New York", "São Paulo"}


def test_an_offset_is_written_as_people_know_it() -> None:
    assert wall_clock.offset(utc(2026, 11, 24), BERLIN) == "UTC+01:00"
    assert wall_clock.offset(utc(2026, 11, 24), ZoneInfo("America/St_Johns")) == "UTC-03:30"
