"""Long texts are cut where a person would cut them."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.rendering.armour import clean, html_bytes
from newsletter.rendering.excerpt import clusters, excerpt


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("short", 10, "short"),
        ("  two\n\n lines ", 20, "two lines"),
        ("exactly ten", 11, "exactly ten"),
        ("one two three four", 12, "one two…"),
        ("one two, three four", 12, "one two…"),
        ("A first sentence. Then more of it follows", 24, "A first sentence.\u00a0…"),
        ("No. Then a long sentence without an end", 20, "No. Then a long…"),
        ("One two three, four five six, seven eight", 36, "One two three, four five six…"),
        ("One two, three four five six seven eight", 36, "One two, three four five six seven…"),
        ("incomprehensibilities", 10, "incompre…"),
        ("中文没有空格" * 4, 12, "中文没有空格…"),
        ("&" * 30, 20, "&&&&&&&…"),
        ("👩‍👩‍👧‍👦" * 5, 40, "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦…"),
        ("\x00\u202e", 10, "…"),
    ],
)
def test_a_text_is_cut(text: str, limit: int, cut: str) -> None:
    assert excerpt(text, limit) == cut


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("abc", ["a", "b", "c"]),
        ("e\u0301\u0323x", ["e\u0301\u0323", "x"]),
        ("👩‍💻!", ["👩‍💻", "!"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("क्षि", ["क्षि"]),
        ("\u1112\u1161\u11ab\u1112", ["\u1112\u1161\u11ab", "\u1112"]),
        ("", []),
    ],
)
def test_what_a_reader_sees_as_one_character_is_one(text: str, parts: list[str]) -> None:
    assert list(clusters(text)) == parts


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(st.text(max_size=120), st.integers(min_value=8, max_value=60))
def test_an_excerpt_keeps_its_limits_and_begins_like_the_text(text: str, limit: int) -> None:
    cut = excerpt(text, limit)
    assert len(list(clusters(cut))) <= limit
    assert html_bytes(cut) <= 2 * limit
    kept = cut.removesuffix("…").rstrip()
    assert clean(text).startswith(kept)
    rest = clean(text)[len(kept) :]
    assert not rest or unicodedata.category(rest[0]) not in ("Mn", "Mc", "Me")
