"""Every page of the desk in a real browser: can everybody use it, on a phone and on a desk, by day and by night?

All pages are opened once at each width; what was seen of them is what the tests are about.
"""

import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from newsletter.editors.editor import PUBLISHER
from tests.desk import busy
from tests.desk.pages import LEFT_OUT, routes
from tests.desk.visit import Visit, visiting
from tests.gates.screen import equip, inaccessible, probe
from tests.gates.tools import check, need_checkers

WIDTHS = (375, 1280)
NARROWEST = 320
MISSING = ("not-there", "invitation-over")
"""What pages are called that say that there is nothing."""
NEWER_THAN_THE_CHECKER = '<link rel="expect" href="#trouble" blocking="render">'
"""Of the HTML standard since 2024; html-validate knows no such link that keeps a page back."""
SHIFTS = """() => new Promise((done) => {
  const told = ({node}) => ((node && (node.outerHTML || node.data)) || "").slice(0, 80);
  const shifts = [];
  new PerformanceObserver((list) => {
    for (const {hadRecentInput, value, sources} of list.getEntries()) {
      if (!hadRecentInput) shifts.push(`${value} ${sources.map(told).join(" | ")}`);
    }
  }).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(shifts));  // what was noted before is told in a task of its own, which comes first
})"""
SETTLED = """() => new Promise((done) => {
  const look = () => document.querySelector(".htmx-request") ? requestAnimationFrame(look) :
    requestAnimationFrame(() => requestAnimationFrame(done));
  look();
})"""
"""To be evaluated once: what is looked at again and again is made of a text by the page, whose policy forbids that."""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

Findings = dict[str, list[str]]
"""A page, and what is wrong with it."""


@dataclass
class Seen:
    """What was seen of all pages; by the page's name, only where something is wrong."""

    inaccessible: Findings = field(default_factory=lambda: defaultdict(list))
    weak: Findings = field(default_factory=lambda: defaultdict(list))
    said: Findings = field(default_factory=lambda: defaultdict(list))
    elsewhere: Findings = field(default_factory=lambda: defaultdict(list))
    wide: Findings = field(default_factory=lambda: defaultdict(list))
    shifted: Findings = field(default_factory=lambda: defaultdict(list))
    broken: Findings = field(default_factory=lambda: defaultdict(list))
    sources: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    """What a page said that looks again by itself: while the desk did not answer, and after."""
    routes: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def seen(chromium: Browser, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    need_checkers()
    seen = Seen()
    for filled in (True, False):
        folder = tmp_path_factory.mktemp("desk")
        shutil.copy(migrated_sqlite, folder / "newsletter.db")
        with visiting(f"sqlite:///{folder / 'newsletter.db'}", folder, filled=filled) as visit:
            seen.routes |= routes(visit.app)
            for width in WIDTHS:
                _look(chromium, visit, width, seen)
            if filled:
                seen.troubles = _without_a_line(chromium, visit)
    return seen


def _look(chromium: Browser, visit: Visit, width: int, seen: Seen) -> None:
    """Open all pages at a width, one after the other."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    now = ""
    _listen(page, visit.url, seen, lambda: now)
    for shown in sorted(visit.pages, key=lambda one: one.who):
        visit.enter(context, shown.who)
        now = f"{shown.name} at {width}"
        answer = page.goto(visit.url + shown.path)
        assert answer is not None
        if answer.status != (404 if shown.name.startswith(MISSING) else 200):
            seen.broken[now].append(str(answer.status))
        seen.sources[shown.name] = answer.text()
        seen.looked_at.add(shown.route)
        page.evaluate(SETTLED)
        seen.shifted[now] += page.evaluate(SHIFTS)
        _measure(page, width, now, seen)
    now = "the end"
    context.close()


def _without_a_line(chromium: Browser, visit: Visit) -> list[str]:
    context = chromium.new_context()
    visit.enter(context, PUBLISHER)
    page = context.new_page()
    page.route("**/progress*", lambda route: route.abort())
    page.goto(f"{visit.url}/desk/issues/{busy.SENDING}/send")
    line = page.get_by_role("alert").and_(page.locator("#trouble"))
    expect(line).not_to_be_empty()
    said = [line.inner_text()]
    page.unroute("**/progress*")
    expect(page.locator("#trouble")).to_be_empty()
    context.close()
    return [*said, ""]


def _measure(page: Page, width: int, now: str, seen: Seen) -> None:
    if page.evaluate(WIDER):
        seen.wide[now].append(str(width))
    seen.inaccessible[now] += inaccessible(page, sure=True)[0]
    equip(page)
    seen.weak[now] += probe(page, "weak")["found"]
    if width == WIDTHS[0]:
        page.set_viewport_size({"width": NARROWEST, "height": 900})
        if page.evaluate(WIDER):
            seen.wide[now].append(str(NARROWEST))
        page.set_viewport_size({"width": width, "height": 900})
    else:
        page.emulate_media(color_scheme="dark")
        seen.weak[f"{now}, dark"] += probe(page, "weak")["found"]
        page.emulate_media(color_scheme="light")


def _listen(page: Page, url: str, seen: Seen, now: Any) -> None:
    def heard(text: str) -> None:
        if "the server responded with a status of 404" not in text or not now().startswith(MISSING):
            seen.said[now()].append(text)

    page.on("console", lambda message: heard(message.text))
    page.on("pageerror", lambda error: heard(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((f"{url}/", "data:", "about:"))
            else seen.elsewhere[now()].append(request.url)
        ),
    )


def wrong(findings: Findings) -> Findings:
    return {page: sorted(set(found)) for page, found in findings.items() if found}


def test_every_page_of_the_desk_is_looked_at(seen: Seen) -> None:
    """Or there is a reason why not."""
    assert wrong(seen.broken) == {}
    assert seen.routes - seen.looked_at - set(LEFT_OUT) == set()
    assert set(LEFT_OUT) <= seen.routes
    assert seen.looked_at - {""} <= seen.routes


def test_no_page_of_the_desk_breaks_a_rule_of_accessibility(seen: Seen) -> None:
    """WCAG 2.2 A and AA, on a phone and on a desk."""
    assert wrong(seen.inaccessible) == {}


def test_all_text_of_the_desk_stands_out_by_day_and_by_night(seen: Seen) -> None:
    assert wrong(seen.weak) == {}


def test_the_markup_of_every_page_of_the_desk_is_sound(seen: Seen) -> None:
    markup = check({}, {name: page.replace(NEWER_THAN_THE_CHECKER, "") for name, page in seen.sources.items()})[
        "markup"
    ]
    assert all(page.count(NEWER_THAN_THE_CHECKER) == 1 for page in seen.sources.values())
    assert {name: found for name, found in markup.items() if found} == {}
    assert set(markup) == set(seen.sources)


def test_no_page_of_the_desk_scrolls_sideways(seen: Seen) -> None:
    assert wrong(seen.wide) == {}


def test_nothing_moves_while_a_page_of_the_desk_is_laid_out(seen: Seen) -> None:
    assert wrong(seen.shifted) == {}


def test_no_page_of_the_desk_complains_or_asks_anybody_else(seen: Seen) -> None:
    assert wrong(seen.said) == {}
    assert wrong(seen.elsewhere) == {}


def test_a_page_that_gets_no_answer_says_so_until_it_gets_one(seen: Seen) -> None:
    during, after = seen.troubles
    assert during.startswith("The desk does not answer.")
    assert after == ""


def test_what_is_looked_for_would_be_seen(chromium: Browser) -> None:
    seen = Seen()
    context = chromium.new_context(viewport={"width": 375, "height": 900})
    context.route("**/*", lambda route: route.fulfill(status=200, content_type="text/html", body=BAD))
    page = context.new_page()
    _listen(page, "http://here", seen, lambda: "bad")
    page.goto("http://here/")
    page.wait_for_function("window.done")
    page.evaluate(SETTLED)
    _measure(page, 375, "bad", seen)
    assert page.evaluate(SHIFTS)
    assert seen.said["bad"] == ["so it says"]
    assert seen.elsewhere["bad"] == ["http://elsewhere/"]
    assert seen.wide["bad"] == ["375", "320"]
    assert any(each.startswith("color-contrast") for each in seen.inaccessible["bad"])
    assert len(seen.weak["bad"]) == 1
    context.close()


BAD = """<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><p id="late"></p>
<p style="width: 800px; color: #777; background: #888">text</p></main><script>console.log("so it says");
fetch("http://elsewhere/").catch(() => 0);
requestAnimationFrame(() => requestAnimationFrame(() => {
  late.style.height = "300px";
  requestAnimationFrame(() => requestAnimationFrame(() => (window.done = true)));
}));</script>"""
