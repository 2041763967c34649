"""Writing the week in a browser: dragging, the keyboard, typing with a live preview, undo, and two at once."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from newsletter import revisions, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors import sessions
from newsletter.editors.editor import EDITOR
from newsletter.revisions import Content
from newsletter.web.app import create_app
from tests.desk.world import At
from tests.web.serving import serving
from tests.web.world import NOW, W47, a_comparison, draft, keep

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

Open = Callable[[At], "Page"]


@pytest.fixture
def drafted(assembly: Assembly) -> Assembly:
    """A week of three comparisons."""
    keep(assembly, a_comparison(), a_comparison("Ruff", "Flake8"), a_comparison("Otter", "Pike"))
    draft(assembly)
    return assembly


@pytest.fixture
def open_page(drafted: Assembly, chromium: "Browser") -> Iterator[Open]:
    """Opens the page for somebody, in a browser of their own in which nothing may go wrong."""
    contexts = []
    wrong: list[str] = []
    with serving(create_app(drafted, clock=lambda: NOW)) as port:
        base = f"http://127.0.0.1:{port}"

        def opened(at: At) -> "Page":
            contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}))
            contexts[-1].add_cookies(
                [{"name": name, "value": value, "url": base} for name, value in at.client.cookies.items()]
            )
            page = contexts[-1].new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"{base}/desk/issues/{W47}/write")
            return page

        yield opened
        for context in contexts:
            context.close()
    assert not wrong


def stands(assembly: Assembly) -> Content:
    with reading(assembly.engine) as session:
        return revisions.content(session, weekly.require(session, W47))


def titles(page: "Page") -> list[str]:
    return page.locator("#pieces h3 a").all_inner_texts()


def version(page: "Page", number: int) -> None:
    """Wait until the page knows a version, in all of its forms."""
    page.wait_for_selector(f'#newest[data-version="{number}"]', state="attached")
    versions = "[...document.querySelectorAll('#writing input[name=version]')].map((each) => each.value)"
    assert set(page.evaluate(versions)) == {str(number)}


def test_an_order_is_made_with_the_mouse_and_with_the_keyboard(drafted: Assembly, editor: At, open_page: Open) -> None:
    page = open_page(editor)
    first, second, third = titles(page)
    box = page.locator("#pieces > li").first.bounding_box()
    page.locator(".handle").nth(2).hover()
    page.mouse.down()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 5, steps=8)
    page.mouse.up()
    version(page, 1)
    assert titles(page) == [third, first, second]
    assert page.locator("#told").inner_text() == f"{third} is number 1 of 3 now."
    # Who gives a drag up has changed nothing.
    page.locator(".handle").first.hover()
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 500, steps=5)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert titles(page) == [third, first, second]
    # Arrow keys move what they are in, and stay with it.
    page.locator(".handle").first.focus()
    page.keyboard.press("ArrowDown")
    version(page, 2)
    page.keyboard.press("Alt+ArrowDown")
    version(page, 3)
    assert titles(page) == [first, second, third]
    slug = page.evaluate("document.activeElement.closest('li').dataset.slug")
    assert slug == stands(drafted).comparisons[2].slug
    assert page.locator("#told").inner_text() == f"{third} is number 3 of 3 now."
    page.get_by_role("button", name=f"Make it lead: {second}").press("Enter")
    version(page, 4)
    assert titles(page) == [second, first, third]


def test_what_is_typed_is_seen_at_once_and_saved_when_it_is_left(
    drafted: Assembly, editor: At, open_page: Open
) -> None:
    page = open_page(editor)
    page.get_by_label("Note above").press_sequentially("A **bold** word", delay=5)
    page.locator("#note-seen strong").wait_for()
    assert stands(drafted).note == ""  # seen, and not saved yet
    assert page.locator("#note-count").inner_text() == "15 of 2,000 characters"
    # Straight from a text to a button: first the one is saved, then the other done.
    title = titles(page)[1]
    page.get_by_role("button", name=f"Make it lead: {title}").click()
    version(page, 2)
    assert stands(drafted).note == "A **bold** word"
    assert titles(page)[0] == title
    subject = page.get_by_label("Subject", exact=True)
    subject.fill("x" * 61)
    assert "too long" in page.locator("#subject-count").inner_text()
    subject.press("Tab")
    page.locator("#subject-said .wrong").wait_for()
    assert subject.input_value() == "x" * 61
    subject.fill("Two tools, one winner")
    assert page.locator(".gmail-phone .subject").inner_text() == "Two tools, one winner"
    subject.press("Enter")
    version(page, 3)
    assert page.locator("#subject-said").inner_text() == ""
    page.get_by_role("button", name=re.compile("^Undo wrote the subject")).click()
    version(page, 4)
    assert subject.input_value() == ""
    page.get_by_role("button", name="Undo").click()
    version(page, 5)
    page.get_by_role("button", name="Undo").click()
    version(page, 6)
    assert page.get_by_label("Note above").input_value() == ""
    page.locator("#note-seen", has_text="There is no note").wait_for()
    for number in (7, 8, 9):
        page.get_by_role("button", name="Redo").click()
        version(page, number)
    assert (subject.input_value(), titles(page)[0]) == ("Two tools, one winner", title)
    page.locator("#seat-" + stands(drafted).comparisons[1].slug + "-0").select_option("founder")
    version(page, 10)
    assert stands(drafted).comparisons[1].quoted == ("founder",)
    page.frame_locator("#letter iframe").get_by_text("The founder speaks of").first.wait_for()


def test_what_was_typed_when_the_page_is_left_is_saved(drafted: Assembly, editor: At, open_page: Open) -> None:
    page = open_page(editor)
    page.get_by_label("Preheader").press_sequentially("Left in a hurry")
    page.get_by_role("link", name="History").click()
    page.get_by_role("heading", name="Versions of the draft").wait_for()
    told = page.get_by_text("wrote the preheader")
    for _ in range(20):  # it may be on its way still
        if told.count():
            break
        page.reload()
    assert told.count() == 2  # one version, and one entry of the log
    assert stands(drafted).preheader == "Left in a hurry"


def test_who_leaves_what_cannot_be_saved_is_asked_first(drafted: Assembly, editor: At, open_page: Open) -> None:
    page = open_page(editor)
    asked: list[str] = []

    def stay(dialog: "Dialog") -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label("Subject", exact=True).press_sequentially("x" * 61)
    page.get_by_label("Preheader").focus()
    page.locator("#subject-said .wrong").wait_for()
    page.get_by_role("link", name="History").click(no_wait_after=True)
    page.locator("a:focus", has_text="History").wait_for()
    assert page.get_by_label("Subject", exact=True).input_value() == "x" * 61
    assert asked == ["beforeunload"]


def test_who_is_signed_out_meanwhile_keeps_what_was_typed(drafted: Assembly, editor: At, open_page: Open) -> None:
    page = open_page(editor)
    page.frame_locator("#letter iframe").get_by_text("speaks of").first.wait_for()
    page.locator("#letter meter").wait_for()
    with writing(drafted.engine) as session:
        sessions.end_all(session, editor.editor_id)
        session.commit()
    page.get_by_label("Subject", exact=True).fill("Long thought about")
    page.get_by_label("Preheader").focus()
    page.locator("#alarm", has_text="you are not signed in here any more").wait_for()
    assert page.get_by_label("Subject", exact=True).input_value() == "Long thought about"


def test_two_at_once_lose_nothing(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At], open_page: Open
) -> None:
    ana, bo = open_page(editor), open_page(sign_in_as(EDITOR, "bo@example.com"))
    bo.get_by_label("Note above").fill("Half a note")  # and no more: it is not saved
    ana.get_by_label("Note above").fill("Ana's note")
    ana.get_by_label("Subject", exact=True).fill("Ana's subject")
    ana.get_by_label("Preheader").focus()
    version(ana, 2)
    # Bo saves something else, and learns of what Ana did; what Bo is typing stays.
    bo.get_by_label("Preheader").evaluate("field => { field.value = 'Bo’s preheader'; field.form.requestSubmit() }")
    version(bo, 3)
    assert bo.get_by_label("Subject", exact=True).input_value() == "Ana's subject"
    assert bo.get_by_label("Note above").input_value() == "Half a note"
    # The same text: both are shown, and Bo decides.
    bo.get_by_label("Note above").press_sequentially("!")
    bo.get_by_label("Preheader").focus()
    bo.locator("#note-said .both").wait_for()
    assert "Ana's note" in bo.locator("#note-said").inner_text()
    assert "Half a note!" in bo.locator("#note-said").inner_text()
    assert stands(drafted).note == "Ana's note"
    bo.get_by_role("button", name="Move down").first.click()
    version(bo, 4)
    assert bo.locator("#note-said .both").count() == 1  # it stays until it is decided
    bo.get_by_role("button", name="Keep mine").click()
    version(bo, 5)
    assert bo.locator("#note-said").inner_text() == ""
    assert stands(drafted).note == "Half a note!"
    # And the other way round.
    ana.get_by_label("Note above").press_sequentially("?")
    ana.get_by_label("Preheader").focus()
    ana.get_by_role("link", name="Take theirs").click()
    assert ana.get_by_label("Note above").input_value() == "Half a note!"
    ana.get_by_label("Note above").press_sequentially(" Whole now.")
    ana.get_by_label("Preheader").focus()
    version(ana, 6)
    # An order that the other has changed meanwhile is not changed unseen.
    ana.get_by_role("button", name="Move down").first.click()
    version(ana, 7)
    before = stands(drafted).comparisons
    bo.get_by_role("button", name="Move down").first.click()
    bo.locator("#alarm .wrong").wait_for()
    assert "so that this was not saved" in bo.locator("#alarm").inner_text()
    assert stands(drafted).comparisons == before
    assert titles(bo) == titles(ana)
    assert stands(drafted) == Content("Ana's subject", "Bo’s preheader", "Half a note! Whole now.", before, ())
