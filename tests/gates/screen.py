"""A letter or a page on a screen: the machine's Chromium, one page of it for everything."""

from typing import Any, Literal

from playwright.sync_api import Page

from tests.gates.letters import without_styles
from tests.gates.tools import CHECKS, axe

PROBE = (CHECKS.parent / "tests" / "gates" / "probe.js").read_text(encoding="utf-8")
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
TURNS = ("outlook", "everything", "halves")
"""The ways in which clients turn the colours of a letter round, as `probe.js` has them."""

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
RUN = """async (tags) => {
  // Not into frames: what stands in them are letters, which go through gates of their own.
  const wanted = {runOnly: {type: "tag", values: tags}, resultTypes: ["violations", "incomplete"], iframes: false};
  const ran = await axe.run(document, wanted);
  const one = (id, {failureSummary, html}) => `${id}: ${failureSummary} ${html.slice(0, 160)}`;
  const told = (found) => found.flatMap(({id, nodes}) => nodes.map((node) => one(id, node)));
  const unsure = ran.incomplete.filter(({id}) => id === "color-contrast");
  return {violations: told(ran.violations), unsure: told(unsure), passed: ran.passes.length};
}"""


def put(page: Page, html: str, width: int, scheme: Scheme = "light", high: int = 900) -> None:
    """Open a letter in a window of so many CSS pixels."""
    page.emulate_media(media="screen", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": high})
    page.set_content(html)
    equip(page)


def equip(page: Page) -> None:
    """Let what is open be asked by `probe`."""
    page.evaluate(f"window.probe = (() => {{ {PROBE}; return probe; }})()")


def probe(page: Page, question: str, *values: str) -> Any:
    """What `probe.js` answers."""
    return page.evaluate("([question, values]) => probe[question](...values)", [question, list(values)])


def inaccessible(page: Page, *, sure: bool = False) -> tuple[list[str], int]:
    """Where what is open breaks WCAG 2.2 A or AA; how many rules it keeps.

    And where it may: contrast that cannot be told. `sure`: not that, since `probe` looks at all colours.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(axe())
    ran = page.evaluate(RUN, list(RULES))
    return ran["violations"] + ([] if sure else ran["unsure"]), ran["passed"]


def turn(page: Page, html: str, width: int, way: str) -> None:
    """Open a letter as a client shows it that turns its colours round by itself."""
    put(page, html, width)
    probe(page, "turn", way)


def bare(page: Page, html: str, width: int) -> None:
    """Open a letter as a client shows it that throws style sheets away."""
    put(page, without_styles(html), width)
