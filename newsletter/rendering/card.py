"""What does a letter show of each comparison, and what does it leave to the web page?

Pure. Both parts of a letter, HTML and text, are made from the same cards, so that they say the same. All texts are
cut to fit and are plain: whoever prints them escapes them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from newsletter.comparisons.record import LEFT, RIGHT, Comparison, Review, Verdict, reviewer_name
from newsletter.issues.retrospect import NO_SHARES, Share, changed, week_in_words
from newsletter.language import ENGLISH, ISSUE, speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt

# Characters; see `excerpt` for how many bytes of HTML that may be.
TITLE = 100
NAME = 48
TAGLINE = 140
CATEGORY = 32
PRICE = 24
SEAT = 32
LEAD_QUOTE = 340
QUOTE = 240

LEAD_PAIRS = 4
"""Most reviewers that the lead shows; a panel of twelve would be a letter by itself."""


@dataclass(frozen=True)
class Side:
    """One of the two tools."""

    name: str
    tagline: str
    price: str
    percent: int
    """Share of the panel that would ship it, 0 to 100."""
    ships: int | None
    """The same in heads; None where the share is no whole number of them."""
    was: str | None
    """What an earlier issue said, where that is something else: "50% in week 44"."""
    readers: int | None
    """Share of the readers that would ship it, 0 to 100; None while nobody has voted."""
    vote: str
    """What its button says: "I’d ship Ruff". No other one in the edition says so."""


@dataclass(frozen=True)
class Said:
    """What one reviewer said of one tool."""

    tool: str
    verdict: Verdict | None
    quote: str


@dataclass(frozen=True)
class Pair:
    """What one reviewer said of the left and of the right tool."""

    reviewer: str
    """"The Builder", "Reviewer 5"."""
    said: tuple[Said, Said]


@dataclass(frozen=True)
class Card:
    """One comparison, as a letter shows it."""

    number: int
    """1 comes first."""
    categories: tuple[str, ...]
    title: str
    sides: tuple[Side, Side]
    panel: int
    """How many reviewers there are, shown or not."""
    pairs: tuple[Pair, ...]
    url: str
    """The full panel."""
    slug: str
    """Names it in the links of its buttons."""

    @property
    def unseen(self) -> int:
        """How many reviewers are left to the web page."""
        return self.panel - len(self.pairs)

    @property
    def voted(self) -> bool:
        """Whether any reader has voted."""
        return any(side.readers is not None for side in self.sides)


@lru_cache(maxsize=2)  # the variants of a letter show the same cards, and cutting texts to fit takes its time
def cards(edition: Edition) -> tuple[Card, ...]:
    """All comparisons of an edition: the first one in full, each other one by a single reviewer.

    That reviewer is the one who would ship one tool and not the other: there is the news. Where nobody is known to
    have split so, reviewers take turns from comparison to comparison, since the same seat each time would make the
    letter one reviewer's column.
    """
    made = []
    labels = _labels(edition)
    for index, comparison in enumerate(edition.comparisons):
        seats = _lead_seats(comparison) if index == 0 else (_telling_seat(comparison, index - 1),)
        made.append(_card(edition, index, comparison, seats, labels[2 * index : 2 * index + 2]))
    return tuple(made)


def _card(edition: Edition, index: int, comparison: Comparison, seats: tuple[str, ...], labels: list[str]) -> Card:
    earlier = edition.earlier[index] if edition.earlier else NO_SHARES
    assert comparison.slug is not None  # an edition's promise
    return Card(
        number=index + 1,
        categories=tuple(dict.fromkeys(excerpt(tool.category, CATEGORY) for tool in comparison.tools)),
        title=excerpt(comparison.title, TITLE),
        sides=(
            _side(comparison, LEFT, earlier[LEFT], edition.week, labels[LEFT]),
            _side(comparison, RIGHT, earlier[RIGHT], edition.week, labels[RIGHT]),
        ),
        panel=len(comparison.seats()),
        pairs=tuple(_pair(comparison, seat, LEAD_QUOTE if index == 0 else QUOTE) for seat in seats),
        url=edition.masthead.links.comparison(comparison.slug),
        slug=comparison.slug,
    )


def _side(comparison: Comparison, side: int, earlier: Share | None, week: str, label: str) -> Side:
    tool = comparison.tools[side]
    percent = comparison.panel_ship(side)
    was = changed(earlier, percent)
    return Side(
        name=excerpt(tool.name, NAME),
        tagline=excerpt(tool.tagline, TAGLINE),
        price=excerpt(tool.entry_price, PRICE),
        percent=percent,
        ships=comparison.heads(side),
        was=f"{was.percent}% in {week_in_words(speech(ENGLISH, ISSUE), was.week, week)}" if was else None,
        readers=tool.community_ship,
        vote=label,
    )


def _labels(edition: Edition) -> list[str]:
    """What the buttons say, two for each comparison; the shortest words that tell each from all others.

    Of the whole edition, so that a variant's buttons say the same.
    """
    names = [[isolate(excerpt(tool.name, NAME)) for tool in comparison.tools] for comparison in edition.comparisons]
    places = [(number, side) for number in range(len(names)) for side in (LEFT, RIGHT)]
    ways: list[Callable[[int, int], str]] = [
        lambda number, side: f"I’d ship {names[number][side]}",
        lambda number, side: f"I’d ship {names[number][side]}, not {names[number][1 - side]}",
        lambda number, side: f"I’d ship {names[number][side]} ({('left', 'right')[side]} in no. {number + 1})",
    ]
    said = [[way(number, side) for number, side in places] for way in ways]
    counts = [Counter(labels) for labels in said]
    return [
        next((labels[at] for labels, count in zip(said, counts, strict=True) if count[labels[at]] == 1), said[-1][at])
        for at in range(len(places))
    ]


def _pair(comparison: Comparison, seat: str, limit: int) -> Pair:
    left, right = comparison.pair(seat)
    return Pair(excerpt(reviewer_name(seat), SEAT), (_said(left, limit), _said(right, limit)))


def _said(review: Review, limit: int) -> Said:
    return Said(excerpt(review.tool, NAME), review.verdict, excerpt(review.quote, limit))


def _lead_seats(comparison: Comparison) -> tuple[str, ...]:
    """Everybody, in the panel's order; of a large panel those first who would ship one tool and not the other."""
    seats = comparison.seats()
    split_first = sorted(seats, key=lambda seat: not _splits(comparison, seat))
    chosen = set(split_first[:LEAD_PAIRS])
    return tuple(seat for seat in seats if seat in chosen)


def _telling_seat(comparison: Comparison, turn: int) -> str:
    seats = comparison.seats()
    return next((seat for seat in seats if _splits(comparison, seat)), seats[turn % len(seats)])


def _splits(comparison: Comparison, seat: str) -> bool:
    return {review.verdict for review in comparison.pair(seat)} == {"ship", "skip"}
