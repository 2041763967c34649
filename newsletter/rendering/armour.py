"""How does somebody else's text go into a letter and stay text?

Pure. Promises that no text becomes markup, a merge field or a token of a template engine, whatever it holds.
"""

import re
import unicodedata

from markupsafe import Markup

from newsletter.message import MERGE_FIELD

# Percent signs and braces are harmless to a browser, but the first would make merge fields, and a provider that keeps
# letters as templates of its own would read the second as one of its tokens.
_REFERENCES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
    "'": "&#39;",
    "{": "&#123;",
    "}": "&#125;",
}
_TABLE = str.maketrans(_REFERENCES)

# A share stays as it is ("75%", in German with a blank that never breaks): no text can bring a second sign behind it,
# since one that a text begins with, or that follows another one, is escaped.
_NO_SHARE = re.compile("(?<![0-9])(?<![0-9]\u00a0)%|%(?=%)")

# Embeddings, overrides and isolates: one left open would turn round our own words on the same line.
_DIRECTION_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")


def in_html(value: object) -> object:
    """Escape a text for HTML, in content and in quoted attributes; anything but plain text stays as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return Markup(_escaped(value))  # noqa: S704 - this is the escaping
    return value


def html_bytes(text: str) -> int:
    """How many bytes (UTF-8) a text takes in the HTML part, escapes included."""
    return len(_escaped(text).encode())


def in_text(text: str) -> str:
    """Break whatever looks like a merge field with a visible blank: `%%NAME%%` becomes `% %NAME% %`.

    A zero-width character would hide the change, and come along when somebody copies the line.
    """
    return MERGE_FIELD.sub(r"% %\1% %", text)


def clean(text: str) -> str:
    """One line of text: runs of white space become one blank; control characters and direction controls go."""
    return " ".join(_CONTROL.sub("", text.translate(_DIRECTION_CONTROLS)).split())


def legible(text: str) -> str:
    """Text of many lines, each ended by a line feed: control characters and direction controls go."""
    return _CONTROL.sub("", _LINE_END.sub("\n", text.translate(_DIRECTION_CONTROLS)))


def isolate(text: str) -> str:
    """Fence off a text with right-to-left letters, so that it does not reorder the English around it.

    For a text inside of a sentence; one that is a paragraph of its own finds its direction by itself.
    """
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _escaped(text: str) -> str:
    text = text.translate(_TABLE)
    return _NO_SHARE.sub("&#37;", text) if "%" in text else text
