import asyncio
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.language import ENGLISH, available
from newsletter.web.app import create_app
from subscribers import consent
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED
from subscribers.tokens import PREFERENCES, Tokens
from subscribers.unsubscribe import REASONS
from tests.web.conftest import browser
from tests.web.world import NOW, MakeAssembly, Parsed, a_reader, everything, status_of, way_out, wishes

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_looking_shows_one_button_and_changes_nothing(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    before = everything(assembly)
    answer = client.get(way_out(assembly, reader))
    assert answer.status_code == 200
    assert answer.text.count("<button") == 1
    assert "Nothing is done yet" in answer.text
    assert client.head(way_out(assembly, reader)).status_code == 200
    assert everything(assembly) == before


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({"content": ONE_CLICK, "headers": FORM}, id="RFC 8058, urlencoded"),
        pytest.param({"files": {"List-Unsubscribe": (None, "One-Click")}}, id="RFC 8058, multipart"),
        pytest.param({}, id="the button: an empty form"),
        pytest.param({"headers": {"User-Agent": "", "Accept": ""}}, id="an empty user agent"),
        pytest.param({"content": ONE_CLICK, "headers": FORM | {"Origin": "null"}}, id="another origin"),
        pytest.param({"content": b"\xff{nonsense", "headers": {"Content-Type": "application/json"}}, id="nonsense"),
        pytest.param({"content": b"x", "headers": {"Content-Type": b"\xff;;"}}, id="a content type of nonsense"),
        pytest.param({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, id="torn multipart"),
        pytest.param({"content": b"a" * 5_000_000, "headers": FORM}, id="a huge body"),
    ],
)
def test_one_post_of_any_kind_is_enough(client: TestClient, assembly: Assembly, request_of: dict[str, Any]) -> None:
    reader, other = a_reader(assembly), a_reader(assembly, email="other@example.com")
    answer = client.post(way_out(assembly, reader), **request_of)
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert "location" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert status_of(assembly, reader) == UNSUBSCRIBED
    assert status_of(assembly, other) == ACTIVE
    assert wishes(assembly, reader) == [(consent.LEFT, "unsubscribe link")]


def test_the_body_is_never_read(assembly: Assembly) -> None:
    reader = a_reader(assembly)
    path = way_out(assembly, reader)
    started: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        pytest.fail("the body was asked for")

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-length", b"1000000000000")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    with ThreadPoolExecutor(1) as pool:  # of its own, since a browser's driver may be looping in this one
        pool.submit(lambda: asyncio.run(create_app(assembly)(scope, receive, send))).result()
    assert started == [200]
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_leaving_twice_is_leaving_once(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    first = client.post(way_out(assembly, reader), content=ONE_CLICK, headers=FORM)
    after = everything(assembly)
    again = client.post(way_out(assembly, reader), content=ONE_CLICK, headers=FORM)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert everything(assembly) == after


def test_many_at_once_write_the_wish_down_once(assembly: Assembly) -> None:
    reader = a_reader(assembly)
    app = create_app(assembly)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: TestClient(app).post(way_out(assembly, reader)).status_code, range(4)))
    assert answers == [200] * 4
    assert len(wishes(assembly, reader)) == 1


@pytest.mark.parametrize("status", [PENDING, PAUSED])
def test_readers_who_get_nothing_now_can_leave_too(client: TestClient, assembly: Assembly, status: str) -> None:
    reader = a_reader(assembly, status)
    client.post(way_out(assembly, reader))
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_a_suppressed_reader_stays_suppressed_and_the_wish_is_kept(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, SUPPRESSED)
    for _ in range(2):
        assert "You are unsubscribed" in client.post(way_out(assembly, reader)).text
    assert status_of(assembly, reader) == SUPPRESSED
    assert len(wishes(assembly, reader)) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_link_says_that_it_is_incomplete(client: TestClient, assembly: Assembly, method: str) -> None:
    reader = a_reader(assembly)
    good = way_out(assembly, reader).removeprefix("/unsubscribe/")
    number, signature = good.split(".")
    elsewhere = assembly.tokens.make_passing(PREFERENCES, reader, NOW)
    forged = Tokens(["somebody else's key"]).make("unsubscribe", reader)
    before = everything(assembly)
    for token in (
        good[:-1],
        good + "A",
        good.upper(),
        number,
        f"{number}.",
        f".{signature}",
        f"2.{signature}",
        elsewhere,
        forged,
        "x" * 20_000,
        "%00",
        "%F0%9F%A6%86",
        "ada@example.com",
        "1",
    ):
        answer = client.request(method, f"/unsubscribe/{token}")
        assert answer.status_code == 404
        assert "This link is incomplete" in answer.text
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert everything(assembly) == before


def test_a_link_that_leads_to_nobody_says_so(client: TestClient, assembly: Assembly) -> None:
    for number in (0, 12345):  # the link of a preview, and of a reader who is gone
        assert client.get(way_out(assembly, number)).status_code == 200
        answer = client.post(way_out(assembly, number))
        assert answer.status_code == 200
        assert "You are not on the list" in answer.text


def test_no_page_says_whose_link_it_is(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, email="very.private@example.org")
    pages = [client.get(way_out(assembly, reader)), client.post(way_out(assembly, reader))]
    assert not any("private" in page.text or "example.org" in page.text for page in pages)


def test_these_pages_are_kept_by_nobody_and_found_by_nobody(client: TestClient, assembly: Assembly) -> None:
    path = way_out(assembly, a_reader(assembly))
    for answer in (client.get(path), client.head(path), client.post(path), client.get("/unsubscribe/x")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex"


def test_links_signed_with_an_older_key_still_work(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly
) -> None:
    url = new_database(kind)
    before = make_assembly(database_url=url, secret_key="the old key")
    reader = a_reader(before)
    after = make_assembly(database_url=url, secret_key="the new key, the old key")
    assert browser(after).post(way_out(before, reader)).status_code == 200
    assert status_of(after, reader) == UNSUBSCRIBED


def test_what_could_not_be_written_is_not_called_done(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    with assembly.engine.begin() as connection:
        connection.execute(text("DROP TABLE consents"))
    answer = client.post(way_out(assembly, reader), content=ONE_CLICK, headers=FORM)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    assert "You are still on the list" in answer.text
    assert "consents" not in answer.text
    assert status_of(assembly, reader) == ACTIVE


def test_the_button_needs_no_cookie_and_no_script(client: TestClient, assembly: Assembly) -> None:
    shown = client.get(way_out(assembly, a_reader(assembly))).text
    assert '<form method="post"><button class="grave">' in shown
    assert "<input" not in shown
    assert "<script" not in shown


def a_member(assembly: Assembly, status: str = ACTIVE) -> int:
    """A reader who has confirmed."""
    reader = a_reader(assembly, status)
    with writing(assembly.engine) as session:
        consent.note(session, reader, consent.CONFIRMED, "a test", NOW)
        session.commit()
    return reader


def at(assembly: Assembly, hours: float) -> TestClient:
    """A browser some hours later."""
    app = create_app(assembly, clock=lambda: NOW + timedelta(hours=hours))
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def test_who_has_left_may_take_it_back_and_again_is_once(client: TestClient, assembly: Assembly) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    left = client.post(path)
    assert f'action="{path}/undo"' in left.text
    for _ in range(2):
        answer = client.post(f"{path}/undo")
        assert answer.status_code == 200
        assert "You are back" in answer.text
    assert status_of(assembly, reader) == ACTIVE
    assert [kind for kind, _ in wishes(assembly, reader)] == ["confirmed", "left", "returned"]


def test_after_a_day_the_way_back_is_the_form(assembly: Assembly, client: TestClient) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    client.post(path)
    later = at(assembly, 24.1)
    before = everything(assembly)
    assert "/undo" not in later.post(path).text
    answer = later.post(f"{path}/undo")
    assert answer.status_code == 200
    assert 'href="/subscribe"' in answer.text
    assert "You are back" not in answer.text
    assert everything(assembly) == before


def test_a_reason_is_asked_for_afterwards_and_kept_once(client: TestClient, assembly: Assembly) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    assert f'action="{path}/reason"' in client.post(path).text
    for choice in ("often", "other"):
        answer = client.post(f"{path}/reason", data={"reason": choice})
        assert answer.status_code == 200
        assert "Thank you" in answer.text
        assert "/reason" not in answer.text
        assert f'action="{path}/undo"' in answer.text
    assert [kind for kind, _ in wishes(assembly, reader)] == ["confirmed", "left", "reason"]
    assert "/reason" not in client.post(path).text
    with reading(assembly.engine) as session:
        assert consent.history(session, reader)[-1].words == "Too many letters"


@pytest.mark.parametrize("form", [{}, {"reason": "<script>"}])
def test_a_reason_that_is_none_is_asked_for_again(client: TestClient, assembly: Assembly, form: dict[str, str]) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    client.post(path)
    before = everything(assembly)
    answer = client.post(f"{path}/reason", data=form)
    assert answer.status_code == 422
    assert 'aria-describedby="wrong"' in answer.text
    assert "<script" not in answer.text
    assert everything(assembly) == before


def test_who_has_not_left_has_nothing_to_take_back_and_no_reason(client: TestClient, assembly: Assembly) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    before = everything(assembly)
    assert "You are back" in client.post(f"{path}/undo").text
    assert "You have not left" in client.post(f"{path}/reason", data={"reason": "often"}).text
    assert everything(assembly) == before


@pytest.mark.parametrize("act", ["undo", "reason"])
def test_a_bad_link_takes_nothing_back(client: TestClient, assembly: Assembly, act: str) -> None:
    reader = a_member(assembly)
    path = way_out(assembly, reader)
    client.post(path)
    before = everything(assembly)
    forged = Tokens(["somebody else's key"]).make("unsubscribe", reader)
    for bad in (path[:-1], path + "A", f"/unsubscribe/{forged}"):
        answer = client.post(f"{bad}/{act}", data={"reason": "often"})
        assert answer.status_code == 404
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert everything(assembly) == before


def test_the_reasons_that_a_page_offers_are_those_that_are_kept(client: TestClient, assembly: Assembly) -> None:
    for code in available():
        reader = a_reader(assembly, email=f"{code}@example.com")
        page = Parsed(client.post(f"{way_out(assembly, reader)}?lang={code}").text)
        assert [each["value"] for each in page.named("input")] == list(REASONS)
        assert all(words in page.text for words in REASONS.values()) == (code == ENGLISH)
