"""How did the panel and readers find a tool from issue to issue? The rows of a table, and the same as a small plot.

Asks nobody. The plot is numbers for an inline SVG, so that no script is needed, and says nothing that the table does
not say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from newsletter.issues.history import Verdict
from newsletter.issues.week import Week

WIDTH: Final = 320  # units of the drawing, which shows 300 to 480 pixels wide
HEIGHT: Final = 172
_START, _END, _TOP, _BOTTOM = 48, 10, 12, 34  # what is kept free around the lines, for words


@dataclass(frozen=True)
class Told:
    """What one issue said of a tool, and what readers say."""

    verdict: Verdict
    readers: int | None
    """Share of the readers that would ship it, 0 to 100; None while nobody has voted."""
    when: str
    """"Week 47 · 16–22 November 2026"."""
    in_short: str
    """"week 47 of 2026"."""


Point = tuple[float, float]
"""Across and down, in units of the drawing."""


@dataclass(frozen=True)
class Plot:
    """Shares over time: the oldest at the left, 100 % at the top."""

    panel: tuple[Point, ...]
    readers: tuple[Point, ...]
    levels: tuple[tuple[int, float], ...]
    """Of the lines behind: share, and how far down."""
    width: int = WIDTH
    height: int = HEIGHT
    start: int = _START
    end: int = WIDTH - _END


def plot(told: Sequence[Told]) -> Plot | None:
    """What is told, the oldest first, as lines; None where all of it was told in one week, which makes no line."""
    days = [Week.parse(each.verdict.week).first_day().toordinal() for each in told]
    if not told or days[0] == days[-1]:
        return None
    across = [_START + (WIDTH - _START - _END) * (day - days[0]) / (days[-1] - days[0]) for day in days]
    placed = list(zip(across, told, strict=True))
    return Plot(
        panel=tuple((x, _down(each.verdict.panel)) for x, each in placed),
        readers=tuple((x, _down(each.readers)) for x, each in placed if each.readers is not None),
        levels=tuple((share, _down(share)) for share in (100, 50, 0)),
    )


def _down(share: int) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (100 - share) / 100
