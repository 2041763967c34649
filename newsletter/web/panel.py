"""What does a page show of one comparison? Everything, uncut: the letter cuts, and sends readers here.

Pure. All texts are plain: the templates escape them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from newsletter.comparisons.record import LEFT, RIGHT, SEATS, Comparison, Review, Tool, reviewer_name, whole_percent
from newsletter.issues.retrospect import NO_SHARES, Share, Shares, changed, week_in_words
from newsletter.language import Speech
from newsletter.rendering.card import reviewer
from newsletter.rendering.page import CHOICES


@dataclass(frozen=True)
class Side:
    """One of the two tools, and how the panel and the readers found it."""

    tool: Tool
    slug: str | None
    """Names the page of the tool; None where it has none."""
    percent: int
    """Share of the panel that would ship it, 0 to 100."""
    ships: int | None
    """The same in heads; None where the share is no whole number of them."""
    readers: int | None
    """Share of the readers that would ship it, 0 to 100; None while nobody has voted."""
    was: "Elsewhere | None"
    """What the latest issue before said of it, where that was something else."""
    since: "Elsewhere | None"
    """The same of the newest issue after it."""


@dataclass(frozen=True)
class Elsewhere:
    """What share of the panel would ship a tool, 0 to 100, as another issue says."""

    percent: int
    week: str
    when: str
    """"week 44", "week 52 of 2025"."""


@dataclass(frozen=True)
class Choice:
    """How many readers have made one choice of the four."""

    choice: str
    """One of `votes.CHOICES`."""
    tool: str | None
    """The tool that alone was chosen."""
    votes: int
    percent: int


@dataclass(frozen=True)
class Vote:
    """How our own readers have voted on one comparison; they have."""

    votes: int
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Pair:
    """What one reviewer said of the left and of the right tool."""

    seat: str
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
    vote: Vote | None
    """None where none of our own readers has voted; others may have, where it was published."""
    published: date | None
    """In the newsletter's time zone."""
    url: str | None
    """Where the comparison was published, http or https."""
    host: str | None
    """The host of that address, for people."""

    @property
    def voted(self) -> bool:
        """Whether any reader has voted."""
        return any(side.readers is not None for side in self.sides)

    @property
    def judged(self) -> bool:
        """Whether the verdict of any reviewer is known, not only the panel's share."""
        return any(review.verdict for pair in self.pairs for review in pair.said)


@dataclass(frozen=True)
class Around:
    """What others than its own panel say of a comparison's tools. Of pairs, the left tool's comes first."""

    readers: tuple[int | None, int | None]
    """Shares, 0 to 100; None while nobody has voted."""
    votes: Mapping[str, int]
    """How many of our own readers have made which choice of `votes.CHOICES`, in that order."""
    week: str
    """Of the issue that the comparison is in."""
    earlier: Shares = NO_SHARES
    later: Shares = NO_SHARES
    slugs: tuple[str | None, str | None] = (None, None)
    """Of the tools' own pages, where they have one."""


def panel(say: Speech, comparison: Comparison, around: Around, zone: ZoneInfo) -> Panel:
    """Lay out a comparison from the store, which has its slug and its date. `say`: in the words of issues."""
    assert comparison.slug is not None  # the store's promise
    at, url = comparison.published_at, comparison.url
    return Panel(
        slug=comparison.slug,
        title=comparison.title,
        categories=tuple(dict.fromkeys(tool.category for tool in comparison.tools)),
        sides=(_side(say, comparison, LEFT, around), _side(say, comparison, RIGHT, around)),
        pairs=tuple(Pair(seat, _reviewer(say, seat), said) for seat, said in comparison.pairs().items()),
        vote=_vote(comparison, around.votes),
        published=None if at is None else at.astimezone(zone).date(),
        url=None if url is None else str(url),
        host=None if url is None else url.unicode_host(),
    )


def _reviewer(say: Speech, seat: str) -> str:
    return reviewer(say, seat) if seat in SEATS else reviewer_name(seat)


def _side(say: Speech, comparison: Comparison, side: int, around: Around) -> Side:
    percent = comparison.panel_ship(side)
    return Side(
        tool=comparison.tools[side],
        slug=around.slugs[side],
        percent=percent,
        ships=comparison.heads(side),
        readers=around.readers[side],
        was=_elsewhere(say, changed(around.earlier[side], percent), around.week),
        since=_elsewhere(say, changed(around.later[side], percent), around.week),
    )


def _elsewhere(say: Speech, share: Share | None, week: str) -> Elsewhere | None:
    return None if share is None else Elsewhere(share.percent, share.week, week_in_words(say, share.week, week))


def _vote(comparison: Comparison, votes: Mapping[str, int]) -> Vote | None:
    count = sum(votes.values())
    if not count:
        return None
    alone = {choice: tool.name for choice, tool in zip(CHOICES, comparison.tools, strict=True)}
    choices = (
        Choice(choice, alone.get(choice), number, whole_percent(number, count)) for choice, number in votes.items()
    )
    return Vote(count, tuple(choices))
