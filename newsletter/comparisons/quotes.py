"""Which lines of a page are one quote, and where does each quote end?

Pure. Promise: only the outermost pair of quote marks is taken off; where a quote ends is never guessed.

A line that begins with a quote mark begins a quote; lines that do not carry one on until it is closed. So a quote of
several lines cannot have a line that itself begins with a quote mark: that reads as a quote that was never closed.
"""

from typing import NamedTuple

CLOSING = {
    '"': '"',
    "“": "”",
    "”": "”",
    "„": "“”",
    "‟": "”",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    "\uff02": "\uff02",  # full width
    "〝": "〞〟",
}
"""What may close a quote, by what opened it."""


class PageError(ValueError):
    """A page that cannot be read for certain: the line in the file, from 1, and a reason that says how to mend it."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Line(NamedTuple):
    """A line of a page, white space around it taken off, and its number in the file, from 1."""

    number: int
    text: str


def read_quotes(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """The quotes at the head of some lines, without their marks, and the lines that follow the last of them.

    A quote's number is that of its first line; its lines are joined by line feeds. Raises PageError.
    """
    quotes: list[Line] = []
    at = 0
    while at < len(lines) and lines[at].text[0] in CLOSING:
        end = _end_of_quote(lines, at)
        quotes.append(_unquoted(lines[at:end]))
        at = end
    rest = lines[at:]
    for line in rest:
        if line.text[0] in CLOSING and quotes:
            raise PageError(rest[0].number, f"is in no quote, yet another quote follows in line {line.number}")
        if _closes_nothing(line.text):
            raise PageError(line.number, f"ends with {line.text[-1]} but is in no quote; is the opening mark missing?")
    return quotes, rest


def _end_of_quote(lines: list[Line], start: int) -> int:
    """The index behind the last line of the quote that begins at `start`."""
    closing = CLOSING[lines[start].text[0]]
    end = start
    while end < len(lines) and (end == start or lines[end].text[0] not in CLOSING or lines[end].text in closing):
        end += 1
        text = "\n".join(line.text for line in lines[start:end])
        if len(text) > 1 and text[-1] in closing and _depths(text, closing)[-1] <= 0:
            return end
    raise PageError(
        lines[start].number,
        f"this quote is not closed: it, and any quote inside it, must end with {closing[0]} before the next one begins",
    )


def _closes_nothing(text: str) -> bool:
    """Whether a line ends with a closing mark that nothing in it opened."""
    pairs = [(opening, closing) for opening, closing in CLOSING.items() if text[-1] in closing]
    return bool(pairs) and all(
        text.count(opening) % 2 == 1
        if opening == closing
        else text.count(opening) < sum(text.count(mark) for mark in closing)
        for opening, closing in pairs
    )


def _unquoted(lines: list[Line]) -> Line:
    text = "\n".join(line.text for line in lines)
    closing = CLOSING[text[0]]
    depths = _depths(text, closing)
    if depths[-1] == 0 and 0 in depths[:-1]:
        raise PageError(
            lines[0].number,
            f"this is more than one quote ({text[0]}…{closing[0]} closes before the end): give each its own line, "
            "or use other marks inside it",
        )
    inside = text[1:-1].strip()
    if not inside:
        raise PageError(lines[0].number, "this quote is empty: write what the reviewer said between the marks")
    return Line(lines[0].number, inside)


def _depths(text: str, closing: str) -> list[int]:
    """How many quotes are open behind each mark of the kind that opens a text.

    Straight marks do not say whether they open or close: they open before a letter and behind a space.
    """
    opening = text[0]
    depth, depths = 1, [1]
    for i, mark in enumerate(text[1:], start=1):
        if mark == opening and opening not in closing:
            depth += 1
        elif mark in closing:
            before, behind = text[i - 1], text[i + 1 : i + 2]
            opens = opening in closing and (before.isspace() or before in "([{—–-" + opening) and behind.strip() != ""
            depth += 1 if opens else -1
        else:
            continue
        depths.append(depth)
    return depths
