"""What does a letter say around its comparisons?

Pure. Made from the edition alone and in English, whatever the machine's clock and language are; both parts of a
letter are printed from the same page. All texts are cut to fit and are plain: whoever prints them escapes them.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.comparisons.record import LEFT, RIGHT
from newsletter.issues.retrospect import LastVote, Result, week_in_words
from newsletter.issues.subject import preheader_line, subject_line
from newsletter.issues.week import Week
from newsletter.language import ISSUE, Speech, speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.card import Card, cards
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt

# Characters shown; see `excerpt`.
SUBJECT, PREHEADER, MASTHEAD_NAME, POSTAL_ADDRESS = 120, 160, 80, 240
VOTED_TITLE, VOTED_NAME = 80, 32

WORTH_SAYING = 10
"""Points between readers and panel from which on somebody is warmer; few voters make a few points by chance."""

CHOICES = ("left", "right")
"""What the links of a comparison's two buttons choose."""

NO_BREAK = "\u00a0"

_WORDS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"]


@dataclass(frozen=True)
class Voted:
    """How readers voted on one comparison of the issue before."""

    title: str
    split: str
    """"Readers: Ruff 75%, Flake8 50% of 12 votes — the panel: 100%, 50%"."""
    difference: str
    """"Readers are 25 points cooler on Ruff than the panel."."""


@dataclass(frozen=True)
class Vote:
    """How readers voted on the issue before."""

    heading: str
    voted: tuple[Voted, ...]
    label: str
    """What the link to that issue says."""
    week: str
    url: str


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
    vote: Vote | None
    counts_clicks: bool
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
        when=when(speech(edition.language, ISSUE), edition.week, edition.first_day),
        subject=excerpt(subject, SUBJECT),
        preheader=excerpt(preheader, PREHEADER),
        headline=headline(shown[0]),
        introduction=introduction(len(shown)),
        cards=shown,
        vote=_vote(edition, edition.last_vote) if edition.last_vote else None,
        counts_clicks=edition.counts_clicks,
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


def _vote(edition: Edition, last: LastVote) -> Vote:
    say = speech(edition.language, ISSUE)
    week = week_in_words(say, last.week, edition.week)
    is_last = last.week == str(Week.parse(edition.week).before())
    return Vote(
        heading="Last week’s vote" if is_last else f"The vote of {week}",
        voted=tuple(_voted(result) for result in last.results),
        label=f"The issue of {week}",
        week=last.week,
        url=edition.masthead.links.issue(last.week),
    )


def _voted(result: Result) -> Voted:
    left, right = (isolate(excerpt(name, VOTED_NAME)) for name in result.tools)
    votes = f"{result.votes} vote{'' if result.votes == 1 else 's'}"
    return Voted(
        title=excerpt(result.title, VOTED_TITLE),
        split=f"Readers: {left} {result.readers[LEFT]}%, {right} {result.readers[RIGHT]}% of {votes} — "
        f"the panel: {result.panel[LEFT]}%, {result.panel[RIGHT]}%",
        difference=_difference(result, (left, right)),
    )


def _difference(result: Result, names: tuple[str, str]) -> str:
    """The tool on which readers and panel differ most, the left one of two alike."""
    points = [readers - panel for readers, panel in zip(result.readers, result.panel, strict=True)]
    side = LEFT if abs(points[LEFT]) >= abs(points[RIGHT]) else RIGHT
    if not points[side]:
        return "Readers and the panel agree."
    if abs(points[side]) < WORTH_SAYING:
        return "Readers and the panel are close."
    way = "cooler" if points[side] < 0 else "warmer"
    return f"Readers are {abs(points[side])} points {way} on {names[side]} than the panel."


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


def when(say: Speech, week: str, first_day: date) -> str:
    """A week for people: "Week 47 · 16–22 November 2026"."""
    days = say.days(first_day, first_day + timedelta(days=6))
    return say("Week {number} · {days}", number=int(week[-2:]), days=days)
