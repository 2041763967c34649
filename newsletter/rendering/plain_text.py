"""What does somebody read who wants no HTML?

Pure. Promises the same words and links as the HTML part, in lines of at most 72 columns, except for addresses of web
pages, which stand whole on lines of their own.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from newsletter.rendering.armour import in_text, isolate
from newsletter.rendering.card import Card, Pair, Side
from newsletter.rendering.excerpt import clusters
from newsletter.rendering.page import CHOICES, Page, Vote, in_words

WIDTH = 72
"""Columns of a line."""

_LABEL = 20  # columns of the scoreboard's first column
_GAP = 2
_CELL = (WIDTH - _LABEL - 2 * _GAP) // 2


def issue(page: Page) -> str:
    """The text part of a letter, with a line feed at its end."""
    lines = [
        *wrapped(page.name),
        *wrapped(page.when),
        "",
        *wrapped(page.headline),
        "=" * WIDTH,
        *wrapped(page.introduction),
        "",
        *_glance(page.cards[1:]),
        "View in browser:",
        page.view_url,
        "Unsubscribe:",
        "%%UNSUBSCRIBE_URL%%",
    ]
    for card in page.cards:
        lines += ["", "", *_card(card, len(page.cards))]
    if page.vote:
        lines += ["", "", *_vote(page.vote)]
    lines += [
        "",
        "",
        "-" * WIDTH,
        "You get this because %%EMAIL%%",
        *wrapped(f"subscribed to {page.name}."),
        "",
        *wrapped(
            "The links below and those to vote are yours alone: whoever you forward this letter to can vote for you, "
            "open your page or unsubscribe you."
        ),
        "",
        "Preferences:",
        "%%PREFERENCES_URL%%",
        "Unsubscribe:",
        "%%UNSUBSCRIBE_URL%%",
        "",
        *wrapped(f"{page.name}, {page.postal_address}"),
    ]
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


def _card(card: Card, count: int) -> Iterator[str]:
    place = f"{card.number} of {count} · " if count > 1 else ""
    yield "-" * WIDTH
    yield from wrapped(place + " / ".join(isolate(category) for category in card.categories))
    yield ""
    yield from wrapped(card.title)
    yield ""
    for side in card.sides:
        yield from wrapped(f"{isolate(side.name)}: {isolate(side.tagline)}")
    yield ""
    yield from _scoreboard(card)
    for pair in card.pairs:
        yield from _pair(pair)
    yield ""
    for side, choice in zip(card.sides, CHOICES, strict=True):
        yield from wrapped(f"{side.vote}:")
        yield f"%%VOTE_URL%%/{card.slug}?choice={choice}"
    yield ""
    if card.unseen:
        yield f"{in_words(card.unseen)} more reviewer{'s' if card.unseen > 1 else ''}."
    yield from wrapped(f"Read the full panel on {isolate(card.title)}:")
    yield card.url


def _vote(vote: Vote) -> Iterator[str]:
    yield "-" * WIDTH
    yield from wrapped(vote.heading)
    for voted in vote.voted:
        yield ""
        yield from wrapped(voted.title)
        yield from wrapped(voted.split, indent="  ")
        yield from wrapped(voted.difference, indent="  ")
    yield ""
    yield f"{vote.label}:"
    yield vote.url


def _glance(others: tuple[Card, ...]) -> Iterator[str]:
    if others:
        yield "Also in this letter:"
        for card in others:
            yield from wrapped(" · ".join(f"{isolate(side.name)} {side.percent}%" for side in card.sides), indent="  ")
        yield ""


def _scoreboard(card: Card) -> Iterator[str]:
    rows = [
        ("", *(side.name for side in card.sides)),
        ("Entry price", *(side.price for side in card.sides)),
        ("Panel would ship", *(_panel(side, card.panel) for side in card.sides)),
        ("Panel before", *(side.was or "" for side in card.sides)),
        ("Readers would ship", *("—" if side.readers is None else f"{side.readers}%" for side in card.sides)),
    ]
    for label, left, right in rows:
        if not left and not right:
            continue
        cells = [[label], wrapped(left, width=_CELL), wrapped(right, width=_CELL)]
        for index in range(max(map(len, cells))):
            line = "".join(
                _pad(isolate(cell[index]) if index < len(cell) else "", width + _GAP)
                for cell, width in zip(cells, (_LABEL, _CELL, _CELL), strict=True)
            )
            yield line.rstrip()


def _panel(side: Side, panel: int) -> str:
    return f"{side.percent}%" if side.ships is None else f"{side.percent}% ({side.ships} of {panel})"


def _pair(pair: Pair) -> Iterator[str]:
    for said in pair.said:
        verdict = {"ship": " - Ship", "skip": " - Skip", None: ""}[said.verdict]
        yield ""
        yield from wrapped(f"{isolate(pair.reviewer)} on {isolate(said.tool)}{verdict}")
        yield from wrapped(f"“{said.quote}”", indent="  ")


def _pad(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def wrapped(text: str, *, width: int = WIDTH, indent: str = "") -> list[str]:
    """Break a text into lines, between words, and in words that are wider than a line (but not in a web address, unless
    in a narrow cell)."""
    room = width - columns(indent)
    lines = [""]
    for piece in _pieces(in_text(text).split(), room, whole_addresses=width == WIDTH):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if columns(joined) <= room or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(piece)
    return [indent + line for line in lines]


def _pieces(words: Iterable[str], room: int, *, whole_addresses: bool) -> Iterator[str]:
    for word in words:
        if columns(word) <= room or (whole_addresses and "://" in word):
            yield word
            continue
        piece = ""
        for cluster in clusters(word):
            if columns(piece + cluster) > room:
                yield piece
                piece = ""
            piece += cluster
        yield piece
