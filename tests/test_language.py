"""Every sentence of letters and pages has a translation that says the same of the same things."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from newsletter.language import DOMAINS, ENGLISH, NOTES, available, own_name, source, speech

ROOT = Path(__file__).parent.parent
OTHERS = [code for code in available() if code != ENGLISH]

Key = str | tuple[str, ...]


def used(domain: str, folder: Path) -> set[Key]:
    """What stands in code and templates."""
    made = folder / f"{domain}.pot"
    extract = [str(Path(sys.executable).parent / "pybabel"), "--quiet", "extract", "-F", f"locales/{domain}.cfg"]
    subprocess.run([*extract, "-k", "say", "-k", "many:1,2", "-o", str(made), "."], cwd=ROOT, check=True)
    return set(messages(made.read_text(encoding="utf-8")))


def messages(text: str) -> dict[Key, Message]:
    return {
        tuple(message.id) if isinstance(message.id, (tuple, list)) else message.id: message
        for message in read_po(text.splitlines(keepends=True))
        if message.id
    }


def forms_of(message: Message) -> list[str]:
    """Its translation, in as many forms as it has; an empty one is missing."""
    forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return [form or "" for form in forms]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_sentence_is_translated_and_no_translation_is_left_over(domain: str, tmp_path: Path) -> None:
    wanted = used(domain, tmp_path)
    for code in OTHERS:
        there = messages(source(code, domain))
        assert set(there) == wanted, f"locales/{code}/{domain}.po: run `make words`"
        for key, message in there.items():
            assert all(forms_of(message)), f"locales/{code}/{domain}.po has no translation of {key!r}"
            assert not message.fuzzy


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_translation_has_the_same_gaps_to_fill(domain: str) -> None:
    for code in OTHERS:
        for key, message in messages(source(code, domain)).items():
            wanted = placeholders(key[-1] if isinstance(key, tuple) else key)
            for form in forms_of(message):
                # "one vote" may go without its number.
                assert wanted - {"count"} <= placeholders(form) <= wanted, key
                assert not re.search(r"\s\s|^\s|\s$", form), form


def test_a_language_calls_itself_by_its_own_name() -> None:
    assert [own_name(code) for code in ("en", "de")] == ["English", "Deutsch"]


@pytest.mark.parametrize(
    ("code", "day", "month", "year", "number", "percent"),
    [
        ("en", "9 November 2026", "30 November – 6 December 2026", "28 December 2026 – 3 January 2027", "1,234", "75%"),
        (
            "de",
            "9. November 2026",
            "30. November – 6. Dezember 2026",
            "28. Dezember 2026 – 3. Januar 2027",
            "1.234",
            "75\u00a0%",
        ),
    ],
)
def test_days_and_numbers_are_written_as_the_language_does(
    code: str, day: str, month: str, year: str, number: str, percent: str
) -> None:
    say = speech(code, NOTES)
    assert say.day(date(2026, 11, 9)) == day
    assert say.days(date(2026, 11, 30), date(2026, 12, 6)) == month
    assert say.days(date(2026, 12, 28), date(2027, 1, 3)) == year
    assert (say.number(1234), say.percent(75)) == (number, percent)


def test_a_value_is_never_read_as_a_gap() -> None:
    say = speech(ENGLISH, NOTES)
    assert say("{name} and {other}", name="{other}", other="{") == "{other} and {"
    assert say.many("{count} of {all}", "{count} of {all}", 2, all="{count}") == "2 of {count}"


def test_a_language_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        speech("tlh", NOTES)
