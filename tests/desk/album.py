"""Takes the pictures of `docs/desk.md`: `python -m tests.desk.album` (make pictures).

Every page at 375 and at 1280 pixels, by day, as sheets of several; and a few by night. A page that is long is cut: what
matters of it stands above.
"""

import tempfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

from alembic import command
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from newsletter import migrations
from newsletter.db import open_engine
from tests.browser import find_chromium
from tests.desk.visit import Visit, visiting

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures" / "desk"
SHEETS: Final = {
    "door": ("login", "invitation", "account", "second-step", "invitation-over"),
    "today": ("today", "today-editor", "health", "log"),
    "writing": ("issues", "write-draft", "write-sent", "history-draft", "history-sent"),
    "preview": ("preview", "preview-reader", "preview-nobody", "variants", "links", "letters"),
    "before-sending": ("send-draft", "send-approved", "send-scheduled", "send-another-time", "send-called-off"),
    "sending": ("send-sending", "send-paused", "send-held", "send-editor", "send-cancelled", "send-sent"),
    "comparisons": ("comparisons", "comparisons-none", "comparison", "import-comparisons"),
    "numbers": ("numbers", "numbers-sent", "numbers-sending"),
    "readers": ("readers", "readers-suppressed", "readers-import", "reader-busy", "reader-editor", "reader-left"),
    "other-readers": ("reader-pending", "reader-paused", "reader-suppressed", "reader-erased", "reader-long",
                      "readers-brought"),
    "empty": ("today-empty", "issues-empty", "comparisons-empty", "numbers-empty", "readers-empty", "health-empty",
              "log-empty", "not-there", "not-there-issue"),
}  # fmt: skip
"""A sheet, and the pages on it."""
AT_NIGHT: Final = ("today", "write-draft", "send-held", "numbers", "reader-busy")
HIGHEST: Final = {375: 1500, 1280: 1100}  # CSS pixels
SCALE: Final = {375: 0.5, 1280: 0.33}
BETWEEN: Final = 10  # pixels of a sheet
IN_A_ROW: Final = {375: 6, 1280: 3}
MOST: Final = 40 * 1024  # bytes


def main() -> None:
    """Write all sheets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    taken: dict[tuple[str, int, str], Image.Image] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for filled in (True, False):
            with tempfile.TemporaryDirectory() as name:
                url = f"sqlite:///{Path(name) / 'newsletter.db'}"
                engine = open_engine(url)
                command.upgrade(migrations.config(engine), "head")
                engine.dispose()
                with visiting(url, Path(name), filled=filled) as visit:
                    taken |= _take(browser, visit)
        browser.close()
    missing = {page for page, _, _ in taken} - {page for pages in SHEETS.values() for page in pages}
    assert not missing, f"no sheet has {missing}"
    for width in HIGHEST:
        for sheet, pages in SHEETS.items():
            _write(f"{sheet}-{width}", [taken[page, width, "light"] for page in pages], IN_A_ROW[width])
        _write(f"night-{width}", [taken[page, width, "dark"] for page in AT_NIGHT], IN_A_ROW[width])


def _take(browser: Browser, visit: Visit) -> dict[tuple[str, int, str], Image.Image]:
    taken = {}
    for width, highest in HIGHEST.items():
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        page = context.new_page()
        for shown in visit.pages:
            visit.enter(context, shown.who)
            # What stands in frames is fetched as far as the window reaches.
            framed = shown.name.startswith(("preview", "letters"))
            page.set_viewport_size({"width": width, "height": highest if framed else 900})
            for scheme in ("light", "dark"):
                if scheme == "dark" and shown.name not in AT_NIGHT:
                    continue
                page.emulate_media(color_scheme=scheme)
                page.goto(visit.url + shown.path, wait_until="networkidle")
                with Image.open(BytesIO(page.screenshot(full_page=True))) as shot:
                    made = shot.convert("RGB").crop((0, 0, shot.width, min(shot.height, highest)))
                size = (round(made.width * SCALE[width]), round(made.height * SCALE[width]))
                taken[shown.name, width, scheme] = made.resize(size, Image.Resampling.LANCZOS)
        context.close()
    return taken


def _write(name: str, pictures: Iterable[Image.Image], in_a_row: int) -> None:
    """One sheet of pictures, in as many colours as there is room for."""
    rows: list[list[Image.Image]] = [[]]
    for picture in pictures:
        if len(rows[-1]) == in_a_row:
            rows.append([])
        rows[-1].append(picture)
    wide = max(sum(each.width + BETWEEN for each in row) for row in rows) - BETWEEN
    sheet = Image.new(
        "RGB", (wide, sum(max(each.height for each in row) + BETWEEN for row in rows) - BETWEEN), "#9aa3b0"
    )
    top = 0
    for row in rows:
        left = 0
        for each in row:
            sheet.paste(each, (left, top))
            left += each.width + BETWEEN
        top += max(each.height for each in row) + BETWEEN
    path = FOLDER / f"{name}.webp"
    for quality in (70, 60, 50, 40, 30, 20, 10):
        sheet.save(path, quality=quality, method=6)
        if path.stat().st_size <= MOST:
            break
    print(f"{path.name}: {sheet.width} x {sheet.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
