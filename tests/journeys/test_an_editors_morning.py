"""An editor's morning in a real browser: from two invitations to an issue that everybody has once.

The pages are those of `newsletter serve` in a process of its own, the letters go to the sandbox over HTTP, and the
editor and the publisher each have a browser.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyotp
from playwright.sync_api import Browser, Locator, Page, expect

from newsletter.demo import SAMPLE
from newsletter.issues.week import Week
from newsletter.sandbox.server import Sandbox
from tests.journeys.town import PATIENCE, Town, text_of

READERS, GERMAN = 24, 6
PASSWORD = "seven quiet otters at dawn"
PATIENT = 20_000  # milliseconds
EDITOR, PUBLISHER = "ana@desk.example.com", "pia@desk.example.com"
LOST = ("accept-then-drop:times=1,after=1", "search-loss")
"""The answer to the second batch never comes, and the provider's search does not show what became of it."""


@dataclass
class Person:
    """Somebody at the desk, in a browser of their own."""

    page: Page
    town: Town

    def goes_to(self, room: str) -> None:
        """Press a link of the head of every page."""
        self.page.get_by_role("navigation", name="Desk").get_by_role("link", name=room, exact=True).click()

    def opens(self, tab: str) -> None:
        """Press a link of the head of an issue's pages."""
        self.page.locator("nav.tabs").get_by_role("link", name=tab, exact=True).click()

    def presses(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def is_told(self, words: str) -> None:
        """The line that says what was done, or what was wrong."""
        expect(self.page.locator(".said", has_text=words).first).to_be_visible(timeout=PATIENT)


def invited(town: Town, chromium: Browser, address: str, name: str, role: str) -> Person:
    """Make an account at the command line, and take its invitation up in a browser."""
    made = town.document("editors", "add", address, "--name", name, "--role", role)
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(made["link"])
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    secret = "".join(page.locator("code.secret").inner_text().split())
    page.get_by_label("The code that it shows now").fill(pyotp.TOTP(secret).now())
    person = Person(page, town)
    person.presses("Make the account mine")
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    return person


def saving(page: Page, do: Callable[[], object]) -> None:
    """Do what saves something, and wait for the answer."""
    with page.expect_response(lambda answer: answer.request.method == "POST", timeout=PATIENT) as answer:
        do()
    assert answer.value.ok, (answer.value.url, answer.value.status)


def titles(page: Page) -> list[str]:
    return page.locator("#pieces > li h3 a").all_inner_texts()


def handle(page: Page, place: int) -> Locator:
    return page.locator("#pieces > li").nth(place).locator(".handle")


def drag(page: Page, handle: Locator, onto: Locator) -> None:
    """With the mouse, in steps as a hand makes them."""
    handle.scroll_into_view_if_needed()
    begin, end = handle.bounding_box(), onto.bounding_box()
    assert begin is not None
    assert end is not None
    page.mouse.move(begin["x"] + begin["width"] / 2, begin["y"] + begin["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + 20, end["y"] + end["height"] / 2, steps=6)
    page.mouse.move(end["x"] + 20, end["y"] + 2, steps=6)
    page.mouse.up()


def pasted(week: Week) -> str:
    """Four comparisons of a week, as JSON Lines."""
    at = week.end(ZoneInfo("UTC")) - timedelta(days=2)
    lines = [json.loads(line) for line in (SAMPLE / "comparisons.jsonl").read_text("utf-8").splitlines()[:4]]
    return "\n".join(json.dumps(line | {"published_at": at.isoformat()}) for line in lines)


def copies(sandbox: Sandbox, week: Week) -> Counter[str]:
    """How many copies of the issue each reader has; tests to editors are none."""
    return Counter(one.recipients[0] for one in sandbox.messages if one.tag == str(week))


def write_the_issue(ana: Person, week: Week) -> None:
    """From comparisons that are pasted to a letter that Ana has had as a test."""
    page = ana.page
    ana.goes_to("Comparisons")
    page.get_by_role("link", name="Bring comparisons in").first.click()
    page.get_by_label("The text of a comparison page, JSON, or JSON Lines").fill(pasted(week))
    ana.presses("Look at what would be stored")
    expect(page.get_by_role("heading", name="What would be stored")).to_be_visible()
    ana.presses("Store")
    expect(page.locator("main")).to_contain_text("4 new")

    ana.goes_to("Issues")
    ana.presses(f"Draft {week}")
    page.wait_for_url(f"**/issues/{week}/write")
    one, two, three, four = titles(page)
    handle(page, 1).focus()
    saving(page, lambda: page.keyboard.press("ArrowUp"))
    expect(page.locator("#pieces > li h3 a").first).to_have_text(two)
    assert titles(page) == [two, one, three, four]
    assert page.evaluate("document.activeElement.closest('li')?.querySelector('h3 a').textContent") == two
    saving(page, lambda: drag(page, handle(page, 2), page.locator("#pieces > li").first))
    expect(page.locator("#pieces > li h3 a").first).to_have_text(three)
    saving(page, lambda: page.get_by_role("button", name=f"Next week: {four}").click())
    expect(page.locator("#pieces > li")).to_have_count(3)
    page.locator("#subject").fill("Otters, previews and a race")
    saving(page, lambda: page.keyboard.press("Tab"))
    saving(page, lambda: page.locator("#note").fill("A *quiet* week."))  # how it will read: nothing is saved yet
    saving(page, lambda: page.locator("#subject").focus())
    expect(page.locator("#note-seen em")).to_have_text("quiet")
    page.reload()
    assert titles(page) == [three, two, one]
    assert page.locator("#subject").input_value() == "Otters, previews and a race"
    expect(page.locator(".waits")).to_contain_text(four)

    ana.opens("Preview")
    assert page.locator("figure.view iframe").count() == 4
    expect(page.locator("figure.view pre")).to_contain_text("A _quiet_ week.")
    shown = page.frame_locator("figure.view iframe >> nth=0").locator("body")
    expect(shown).to_contain_text("quiet", timeout=PATIENT)
    page.get_by_label("To", exact=True).fill(EDITOR)
    ana.presses("Send the test")
    ana.is_told("The provider has taken 1 of 1 tests")
    expect(page.get_by_role("heading", name=str(week))).to_be_visible()
    test = ana.town.letter(EDITOR, f"{week}-test")
    assert "Otters, previews and a race" in test["Subject"]
    assert "A _quiet_ week." in text_of(test)

    ana.opens("Send")
    expect(page.locator("main")).to_contain_text("A publisher approves it.")
    expect(page.get_by_role("button", name="Approve this letter")).to_have_count(0)
    expect(page.get_by_role("button", name="Send now")).to_have_count(0)


def send_it(pia: Person, week: Week) -> None:
    """Approve what Ana wrote, send it, watch it, and decide what is in doubt."""
    page = pia.page
    pia.goes_to("Issues")
    page.get_by_role("link", name=str(week), exact=True).click()
    pia.opens("Send")
    pia.presses("Approve this letter")
    pia.is_told("You have approved")
    page.get_by_label("Type how many readers get it").fill(str(READERS + GERMAN - 1))
    pia.presses("Send now")
    pia.is_told("Type")
    assert not copies(pia.town.sandbox, week)
    page.get_by_label("Type how many readers get it").fill(str(READERS + GERMAN))
    pia.presses("Send now")
    expect(page.locator("#progress")).to_contain_text(f"{GERMAN} in doubt", timeout=PATIENT)  # and nobody loads it anew
    expect(page.locator("#progress")).to_contain_text(f"{READERS} accepted")
    pia.presses("Pause")
    expect(page.get_by_role("heading", name=f"In doubt: {GERMAN} readers")).to_be_visible(timeout=PATIENT)
    deadline = time.monotonic() + PATIENCE
    while "to be decided from" in page.locator("main").inner_text():
        assert time.monotonic() < deadline
        page.reload()
    page.get_by_role("radio", name=re.compile("^Give up")).check()
    page.get_by_role("checkbox", name=re.compile("^I know that")).check()
    pia.presses("Ask once more, then do that")
    pia.is_told("asked once more")
    expect(page.locator("h1 .state")).to_have_text("sent", timeout=PATIENT)


def look_back(pia: Person, week: Week) -> None:
    """Numbers, one reader's story, and the log."""
    page = pia.page
    deadline = time.monotonic() + PATIENCE
    page.goto(f"{pia.town.url}/desk/numbers/{week}")
    while page.locator("#figures table").count() == 0:  # they are counted beside the pages
        assert time.monotonic() < deadline
        page.reload()
    expect(page.locator("#figures table").first).to_contain_text(str(READERS))

    pia.goes_to("Readers")
    page.get_by_label("An address, or how it begins").fill("reader3@example.com")
    pia.presses("Find")
    expect(page.get_by_role("heading", name=re.compile("reader3@example.com"))).to_be_visible()
    expect(page.locator(".story")).to_contain_text(str(week))

    pia.goes_to("Log")
    for act in ("drafted it", "approved the issue", "sent it now", "decided what is in doubt"):
        expect(page.locator("main table")).to_contain_text(act)


def test_an_editors_morning(tmp_path: Path, new_database: Callable[[str], str], chromium: Browser) -> None:
    week = Week.newest_ended(datetime.now(UTC), ZoneInfo("UTC"))
    rows = [f"reader{n}@example.com,{'de' if n < GERMAN else 'en'}" for n in range(READERS + GERMAN)]
    (tmp_path / "readers.csv").write_text("\n".join(["email,language", *rows]))
    with Sandbox(seed=1) as sandbox:
        town = Town(tmp_path, sandbox, new_database("sqlite"), settle="1s", provider_timeout="5s")
        town.run("subscribers", "import", "readers.csv")
        with town.serve():
            ana = invited(town, chromium, EDITOR, "Ana", "editor")
            pia = invited(town, chromium, PUBLISHER, "Pia", "publisher")
            write_the_issue(ana, week)
            sandbox.faults.set(*LOST)
            send_it(pia, week)
            look_back(pia, week)

            town.run("editors", "disable", EDITOR)
            ana.goes_to("Today")
            ana.page.wait_for_url("**/desk/login")
        for person in (ana, pia):
            person.page.context.close()
        assert copies(sandbox, week) == Counter({f"reader{n}@example.com": 1 for n in range(READERS + GERMAN)})
        assert town.document("issues", "status", str(week))["state"] == "sent"
        assert "every invariant holds" in town.run("db", "check")
