"""Letters and pages in a real browser: can everybody read them, whatever client and screen they have?"""

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Page

from newsletter.assembly import Assembly
from newsletter.web.app import create_app
from tests.gates.letters import LETTERS, filled
from tests.gates.pages import linked, with_issues
from tests.gates.screen import SCHEMES, TURNS, bare, inaccessible, probe, put, turn
from tests.gates.tools import need_checkers
from tests.web.serving import serving
from tests.web.world import NOW


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_breaks_no_rule_of_accessibility(name: str, page: Page) -> None:
    """WCAG 2.2 A and AA, on a phone and on a desk, by day and by night, and without style sheets."""
    need_checkers()
    found: dict[tuple[str, int], list[str]] = {}
    for scheme in SCHEMES:
        put(page, filled(name), 375, scheme)
        for width in (375, 640):
            page.set_viewport_size({"width": width, "height": 900})
            broken, kept = inaccessible(page)
            assert kept > 15
            found[scheme, width] = broken
    bare(page, filled(name), 375)
    found["bare", 375] = inaccessible(page)[0]
    assert {where: broken for where, broken in found.items() if broken} == {}


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_fits_every_screen_and_survives_what_clients_do_to_it(name: str, page: Page) -> None:
    html = filled(name)
    put(page, html, 375)
    words = probe(page, "words")
    assert probe(page, "pictures") == probe(page, "fetched") == probe(page, "small") == []
    for width in (320, 375, 640, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        assert probe(page, "width") == width
    page.emulate_media(media="print")
    assert probe(page, "dark") == []
    page.set_viewport_size({"width": 375, "height": 900})
    page.evaluate("for (const each of document.querySelectorAll('[dir=ltr]')) each.dir = 'rtl'")
    assert probe(page, "width") == 375

    bare(page, html, 375)
    assert (probe(page, "width"), probe(page, "words"), probe(page, "weak")["found"]) == (375, words, [])
    weak = {}
    for way in TURNS:
        turn(page, html, 375, way)
        weak[way] = probe(page, "weak")["found"]
    assert {way: texts for way, texts in weak.items() if texts} == {}


def test_a_screen_shows_what_is_wrong_with_a_letter(page: Page) -> None:
    """What the tests above look at would be seen."""
    html = filled("small")
    bad = html.replace("<h1 ", '<img src="data:," width="700" height="9"><h1 ', 1).replace(
        "</h1>", "</h1><h4>x</h4>", 1
    )
    bad = bad.replace("<p ", '<p data-bad style="background-color:#777777;color:#888888"', 1)
    put(page, bad, 375)
    assert probe(page, "width") > 375
    assert len(probe(page, "pictures")) == 1
    assert any("136, 136, 136" in each for each in probe(page, "weak")["found"])
    assert probe(page, "dark") != []  # the banner, on a screen
    need_checkers()
    broken, _ = inaccessible(page)
    assert {"image-alt", "color-contrast"} <= {each.split(":")[0] for each in broken}
    # Enough contrast on white, and too little on the grey that Outlook makes of it.
    grey = html.replace("</h1>", '</h1><p style="background-color:#ffffff;color:#707070">x</p>', 1)
    put(page, grey, 375)
    assert probe(page, "weak")["found"] == []
    turn(page, grey, 375, "outlook")
    assert len(probe(page, "weak")["found"]) == 1


def test_public_pages_break_no_rule_of_accessibility_and_fit_the_screen(assembly: Assembly, page: Page) -> None:
    need_checkers()
    with_issues(assembly)
    app = create_app(assembly, clock=lambda: NOW)
    client = TestClient(app)
    comparison = linked(client, "/issues/2026-W47", "comparisons")[0]
    tool = linked(client, comparison, "tools")[0]
    found = {}
    with serving(app) as port:
        for path in ("/", "/issues", "/issues/2026-W47", comparison, tool, "/subscribe?lang=de"):
            page.goto(f"http://127.0.0.1:{port}{path}")
            for scheme in SCHEMES:
                page.emulate_media(media="screen", color_scheme=scheme)
                for width in (375, 1280):
                    page.set_viewport_size({"width": width, "height": 900})
                    assert page.evaluate("document.documentElement.scrollWidth") == width
                    found[path, scheme, width] = inaccessible(page)[0]
        page.goto("about:blank")
    assert {where: broken for where, broken in found.items() if broken} == {}
