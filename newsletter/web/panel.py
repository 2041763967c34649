"""What does a page show of one comparison? Everything, uncut: the letter cuts, and sends readers here.

Pure. All texts are plain: the templates escape them.
"""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from newsletter.comparisons.record import LEFT, RIGHT, Comparison, Review, Tool, reviewer_name


@dataclass(frozen=True)
class Side:
    """One of the two tools, and how the panel and the readers found it."""

    tool: Tool
    percent: int
    """Share of the panel that would ship it, 0 to 100."""
    ships: int | None
    """The same in heads; None where the share is no whole number of them."""


@dataclass(frozen=True)
class Pair:
    """What one reviewer said of the left and of the right tool."""

    reviewer: str
    """"The Builder", "Reviewer 5"."""
    said: tuple[Review, Review]


@dataclass(frozen=True)
class Panel:
    """One comparison, as a page shows it."""

    slug: str
    title: str
    categories: tuple[str, ...]
    sides: tuple[Side, Side]
    pairs: tuple[Pair, ...]
    published: date | None
    """In the newsletter's time zone."""
    url: str | None
    """Where the comparison was published, http or https."""
    host: str | None
    """The host of that address, for people."""

    @property
    def voted(self) -> bool:
        """Whether any reader has voted."""
        return any(side.tool.community_ship is not None for side in self.sides)

    @property
    def judged(self) -> bool:
        """Whether the verdict of any reviewer is known, not only the panel's share."""
        return any(review.verdict for pair in self.pairs for review in pair.said)


def panel(comparison: Comparison, zone: ZoneInfo) -> Panel:
    """Lay out a comparison from the store, which has its slug and its date."""
    assert comparison.slug is not None  # the store's promise
    at, url = comparison.published_at, comparison.url
    return Panel(
        slug=comparison.slug,
        title=comparison.title,
        categories=tuple(dict.fromkeys(tool.category for tool in comparison.tools)),
        sides=(_side(comparison, LEFT), _side(comparison, RIGHT)),
        pairs=tuple(Pair(reviewer_name(seat), comparison.pair(seat)) for seat in comparison.seats()),
        published=None if at is None else at.astimezone(zone).date(),
        url=None if url is None else str(url),
        host=None if url is None else url.unicode_host(),
    )


def in_full(day: date) -> str:
    """A day for people: "9 November 2026"."""
    return f"{day.day} {day:%B} {day.year}"


def _side(comparison: Comparison, side: int) -> Side:
    return Side(comparison.tools[side], comparison.panel_ship(side), comparison.heads(side))
