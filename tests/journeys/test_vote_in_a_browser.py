"""A reader opens the letter on a phone, presses a button in it, and another one on the page: that is a vote."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import select

from newsletter.assembly import assemble
from newsletter.comparisons.votes import Vote
from newsletter.db import reading
from newsletter.sandbox.server import Sandbox
from tests.journeys.town import Town, html_of

PHONE = {"width": 375, "height": 667}
WITHIN_A_THUMBS_REACH = 44  # CSS pixels that something to be pressed should have each way


@pytest.fixture
def town(tmp_path: Path, sandbox: Sandbox, new_database: Callable[[str], str]) -> Town:
    return Town(tmp_path, sandbox, new_database("sqlite"))


def votes(town: Town) -> list[str]:
    with closing(assemble(**town.settings)) as assembly, reading(assembly.engine) as session:
        return list(session.exec(select(Vote.choice)))


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") == PHONE["width"])


def press_in_the_letter(page: Page, choice: str) -> None:
    """Press a vote's button in an opened letter, which leads to a page of ours."""
    button = page.locator(f'a[href*="/vote/"][href$="?choice={choice}"]').first
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= WITHIN_A_THUMBS_REACH
    button.click()
    page.wait_for_url("**/vote/**")


def test_a_vote_takes_two_presses_on_a_phone_with_and_without_scripts(town: Town, chromium: Browser) -> None:
    town.run("subscribers", "add", "ana@example.com")
    town.publish("2026-W46", ("Inkwell", "Gantry", "Agents"))
    letter = html_of(town.letter("ana@example.com", "2026-W46"))
    with town.serve():
        for scripts, choice, name in ((True, "left", "Inkwell"), (False, "right", "Gantry")):
            context = chromium.new_context(java_script_enabled=scripts, viewport=PHONE)  # type: ignore[arg-type]
            page = context.new_page()
            page.set_content(letter)
            assert fits(page)
            press_in_the_letter(page, choice)
            earlier = votes(town)
            assert page.get_by_role("radio", checked=True).get_attribute("value") == choice
            assert fits(page)
            assert page.get_by_role("button").count() == 1

            page.get_by_role("button").click()

            assert page.get_by_role("status").inner_text().startswith(f"You said: {name}.")
            assert fits(page)
            assert (earlier, votes(town)) == ([] if choice == "left" else ["left"], [choice])

            page.get_by_role("link", name="Change my vote").click()
            assert page.get_by_role("radio", checked=True).get_attribute("value") == choice
            context.close()
