"""Letters and pages as a real browser lays them out, on a phone and on a desk."""

import re
from pathlib import Path

import pytest

from tests.browser import lay_out

GOLDEN = Path(__file__).parents[1] / "rendering" / "golden"
LETTERS = sorted(path.stem for path in GOLDEN.glob("*.html"))


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_never_scrolls_sideways_on_a_phone(name: str, tmp_path: Path) -> None:
    letter = (GOLDEN / f"{name}.html").read_text()

    shown = lay_out(letter, 375, tmp_path)

    assert shown.width == 375
    assert shown.small == []


@pytest.mark.parametrize("name", ["large", "longest"])
def test_a_letter_that_loses_its_styles_is_still_whole_and_fits(name: str, tmp_path: Path) -> None:
    letter = (GOLDEN / f"{name}.html").read_text()
    bare = re.sub(r"<style.*?</style>", "", letter, flags=re.DOTALL)
    assert bare != letter

    styled, unstyled = lay_out(letter, 640, tmp_path), lay_out(bare, 640, tmp_path)

    assert unstyled.width == 640
    assert unstyled.text.split() == styled.text.split()


def test_a_narrow_letter_is_longer_than_a_wide_one(tmp_path: Path) -> None:
    letter = (GOLDEN / "large.html").read_text()

    assert lay_out(letter, 375, tmp_path).height > lay_out(letter, 640, tmp_path).height
