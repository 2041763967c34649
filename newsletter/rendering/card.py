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
from newsletter.language import ISSUE, Speech, speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt

# Characters; see `excerpt` for how many bytes of HTML that may be.
TITLE = 100
NAME = 48
LEAD_TAGLINE = 140
TAGLINE = 72
CATEGORY = 32
PRICE = 24
SEAT = 32
LEAD_QUOTE = 170
QUOTE = 130

EVEN = 50  # percent

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
    would: str
    """The same in words: "3 of 4 would ship"."""
    was: str | None
    """What an earlier issue said, where that is something else: "was 50% in week 44"."""
    before: Share | None
    """That share."""
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
    readers: str
    """How readers have voted so far, in a sentence."""
    url: str
    """The full panel."""
    slug: str
    """Names it in the links of its buttons."""
    leads: bool
    """Whether it is the issue's first, and laid out in full; in a variant without it, none is."""

    @property
    def ahead(self) -> tuple[bool, bool]:
        """Which tools the panel would rather ship: one of them, or both where they are even."""
        left, right = (side.percent for side in self.sides)
        return left >= right, right >= left


# The variants of a letter, in each language, show the same cards, and cutting texts to fit takes its time.
@lru_cache(maxsize=8)
def cards(edition: Edition) -> tuple[Card, ...]:
    """All comparisons of an edition: the first one in full, each other one by its most telling reviewer."""
    say = speech(edition.language, ISSUE)
    made = []
    labels = _labels(say, edition)
    for index, comparison in enumerate(edition.comparisons):
        seats = _chosen(edition, index) or shown_by_default(comparison, index)
        made.append(_card(say, edition, index, seats, labels[2 * index : 2 * index + 2]))
    return tuple(made)


def reviewer(say: Speech, seat: str) -> str:
    """How a seat is called in a letter and on a page: the usual ones are roles, in the reader's language."""
    roles = {
        "builder": say("The Builder"),
        "skeptic": say("The Skeptic"),
        "futurist": say("The Futurist"),
        "founder": say("The Founder"),
    }
    return roles.get(seat) or excerpt(reviewer_name(seat), SEAT)


def in_words(say: Speech, number: int) -> str:
    """A number at the start of a sentence: "Six", and figures above twelve."""
    words = (
        say("One"), say("Two"), say("Three"), say("Four"), say("Five"), say("Six"),
        say("Seven"), say("Eight"), say("Nine"), say("Ten"), say("Eleven"), say("Twelve"),
    )  # fmt: skip
    return words[number - 1] if 1 <= number <= len(words) else say.number(number)


def _card(say: Speech, edition: Edition, index: int, seats: tuple[str, ...], labels: list[str]) -> Card:
    comparison = edition.comparisons[index]
    earlier = edition.earlier[index] if edition.earlier else NO_SHARES
    assert comparison.slug is not None  # an edition's promise
    sides = (
        _side(say, comparison, LEFT, earlier[LEFT], edition.week, labels[LEFT], leads=index == 0),
        _side(say, comparison, RIGHT, earlier[RIGHT], edition.week, labels[RIGHT], leads=index == 0),
    )
    panel = len(comparison.seats())
    return Card(
        number=index + 1,
        categories=tuple(dict.fromkeys(excerpt(tool.category, CATEGORY) for tool in comparison.tools)),
        title=excerpt(comparison.title, TITLE),
        sides=sides,
        panel=panel,
        pairs=tuple(_pair(say, comparison, seat, LEAD_QUOTE if index == 0 else QUOTE) for seat in seats),
        readers=_readers(say, sides),
        url=edition.masthead.links.comparison(comparison.slug) + edition.query,
        slug=comparison.slug,
        leads=index == 0,
    )


def _readers(say: Speech, sides: tuple[Side, Side]) -> str:
    if all(side.readers is None for side in sides):
        return say("No reader has voted yet.")
    (left, a), (right, b) = (
        (isolate(side.name), "—" if side.readers is None else say.percent(side.readers)) for side in sides
    )
    return say("Readers so far: {left} {a}, {right} {b}.", left=left, a=a, right=right, b=b)


def _side(
    say: Speech, comparison: Comparison, side: int, earlier: Share | None, week: str, label: str, *, leads: bool
) -> Side:
    tool = comparison.tools[side]
    percent, ships, panel = comparison.panel_ship(side), comparison.heads(side), len(comparison.seats())
    was = changed(earlier, percent)
    return Side(
        name=excerpt(tool.name, NAME),
        tagline=excerpt(tool.tagline, LEAD_TAGLINE if leads else TAGLINE),
        price=excerpt(tool.entry_price, PRICE),
        percent=percent,
        ships=ships,
        would=say("share of the panel")
        if ships is None
        else say.many("{count} of {panel} would ship", "{count} of {panel} would ship", ships, panel=panel),
        was=_was(say, was, week) if was else None,
        before=was,
        readers=tool.community_ship,
        vote=label,
    )


def _was(say: Speech, share: Share, week: str) -> str:
    return say("was {percent} in {week}", percent=say.percent(share.percent), week=week_in_words(say, share.week, week))


def _labels(say: Speech, edition: Edition) -> list[str]:
    """What the buttons say, two for each comparison; the shortest words that tell each from all others.

    Of the whole edition, so that a variant's buttons say the same.
    """
    names = [[isolate(excerpt(tool.name, NAME)) for tool in comparison.tools] for comparison in edition.comparisons]
    places = [(number, side) for number in range(len(names)) for side in (LEFT, RIGHT)]
    where = (say("left"), say("right"))
    ways: list[Callable[[int, int], str]] = [
        lambda number, side: say("I’d ship {tool}", tool=names[number][side]),
        lambda number, side: say(
            "I’d ship {tool}, not {other}", tool=names[number][side], other=names[number][1 - side]
        ),
        lambda number, side: say(
            "I’d ship {tool} ({side} in no. {number})", tool=names[number][side], side=where[side], number=number + 1
        ),
    ]
    said = [[way(number, side) for number, side in places] for way in ways]
    counts = [Counter(labels) for labels in said]
    return [
        next((labels[at] for labels, count in zip(said, counts, strict=True) if count[labels[at]] == 1), said[-1][at])
        for at in range(len(places))
    ]


def _pair(say: Speech, comparison: Comparison, seat: str, limit: int) -> Pair:
    left, right = comparison.pair(seat)
    return Pair(reviewer(say, seat), (_said(left, limit), _said(right, limit)))


def _said(review: Review, limit: int) -> Said:
    return Said(excerpt(review.tool, NAME), review.verdict, excerpt(review.quote, limit))


def shown_by_default(comparison: Comparison, index: int) -> tuple[str, ...]:
    """Whose words show where an editor has chosen nobody's; `index`: the comparison's place, 0 leads."""
    return _lead_seats(comparison) if index == 0 else (_telling_seat(comparison, index - 1),)


def most_shown(index: int) -> int:
    """Of how many reviewers a comparison in this place can show the words."""
    return LEAD_PAIRS if index == 0 else 1


def _chosen(edition: Edition, index: int) -> tuple[str, ...]:
    """Whose words an editor has chosen, as far as they are there and there is room; none where nobody was chosen."""
    chosen = edition.quoted[index] if edition.quoted else None
    known = edition.comparisons[index].seats()
    return tuple(seat for seat in chosen or () if seat in known)[: most_shown(index)]


def _lead_seats(comparison: Comparison) -> tuple[str, ...]:
    """Everybody, in the panel's order; of a large panel those first who would ship one tool and not the other."""
    seats = comparison.seats()
    split_first = sorted(seats, key=lambda seat: not _splits(comparison, seat))
    chosen = set(split_first[:LEAD_PAIRS])
    return tuple(seat for seat in seats if seat in chosen)


def _telling_seat(comparison: Comparison, turn: int) -> str:
    """The reviewer who tells most by one pair of quotes.

    Who would ship one tool and not the other: there is the news. Else who is known to stand against most of the panel,
    else whose verdicts are known at all. Those who tell as much take turns from comparison to comparison, since the
    same seat each time would make the letter one reviewer's column.
    """
    ranked = [(_telling(comparison, seat), seat) for seat in comparison.seats()]
    best = max(rank for rank, _ in ranked)
    telling = [seat for rank, seat in ranked if rank == best]
    return telling[turn % len(telling)]


def _telling(comparison: Comparison, seat: str) -> int:
    """How much a reviewer's pair tells: 0 to 3."""
    pair = comparison.pair(seat)
    if _splits(comparison, seat):
        return 3
    if any(_stands_against(review.verdict, comparison.panel_ship(side)) for side, review in enumerate(pair)):
        return 2
    return int(all(review.verdict for review in pair))


def _stands_against(verdict: Verdict | None, percent: int) -> bool:
    return (verdict == "ship" and percent < EVEN) or (verdict == "skip" and percent > EVEN)


def _splits(comparison: Comparison, seat: str) -> bool:
    return {review.verdict for review in comparison.pair(seat)} == {"ship", "skip"}
