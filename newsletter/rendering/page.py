"""What does a letter say around its comparisons?

Pure. Made from the edition alone and in its language, whatever the machine's clock and language are; both parts of a
letter are printed from the same page. All texts are cut to fit and are plain, but for the editor's note, which is
Markdown: whoever prints them escapes them.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from newsletter.comparisons.record import Comparison
from newsletter.issues.subject import preheader_line, subject_line
from newsletter.language import ISSUE, Speech, speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.card import Card, cards, in_words
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt
from newsletter.rendering.looking_back import Change, Vote, last_vote, what_changed

# Characters shown; see `excerpt`.
SUBJECT, PREHEADER, MASTHEAD_NAME, POSTAL_ADDRESS, SOCIAL_NAME = 120, 160, 80, 240, 40

CHOICES = ("left", "right")
"""What the links of a comparison's two buttons choose."""

NO_BREAK: Final = "\u00a0"


@dataclass(frozen=True)
class Page:
    """An edition as a letter shows it."""

    language: str
    """Of our own words (ISO 639)."""
    direction: str
    """In which direction that is written: "ltr" or "rtl"."""
    theirs: str | None
    """The language of comparisons and of what an editor says, where it is another one."""
    name: str
    logo: str
    when: str
    """"Week 47 · 16–22 November 2026"."""
    subject: str
    preheader: str
    headline: str
    introduction: str
    note: str | None
    """What the editor says, in Markdown; see `markdown`."""
    cards: tuple[Card, ...]
    changes: tuple[Change, ...]
    vote: Vote | None
    counts_clicks: bool
    query: str
    """What stands behind addresses of our pages, so that they speak the letter's language."""
    view_url: str
    """The issue in the archive."""
    social: tuple[tuple[str, str], ...]
    """Where else we can be found: names and addresses."""
    postal_address: str


def page(edition: Edition, without: AbstractSet[str] = frozenset()) -> Page:
    """Lay out an edition without some of its comparisons, named by their slugs. At least one must be left.

    What is left stands as it does in the whole letter, only numbered anew: so no word of a comparison goes out that an
    editor has not seen there.
    """
    masthead, last = edition.masthead, edition.last_vote
    say = speech(edition.language, ISSUE)
    shown = _left(edition, without)
    subject, preheader = envelope(edition, without)
    is_foreign = edition.language != masthead.language
    return Page(
        language=edition.language,
        direction=say.direction,
        theirs=masthead.language if is_foreign else None,
        name=excerpt(masthead.name, MASTHEAD_NAME),
        logo=excerpt(masthead.logo or masthead.name, MASTHEAD_NAME),
        when=when(say, edition.week, edition.first_day),
        subject=excerpt(subject, SUBJECT),
        preheader=excerpt(preheader, PREHEADER),
        headline=headline(say, shown[0]),
        introduction=introduction(say, len(shown)),
        note=edition.note if edition.note and edition.note.strip() else None,
        cards=shown,
        changes=what_changed(say, shown, edition.week),
        vote=last_vote(say, last, edition) if last else None,
        counts_clicks=edition.counts_clicks,
        query=edition.query,
        view_url=masthead.links.issue(edition.week) + edition.query,
        social=tuple((excerpt(name, SOCIAL_NAME), url) for name, url in masthead.social),
        postal_address=excerpt(masthead.postal_address, POSTAL_ADDRESS),
    )


def envelope(edition: Edition, without: AbstractSet[str] = frozenset()) -> tuple[str, str]:
    """Subject and preheader, uncut: the edition's own, as far as they are true of what is left.

    An editor's own stay as they are. Those that were made are made in the letter's language, and count what is left.
    """
    say = speech(edition.language, ISSUE)
    lead = edition.comparisons[0]
    left = [comparison for comparison in edition.comparisons if comparison.slug not in without]
    if left[0] is not lead:
        return _made_subject(say, edition, left[0]), preheader_line(say, left[0], len(left))
    own = speech(edition.masthead.language, ISSUE)
    subject, preheader = edition.subject, edition.preheader
    if say != own and subject in _subjects_made(own, edition, lead):
        subject = _made_subject(say, edition, lead)
    if preheader == preheader_line(own, lead, len(edition.comparisons)):
        preheader = preheader_line(say, lead, len(left))
    return subject, preheader


def _subjects_made(own: Speech, edition: Edition, lead: Comparison) -> set[str]:
    """What the issue's subject is, if no editor has written it."""
    return {subject_line(own, lead, previous, edition.week) for previous in (None, edition.previous_subject)}


def _made_subject(say: Speech, edition: Edition, lead: Comparison) -> str:
    """Never the one of the issue before, which readers of another language have had in theirs."""
    own = speech(edition.masthead.language, ISSUE)
    previous = edition.previous_subject
    if previous is not None and previous == subject_line(own, lead, None, edition.week):
        previous = subject_line(say, lead, None, edition.week)
    return subject_line(say, lead, previous, edition.week)


def _left(edition: Edition, without: AbstractSet[str]) -> tuple[Card, ...]:
    laid_out = zip(cards(edition), edition.comparisons, strict=True)
    left = [card for card, comparison in laid_out if comparison.slug not in without]
    return tuple(replace(card, number=number) for number, card in enumerate(left, start=1))


def headline(say: Speech, lead: Card) -> str:
    """The letter's h1: how the lead ended."""
    left, right = lead.sides
    names = {"left": isolate(left.name), "right": isolate(right.name)}
    if left.percent != right.percent:
        winner, loser = (left, right) if left.percent > right.percent else (right, left)
        return say(
            "{winner} beats {loser}, {a}\u00a0to\u00a0{b}",
            winner=isolate(winner.name),
            loser=isolate(loser.name),
            a=say.percent(winner.percent),
            b=say.percent(loser.percent),
        )
    if left.percent == 100:
        return say("{left} and {right}: the panel would ship both", **names)
    if left.percent == 0:
        return say("{left} and {right}: the panel would ship neither", **names)
    return say("{left} and {right}: a tie at {percent}", **names, percent=say.percent(left.percent))


def introduction(say: Speech, count: int) -> str:
    """The sentence below the headline."""
    if count == 1:
        return say("One head-to-head: would you ship it?")
    return say("{number} head-to-heads: would you ship it?", number=in_words(say, count))


def when(say: Speech, week: str, first_day: date) -> str:
    """A week for people: "Week 47 · 16–22 November 2026"."""
    days = say.days(first_day, first_day + timedelta(days=6))
    return say("Week {number} · {days}", number=int(week[-2:]), days=days)
