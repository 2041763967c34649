"""How are figures drawn? Lines over time, bars over time, and a bar across: the numbers of an inline SVG.

Pure. No script is needed, and nothing is drawn that the table beside it does not say. What is not known (None) is not
drawn, and never at 0. The names below do not overlap on the narrowest screen either: a letter of theirs takes `LETTER`
units of the drawing, however wide that is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final

WIDTH: Final = 360  # units of the drawing
HEIGHT: Final = 190
LETTER: Final = 7.2  # units that a letter takes at most, in the style sheet's sizes
START, END, TOP, BOTTOM = 58, 12, 14, 26  # what is kept free around, for words
DOTS: Final = 16  # points of a line at most that are drawn as dots too

Point = tuple[float, float]
"""Across and down."""

Values = Sequence[float | None]
"""One for each name; None where it is not known."""


@dataclass(frozen=True)
class Bar:
    """A rectangle."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    said: str
    """What it stands for, in words."""


@dataclass(frozen=True)
class Dot:
    """One value of a line."""

    kind: str
    x: float
    y: float
    said: str


@dataclass(frozen=True)
class Level:
    """A line across, behind or in front of the others."""

    y: float
    label: str
    kind: str = ""


@dataclass(frozen=True)
class Tick:
    """A name below."""

    x: float
    label: str


@dataclass(frozen=True)
class Plot:
    """What is drawn."""

    levels: tuple[Level, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[tuple[str, tuple[Point, ...]], ...] = ()
    """(kind, points) of each unbroken piece."""
    dots: tuple[Dot, ...] = ()
    limits: tuple[Level, ...] = ()
    """What should not be passed."""
    width: int = WIDTH
    height: int = HEIGHT
    start: float = START
    end: float = WIDTH - END


@dataclass(frozen=True)
class _Scale:
    """From a value to how far down it is drawn."""

    steps: tuple[float, ...]

    def down(self, value: float) -> float:
        low, high = self.steps[0], self.steps[-1]
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 2)

    def levels(self, unit: str) -> tuple[Level, ...]:
        return tuple(Level(self.down(step), short(step) + unit) for step in self.steps)


def lines(
    names: Sequence[str],
    series: Mapping[str, Values],
    *,
    unit: str = "",
    from_zero: bool = True,
    most: float | None = None,
) -> Plot | None:
    """A line for each kind; None where nothing is known. `from_zero`: else only where the values are. `most`: 100 %."""
    known = [value for values in series.values() for value in values if value is not None]
    if not known:
        return None
    low = 0.0 if from_zero else min(known)
    scale = _Scale(steps(low, max(*known, most if most is not None else low)))
    across = _across(len(names))
    pieces, dots = [], []
    for kind, values in series.items():
        points = [
            (x, scale.down(value), name, value)
            for x, name, value in zip(across, names, values, strict=True)
            if value is not None
        ]
        for piece in _unbroken(across, values):
            if len(piece) > 1:
                pieces.append((kind, tuple((x, scale.down(value)) for x, value in piece)))
        alone = {piece[0][0] for piece in _unbroken(across, values) if len(piece) == 1}
        dots += [
            Dot(kind, x, y, f"{name}: {exactly(value)}{unit}")
            for x, y, name, value in points
            if len(names) <= DOTS or x in alone
        ]
    return Plot(scale.levels(unit), _ticks(names, across), lines=tuple(pieces), dots=tuple(dots))


def bars(
    names: Sequence[str],
    up: Mapping[str, Values],
    down: Mapping[str, Values] | None = None,
    *,
    unit: str = "",
    limits: Mapping[str, float] | None = None,
) -> Plot | None:
    """Bars for each name, one kind on the other, above zero and below it; None where nothing is known.

    `limits`: kind of a line that should not be passed -> where it is.
    """
    down, limits = down or {}, limits or {}
    if not any(value is not None for values in (*up.values(), *down.values()) for value in values):
        return None
    above = [sum(values[place] or 0 for values in up.values()) for place in range(len(names))]
    below = [sum(values[place] or 0 for values in down.values()) for place in range(len(names))]
    scale = _Scale(steps(-max(below), max(*above, *limits.values(), 0)))
    across = _across(len(names), bars=True)
    width = round(_room(len(names)) * 0.72, 2)
    drawn = []
    for side, sign in ((up, 1), (down, -1)):
        for place, x in enumerate(across):
            reached = 0.0
            for kind, values in side.items():
                value = values[place]
                if value is None or value == 0:
                    continue
                edges = sorted((scale.down(sign * reached), scale.down(sign * (reached + value))))
                said = f"{names[place]}: {exactly(value)}{unit} {kind.replace('_', ' ')}"
                drawn.append(Bar(kind, round(x - width / 2, 2), edges[0], width, round(edges[1] - edges[0], 2), said))
                reached += value
    over = tuple(Level(scale.down(value), f"{exactly(value)}{unit}", kind) for kind, value in limits.items())
    return Plot(scale.levels(unit), _ticks(names, across), bars=tuple(drawn), limits=over)


def share_of(value: float | None, whole: float) -> float:
    """How long a bar across is, of 100 units; 0 where nothing is known."""
    return round(100 * min(max(value or 0, 0), whole) / whole, 2) if whole > 0 else 0.0


def steps(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round numbers, at most so many and at least two, the first not above `low`, the last not below `high`."""
    if low == high == 0:
        return 0, 1
    span = (high - low) or abs(high)
    size = 10.0 ** floor(log10(span / most))
    for factor in (1, 2, 5, 10, 20, 50, 100):
        step = size * factor
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        if last == first:
            last += 1
        if last - first < most:
            return tuple(round(number * step, 10) for number in range(first, last + 1))
    raise AssertionError


def short(value: float) -> str:
    """A number as a scale says it: 850k, 1.2M, 0.05."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def exactly(value: float) -> str:
    """A number in full: 850,000, 12.5, 0.043."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def _room(count: int) -> float:
    """Units across for each of so many."""
    return (WIDTH - START - END) / max(count, 1)


def _across(count: int, *, bars: bool = False) -> list[float]:
    """Where each of so many stands: bars in the middle of their room, a line's points from edge to edge."""
    if bars or count == 1:
        return [round(START + _room(count) * (place + 0.5), 2) for place in range(count)]
    inside = 8  # so that the last name below is not cut
    return [
        round(START + inside + (WIDTH - START - END - 2 * inside) * place / (count - 1), 2) for place in range(count)
    ]


def _ticks(names: Sequence[str], across: Sequence[float]) -> tuple[Tick, ...]:
    """The newest name and as many before it as there is room for: every second, every fifth …"""
    if not names:
        return ()
    labels = [name.rpartition("-")[2] for name in names]
    wide = (max(map(len, labels)) + 1.5) * LETTER
    apart = min((after - before for before, after in pairwise(across)), default=wide)
    every = next(size for size in (1, 2, 4, 8, 13, 26, 52, len(names)) if size * apart >= wide or size >= len(names))
    return tuple(Tick(across[place], labels[place]) for place in range(len(names) - 1, -1, -every))


def _unbroken(across: Sequence[float], values: Values) -> list[list[tuple[float, float]]]:
    """The pieces of a line between what is not known."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, value in zip(across, values, strict=True):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((x, value))
    return [piece for piece in pieces if piece]
