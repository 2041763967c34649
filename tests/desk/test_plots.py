"""How figures are drawn: what is known where it belongs, what is not known nowhere, and names that can be read."""

from itertools import pairwise

import pytest

from newsletter.issues.week import Week
from newsletter.web.desk.plots import (
    BOTTOM,
    END,
    HEIGHT,
    LETTER,
    START,
    TOP,
    WIDTH,
    Plot,
    bars,
    lines,
    share_of,
    short,
    steps,
)


def weeks(count: int) -> list[str]:
    names = [Week(2026, 47)]
    while len(names) < count:
        names.insert(0, names[0].before())
    return [str(each) for each in names]


def inside(plot: Plot) -> bool:
    points = [point for _, each in plot.lines for point in each]
    points += [(dot.x, dot.y) for dot in plot.dots]
    points += [(bar.x, bar.y) for bar in plot.bars]
    points += [(bar.x + bar.width, bar.y + bar.height) for bar in plot.bars]
    return all(START <= x <= WIDTH - END and TOP <= y <= HEIGHT - BOTTOM + 0.01 for x, y in points)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 26, 52])
@pytest.mark.parametrize("top", [0.043, 1, 7, 99, 940_000, 12_345_678])
def test_no_label_overlaps_another_or_leaves_the_drawing(count: int, top: float) -> None:
    names, values = weeks(count), [top * (place + 1) / count for place in range(count)]
    unit = " %" if top < 100 else ""
    for plot in (lines(names, {"a": values}, unit=unit), bars(names, {"a": values}, {"b": values}, unit=unit)):
        assert plot
        assert inside(plot)
        across = sorted((tick.x, len(tick.label) * LETTER) for tick in plot.ticks)
        assert all(x + wide / 2 <= other - wider / 2 for (x, wide), (other, wider) in pairwise(across))
        assert across[0][0] - across[0][1] / 2 >= 0
        assert across[-1][0] + across[-1][1] / 2 <= WIDTH
        down = sorted(level.y for level in plot.levels)
        assert all(other - y >= 14 for y, other in pairwise(down))
        assert all(len(level.label) * LETTER <= START - 6 for level in plot.levels)
        assert plot.ticks[0].label == "W47"  # the newest is always named


def test_what_is_not_known_is_a_gap_and_not_zero() -> None:
    plot = lines(weeks(6), {"opened": [10, 20, None, 30, None, 0]})
    assert plot
    assert [len(points) for _, points in plot.lines] == [2]
    assert [dot.said for dot in plot.dots] == ["2026-W42: 10", "2026-W43: 20", "2026-W45: 30", "2026-W47: 0"]
    stacked = bars(weeks(3), {"complaints": [None, 0.2, None]})
    assert stacked
    assert [bar.said for bar in stacked.bars] == ["2026-W46: 0.2 complaints"]


def test_where_nothing_is_known_nothing_is_drawn() -> None:
    assert lines(weeks(3), {"opened": [None, None, None], "clicked": [None, None, None]}) is None
    assert bars(weeks(2), {"complaints": [None, None]}) is None
    assert lines([], {"opened": []}) is None


def test_bars_stand_on_each_other_and_hang_below_zero() -> None:
    plot = bars(weeks(1), {"joined": [30]}, {"left": [10], "erased": [5]})
    assert plot
    joined, left, erased = plot.bars
    zero = next(level.y for level in plot.levels if level.label == "0")
    assert joined.y + joined.height == pytest.approx(zero)
    assert left.y == pytest.approx(zero)
    assert erased.y == pytest.approx(left.y + left.height, abs=0.02)
    assert joined.height == pytest.approx(3 * left.height, abs=0.05)


def test_a_limit_shows_also_where_nothing_comes_near_it() -> None:
    plot = bars(weeks(2), {"complaints": [0.01, 0.02]}, unit=" %", limits={"keep_below": 0.1, "never": 0.3})
    assert plot
    below, never = plot.limits
    assert (below.label, never.label) == ("0.1 %", "0.3 %")
    assert TOP <= never.y < below.y < min(bar.y for bar in plot.bars)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 0, (0, 1)),
        (0, 100, (0, 50, 100)),
        (0, 0.3, (0, 0.1, 0.2, 0.3)),
        (846_000, 855_000, (845_000, 850_000, 855_000)),
        (850_000, 850_000, None),
        (-4_300, 4_196, (-5_000, 0, 5_000)),
    ],
)
def test_scales_are_round_and_hold_what_is_drawn(low: float, high: float, expected: tuple[float, ...] | None) -> None:
    found = steps(low, high)
    assert found[0] <= low
    assert high <= found[-1]
    assert 2 <= len(found) <= 6
    assert expected is None or found == expected


def test_numbers_on_a_scale_are_short() -> None:
    assert [short(value) for value in (0, 0.05, 12, 1_500, 850_000, 1_250_000, -4_000)] == [
        "0", "0.05", "12", "1.5k", "850k", "1.25M", "−4k",
    ]  # fmt: skip


def test_a_bar_across_is_never_longer_than_the_whole() -> None:
    assert (share_of(5, 20), share_of(30, 20), share_of(None, 20), share_of(5, 0)) == (25, 100, 0, 0)
