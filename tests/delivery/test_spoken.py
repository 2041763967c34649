"""A stranger's words, as they may be stored, logged and shown."""

import pytest

from newsletter.delivery.ledger import unnamed
from newsletter.delivery.provider import LONGEST_WORDS, spoken


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no such user", "no such user"),
        ("  two\r\n lines\tand more \n", "two lines and more"),
        ("a\x00b\x1b[31mc\x7fd\x85e\x9ff\u2028g\u2029h", "a b [31mc d e f g h"),
        ("half \ud800 a letter", "half a letter"),
        ("Grüße 日本 “x”", "Grüße 日本 “x”"),
        ("", ""),
        ("\n", ""),
        (None, ""),
        (7, ""),
        (b"bytes", ""),
        (["no"], ""),
    ],
)
def test_words_become_one_line_without_control_characters_and_what_is_no_words_none(said: object, kept: str) -> None:
    assert spoken(said) == kept


def test_words_are_cut_where_they_grow_too_long_and_say_so() -> None:
    assert LONGEST_WORDS == 300
    assert spoken("x" * 300) == "x" * 300
    assert spoken("x" * 301) == "x" * 299 + "…"
    assert spoken("x" * 10_000_000) == "x" * 299 + "…"
    assert spoken(" " * 1199 + "x") == "x"
    assert spoken(" " * 1200 + "x") == ""  # no more than that is looked at


@pytest.mark.parametrize(
    ("reason", "email", "kept"),
    [
        ("no ADA@Example.com here", "ada@example.com", "no (the address) here"),
        ("ada@example.com, bo@example.org; <cy@x>", "", "(the address), (the address); <(the address)>"),
        ("inactive: 'a.d+a@example.com'", "bo@example.com", "inactive: '(the address)'"),
        ("odd one: o'hara@example.com", "o'hara@example.com", "odd one: (the address)"),
        ("a @ b, nothing", "", "a @ b, nothing"),
        ("axb@example.com", "a.b@example.com", "(the address)"),
        ("nobody", "", "nobody"),
    ],
)
def test_no_address_stays_in_words_that_are_written_down(reason: str, email: str, kept: str) -> None:
    assert unnamed(reason, email) == kept
