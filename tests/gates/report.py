"""Prints the figures of all gates as the table in `docs/letter.md`: `python -m tests.gates.report`."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from newsletter.rendering.size import size_after_filling
from tests.browser import find_chromium
from tests.gates.letters import LETTERS, filled, letter, source
from tests.gates.screen import SCHEMES, TURNS, inaccessible, probe, put, turn
from tests.gates.spam import rspamd, spamassassin
from tests.gates.tools import check

HEAD = (
    "| letter | HTML, bytes | height at 375 | at 640 | axe | html-validate "
    "| least contrast, turned round | SpamAssassin | rspamd |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def main() -> None:
    """One line a letter."""
    markup = check({name: filled(name) for name in LETTERS}, {})["markup"]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other, sync_playwright() as playwright:
        scores = spamassassin({name: source(name) for name in LETTERS}, Path(one))
        page = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"]).new_page()
        print(HEAD)
        with rspamd(Path(other)) as filter_:
            for name in LETTERS:
                broken, heights = 0, []
                for width in (375, 640):
                    for scheme in SCHEMES:
                        put(page, filled(name), width, scheme, high=100)
                        broken += len(inaccessible(page)[0])
                    heights.append(page.evaluate("document.documentElement.scrollHeight"))
                least = 21.0
                for way in TURNS:
                    turn(page, filled(name), 375, way)
                    least = min(least, probe(page, "weak")["least"])
                size, spam = size_after_filling(letter(name)), filter_.score(source(name))[0]
                print(
                    f"| `{name}` | {size:,} | {heights[0]:,} | {heights[1]:,} | {broken} | {len(markup[name])} "
                    f"| {least:.1f} | {scores[name][0]:.1f} | {spam:.1f} |"
                )


if __name__ == "__main__":
    main()
