"""What does the text of a comparison page say?

Pure. Promises: what is read is word for word what the page prints; a page that could be read in two ways is refused,
with the line and how to mend it, never guessed at.

A page is read by its structure, not by the site's own words around it. Each tool is

    category / name / tagline / 75% / Panel ship / — / Community / Free / Entry / description, of one line or more

where a label follows its value, and "Reviewer scorecard" heads the quotes: the left tool's, then the right one's, seat
by seat. Blank lines do not count. The lines of a description or of a quote stay lines. Above the first tool is the
title, perhaps between lines of the site's own; below the last quote may be the newsletter box.
"""

import re
from typing import Any

from pydantic import ValidationError

from newsletter.comparisons.complaints import complaints
from newsletter.comparisons.quotes import CLOSING, Line, PageError, read_quotes
from newsletter.comparisons.record import SEATS, Comparison, folded

__all__ = ["PageError", "parse_page"]

PANEL, COMMUNITY, ENTRY, SCORECARD = "panel ship", "community", "entry", "reviewer scorecard"
NO_VOTES = ("—", "–", "-")
SITE_TITLE = "ai tool comparison"
BLURB = "which one should you ship with?"
BOX = ("weekly ai tool verdicts", "get the next comparison in your inbox")
MAX_BOX_HEADING = 60  # characters; what is longer below the quotes, or ends like a sentence, may be a quote

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_SHARE = re.compile(r"([0-9]{1,3})\s*%")
_VALUE = re.compile(r"[0-9.,]+\s*%|[—–-]")


def parse_page(text: str) -> Comparison:
    """Read the text of one comparison page; the record has no slug, no address and no date. Raises PageError."""
    lines = _lines(text)
    if not lines:
        raise PageError(1, "the file is empty: it should hold the text of one comparison page")
    head = _scorecard(lines)
    first, second = _shares(lines[:head])
    title = _title(lines[: first - 3], lines[first - 2], lines[second - 2]) if first >= 3 else None
    if title is None:
        raise PageError(
            lines[0].number,
            "a title, then the tool's category, name and tagline, one line each, must stand above its panel ship",
        )
    places: dict[tuple[int | str, ...], int] = {("title",): title.number}
    tools = [
        _tool(lines, first, second - 3, ("tools", 0), places),
        _tool(lines, second, head, ("tools", 1), places),
    ]
    for at, side in ((first, 0), (second, 1)):
        _check_names(title, lines, at, side)
    if folded(tools[0]["name"]) == folded(tools[1]["name"]):
        raise PageError(lines[second - 2].number, f"both tools are called {tools[1]['name']!r}: one needs another name")
    quotes = _quotes(lines[head], lines[head + 1 :])
    seats = SEATS if len(quotes) == 2 * len(SEATS) else [f"Reviewer {n + 1}" for n in range(len(quotes) // 2)]
    reviews = []
    for n, quote in enumerate(quotes):
        places["reviews", n, "quote"] = quote.number
        reviews.append({"seat": seats[n // 2], "tool": tools[n % 2]["name"], "quote": quote.text})
    try:
        return Comparison.model_validate({"title": title.text, "tools": tools, "reviews": reviews})
    except ValidationError as error:
        place, phrase = complaints(error)[0]
        raise PageError(places.get(place, title.number), f"{place[-1] if place else ''} {phrase}".strip()) from None


def _lines(text: str) -> list[Line]:
    """The lines that hold something. Only CR and LF end a line: other "line ends" of Unicode do not, in an editor."""
    lines = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        stripped = line.strip(" \t\u00a0\ufeff\u3000")
        if found := _CONTROL.search(stripped):
            raise PageError(number, f"holds the control character U+{ord(found[0]):04X}: is this the text of a page?")
        if stripped := stripped.strip():
            lines.append(Line(number, stripped))
    return lines


def _label(lines: list[Line], at: int) -> str:
    """A line as labels are compared, "" beyond the ends."""
    return folded(lines[at].text).removesuffix(":") if 0 <= at < len(lines) else ""


def _scorecard(lines: list[Line]) -> int:
    """The index of the line that heads the quotes: of those that read so, the first that a quote follows."""
    heads = [at for at in range(len(lines)) if _label(lines, at) == SCORECARD]
    if not heads:
        raise PageError(lines[-1].number, 'no line reads "Reviewer scorecard": it must stand above the quotes')
    followed = [at for at in heads if at + 1 < len(lines) and lines[at + 1].text[0] in CLOSING]
    return followed[0] if followed else heads[0]


def _shares(lines: list[Line]) -> tuple[int, int]:
    """The indexes of the two lines with the panel's share, each at the head of three values and their labels."""
    found = [
        at
        for at in range(len(lines))
        if (_label(lines, at + 1), _label(lines, at + 3), _label(lines, at + 5)) == (PANEL, COMMUNITY, ENTRY)
    ]
    if len(found) > 2:
        raise PageError(lines[found[2]].number, f"this page has {len(found)} tools: a comparison has two")
    for at in range(len(lines)):
        # A description may hold a line that reads like a label, but hardly below one that reads like its value.
        if len(found) < 2 or (at > 0 and _VALUE.fullmatch(lines[at - 1].text)):
            _check_label(lines, at, found)
    if len(found) < 2:
        there = "only one tool" if found else "no tool"
        raise PageError(
            lines[-1].number if lines else 1,
            f'{there} stands above "Reviewer scorecard": a comparison has two, each with the labels '
            '"Panel ship", "Community" and "Entry" below their values',
        )
    return found[0], found[1]


def _check_label(lines: list[Line], at: int, found: list[int]) -> None:
    """Raise PageError where a label stands alone, without the others that belong to it."""
    number = lines[at].number
    if _label(lines, at) == PANEL and at - 1 not in found:
        if _label(lines, at + 2) != COMMUNITY:
            raise PageError(number, 'after "Panel ship" must come the readers\' share, then the label "Community"')
        raise PageError(number, 'after "Panel ship" and "Community" must come the price, then the label "Entry"')
    if _label(lines, at) == COMMUNITY and at - 3 not in found and _label(lines, at + 2) == ENTRY:
        raise PageError(number, 'before "Community" must come the panel\'s share, then the label "Panel ship"')


def _title(lines: list[Line], left: Line, right: Line) -> Line | None:
    """The title among the lines above the first tool; None where there is none. Raises PageError for several."""
    rest = [line for line in lines if folded(line.text) != SITE_TITLE and not folded(line.text).startswith(BLURB)]
    if len(rest) < 2:
        return rest[0] if rest else None
    a, b = folded(left.text), folded(right.text)
    for names_both in (
        [line for line in rest if folded(line.text) == f"{a} vs {b}"],
        [line for line in rest if a in folded(line.text) and b in folded(line.text)],
        [line for line in rest if re.search(r"\bvs\b", folded(line.text))],
    ):
        if len(names_both) == 1:
            return names_both[0]
    raise PageError(
        rest[0].number,
        f"lines {rest[0].number} to {rest[-1].number} could each be the title: leave the one, or let it name both "
        "tools; below it come category, name and tagline",
    )


def _tool(
    lines: list[Line], at: int, end: int, place: tuple[int | str, ...], places: dict[tuple[int | str, ...], int]
) -> dict[str, Any]:
    """The fields of the tool whose panel share is at an index, and whose description ends before another.

    Notes in `places` the line of each field.
    """
    if at + 6 >= end:
        raise PageError(
            lines[at + 5].number,
            'below "Entry" must come the description, and above a panel ship a category, a name and a tagline',
        )
    fields = {
        "category": at - 3,
        "name": at - 2,
        "tagline": at - 1,
        "panel_ship": at,
        "community_ship": at + 2,
        "entry_price": at + 4,
        "description": at + 6,
    }
    places.update({(*place, field): lines[where].number for field, where in fields.items()})
    tool: dict[str, Any] = {field: lines[where].text for field, where in fields.items()}
    tool["panel_ship"] = _share(lines[at], "panel ship", "")
    tool["community_ship"] = (
        None if lines[at + 2].text in NO_VOTES else _share(lines[at + 2], "community share", ", or — without votes")
    )
    tool["description"] = "\n".join(line.text for line in lines[at + 6 : end])
    return tool


def _share(line: Line, what: str, else_what: str) -> int:
    match = _SHARE.fullmatch(line.text)
    if match is None or int(match[1]) > 100:
        raise PageError(
            line.number, f"the {what} must be a whole percentage from 0% to 100%{else_what}, not {line.text[:40]!r}"
        )
    return int(match[1])


def _check_names(title: Line, lines: list[Line], at: int, side: int) -> None:
    """Raise PageError where the title names, in the name's stead, the category or the tagline: a line is amiss."""
    heading = folded(title.text)

    def is_named(line: Line) -> bool:
        name = folded(line.text)
        return heading.endswith(f" vs {name}") if side else heading.startswith(f"{name} vs ")

    category, name, tagline = lines[at - 3 : at]
    if not is_named(name) and (is_named(category) or is_named(tagline)):
        raise PageError(
            name.number,
            f"reads like no tool's name, since the title says {title.text!r}: exactly category, name and tagline, "
            "one line each, must stand above the panel ship",
        )


def _quotes(head: Line, lines: list[Line]) -> list[Line]:
    """The quotes below the scorecard's heading, an even number of them."""
    quotes, rest = read_quotes(lines)
    wanted = "a quote on each tool for every reviewer, each between “ and ”"
    if not quotes:
        raise PageError(head.number, f'below "Reviewer scorecard" must come {wanted}')
    if rest and not _heads_the_box(rest[0].text):
        raise PageError(rest[0].number, "is in no quote: put what a reviewer said between “ and ”, or take it out")
    if len(quotes) % 2:
        raise PageError(quotes[-1].number, f"the number of quotes is odd ({len(quotes)}): there must be {wanted}")
    return quotes


def _heads_the_box(text: str) -> bool:
    """Whether a line below the quotes can head the newsletter box, which is no content."""
    return folded(text).startswith(BOX) or (len(text) <= MAX_BOX_HEADING and text[-1] not in ".…。")
