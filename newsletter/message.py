"""What rendering hands to delivery: a letter with merge fields, and the readers that fill them.

Delivery carries letters unread: it knows nothing of issues or comparisons. A merge field is written
`%%NAME%%`; the compiled letter holds it in place of each value that differs from reader to reader.
"""

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MERGE_FIELD = re.compile(r"%%([A-Z][A-Z_]*)%%")
"""How a merge field looks; group 1 is its name."""


@dataclass(frozen=True)
class Letter:
    """One letter to many readers, compiled once.

    `subject` and `preheader` are plain text and hold no merge fields; `html` and `text` may.
    """

    subject: str
    preheader: str
    html: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex, 64 characters) over every byte that a reader would see, merge fields unfilled."""
        parts = [self.subject, self.preheader, self.html, self.text]
        canonical = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def merge_fields(self) -> frozenset[str]:
        """The names of all merge fields in the HTML and the text."""
        return frozenset(MERGE_FIELD.findall(self.html)) | frozenset(MERGE_FIELD.findall(self.text))


@dataclass(frozen=True)
class Recipient:
    """One reader of a letter.

    `row` identifies the reader's copy for ever (it travels with the message, so that the provider can
    be asked about it); `values` fill the merge fields, unescaped; `unsubscribe_url` goes into the
    List-Unsubscribe header, or nowhere when it is None.
    """

    row: str
    email: str
    values: Mapping[str, str] = field(default_factory=dict)
    unsubscribe_url: str | None = None


class Filler:
    """Fills one letter for many readers by split and join, a few microseconds a reader."""

    def __init__(self, letter: Letter) -> None:
        self._html = MERGE_FIELD.split(letter.html)
        self._text = MERGE_FIELD.split(letter.text)

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return (HTML, text) for one reader. Values are HTML-escaped in the HTML part only.

        Raises KeyError, naming the field, where a value is missing.
        """
        escaped = {name: html.escape(value) for name, value in values.items()}
        return _join(self._html, escaped), _join(self._text, values)


def _join(parts: list[str], values: Mapping[str, str]) -> str:
    filled = parts.copy()
    filled[1::2] = [values[name] for name in parts[1::2]]
    return "".join(filled)
