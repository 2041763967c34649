"""Letters as readers get them, committed. `UPDATE_GOLDEN=1 pytest tests/rendering` writes them anew."""

import os
from html import escape
from pathlib import Path

import pytest

from newsletter.message import Filler
from newsletter.rendering.letter import render
from newsletter.rendering.lint import ISSUE_FIELDS, lint
from newsletter.rendering.size import fits
from tests.rendering.samples import GOLDEN

HERE = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_letter_is_what_it_was(name: str) -> None:
    letter = render(GOLDEN[name])
    for suffix, made in (("html", letter.html), ("txt", letter.text)):
        path = HERE / f"{name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(made, encoding="utf-8", newline="\n")
        assert made == path.read_text(encoding="utf-8"), f"{path.name} changed: look at it, then run make golden"


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_letter_has_no_findings(name: str) -> None:
    letter = render(GOLDEN[name])
    assert lint(letter) == []
    assert fits(letter)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_letter_has_its_merge_fields_in_both_parts_and_a_hidden_link_only_where_clicks_are_counted(name: str) -> None:
    letter, counted, query = render(GOLDEN[name]), GOLDEN[name].counts_clicks, GOLDEN[name].query
    own = {field: f"https://v.example/{field[0].lower()}/1" for field in ISSUE_FIELDS - {"EMAIL"}}
    html, text = Filler(letter).fill({"EMAIL": "o'neill&co@example.com", **own})
    assert letter.merge_fields == ISSUE_FIELDS - (set() if counted else {"CANARY_URL"})
    assert (html.count("https://v.example/c/1"), text.count("https://v.example/c/1")) == (counted, 0)
    for choice in ("left", "right"):
        for comparison in GOLDEN[name].comparisons:
            vote = f"https://v.example/v/1/{comparison.slug}{query + '&' if query else '?'}choice={choice}"
            assert html.count(f'href="{escape(vote)}"') == text.count(f":\n{vote}\n") == 1
    assert html.count("o&#x27;neill&amp;co@example.com") == 1
    assert text.count("o'neill&co@example.com") == 1
    assert html.count(f'href="https://v.example/u/1{query}"') == 2
    assert text.count(f"https://v.example/u/1{query}\n") == 2
    assert html.count(f'href="https://v.example/p/1{query}"') == text.count(f"https://v.example/p/1{query}\n") == 1


def test_no_golden_letter_is_left_from_a_case_that_is_gone() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(GOLDEN)
