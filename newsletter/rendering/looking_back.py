"""What does a letter tell of the issues before it? How readers voted on the last one, and what has changed since.

Pure. All texts are cut to fit and are plain: whoever prints them escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.comparisons.record import LEFT, RIGHT
from newsletter.issues.retrospect import LastVote, Result, week_in_words
from newsletter.issues.week import Week
from newsletter.language import Speech
from newsletter.rendering.armour import isolate
from newsletter.rendering.card import Card
from newsletter.rendering.edition import Edition
from newsletter.rendering.excerpt import excerpt

VOTED_TITLE, VOTED_NAME = 80, 32  # characters shown; see `excerpt`

MOST_TOLD = 3
"""Comparisons of the issue before whose vote a letter tells, the most voted first."""

WORTH_SAYING = 10
"""Points between readers and panel from which on somebody is warmer; few voters make a few points by chance."""


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
class Change:
    """A tool of which the panel said something else in an earlier issue."""

    tool: str
    told: str
    """"50% → 75% since week 44"."""


def what_changed(say: Speech, cards: Sequence[Card], week: str) -> tuple[Change, ...]:
    """The tools of these comparisons of which the panel has said something else, each once, in their order.

    `week`: that of the letter.
    """
    found: dict[str, Change] = {}
    for side in (side for card in cards for side in card.sides):
        if side.before:
            told = say(
                "{was} → {now} since {week}",
                was=say.percent(side.before.percent),
                now=say.percent(side.percent),
                week=week_in_words(say, side.before.week, week),
            )
            found.setdefault(side.name, Change(side.name, told))
    return tuple(found.values())


def last_vote(say: Speech, last: LastVote, edition: Edition) -> Vote:
    """How readers voted on an issue, as a later one tells it."""
    told = week_in_words(say, last.week, edition.week)
    is_last = last.week == str(Week.parse(edition.week).before())
    return Vote(
        heading=say("Last week’s vote") if is_last else say("The vote of {week}", week=told),
        voted=tuple(_voted(say, result) for result in last.results[:MOST_TOLD]),
        label=say("The issue of {week}", week=told),
        week=last.week,
        url=edition.masthead.links.issue(last.week) + edition.query,
    )


def _voted(say: Speech, result: Result) -> Voted:
    left, right = (isolate(excerpt(name, VOTED_NAME)) for name in result.tools)
    return Voted(
        title=excerpt(result.title, VOTED_TITLE),
        split=say.many(
            "Readers: {left} {a}, {right} {b} of {count} vote — the panel: {c}, {d}",
            "Readers: {left} {a}, {right} {b} of {count} votes — the panel: {c}, {d}",
            result.votes,
            left=left,
            a=say.percent(result.readers[LEFT]),
            right=right,
            b=say.percent(result.readers[RIGHT]),
            c=say.percent(result.panel[LEFT]),
            d=say.percent(result.panel[RIGHT]),
        ),
        difference=_difference(say, result, (left, right)),
    )


def _difference(say: Speech, result: Result, names: tuple[str, str]) -> str:
    """The tool on which readers and panel differ most, the left one of two alike."""
    points = [readers - panel for readers, panel in zip(result.readers, result.panel, strict=True)]
    side = LEFT if abs(points[LEFT]) >= abs(points[RIGHT]) else RIGHT
    if not points[side]:
        return say("Readers and the panel agree.")
    if abs(points[side]) < WORTH_SAYING:
        return say("Readers and the panel are close.")
    if points[side] < 0:
        return say(
            "Readers are {points} points cooler on {tool} than the panel.", points=-points[side], tool=names[side]
        )
    return say("Readers are {points} points warmer on {tool} than the panel.", points=points[side], tool=names[side])
