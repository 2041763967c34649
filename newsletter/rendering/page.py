"""What does a letter say around its comparisons?

Pure. Made from the edition alone and in English, whatever the machine's clock and language are; both parts of a
letter are printed from the same page. All texts are cut to fit and are plain: whoever prints them escapes them.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.issues.subject import preheader_line, subject_line
from newsletter.rendering.armour import isolate
from newsletter.rendering.card import Card, cards
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt

# Characters shown; see `excerpt`.
SUBJECT, PREHEADER, MASTHEAD_NAME, POSTAL_ADDRESS = 120, 160, 80, 240

NO_BREAK = "\u00a0"

_MONTHS = "January,February,March,April,May,June,July,August,September,October,November,December".split(",")  # noqa: SIM905
_WORDS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"]


@dataclass(frozen=True)
class Page:
    """An edition as a letter shows it."""

    name: str
    when: str
    """"Week 47 · 16–22 November 2026"."""
    subject: str
    preheader: str
    headline: str
    introduction: str
    cards: tuple[Card, ...]
    view_url: str
    """The issue in the archive."""
    postal_address: str


def page(edition: Edition, without: AbstractSet[str] = frozenset()) -> Page:
    """Lay out an edition without some of its comparisons, named by their slugs. At least one must be left.

    What is left stands as it does in the whole letter, only numbered anew: so no word of a comparison goes out that an
    editor has not seen there.
    """
    masthead = edition.masthead
    shown = _left(edition, without)
    subject, preheader = envelope(edition, without)
    return Page(
        name=excerpt(masthead.name, MASTHEAD_NAME),
        when=when(edition.week, edition.first_day),
        subject=excerpt(subject, SUBJECT),
        preheader=excerpt(preheader, PREHEADER),
        headline=headline(shown[0]),
        introduction=introduction(len(shown)),
        cards=shown,
        view_url=masthead.links.issue(edition.week),
        postal_address=excerpt(masthead.postal_address, POSTAL_ADDRESS),
    )


def envelope(edition: Edition, without: AbstractSet[str] = frozenset()) -> tuple[str, str]:
    """Subject and preheader, uncut: the edition's own, as far as they are true of what is left."""
    left = [comparison for comparison in edition.comparisons if comparison.slug not in without]
    lead = edition.comparisons[0]
    if left[0] is not lead:
        return subject_line(left[0], edition.previous_subject, edition.week), preheader_line(left[0], len(left))
    if edition.preheader == preheader_line(lead, len(edition.comparisons)):  # a made one counts the comparisons
        return edition.subject, preheader_line(lead, len(left))
    return edition.subject, edition.preheader


def _left(edition: Edition, without: AbstractSet[str]) -> tuple[Card, ...]:
    laid_out = zip(cards(edition), edition.comparisons, strict=True)
    left = [card for card, comparison in laid_out if comparison.slug not in without]
    return tuple(replace(card, number=number) for number, card in enumerate(left, start=1))


def headline(lead: Card) -> str:
    """The letter's h1: how the lead ended."""
    left, right = lead.sides
    if left.percent != right.percent:
        winner, loser = (left, right) if left.percent > right.percent else (right, left)
        score = f"{winner.percent}% to {loser.percent}%".replace(" ", NO_BREAK)
        return f"{isolate(winner.name)} beats {isolate(loser.name)}, {score}"
    ending = {100: "the panel would ship both", 0: "the panel would ship neither"}
    return f"{isolate(left.name)} and {isolate(right.name)}: {ending.get(left.percent, f'a tie at {left.percent}%')}"


def introduction(count: int) -> str:
    """The sentence below the headline."""
    if count == 1:
        return "One head-to-head and one question: would you ship it?"
    return f"{in_words(count)} head-to-heads, one question each: would you ship it?"


def in_words(number: int) -> str:
    """A number at the start of a sentence: "Six", and figures above twelve."""
    return _WORDS[number] if number < len(_WORDS) else str(number)


def when(week: str, first_day: date) -> str:
    """A week for people: "Week 47 · 16–22 November 2026"."""
    return f"Week {int(week[-2:])} · {day_range(first_day)}"


def day_range(first: date) -> str:
    """The seven days from `first` on: "16–22 November 2026"."""
    last = first + timedelta(days=6)
    start = str(first.day)
    if first.month != last.month:
        start += f" {_MONTHS[first.month - 1]}"
    if first.year != last.year:
        start += f" {first.year}"
    dash = "–" if start.isdigit() else " – "
    return f"{start}{dash}{last.day} {_MONTHS[last.month - 1]} {last.year}"
