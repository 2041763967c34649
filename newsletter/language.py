"""Which languages do letters and pages speak, and how does a sentence, a day or a number become one of theirs?

Sentences are English where they are used, and translated by catalogs, `locales/<code>/<domain>.po`. A catalog is one
domain's, so that a page's new wording is no change of a letter that an editor has approved. Promises the same text on
any machine: days and numbers are written as Unicode's locale data (Babel) have them, never as the machine is set. Those
are loaded by the first word that needs them: most commands speak none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from newsletter.places import LOCALES

if TYPE_CHECKING:
    from babel import Locale

ENGLISH: Final = "en"
"""What sentences are written in, and so the language that needs no catalog."""

ISSUE: Final = "issue"
"""The words of an issue's letter, and of its page in the archive."""
NOTES: Final = "notes"
"""The words of letters to one person."""
PAGES: Final = "pages"
"""The words of the web pages."""
DOMAINS: Final = (ISSUE, NOTES, PAGES)

_REGIONS: Final = {ENGLISH: "en_GB"}
"""Languages whose days and numbers are not written as Unicode's data have them without a region."""

_CODE: Final = re.compile(r"[a-z]{2,3}")


@cache
def available() -> tuple[str, ...]:
    """The codes of all languages that there are (ISO 639), English first."""
    folders = sorted(path.name for path in LOCALES.iterdir() if path.is_dir() and _CODE.fullmatch(path.name))
    return (ENGLISH, *folders)


def own_name(code: str) -> str:
    """What a language calls itself: "Deutsch"."""
    name = _data(code).get_display_name(code)
    return name[:1].upper() + name[1:] if name else code


@dataclass(frozen=True)
class Speech:
    """One language, as far as one domain speaks it."""

    code: str
    domain: str

    def __call__(self, text: str, /, **values: object) -> str:
        """A sentence in this language; `values` stand where `{name}` stands in it. As plain text: nothing is escaped.

        Raises KeyError for a value that is missing.
        """
        return filled(self.translated(text), values)

    def many(self, one: str, other: str, count: int, /, **values: object) -> str:
        """The same of a number of things; `{count}` is the number, as it is written in this language."""
        return filled(self.counted(one, other, count), {"count": self.number(count), **values})

    def translated(self, text: str) -> str:
        """A sentence in this language, its `{names}` unfilled; English where no catalog has it."""
        return _catalog(self.code, self.domain).get(text, (text,))[0]

    def counted(self, one: str, other: str, count: int) -> str:
        """The form of a sentence that goes with a number, its `{names}` unfilled."""
        forms = _catalog(self.code, self.domain).get(one)
        if forms is None:
            return one if count == 1 else other
        return forms[min(_plural(self.code)(count), len(forms) - 1)]

    @property
    def direction(self) -> str:
        """In which direction it is written: "ltr" or "rtl"."""
        return _data(self.code).text_direction

    def day(self, day: date) -> str:
        """A day: "9 November 2026"."""
        from babel.dates import format_date

        return format_date(day, "long", locale=_locale(self.code))

    def days(self, first: date, last: date) -> str:
        """From one day to another, both included: "16–22 November 2026"."""
        from babel.dates import format_date

        locale = _locale(self.code)
        differs = "y" if first.year != last.year else "M" if first.month != last.month else "d"
        # The data have intervals with short names of months only.
        begins, ends = (part.replace("MMM", "MMMM") for part in locale.interval_formats["yMMMd"][differs])
        made = format_date(first, begins, locale=locale) + format_date(last, ends, locale=locale)
        # What stands around the dash differs from one release of the data to another, so it is ours.
        return re.sub(r"\s*–\s*", "–" if differs == "d" else " – ", made)

    def number(self, number: int) -> str:
        """A whole number: "1,234"."""
        from babel.numbers import format_decimal

        return str(format_decimal(number, locale=_locale(self.code)))

    def percent(self, percent: int) -> str:
        """A share, 0 to 100: "75%"."""
        from babel.numbers import format_percent

        return str(format_percent(percent / 100, "#,##0" + _percent_sign(self.code), locale=_locale(self.code)))


@cache
def speech(code: str, domain: str) -> Speech:
    """A language in a domain. Raises KeyError for a language that there is not."""
    if code not in available():
        raise KeyError(code)
    return Speech(code, domain)


@cache
def source(code: str, domain: str) -> str:
    """What a catalog says, as its file has it when it is first asked for; nothing for English."""
    return "" if code == ENGLISH else (LOCALES / code / f"{domain}.po").read_text(encoding="utf-8")


def filled(text: str, values: Mapping[str, Any], told: Callable[[Any], str] = str) -> str:
    """A text with values in place of its `{names}`. `told`: how a value, and what stands between values, is printed.

    Raises KeyError for a value that is missing.
    """
    made = []
    for words, name, _, _ in Formatter().parse(text):
        made.append(told(words))
        if name is not None:
            made.append(told(values[name]))
    return "".join(made)


def in_templates(say: Speech, told: Callable[[Any], str]) -> dict[str, Callable[..., Markup] | Speech]:
    """By which names templates speak: `_("… {name} …", name=…)`, `many("{count} …", "{count} …", number)`, and `say`.

    `told`: how HTML is made of what is printed, the value of a gap or the words between; Markup is HTML already.
    """

    def sentence(text: str, **values: object) -> Markup:
        return Markup(filled(say.translated(text), values, told))  # noqa: S704 - all of it is escaped

    def many(one: str, other: str, count: int, **values: object) -> Markup:
        counted = {"count": say.number(count), **values}
        return Markup(filled(say.counted(one, other, count), counted, told))  # noqa: S704 - all of it is escaped

    return {"_": sentence, "many": many, "say": say}


@cache
def _catalog(code: str, domain: str) -> Mapping[str, tuple[str, ...]]:
    """Sentence -> its translation, in as many forms as it has."""
    if code == ENGLISH:
        return {}
    from babel.messages.pofile import read_po

    lines = source(code, domain).splitlines(keepends=True)
    found: dict[str, tuple[str, ...]] = {}
    for message in read_po(lines, locale=code):
        forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        if message.id and all(forms):
            found[message.id if isinstance(message.id, str) else message.id[0]] = tuple(map(str, forms))
    return found


@cache
def _plural(code: str) -> Callable[[int], int]:
    """Which form of a sentence goes with a number, as the catalogs of a language count them."""
    rule = _data(code).plural_form
    names = sorted(rule.tags | {"other"}, key=("zero", "one", "two", "few", "many", "other").index)
    return lambda count: names.index(rule(count))


def _locale(code: str) -> "Locale":
    """The data by which days and numbers are written."""
    return _data(_REGIONS.get(code, code))


@cache
def _data(code: str) -> "Locale":
    from babel import Locale

    return Locale.parse(code)


@cache
def _percent_sign(code: str) -> str:
    """The sign with the blank before it that a language wants: "%" or, with a blank that never breaks, " %"."""
    return str(_locale(code).percent_formats[None].pattern).removeprefix("#,##0")
