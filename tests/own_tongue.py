"""A language of tests: every sentence of the catalogs stands in it ⟦between marks⟧, so that what is in none is seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from newsletter import language
from newsletter.comparisons.record import SEATS, Comparison
from newsletter.rendering import letter
from tests.test_language import used

CODE = "eo"
"""A language that has one form for one and another for many, and that no catalog of ours is in."""

OPEN, CLOSE = "⟦«", "⟧»"
"""Around sentences, and around what a test gives as data: names, quotes, addresses."""

_SPOKEN = frozenset({"alt", "aria-label", "placeholder", "title"})
_META = frozenset({"description", "og:description", "og:site_name", "og:title", "twitter:description", "twitter:title"})
_NO_WORDS = frozenset({"code", "mj-style", "pre", "script", "style", "time"})
"""What stands in them is none of our words: it is data, or a program's."""


@contextmanager
def own_tongue(folder: Path) -> Iterator[None]:
    """Speak the language of tests, and English, until the block ends."""
    (folder / CODE).mkdir(parents=True)
    for domain in language.DOMAINS:
        catalog = Catalog(locale=CODE)
        for key in used(domain, folder):
            catalog.add(key, f"⟦{key}⟧" if isinstance(key, str) else tuple(f"⟦{form}⟧" for form in key))
        written = BytesIO()
        write_po(written, catalog, omit_header=True)
        (folder / CODE / f"{domain}.po").write_bytes(written.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "LOCALES", folder)
        _begin_anew()
        yield
    _begin_anew()


def _begin_anew() -> None:
    for cached in (language.available, language.source, language.speech, language._catalog, letter.environment):
        cached.cache_clear()


def a_marked_comparison(left: str, right: str, day: int) -> Comparison:
    """All that is said in it stands between marks; the panel would ship all of the left and half of the right tool."""
    tools = [
        {
            "name": f"«{name}»",
            "tagline": f"«{name} promises»",
            "category": "«Agents»",
            "entry_price": "«from $1»",
            "description": f"«{name} at length.»",
        }
        for name in (left, right)
    ]
    reviews = [
        {
            "seat": seat,
            "tool": f"«{name}»",
            "verdict": "ship" if name == left or place % 2 else "skip",
            "quote": f"«The {seat} speaks of {name}.»",
        }
        for place, seat in enumerate(SEATS)
        for name in (left, right)
    ]
    record = {"title": f"«{left} vs {right}»", "published_at": f"2026-11-{day}T12:00:00Z"}
    slug = f"{left}-vs-{right}".lower()
    return Comparison.model_validate(record | {"slug": slug, "tools": tools, "reviews": reviews})


def bare(text: str) -> str:
    """The words of a text that stand between no marks."""
    depth, left = 0, ""
    for character in text:
        depth += (character in OPEN) - (character in CLOSE)
        left += character if depth == 0 and character not in CLOSE else "\x00"
    if depth:
        return f"{text!r} begins a sentence that it does not end"
    return " ".join(word for word in left.replace("\x00", " ").split() if any(map(str.isalpha, word)))


class Words(HTMLParser):
    """All that a page, or a template of a letter, says to people: its texts, and attributes that are read out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.attributes: list[str] = []
        self._passed_over: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if self._passed_over:
            self._passed_over += [tag] if tag == self._passed_over[0] else []
        elif tag in _NO_WORDS or _is_no_words_of_a_catalog(tag, named):
            self._passed_over = [tag]
        if tag != "link":  # which names formats
            self.attributes += [value or "" for name, value in attrs if name in _SPOKEN]
        if (named.get("name") or named.get("property")) in _META:
            self.attributes.append(named.get("content") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._passed_over and tag == self._passed_over[-1]:
            self._passed_over.pop()

    def handle_data(self, data: str) -> None:
        if not self._passed_over:
            self.text += data

    def bare(self) -> list[str]:
        """What it says between no marks."""
        return [found for found in map(bare, (self.text, *self.attributes)) if found]


def _is_no_words_of_a_catalog(tag: str, named: dict[str, str | None]) -> bool:
    """The name of a language, something in another one, or a statement of consent, whose words are kept for ever."""
    return (tag != "html" and "lang" in named) or named.get("id") == "words"
