"""The pages as a real browser lays them out, on a phone and on a desk."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES
from tests.browser import lay_out
from tests.web.world import a_comparison, a_reader, key_to, send, way_out

LONG = a_comparison("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten", "مترجم الشيفرة")


def with_its_styles(client: TestClient, path: str) -> str:
    """A page that needs nothing from elsewhere: a browser's frame has no server."""
    page, styles = client.get(path).text, client.get("/style.css").text
    whole, count = re.subn(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{styles}</style>", page)
    assert count == 1
    return whole


@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_scrolls_sideways(assembly: Assembly, client: TestClient, tmp_path: Path, width: int) -> None:
    reader = a_reader(assembly)
    send(assembly, a_comparison(), LONG)
    paths = ["/", "/issues", "/issues/2026-W47", way_out(assembly, reader), "/nowhere"]
    issue = client.get("/issues/2026-W47").text
    paths += sorted(set(re.findall(r'"(?:http://127\.0\.0\.1:8000)?(/comparisons/[a-z0-9-]+)', issue)))
    assert len(paths) == 7

    for path in paths:
        shown = lay_out(with_its_styles(client, path), width, tmp_path)
        assert (path, shown.width) == (path, width)


@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_of_a_readers_life_scrolls_sideways(
    assembly: Assembly, client: TestClient, tmp_path: Path, width: int
) -> None:
    long = f"{'somebody.with.a.long.name' * 2}@{'an.even.longer.' * 6}example.com"
    statuses = (PENDING, ACTIVE, PAUSED, UNSUBSCRIBED, SUPPRESSED)
    readers = [a_reader(assembly, status, f"{status}.{long}") for status in statuses]
    send(assembly, LONG)
    week = timedelta(weeks=10)
    paths = [
        "/subscribe",
        key_to(assembly, CONFIRM, 1),
        key_to(assembly, CONFIRM, 1, week),
        key_to(assembly, ADDRESS, 1),
    ]
    paths += [key_to(assembly, PREFERENCES, number) for number in readers]

    for path in paths:
        shown = lay_out(with_its_styles(client, path), width, tmp_path)
        assert (path, shown.width) == (path, width)
