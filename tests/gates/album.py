"""Takes the pictures of `docs/letter.md`: `python -m tests.gates.album` (make pictures)."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser import find_chromium
from tests.gates.letters import filled
from tests.gates.screen import bare, put, turn

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SHOWN = "retrospect"  # it has all there is: results of the week before, and where the panel has changed its mind
HIGHEST = 1600  # CSS pixels: the banner, the lead and what follows it
MODES: dict[str, Callable[[Page, str, int], None]] = {
    "light": put,
    "dark": lambda page, html, width: put(page, html, width, "dark"),
    "inverted": lambda page, html, width: turn(page, html, width, "everything"),
    "no-styles": bare,
}


def main() -> None:
    """Write a picture for each width and mode."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        for width in (375, 640):
            for mode, show in MODES.items():
                show(page, filled(SHOWN), width)
                with Image.open(BytesIO(page.screenshot(full_page=True))) as shot:
                    made = shot.convert("RGB").crop((0, 0, shot.width, min(shot.height, HIGHEST)))
                path = FOLDER / f"letter-{width}-{mode}.png"
                made.quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
                print(f"{path.name}: {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
