"""How fast a send goes, in figures: the warm-up, the size of batches, the pauses, and the slots of a limit."""

from datetime import timedelta

import pytest

from newsletter.delivery.pacing import JITTER, LONGEST_PAUSE, LONGEST_REST, Limit, Pace, batch_under, next_slot
from tests.delivery.readers import NOW

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("age", "rate"),
    [
        (timedelta(0), 1.0),
        (timedelta(seconds=36), 1.0),
        (timedelta(minutes=15), 25.0),
        (timedelta(minutes=30), 50.0),
        (HOUR - timedelta(seconds=36), 99.0),
        (HOUR, 100.0),
        (2 * HOUR, 100.0),
        (-HOUR, 1.0),  # a clock that was set back
    ],
)
def test_a_warm_up_climbs_evenly_from_a_hundredth_of_the_limit_to_the_whole(age: timedelta, rate: float) -> None:
    assert Limit(100.0, HOUR).at(age) == pytest.approx(rate)


def test_without_a_limit_there_is_no_rate_and_without_a_warm_up_it_is_the_same_from_the_first_moment() -> None:
    assert Limit().at(timedelta(0)) is None
    assert Limit(None, HOUR).at(timedelta(0)) is None
    assert Limit(7.5).at(timedelta(0)) == 7.5


def test_batches_are_halved_down_to_ten_and_grow_again_by_half_up_to_what_the_provider_takes() -> None:
    pace = Pace.full(500)
    assert (pace.size, pace.troubles) == (500, 0)
    falling = []
    for _ in range(7):
        pace = pace.slower()
        falling.append(pace.size)
    assert falling == [250, 125, 62, 31, 15, 10, 10]
    assert pace.troubles == 7
    rising = []
    for _ in range(11):
        pace = pace.faster()
        rising.append(pace.size)
        assert pace.troubles == 0
    assert rising == [16, 25, 38, 58, 88, 133, 200, 301, 452, 500, 500]


def test_a_provider_that_takes_fewer_than_ten_at_once_is_never_given_more() -> None:
    assert Pace.full(4).slower() == Pace(4, 4, 1)
    assert Pace.full(1).faster() == Pace(1, 1, 0)


def test_pauses_double_from_a_second_up_to_two_minutes() -> None:
    pauses = [Pace(500, 10, troubles).pause(0.0, 0.0) for troubles in range(1, 11)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert Pace(500, 500).pause(0.0, 0.0) == 1
    assert LONGEST_PAUSE == 120


def test_a_provider_that_names_a_longer_rest_is_believed_for_a_quarter_of_an_hour_at_most() -> None:
    pace = Pace(500, 10, troubles=3)
    assert pace.pause(3.0, 0.0) == 4
    assert pace.pause(30.0, 0.0) == 30
    assert pace.pause(901.0, 0.0) == pace.pause(1e9, 0.0) == LONGEST_REST == 900


def test_chance_makes_a_pause_longer_by_up_to_half_and_never_shorter() -> None:
    pace = Pace(500, 10, troubles=3)
    assert JITTER == 0.5
    assert [pace.pause(0.0, chance) for chance in (0.0, 0.5, 1.0)] == [4, 5, 6]
    assert pace.pause(10.0, 1.0) == 15


@pytest.mark.parametrize(
    ("rate", "size", "batch"),
    [(100.0, 500, 100), (100.0, 50, 50), (2.9, 500, 2), (1.0, 500, 1), (0.1, 500, 1), (500.0, 500, 500)],
)
def test_a_batch_under_a_limit_holds_a_seconds_messages_and_at_least_one(rate: float, size: int, batch: int) -> None:
    assert batch_under(rate, size) == batch


def test_the_next_slot_begins_where_the_last_one_ended() -> None:
    later = NOW + timedelta(seconds=3)
    assert next_slot(later, NOW, count=20, rate=10.0) == (3.0, later + timedelta(seconds=2))


@pytest.mark.parametrize("free_at", [None, NOW, NOW - timedelta(days=1)])
def test_a_slot_that_is_free_is_taken_at_once_and_what_was_not_used_is_not_made_up_for(free_at: object) -> None:
    assert next_slot(free_at, NOW, count=20, rate=10.0) == (0.0, NOW + timedelta(seconds=2))  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "rate", "length"), [(20, 10.0, 2.0), (1, 10.0, 1.0)])
def test_a_slot_further_ahead_than_there_can_be_senders_was_written_by_a_wrong_clock(
    count: int, rate: float, length: float
) -> None:
    furthest = NOW + 64 * timedelta(seconds=length)
    assert next_slot(furthest, NOW, count, rate)[0] == 64 * length
    too_far = furthest + timedelta(microseconds=1)
    assert next_slot(too_far, NOW, count, rate) == (0.0, NOW + timedelta(seconds=count / rate))
