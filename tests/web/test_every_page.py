"""Every page in every state, in a language that marks what comes from a catalog: nothing else is said."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from newsletter.assembly import Assembly
from newsletter.db import writing
from subscribers import preferences, suppression
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES, UNSUBSCRIBE, VOTE
from tests.own_tongue import CODE, Words, a_marked_comparison, own_tongue
from tests.web.conftest import browser
from tests.web.world import NOW, W46, W47, MakeAssembly, a_reader, key_to, send

OURS: dict[str, Any] = {
    "name": "«Verdicts»",
    "logo_text": "«V»",
    "postal_address": "«1 Example Street»",
    "social_links": "«GitHub» https://example.com/us",
    "language": CODE,
}
LONG_AGO = timedelta(days=400)


@pytest.fixture
def assembly(tmp_path: Path, make_assembly: MakeAssembly, new_database: Callable[[str], str]) -> Iterator[Assembly]:
    with own_tongue(tmp_path / "locales"):
        yield make_assembly(database_url=new_database("sqlite"), **OURS)


class Visitor:
    """Asks for pages, and collects what they say between no marks."""

    def __init__(self, client: TestClient) -> None:
        self.bare: dict[str, list[str]] = {}
        self.requests: list[str] = []
        self._client = client

    def get(self, path: str, status: int = 200) -> None:
        self._look(self._client.get(path), status)

    def post(self, path: str, status: int = 200, **form: str) -> None:
        self._look(self._client.post(path, data=form), status)

    def _look(self, answer: Any, status: int) -> None:
        request = f"{answer.request.method} {answer.request.url.path}"
        assert answer.status_code == status, request
        assert f'<html lang="{CODE}"' in answer.text, request
        self.requests.append(request)
        if found := Words(answer.text).bare():
            self.bare[request] = found


def pages_of(client: TestClient) -> dict[str, re.Pattern[str]]:
    """Every route that answers with a page, by its method and its path; and what such a request looks like."""
    paths = client.app.openapi()["paths"]  # type: ignore[attr-defined]
    routes = [
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "text/html" in operation["responses"]["200"].get("content", {})
    ]
    return {route: re.compile(re.sub(r"\{\w+\}", "[^/]+", route)) for route in routes}


def test_every_sentence_of_every_page_is_from_a_catalog(assembly: Assembly) -> None:
    client = browser(assembly)
    visit = Visitor(client)
    readers = {
        status: a_reader(assembly, status, f"{status}@example.com")
        for status in (ACTIVE, PAUSED, PENDING, UNSUBSCRIBED, SUPPRESSED)
    }
    active = readers[ACTIVE]

    visit.get("/")
    visit.get("/issues")
    send(assembly, a_marked_comparison("Ada", "Bob", 10), week=W46)
    ballot = f"/vote/{assembly.tokens.make(VOTE, active)}"
    visit.get(f"{ballot}/ada-vs-bob")
    visit.post(f"{ballot}/ada-vs-bob", choice="both")
    visit.get(f"{ballot}/ada-vs-bob")
    send(assembly, a_marked_comparison("Ada", "Cyd", 17), a_marked_comparison("Eve", "Dot", 17), week=W47)
    visit.get(f"{ballot}/ada-vs-bob")  # over
    visit.get(f"{ballot}/eve-vs-dot")
    visit.post(f"{ballot}/eve-vs-dot", 422)
    visit.get(f"{ballot}/nothing", 404)
    visit.get(f"/vote/{assembly.tokens.make(VOTE, 999)}/eve-vs-dot")
    visit.get(f"/canary/{assembly.tokens.make(VOTE, active)}")

    for path in ("/", "/issues", f"/issues/{W46}", f"/issues/{W47}", "/subscribe", "/subscribe/box"):
        visit.get(path)
    for path in ("/comparisons/ada-vs-bob", "/comparisons/ada-vs-cyd", "/tools/ada", "/tools/dot"):
        visit.get(path)
    visit.get("/nothing", 404)
    visit.post("/", 405)

    visit.post("/subscribe", email="new@example.com")
    for wrong in ("", "new", "@example.com", "new@", "new@ex ample.com"):
        visit.post("/subscribe", 422, email=wrong)
    visit.post("/subscribe", 413, email="x" * 70_000)

    for number, status in ((readers[PENDING], 200), (readers[SUPPRESSED], 200)):
        visit.get(key_to(assembly, CONFIRM, number))
        visit.post(key_to(assembly, CONFIRM, number), status)
    visit.get(key_to(assembly, CONFIRM, 1, LONG_AGO), 410)
    visit.post(key_to(assembly, CONFIRM, 1, LONG_AGO))
    visit.get("/confirm/x", 404)

    readers[PENDING] = a_reader(assembly, PENDING, "again@example.com")
    own = key_to(assembly, PREFERENCES, active)
    for number in readers.values():
        visit.get(key_to(assembly, PREFERENCES, number))
    visit.get(key_to(assembly, PREFERENCES, active, LONG_AGO), 410)
    visit.post(own, 422)
    visit.post(own, do="categories", shown="«Agents»")
    visit.post(own, do="categories", shown="«Agents»", follow="«Agents»")
    visit.post(own, 422, do="language", language="tlh")
    visit.post(own, do="language", language="en")
    visit.post(own, do="pause", weeks="3")
    visit.post(own, 422, do="pause", weeks="99")
    visit.post(own, do="resume")
    visit.post(own, do="address", email="active@example.com")
    visit.post(own, 422, do="address")
    visit.post(own, 422, do="address", email="nobody")
    for status in (200, 200, 200, 429):
        visit.post(own, status, do="address", email="other@example.com")
    visit.get(own)
    visit.post(own, do="stay")
    visit.post(own, 422, do="erase")
    visit.post(own, do="leave")
    visit.post(own, 422, do="pause", weeks="3")
    visit.post(own, do="join")
    for reason in suppression.REASONS:
        number = a_reader(assembly, ACTIVE, f"{reason}@example.com")
        with writing(assembly.engine) as session:
            suppression.suppress(session, parse_address(f"{reason}@example.com"), reason, "a test", NOW)
            session.commit()
        visit.get(key_to(assembly, PREFERENCES, number))

    with writing(assembly.engine) as session:
        reader = session.get_one(Subscriber, readers[PAUSED])
        preferences.ask_address(session, reader, parse_address("moved@example.com"), NOW)
        change = preferences.asked_change(session, reader)
        assert change is not None
        assert change.id is not None
        session.commit()
    moving = key_to(assembly, ADDRESS, change.id)
    visit.get(moving)
    visit.post(moving)
    visit.post(moving)  # used
    visit.get(key_to(assembly, ADDRESS, change.id, LONG_AGO), 410)

    out = f"/unsubscribe/{assembly.tokens.make(UNSUBSCRIBE, active)}"
    visit.get(out)
    visit.post(f"{out}/reason", reason="often")  # has not left
    visit.post(out)
    visit.post(f"{out}/reason", 422)
    visit.post(f"{out}/reason", reason="often")
    visit.post(f"{out}/undo")
    visit.post(f"/unsubscribe/{assembly.tokens.make(UNSUBSCRIBE, readers[SUPPRESSED])}/undo")
    visit.get("/unsubscribe/x", 404)
    visit.post(own, do="erase", sure="yes")
    visit.get(own)

    with assembly.bare_engine.begin() as connection:
        for table in ("sign_ups", "subscribers"):
            connection.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
    visit.post("/subscribe", 503, email="new@example.com")
    visit.post(out, 503)

    assert visit.bare == {}
    unseen = [name for name, route in pages_of(client).items() if not any(map(route.fullmatch, visit.requests))]
    assert unseen == []
