"""Letters look as they did. `make pictures` takes new pictures."""

import os
import re

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.gates.letters import filled
from tests.gates.pictures import FOLDER, VIEWS, picture, save, unlike
from tests.gates.screen import Scheme
from tests.rendering.samples import GOLDEN, MASTHEAD

SHOWN = [*GOLDEN, "personal-confirm", "personal-strange"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_letter_looks_as_it_did(name: str, page: Page) -> None:
    found = {}
    for width, scheme in VIEWS:
        made, path = picture(page, name, width, scheme), FOLDER / f"{name}-{width}-{scheme}.png"
        if os.environ.get("UPDATE_PICTURES"):
            save(made, path)
        with Image.open(path) as kept:
            found[path.name] = unlike(kept.convert("RGB"), made)
    different = {file: why for file, why in found.items() if why}
    assert different == {}, "look at the letters in a browser, then run make pictures"


def test_no_picture_is_left_from_a_letter_that_is_gone_and_all_are_small() -> None:
    pictures = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(pictures) == {f"{name}-{width}-{scheme}.png" for name in SHOWN for width, scheme in VIEWS}
    assert max(pictures.values()) < 28_000


BREAKS = {
    "a lost ground": (MASTHEAD.theme.banner[0], MASTHEAD.theme.paper[0]),
    "a block less": (r"<h2.*?</h2>.*?</table>", ""),
    "columns that are stacked": (r'<td width="50%"', '<td style="display:block" width="50%"'),
    "columns that changed sides": (r"<html ", '<html style="transform:scaleX(-1)" '),
    "no style sheets": (r"<style.*?</style>", ""),
    "a light letter by night": (r"prefers-color-scheme: ?dark", "prefers-color-scheme:no-preference"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_letter_is_seen_in_its_picture(broken: str, page: Page) -> None:
    pattern, instead = BREAKS[broken]
    html = re.sub(pattern, instead, filled("retrospect"), flags=re.DOTALL)
    assert html != filled("retrospect")
    kept = {view: picture(page, "retrospect", *view) for view in VIEWS}
    assert any(unlike(kept[view], picture(page, "retrospect", *view, html)) for view in VIEWS)


@pytest.mark.parametrize("width", [375, 640])
def test_another_machines_fonts_make_no_other_picture(width: int, page: Page) -> None:
    """Lines that break elsewhere, letters that are a little wider or heavier."""
    scheme: Scheme = "light"
    style = (
        "<style>*{letter-spacing:.004em;-webkit-font-smoothing:none;text-rendering:geometricPrecision}</style></head>"
    )
    html = filled("large").replace("</head>", style, 1)
    assert unlike(picture(page, "large", width, scheme), picture(page, "large", width, scheme, html)) == ""
