"""What does somebody read who wants no HTML?

Pure. Promises the same words and links as the HTML part, in lines of at most 72 columns, except for addresses of web
pages, which stand whole on lines of their own. Nothing depends on a fixed-width font, and nothing is lost where a mail
program takes the text for `format=flowed` (RFC 3676) or keeps it in an mbox: no line begins with a blank, a ">" or the
word "From", and none ends with a blank.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from newsletter.language import ISSUE, Speech, speech
from newsletter.rendering.armour import in_text, isolate
from newsletter.rendering.card import Card, Pair
from newsletter.rendering.excerpt import clusters
from newsletter.rendering.looking_back import Change, Vote
from newsletter.rendering.markdown import plain
from newsletter.rendering.page import CHOICES, Page

WIDTH = 72
"""Columns of a line."""

CHANGED_ON_THE_WAY = re.compile(r"\s|>|From(?:\s|$)")
"""How no line may begin."""

_RULE = "-" * WIDTH
_HARMLESS = "· "
_UNBREAKABLE = re.compile(r"[\u00a0\u202f]")
_BLANKS = re.compile(r"\s*[^\S\u00a0\u202f]\s*")  # at which a line may end


def issue(page: Page) -> str:
    """The text part of a letter, with a line feed at its end."""
    say = speech(page.language, ISSUE)
    lines = [
        *wrapped(page.logo),
        *wrapped(page.when),
        "",
        *wrapped(page.headline),
        "=" * WIDTH,
        *wrapped(page.introduction),
        "",
        *_glance(say, page.cards[1:]),
        *_link(say("View in browser"), page.view_url),
        *_link(say("Unsubscribe"), f"%%UNSUBSCRIBE_URL%%{page.query}"),
    ]
    if page.note:
        lines += ["", "", _RULE, *_note(page.note)]
    for card in page.cards:
        lines += ["", "", *_card(say, card, page)]
    if page.changes:
        lines += ["", "", *_changes(say, page.changes)]
    if page.vote:
        lines += ["", "", *_vote(page.vote)]
    lines += ["", "", *_footer(say, page)]
    return "\n".join(lines) + "\n"


def columns(text: str) -> int:
    """How many columns of a fixed-width font a text takes: wide East Asian characters two, marks none."""
    if text.isascii():
        return len(text)  # most words; asking of each character takes half of the time that a letter takes
    return sum(_columns(character) for character in text)


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _card(say: Speech, card: Card, page: Page) -> Iterator[str]:
    yield _RULE
    count = len(page.cards)
    place = [say("{number} of {count}", number=card.number, count=count)] if count > 1 else []
    yield from wrapped(" · ".join([*place, " / ".join(map(isolate, card.categories))]))
    yield ""
    yield from wrapped(card.title)
    yield ""
    for side in card.sides:
        told = f"{isolate(side.name)}: {side.would}"
        yield from wrapped(f"{say.percent(side.percent)} {told}" + (f", {side.was}" if side.was else ""))
    yield ""
    for side in card.sides:
        yield from wrapped(f"{isolate(side.name)} ({isolate(side.price)}): {isolate(side.tagline)}")
    for pair in card.pairs:
        yield from _pair(say, pair)
    yield ""
    yield from _link(say("Read the full panel on {title}", title=isolate(card.title)), card.url)
    yield ""
    yield from wrapped(f"{say('Would you ship it?')} {card.readers}")
    for side, choice in zip(card.sides, CHOICES, strict=True):
        yield from _link(side.vote, f"%%VOTE_URL%%/{card.slug}{page.query + '&' if page.query else '?'}choice={choice}")


def _note(note: str) -> Iterator[str]:
    for number, (paragraph, links) in enumerate(plain(note)):
        if number and not paragraph.startswith(("- ", "· ")):
            yield ""
        for line in paragraph.split("\n"):
            yield from wrapped(line)
        for label, address in links:
            # One link is explained by the sentence above it.
            yield from [address] if len(links) == 1 else _link(label, address)


def _changes(say: Speech, changes: Iterable[Change]) -> Iterator[str]:
    yield _RULE
    yield from wrapped(say("What changed"))
    yield ""
    for change in changes:
        yield from wrapped(f"{isolate(change.tool)}: {change.told}")


def _vote(vote: Vote) -> Iterator[str]:
    yield _RULE
    yield from wrapped(vote.heading)
    for voted in vote.voted:
        yield ""
        yield from wrapped(voted.difference)
        yield from wrapped(voted.split)
    yield ""
    yield from _link(vote.label, vote.url)


def _footer(say: Speech, page: Page) -> Iterator[str]:
    yield _RULE
    yield from wrapped(
        say("You get this because you subscribed to {newsletter} with this address:", newsletter=isolate(page.name))
    )
    yield "%%EMAIL%%"
    yield ""
    yield from wrapped(
        say(
            "The links below and those to vote are yours alone: whoever you forward this letter to can vote for you, "
            "open your page or unsubscribe you."
        )
    )
    yield ""
    yield from _link(say("Preferences"), f"%%PREFERENCES_URL%%{page.query}")
    yield from _link(say("Unsubscribe"), f"%%UNSUBSCRIBE_URL%%{page.query}")
    for name, address in page.social:
        yield from _link(name, address)
    yield ""
    yield from wrapped(f"{page.name}, {page.postal_address}")


def _glance(say: Speech, others: tuple[Card, ...]) -> Iterator[str]:
    if others:
        yield from wrapped(f"{say('Also in this letter')}:")
        for card in others:
            sides = (f"{isolate(side.name)} {say.percent(side.percent)}" for side in card.sides)
            yield from wrapped("- " + " · ".join(sides))
        yield ""


def _pair(say: Speech, pair: Pair) -> Iterator[str]:
    verdicts = {"ship": f" - {say('Ship')}", "skip": f" - {say('Skip')}", None: ""}
    for said in pair.said:
        yield ""
        yield from wrapped(
            say("{reviewer} on {tool}", reviewer=isolate(pair.reviewer), tool=isolate(said.tool))
            + verdicts[said.verdict]
        )
        yield from wrapped(f"“{said.quote}”")


def _link(label: str, address: str) -> list[str]:
    return [*wrapped(f"{label}:"), address]


def wrapped(text: str) -> list[str]:
    """Break a text into lines, between words, and in words that are wider than a line, but not in a web address.

    Where a blank must not break no line is broken; it is a common one all the same.
    """
    text = in_text(text).strip()
    if CHANGED_ON_THE_WAY.match(text):
        text = _HARMLESS + text
    lines = [""]
    for piece in _pieces(_BLANKS.split(text), WIDTH - len(_HARMLESS)):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if columns(joined) <= WIDTH or not lines[-1]:
            lines[-1] = joined
        else:
            lines += _next_line(lines, piece)
    return [_UNBREAKABLE.sub(" ", line) for line in lines]


def _next_line(lines: list[str], piece: str) -> list[str]:
    """The line that a piece begins, after taking words from the last of these where it must not begin with it."""
    kept, begun = lines[-1], piece
    while CHANGED_ON_THE_WAY.match(begun):
        kept, _, word = kept.rpartition(" ")
        begun = f"{word} {begun}"
        if not kept or columns(begun) > WIDTH:
            return [_HARMLESS + piece]
    lines[-1] = kept
    return [begun]


def _pieces(words: Iterable[str], room: int) -> Iterator[str]:
    for word in words:
        if columns(word) <= room or "://" in word:
            yield word
            continue
        piece = ""
        for cluster in clusters(word):
            if columns(piece + cluster) > room:
                yield piece
                piece = ""
            piece += cluster
        yield piece
