"""How letters look where we do not decide: other colours, a phone, no style sheets, paper."""

import colorsys
import re
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.rendering.contrast import contrast_findings
from newsletter.rendering.edition import Edition
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.theme import load, names
from tests.browser import lay_out
from tests.rendering.samples import GOLDEN, MASTHEAD, NOTE, edition, lead, others, retrospect, with_long_quotes

PHONE = (375, 812)
SCREENS = 8


def usual() -> Edition:
    """Six comparisons with quotes of 700 characters, and all that an issue may have beside them."""
    told = retrospect()
    six = [with_long_quotes(each) for each in (lead(), *others()[:5])]
    earlier = (*told.earlier, *told.earlier[-1:] * 2)
    return replace(edition(*six), note=NOTE, earlier=earlier, last_vote=told.last_vote)


def inverted(colour: re.Match[str]) -> str:
    """A colour with its lightness turned round, as mail clients make a dark letter of a light one."""
    red, green, blue = (int(colour[0][at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, 1 - lightness, saturation))


@pytest.mark.parametrize("theme", names())
def test_in_every_theme_a_letter_can_be_read_also_where_a_client_turns_its_colours_round(theme: str) -> None:
    letter = render(replace(GOLDEN["german"], masthead=replace(MASTHEAD, theme=load(theme))))
    assert lint(letter) == []
    turned = contrast_findings(re.sub(r"#[0-9a-f]{6}\b", inverted, letter.html))
    assert [finding for finding in turned if "in light mode" in finding] == []


def test_a_usual_issue_is_read_on_a_phone_in_under_eight_screens(tmp_path: Path) -> None:
    width, height = PHONE
    layout = lay_out(render(usual()).html, width, tmp_path)
    assert layout.width == width
    assert layout.height < SCREENS * height, f"{layout.height / height:.2f} screens"


@pytest.mark.parametrize(
    ("name", "width", "styled"), [("longest", 320, True), ("longest", 375, False), ("mixed-scripts", 1200, True)]
)
def test_nothing_is_wider_than_the_screen_with_and_without_style_sheets(
    name: str, width: int, *, styled: bool, tmp_path: Path
) -> None:
    page = render(GOLDEN[name]).html
    layout = lay_out(page if styled else re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL), width, tmp_path)
    assert layout.width == width
    assert "%" in layout.text
