"""What does a page show of one comparison? Everything, uncut: the letter cuts, and sends readers here.

Pure. All texts are plain: the templates escape them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from newsletter.comparisons.record import LEFT, RIGHT, Comparison, Review, Tool, reviewer_name, whole_percent
from newsletter.issues.retrospect import NO_SHARES, Share, Shares, changed, week_in_words
from newsletter.language import ENGLISH, ISSUE, speech


@dataclass(frozen=True)
class Side:
    """One of the two tools, and how the panel and the readers found it."""

    tool: Tool
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

    words: tuple[str, str]
    """A tool's name, or none, and the words behind it: ("Ruff", "alone"), ("", "Both")."""
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


def panel(comparison: Comparison, around: Around, zone: ZoneInfo) -> Panel:
    """Lay out a comparison from the store, which has its slug and its date."""
    assert comparison.slug is not None  # the store's promise
    at, url = comparison.published_at, comparison.url
    return Panel(
        slug=comparison.slug,
        title=comparison.title,
        categories=tuple(dict.fromkeys(tool.category for tool in comparison.tools)),
        sides=(_side(comparison, LEFT, around), _side(comparison, RIGHT, around)),
        pairs=tuple(Pair(reviewer_name(seat), said) for seat, said in comparison.pairs().items()),
        vote=_vote(comparison, around.votes),
        published=None if at is None else at.astimezone(zone).date(),
        url=None if url is None else str(url),
        host=None if url is None else url.unicode_host(),
    )


def in_full(day: date) -> str:
    """A day for people: "9 November 2026"."""
    return f"{day.day} {day:%B} {day.year}"


def _side(comparison: Comparison, side: int, around: Around) -> Side:
    percent = comparison.panel_ship(side)
    return Side(
        tool=comparison.tools[side],
        percent=percent,
        ships=comparison.heads(side),
        readers=around.readers[side],
        was=_elsewhere(changed(around.earlier[side], percent), around.week),
        since=_elsewhere(changed(around.later[side], percent), around.week),
    )


def _elsewhere(share: Share | None, week: str) -> Elsewhere | None:
    return (
        None
        if share is None
        else Elsewhere(share.percent, share.week, week_in_words(speech(ENGLISH, ISSUE), share.week, week))
    )


def _vote(comparison: Comparison, votes: Mapping[str, int]) -> Vote | None:
    count = sum(votes.values())
    if not count:
        return None
    left, right = (tool.name for tool in comparison.tools)
    words = {"left": (left, "alone"), "right": (right, "alone")}
    choices = (
        Choice(words.get(choice, ("", choice.capitalize())), number, whole_percent(number, count))
        for choice, number in votes.items()
    )
    return Vote(count, tuple(choices))
