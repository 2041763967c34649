"""What does a letter say around its comparisons?

Pure. Made from the edition alone and in English, whatever the machine's clock and language are; both parts of a
letter are printed from the same page. All texts are cut to fit and are plain: whoever prints them escapes them.
"""

from dataclasses import dataclass
from datetime import date, timedelta

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


def page(edition: Edition) -> Page:
    """Lay out an edition, which has at least one comparison."""
    masthead = edition.masthead
    shown = cards(edition)
    return Page(
        name=excerpt(masthead.name, MASTHEAD_NAME),
        when=when(edition.week, edition.first_day),
        subject=excerpt(edition.subject, SUBJECT),
        preheader=excerpt(edition.preheader, PREHEADER),
        headline=headline(shown[0]),
        introduction=introduction(len(shown)),
        cards=shown,
        view_url=masthead.links.issue(edition.week),
        postal_address=excerpt(masthead.postal_address, POSTAL_ADDRESS),
    )


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
