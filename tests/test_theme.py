"""A theme is whole and can be read, or it is refused with what is wrong."""

import re
from pathlib import Path

import pytest

from newsletter import theme
from newsletter.theme import ThemeError, load, names, ratio


def own(tmp_path: Path, old: str = "", new: str = "") -> str:
    path = tmp_path / "own.toml"
    text = (theme.FOLDER / "harbour.toml").read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", names())
def test_our_own_themes_can_be_read_by_day_and_by_night(name: str) -> None:
    assert load(name).style().count(f"--banner-ink: {load(name).banner_ink[0]};") >= 1


def test_a_theme_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    assert load(own(tmp_path)) == load("harbour")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("muted = ", "mutter = ", "muted is missing; mutter is no colour of a theme"),
        ('["#525d6d", "#aab5c2"]', '["#9aa", "#aab5c2"]', "muted wants a colour by day and one by night"),
        ('["#525d6d", "#aab5c2"]', '"#525d6d"', "muted wants a colour by day and one by night"),
        ('["#525d6d", "#aab5c2"]', '["#a5adb8", "#aab5c2"]', "muted on paper has contrast 2.22 by day, below 4.5"),
        ('["#17804f", "#5fd39a"]', '["#17804f", "#2b333d"]', "filled on paper has contrast 1.31 by night, below 3.0"),
        ("muted = ", "muted ", "is no TOML"),
    ],
)
def test_a_theme_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ThemeError, match=re.escape(said)):
        load(own(tmp_path, old, new))


def test_a_theme_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThemeError, match="there is no theme 'navy'; there are harbour, orchard"):
        load("navy")
    with pytest.raises(ThemeError, match="cannot be read: No such file"):
        load(str(tmp_path / "none.toml"))


def test_contrast_is_measured_as_it_is_defined() -> None:
    assert ratio("#000000", "#ffffff") == 21
    assert round(ratio("#767676", "#ffffff"), 2) == 4.54
