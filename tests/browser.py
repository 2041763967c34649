"""Headless Chromium for the tests: lays a page out at a width and says what came of it."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
)  # fmt: skip

MEASURE = """
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const links = [...page.querySelectorAll("a[href]")].filter(a => a.getClientRects().length);
  const small = links.filter(a => parseFloat(getComputedStyle(a).fontSize) < 13).map(a => a.textContent);
  const found = {
    width: page.documentElement.scrollWidth, height: page.documentElement.scrollHeight,
    text: page.body.innerText, small: small,
  };
  document.body.replaceChildren(Object.assign(document.createElement("pre"), {textContent: JSON.stringify(found)}));
});
</script>"""


@dataclass(frozen=True)
class Layout:
    """A page as a browser lays it out: CSS pixels, the text that shows, links in letters too small to press."""

    width: int
    height: int
    text: str
    small: list[str]


def find_chromium() -> str:
    """The browser's path; without one the test is skipped, and fails in CI."""
    found = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if found is None:
        message = "Chromium is not installed: no letter and no page was looked at in a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def lay_out(page: str, width: int, folder: Path) -> Layout:
    """Lay an HTML page out in a frame of this width (a window of its own would be 500 pixels wide at least)."""
    frame = f'<iframe srcdoc="{html.escape(page)}" style="width:{width}px;height:900px;border:0"></iframe>'
    file = folder / "frame.html"
    file.write_text(f"<!doctype html><meta charset='utf-8'><body style='margin:0'>{frame}{MEASURE}</body>")
    command = [find_chromium(), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found, done.stdout[-500:]
    return Layout(**json.loads(html.unescape(found[1])))
