"""A reader's life in a real browser, on a phone and on a desk: sign up, confirm, choose, leave, be forgotten."""

import functools
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from newsletter.assembly import assemble
from newsletter.db import reading
from newsletter.sandbox.server import Sandbox
from subscribers import subscriber
from subscribers.address import parse_address
from tests.journeys.town import Town, html_of, link, text_of

READER = "ana.lovelace@example.com"
AGENTS = ("Inkwell", "Gantry", "Agents")
EDITORS = ("Quill", "Nib", "Editors")
SEARCH = ("Lens", "Compass", "Search")
VIEWS = {"phone": {"width": 375, "height": 812}, "desk": {"width": 1280, "height": 900}}


@pytest.fixture
def town(tmp_path: Path, sandbox: Sandbox, new_database: Callable[[str], str]) -> Town:
    return Town(tmp_path, sandbox, new_database("sqlite"))


class Visit:
    """A reader at a browser without scripts. SCREENSHOTS names a folder in which every page is kept as a picture."""

    def __init__(self, page: Page, view: str) -> None:
        self.page = page
        self._view = view
        self._count = 0

    def see(self, heading: str) -> None:
        """The page that the reader is on: its heading, no sideways scroll, nothing too small to press."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(re.compile(heading))
        page = self.page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        for control in page.get_by_role("button").all() + page.get_by_role("textbox").all():
            box = control.bounding_box()
            assert box is None or box["height"] >= 44, (page.url, control.inner_text())
        self._count += 1
        if folder := os.environ.get("SCREENSHOTS"):
            name = re.sub(r"[^a-z]+", "-", heading.lower()).strip("-")
            page.screenshot(path=Path(folder) / f"{self._view}-{self._count:02}-{name}.png", full_page=True)

    def press(self, name: str) -> None:
        """Press a button by the keyboard alone: reach it by Tab, see that the focus shows, and press Enter."""
        wanted = self.page.get_by_role("button", name=name, exact=True)
        expect(wanted).to_have_count(1)
        for _ in range(80):
            if wanted.evaluate("button => button === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        assert wanted.evaluate("button => button === document.activeElement"), f"Tab never reaches {name!r}"
        assert wanted.evaluate("button => getComputedStyle(button).outlineStyle") != "none"
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@contextmanager
def visit(chromium: Browser, view: str) -> Iterator[Visit]:
    context = chromium.new_context(viewport=VIEWS[view], java_script_enabled=False, accept_downloads=True)  # type: ignore[arg-type]
    try:
        yield Visit(context.new_page(), view)
    finally:
        context.close()


def status(town: Town, address: str = READER) -> str | None:
    """A reader's status; None for an unknown address. Read in this process, where the command takes a second."""
    with closing(assemble(**town.settings)) as assembly, reading(assembly.engine) as session:
        found = subscriber.find(session, parse_address(address))
        return found.status if found else None


@pytest.mark.parametrize(("view", "kind"), [("phone", "sqlite"), ("desk", "postgresql")])
def test_a_life_from_sign_up_to_being_forgotten(
    view: str, kind: str, tmp_path: Path, sandbox: Sandbox, new_database: Callable[[str], str], chromium: Browser
) -> None:
    town = Town(tmp_path, sandbox, new_database(kind))
    town.run("subscribers", "add", "editor@example.com")
    with town.serve(), visit(chromium, view) as at:
        town.publish("2026-W45", AGENTS, EDITORS)
        sign_up(town, at)
        confirm(town, at)
        choose(town, at)
        town.publish("2026-W46", ("Hammer", "Anvil", "Agents"), SEARCH)
        issue = town.letter(READER, "2026-W46")
        for part in (html_of(issue), text_of(issue)):
            assert "Lens" in part
            assert "Hammer" not in part
        rest(town, at)
        own_page = move(town, at)
        leave_and_undo(town, at, link(issue, "/unsubscribe/"))
        be_forgotten(town, at, own_page)
    assert "every invariant holds" in town.run("db", "check")


def sign_up(town: Town, at: Visit) -> None:
    at.page.goto(town.url)
    at.see("Inkwell")
    at.page.get_by_role("textbox", name="Your email address").fill("ana.lovelace@example")
    at.press("Subscribe")
    at.see("Get .* by email")
    expect(at.page.get_by_role("alert")).to_be_visible()
    at.page.get_by_role("textbox", name="Your email address").fill(READER)
    at.press("Subscribe")
    at.see("Look into your inbox")


def confirm(town: Town, at: Visit) -> None:
    letter = town.letter(READER, "confirm")
    at.page.set_content(html_of(letter))
    at.page.goto(link(letter, "/confirm/"))
    at.see("Shall we send you")
    expect(at.page.get_by_text("Nothing is done yet")).to_be_visible()
    expect(at.page.get_by_role("button")).to_have_count(1)
    assert status(town) == "pending"
    at.press("Yes, send it to me")
    at.see("You are on the list")
    assert status(town) == "active"


def choose(town: Town, at: Visit) -> None:
    welcome = town.letter(READER, "welcome")
    assert f"{town.url}/issues/2026-W45" in text_of(welcome)
    at.page.goto(link(welcome, "/preferences/"))
    at.see("Your own page")
    expect(at.page.get_by_text(READER)).to_be_visible()
    wanted = at.page.get_by_role("group", name="Which verdicts do you want?")
    expect(wanted.get_by_role("checkbox")).to_have_count(2)
    wanted.get_by_role("checkbox", name="Agents").uncheck()
    at.press("Save")
    at.see("Your own page")
    expect(at.page.get_by_role("status")).to_be_visible()
    assert town.document("subscribers", "show", READER)["muted_categories"] == ["Agents"]
    with at.page.expect_popup() as seen:
        at.page.get_by_role("link", name="See it").click()
    expect(seen.value.get_by_text('"signed_up"')).to_be_visible()
    seen.value.close()
    with at.page.expect_download() as held:
        at.page.get_by_role("link", name="Download it").click()
    document = json.loads(Path(held.value.path()).read_text())
    assert document["email"] == READER
    assert [step["kind"] for step in document["consent"]] == ["signed_up", "confirmed"]


def rest(town: Town, at: Visit) -> None:
    at.page.get_by_role("combobox", name="No letters for").select_option("3")
    at.press("Pause")
    at.see("Your own page")
    assert status(town) == "paused"
    at.press("End the rest now")
    assert status(town) == "active"


def move(town: Town, at: Visit) -> str:
    """To another address, and back to the one that the rest of the life is lived at. Return the last key's address."""
    for there, here in (("ana@example.org", READER), (READER, "ana@example.org")):
        at.page.get_by_role("textbox", name=re.compile("ew address")).fill(there)
        at.press("Change")
        at.see("Your own page")
        assert status(town, here) == "active"
        at.page.goto(link(town.letter(here, "notice"), "/preferences/"))
        at.see("Your own page")
        expect(at.page.get_by_text(there)).to_be_visible()
        expect(at.page.get_by_role("button", name="Keep my address", exact=True)).to_be_visible()
        at.page.goto(link(town.letter(there, "address"), "/address/"))
        at.see("Read .* at this address")
        assert status(town, here) == "active"
        at.press("Use this address")
        at.see("Your address has changed")
        assert status(town, there) == "active"
        assert status(town, here) is None
        # The keys that lie in the old mailbox may be good no more, the minute having changed.
        at.page.get_by_role("link", name="Your own page").click()
        at.see("Your own page")
        at.page.goto(link(town.letter(there, "changed"), "/preferences/"))
        at.see("Your own page")
    return at.page.url


def leave_and_undo(town: Town, at: Visit, way_out: str) -> None:
    at.page.goto(way_out)
    at.see("Unsubscribe from")
    assert status(town) == "active"
    at.press("Unsubscribe")
    at.see("You are unsubscribed")
    assert status(town) == "unsubscribed"
    at.page.get_by_role("radio", name="Too many letters").check()
    at.press("Tell us")
    at.see("You are unsubscribed")
    at.press("Undo")
    at.see("You are back")
    assert status(town) == "active"


def be_forgotten(town: Town, at: Visit, own_page: str) -> None:
    at.page.goto(own_page)
    at.page.get_by_role("checkbox", name="Yes, forget me").check()
    at.press("Erase")
    at.see("You are forgotten")
    assert "unknown address" in town.fails("subscribers", "show", READER)
    for address in (READER, "ana@example.org"):
        for file in town.folder.glob("newsletter.db*"):
            assert address.encode() not in file.read_bytes().lower(), file
    at.page.goto(own_page)
    at.see("You are not on the list")


def test_a_box_on_somebody_elses_page_needs_no_script(town: Town, chromium: Browser, tmp_path: Path) -> None:
    """The box is copied from our page, pasted into another site's, and used there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with town.serve(), visit(chromium, "desk") as at:
        at.page.goto(f"{town.url}/subscribe")
        at.page.get_by_text("Put this box on your own page").click()
        box = at.page.locator("pre", has_text="<form").inner_text()
        (elsewhere / "index.html").write_text(f"<!doctype html><title>A blog</title><h1>A blog</h1>{box}")
        with pages_of(elsewhere) as blog:
            at.page.goto(blog)
            at.page.get_by_role("textbox").fill("bo@example.com")
            with at.page.expect_navigation():
                at.page.get_by_role("button").click()
            at.see("Look into your inbox")
        town.letter("bo@example.com", "confirm")
        step = town.document("subscribers", "show", "bo@example.com")["consent"][0]
        assert step["kind"] == "signed_up"
        assert step["words"]
        assert step["network"] == "127.0.0.1"


@contextmanager
def pages_of(folder: Path) -> Iterator[str]:
    """Another site, on a port of its own."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the parent's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
