"""How fast, and how long to wait: whatever happens, in whatever order."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.pacing import (
    COLDEST,
    FIRST_PAUSE,
    JITTER,
    LEAST,
    LONGEST_PAUSE,
    LONGEST_REST,
    MOST_AHEAD,
    ONE_SLOT,
    Limit,
    Pace,
    batch_under,
    next_slot,
)
from tests.delivery.readers import NOW

mosts = st.integers(1, 1_000)
rates = st.floats(0.01, 10_000)
counts = st.integers(1, 500)
days = st.timedeltas(timedelta(days=-30), timedelta(days=30))

TICK = timedelta(microseconds=1)


@given(mosts, st.lists(st.booleans(), max_size=60))
def test_a_batch_is_never_empty_and_never_larger_than_the_provider_takes(most: int, troubles: list[bool]) -> None:
    pace = Pace.full(most)
    assert (pace.size, pace.troubles) == (most, 0)
    for trouble in troubles:
        before = pace
        pace = pace.slower() if trouble else pace.faster()
        assert 1 <= pace.size <= pace.most == most
        if trouble:
            assert pace.size <= before.size
            assert pace.size >= min(LEAST, most)
            assert pace.troubles == before.troubles + 1
        else:
            assert pace.size > before.size or pace.size == most
            assert pace.troubles == 0


@given(mosts)
def test_a_provider_that_recovers_gets_whole_batches_again_before_long(most: int) -> None:
    pace = Pace.full(most)
    for _ in range(20):
        pace = pace.slower()
    assert pace.size == min(LEAST, most)
    for _ in range(12):
        pace = pace.faster()
    assert pace == Pace.full(most)


@given(st.integers(0, 100), st.floats(0, 1e9), st.floats(0, 1))
def test_a_pause_is_as_long_as_was_asked_and_grows_with_the_troubles_but_not_for_ever(
    troubles: int, rest: float, chance: float
) -> None:
    pause = Pace(500, 10, troubles).pause(rest, chance)
    assert pause >= min(rest, LONGEST_REST)
    assert FIRST_PAUSE <= pause <= max(LONGEST_PAUSE, LONGEST_REST) * (1 + JITTER)
    assert pause <= Pace(500, 10, troubles + 1).pause(rest, chance)
    assert Pace(500, 10, troubles).pause(rest, 0.0) <= pause


def test_pauses_double_up_to_the_longest() -> None:
    assert [Pace(500, 10, troubles).pause(0.0, 0.0) for troubles in range(10)] == [
        FIRST_PAUSE,
        *(min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(9)),
    ]
    assert Pace(500, 10, 1).pause(30.0, 0.0) == 30.0
    assert Pace(500, 10, 1).pause(0.0, 1.0) == FIRST_PAUSE * (1 + JITTER)
    assert Pace(500, 10, 1).pause(1e9, 0.0) == LONGEST_REST


@given(st.floats(0.01, 10_000), st.timedeltas(timedelta(0), timedelta(days=2)), st.lists(days, min_size=2, max_size=8))
def test_the_warm_up_climbs_evenly_from_a_hundredth_and_never_beyond_the_limit(
    rate: float, warm_up: timedelta, ages: list[timedelta]
) -> None:
    limit = Limit(rate, warm_up)
    found = [limit.at(age) or 0.0 for age in sorted(ages)]
    assert all(before <= after for before, after in pairwise(found))
    assert all(rate * COLDEST <= at <= rate for at in found)
    assert limit.at(warm_up) == rate
    if warm_up >= timedelta(seconds=1):  # shorter ones cannot be halved to a thousandth
        assert limit.at(timedelta(0)) == rate * COLDEST
        assert limit.at(warm_up / 2) == pytest.approx(rate / 2, rel=1e-3, abs=rate * 1e-3)


@given(days)
def test_without_a_limit_there_is_none_at_any_age_and_without_a_warm_up_it_is_whole_at_any_age(age: timedelta) -> None:
    assert Limit().at(age) is None
    assert Limit(None, timedelta(hours=1)).at(age) is None
    assert Limit(7.5).at(age) == 7.5  # also where the clock was set back since the letter was made


@given(rates, counts)
def test_a_batch_under_a_limit_holds_what_may_go_out_in_one_slot_and_at_least_one_message(
    rate: float, size: int
) -> None:
    batch = batch_under(rate, size)
    assert 1 <= batch <= size
    assert batch == 1 or batch <= rate * ONE_SLOT.total_seconds()
    assert batch == size or batch + 1 > rate * ONE_SLOT.total_seconds()


@given(
    rates,
    st.lists(st.tuples(counts, st.timedeltas(timedelta(0), timedelta(seconds=3))), min_size=1, max_size=40),
)
def test_takers_in_a_row_never_exceed_the_limit_beyond_one_slot(
    rate: float, takers: list[tuple[int, timedelta]]
) -> None:
    """Each comes some time after the one before. What begins within any window is at most its share and one batch."""
    now, free_at = NOW, None
    sent = []
    for wanted, pause in takers:
        now += pause
        count = batch_under(rate, wanted)
        if free_at is not None and free_at > now + (MOST_AHEAD - 1) * ONE_SLOT:
            now = free_at  # there are never so many senders
        wait, free_at = next_slot(free_at, now, count, rate)
        assert wait >= 0
        sent.append((now + timedelta(seconds=wait), count))
    assert sent == sorted(sent, key=lambda one: one[0])
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            begun = (sent[last][0] - sent[first][0] + (len(sent) + 1) * TICK).total_seconds()
            assert sum(count for _, count in sent[first:last]) <= rate * begun + 1e-6


@given(rates, counts, st.lists(st.tuples(counts, days), max_size=20), days)
def test_a_clock_that_jumps_makes_nobody_wait_for_longer_than_senders_can_be_ahead(
    rate: float, wanted: int, takers: list[tuple[int, timedelta]], jump: timedelta
) -> None:
    free_at = None
    for one, leap in takers:
        _, free_at = next_slot(free_at, NOW + leap, batch_under(rate, one), rate)
    count = batch_under(rate, wanted)
    wait, after = next_slot(free_at, NOW + jump, count, rate)
    length = max(ONE_SLOT, timedelta(seconds=count / rate))
    assert 0 <= wait <= (MOST_AHEAD * length).total_seconds()
    assert NOW + jump <= after <= NOW + jump + (MOST_AHEAD + 1) * length + TICK


def test_the_first_one_does_not_wait_and_the_next_waits_for_its_slot() -> None:
    wait, free_at = next_slot(None, NOW, 10, 10.0)
    assert (wait, free_at) == (0.0, NOW + timedelta(seconds=1))
    wait, free_at = next_slot(free_at, NOW, 5, 10.0)
    assert (wait, free_at) == (1.0, NOW + timedelta(seconds=1.5))
    assert next_slot(free_at, NOW + timedelta(hours=1), 5, 10.0) == (0.0, NOW + timedelta(hours=1, seconds=0.5))
