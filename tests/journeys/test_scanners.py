"""Mail scanners open every link of every letter, some of them in a browser with JavaScript. Nothing may come of it."""

import re
from collections.abc import Callable
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser

from newsletter.assembly import assemble
from newsletter.db import Table, reading
from newsletter.sandbox.server import Sandbox
from tests.journeys.town import Town, html_of, link, text_of

BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Safari/537.36",
    "python-requests/2.32",
    "",
)


@pytest.fixture
def town(tmp_path: Path, sandbox: Sandbox, new_database: Callable[[str], str]) -> Town:
    return Town(tmp_path, sandbox, new_database("sqlite"))


def rows(town: Town) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with (
        closing(assemble(**town.settings)) as assembly,
        reading(assembly.engine) as session,
    ):
        tables = Table.metadata.sorted_tables
        return {table.name: sorted(map(tuple, session.execute(table.select())), key=repr) for table in tables}


def links(town: Town, letters: list[EmailMessage]) -> list[str]:
    """Every address of our pages that a letter holds, in its HTML, its text or its head."""
    sources = [*map(html_of, letters), *map(text_of, letters), *(str(one["List-Unsubscribe"]) for one in letters)]
    return sorted({found for source in sources for found in re.findall(rf"{town.url}/[^\s\"'<>)]+", source)})


def one_letter_of_each_kind(town: Town) -> list[EmailMessage]:
    """Of a reader in the middle of everything: one who has yet to confirm, one who has, one who moves house."""
    town.run("subscribers", "add", "ana@example.com")
    town.publish("2026-W46", ("Inkwell", "Gantry", "Agents"))
    issue = town.letter("ana@example.com", "2026-W46")
    requests.post(f"{town.url}/subscribe", data={"email": "bo@example.com"}, timeout=10)
    confirm = town.letter("bo@example.com", "confirm")
    requests.post(f"{town.url}/subscribe", data={"email": "cy@example.com"}, timeout=10)
    requests.post(link(town.letter("cy@example.com", "confirm"), "/confirm/"), timeout=10)
    welcome = town.letter("cy@example.com", "welcome")
    change = {"do": "address", "email": "cy@example.net"}
    requests.post(link(welcome, "/preferences/"), data=change, timeout=10)
    address = town.letter("cy@example.net", "address")
    requests.post(f"{town.url}/subscribe", data={"email": "ana@example.com"}, timeout=10)
    return [issue, confirm, welcome, address, town.letter("ana@example.com", "link")]


def test_nothing_comes_of_links_that_only_machines_have_opened(town: Town, chromium: Browser) -> None:
    with town.serve():
        letters = one_letter_of_each_kind(town)
        to_open = links(town, letters)
        purposes = {urlsplit(each).path.split("/")[1] for each in to_open}
        assert {"confirm", "preferences", "unsubscribe", "address", "vote"} <= purposes
        assert {urlsplit(each).query for each in to_open} >= {"choice=left", "choice=right"}
        before = rows(town)

        for agent in BOTS:
            for each in to_open:
                for ask in (requests.head, requests.get):
                    assert ask(each, headers={"User-Agent": agent}, timeout=10).status_code == 200, each
        opened = 0
        context = chromium.new_context(java_script_enabled=True)
        for each in to_open:
            page = context.new_page()
            page.goto(each, wait_until="networkidle")
            page.mouse.move(100, 100)
            page.mouse.wheel(0, 2000)
            # The curious ones follow the links of the page, too.
            ours = page.evaluate("[...document.links].map(a => a.href).filter(a => a.startsWith(location.origin))")
            page.close()
            for further in sorted({one.partition("#")[0] for one in ours}):
                requests.get(further, timeout=10)
                opened += 1
        context.close()

        assert opened >= len(to_open)
        assert rows(town) == before


def test_the_same_reader_still_gets_through_after_the_machines(town: Town) -> None:
    with town.serve():
        requests.post(f"{town.url}/subscribe", data={"email": "bo@example.com"}, timeout=10)
        confirm = link(town.letter("bo@example.com", "confirm"), "/confirm/")
        for _ in range(3):
            requests.get(confirm, timeout=10)
        assert town.document("subscribers", "show", "bo@example.com")["status"] == "pending"

        assert requests.post(confirm, timeout=10).status_code == 200

        assert town.document("subscribers", "show", "bo@example.com")["status"] == "active"
