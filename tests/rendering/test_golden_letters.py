"""Letters as readers get them, committed. `UPDATE_GOLDEN=1 pytest tests/rendering` writes them anew."""

import os
from pathlib import Path

import pytest

from newsletter.message import Filler
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
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
def test_a_letter_has_three_merge_fields_in_both_parts(name: str) -> None:
    letter = render(GOLDEN[name])
    own = {"PREFERENCES_URL": "https://v.example/p/1", "UNSUBSCRIBE_URL": "https://v.example/u/1"}
    html, text = Filler(letter).fill({"EMAIL": "o'neill&co@example.com", **own})
    assert letter.merge_fields == {"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL"}
    assert html.count("o&#x27;neill&amp;co@example.com") == 1
    assert text.count("o'neill&co@example.com") == 1
    assert html.count('href="https://v.example/u/1"') == 2
    assert text.count("https://v.example/u/1\n") == 2
    assert html.count('href="https://v.example/p/1"') == text.count("https://v.example/p/1\n") == 1


def test_no_golden_letter_is_left_from_a_case_that_is_gone() -> None:
    assert {path.stem for path in HERE.iterdir()} == set(GOLDEN)
