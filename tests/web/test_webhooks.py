"""What the provider posts to us, over real HTTP: the sandbox on one port, the pages on another."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from email import message_from_string, policy
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
import requests
import structlog
import uvicorn
from fastapi.testclient import TestClient
from sqlmodel import col, select
from structlog.testing import capture_logs

from newsletter import departures
from newsletter.arrivals import Arrived
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.sandbox.server import Sandbox
from newsletter.tracking import keeping
from newsletter.tracking.event import CLICKED, DOOR, OTHER, Event, key_of
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent
from newsletter.web.app import create_app
from newsletter.web.intake import Intake, NotWritten
from newsletter.web.webhooks import MAX_BODY
from subscribers.subscriber import ACTIVE, SUPPRESSED, UNSUBSCRIBED
from tests.tracking.test_postmark import EXAMPLES, became, change
from tests.web.conftest import browser
from tests.web.world import NOW, MakeAssembly, a_comparison, a_reader, everything, send, status_of

USER, PASSWORD = "postmark", "p@ss/w:rd?#"
PATH = "/webhooks/postmark"

T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def assembly(kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly) -> Assembly:
    return make_assembly(database_url=new_database(kind), webhook_username=USER, webhook_password=PASSWORD)


def in_a_loop(doing: Coroutine[Any, Any, T]) -> T:
    """Run what waits, in a thread of its own: a browser of other tests may have a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, doing).result()


def post(client: TestClient, body: object, auth: tuple[str, str] | None = (USER, PASSWORD)) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": requests.auth._basic_auth_str(*auth)} if auth else {}
    return client.post(PATH, content=content, headers=headers)


def events(assembly: Assembly) -> list[StoredEvent]:
    """What is stored, in the order in which it came."""
    with reading(assembly.engine) as session:
        return list(session.exec(select(StoredEvent).order_by(col(StoredEvent.id))))


def test_an_event_is_on_the_disk_when_it_is_answered(assembly: Assembly, client: TestClient) -> None:
    reader = a_reader(assembly, email="ada@example.com")
    with capture_logs() as logs:
        assert post(client, change()).status_code == 200
    assert status_of(assembly, reader) == UNSUBSCRIBED
    (event,) = events(assembly)
    assert (event.kind, event.subscriber_id, event.pending) == ("unsubscribed", reader, False)
    assert json.loads(event.body or "") == change()
    assert logs == [
        {"log_level": "info", "event": "event", "type": "SubscriptionChange", "outcome": "left", "subscriber": reader},
        {"log_level": "info", "event": "events written", "new": 1, "known": 0},
    ]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic cG9zdC1tYXJr",
        "Basic " + "A" * 10_000,
        "Basic \xe9",
        f"Bearer {PASSWORD}",
        requests.auth._basic_auth_str(USER, "wrong"),
        requests.auth._basic_auth_str("wrong", PASSWORD),
        requests.auth._basic_auth_str(USER, ""),
        requests.auth._basic_auth_str(USER, PASSWORD + " "),
        requests.auth._basic_auth_str(USER, "pässword".encode()),
    ],
)
def test_without_name_and_password_nothing_is_taken(assembly: Assembly, client: TestClient, header: str | None) -> None:
    a_reader(assembly, email="ada@example.com")
    before = everything(assembly)
    headers = [] if header is None else [(b"Authorization", header.encode("latin-1"))]
    answer = client.post(PATH, json=change(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert everything(assembly) == before
    assert PASSWORD not in answer.text


@pytest.mark.parametrize("auth", [None, ("", ""), ("None", "None")])
def test_where_no_password_is_set_nobody_has_it(
    new_database: Callable[[str], str], make_assembly: MakeAssembly, auth: tuple[str, str] | None
) -> None:
    assert post(browser(make_assembly(database_url=new_database("sqlite"))), change(), auth).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_is_read_in_any_case(assembly: Assembly, client: TestClient, scheme: str) -> None:
    header = requests.auth._basic_auth_str(USER, PASSWORD).replace("Basic", scheme)
    assert client.post(PATH, json=change(), headers={"Authorization": header}).status_code == 200


ODD = [
    b"",
    b"no JSON",
    b"\xff\xfe",
    b"[" * 100_000,
    b"null",
    b"[]",
    b'{"RecordType": "ada@example.com"}',
    b'{"RecordType": "SubscriptionChange"}',
    json.dumps(change(Recipient="nobody")).encode(),
    json.dumps(change(Recipient="a\0da@example.com")).encode(),
    json.dumps(change(Recipient="\ud800@example.com")).encode(),
    json.dumps(change(SuppressionReason="BadWeather")).encode(),
    json.dumps(change() | {"Content": "x" * MAX_BODY}).encode(),
    b" " * (3 * MAX_BODY),
]


def test_whatever_comes_with_the_password_is_answered_with_200_and_kept_and_nothing_comes_of_it(
    assembly: Assembly, client: TestClient
) -> None:
    a_reader(assembly, email="ada@example.com")
    before = everything(assembly)
    with capture_logs() as logs:
        for body in ODD:
            assert post(client, body).status_code == 200, body[:40]
    kept = events(assembly)
    assert len(kept) == len(ODD)
    assert not any(event.pending for event in kept)
    assert all(event.body for event, body in zip(kept, ODD, strict=True) if body.strip())
    assert everything(assembly) | {"events": []} == before
    assert "@" not in str(logs)
    assert {line["event"] for line in logs} <= {"events written", "event"}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_example_is_taken(assembly: Assembly, client: TestClient, example: dict[str, Any]) -> None:
    reader = a_reader(assembly, email="margareth@nasa.com")
    assert post(client, example["payload"]).status_code == 200
    assert (status_of(assembly, reader) != ACTIVE) == example["expect"]["suppress"]
    assert [(event.kind, event.pending) for event in events(assembly)] == [(example["expect"]["kind"], False)]


def test_what_could_not_be_written_is_asked_for_again(make_assembly: MakeAssembly, tmp_path: Path) -> None:
    empty = make_assembly(
        database_url=f"sqlite:///{tmp_path / 'empty.db'}", webhook_username=USER, webhook_password=PASSWORD
    )
    answer = post(browser(empty), change())
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "ada@" not in answer.text


def test_while_another_process_has_the_database_posts_are_asked_for_again_and_then_taken(
    make_assembly: MakeAssembly, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.BUSY_TIMEOUT", 50)
    assembly = make_assembly(database_url=new_database("sqlite"), webhook_username=USER, webhook_password=PASSWORD)
    with writing(assembly.engine) as session, capture_logs() as logs:
        session.connection()  # it has the one write lock
        client = browser(assembly)
        assert [post(client, became("Delivery", Recipient=email)).status_code for email in ("a", "b")] == [503, 503]
    assert [line["event"] for line in logs] == ["events cannot be written"]
    assert post(client, became("Delivery", Recipient="a")).status_code == 200
    assert len(events(assembly)) == 1


def test_what_is_too_much_to_wait_is_refused_at_once_and_what_waits_is_written_before_the_end(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.web.intake.MOST", 3)
    held, let_go = threading.Event(), threading.Event()

    def clock() -> datetime:
        held.set()
        assert let_go.wait(10)
        return NOW

    intake = Intake(assembly.engine, "broadcast", clock)
    told = [translate(json.dumps(became("Delivery", Recipient=str(number))).encode(), None, "") for number in range(5)]

    async def flood() -> list[Arrived | BaseException]:
        first = asyncio.ensure_future(intake.take(told[0]))
        await asyncio.to_thread(held.wait, 10)  # its thread is at work on that one
        waiting = [asyncio.ensure_future(intake.take(event)) for event in told[1:4]]
        await asyncio.sleep(0)
        with pytest.raises(NotWritten):
            await intake.take(told[4])
        let_go.set()
        ending = asyncio.to_thread(intake.stop)
        found = await asyncio.gather(first, *waiting, return_exceptions=True)
        await ending
        with pytest.raises(NotWritten):
            await intake.take(told[4])
        return found

    assert [each.fresh for each in in_a_loop(flood()) if isinstance(each, Arrived)] == [True] * 4
    assert len(events(assembly)) == 4


def test_a_log_that_cannot_be_written_leaves_no_post_without_an_answer(assembly: Assembly) -> None:
    told = [translate(json.dumps(became("Delivery", Recipient=str(number))).encode(), None, "") for number in range(2)]
    intake = Intake(assembly.engine, "broadcast", lambda: NOW)

    def full_disk(*_: Any) -> Any:
        raise OSError

    async def take_all() -> list[Arrived]:
        return [await asyncio.wait_for(intake.take(event), 10) for event in told]

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[full_disk])
    try:
        assert [each.fresh for each in in_a_loop(take_all())] == [True] * 2
        intake.stop()
    finally:
        structlog.configure(processors=before)
    assert len(events(assembly)) == 2


def test_what_pages_note_is_written_without_anybody_waiting(assembly: Assembly) -> None:
    intake = Intake(assembly.engine, "broadcast", lambda: NOW)
    intake.note(Event(key_of("a page"), OTHER, CLICKED, NOW, DOOR, "GET", link="votes/inkwell-vs-gantry/left"))
    intake.stop()
    assert [(event.source, event.detail) for event in events(assembly)] == [(DOOR, "GET")]


def test_what_was_cut_short_is_no_event_and_the_next_one_is_taken(assembly: Assembly) -> None:
    port = free_port()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {requests.auth._basic_auth_str(USER, PASSWORD)}\r\n"
    with served(assembly, port) as url:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(f'{head}Content-Length: 500\r\n\r\n{{"RecordType": "Delivery"'.encode())
        whole = requests.post(f"{url}{PATH}", json=became("Delivery"), auth=(USER, PASSWORD), timeout=5)
        assert (whole.status_code, whole.headers["X-Frame-Options"]) == (200, "DENY")
    assert [event.record_type for event in events(assembly)] == ["Delivery"]


def test_what_a_process_that_died_has_left_undone_is_done_when_the_pages_start(assembly: Assembly) -> None:
    reader = a_reader(assembly, email="ada@example.com")
    with writing(assembly.engine) as session:
        keeping.keep(session, [translate(json.dumps(change()).encode(), None, "")], NOW)
        session.commit()
    with browser(assembly) as client:
        wait_for(lambda: status_of(assembly, reader) == UNSUBSCRIBED)
        assert client.get("/healthz").status_code == 200
    assert [event.pending for event in events(assembly)] == [False]


@contextmanager
def served(assembly: Assembly, port: int) -> Iterator[str]:
    """The pages on a real port."""
    config = uvicorn.Config(
        create_app(assembly), host="127.0.0.1", port=port, log_config=None, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def wait_for(done: Callable[[], object]) -> None:
    give_up = time.monotonic() + 10
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def way_out(sandbox: Sandbox, email: str) -> str:
    """The link in the header of a reader's letter, which is the provider's."""
    (message,) = [each for each in sandbox.messages if each.recipients == (email,)]
    source = requests.get(f"{sandbox.url}inbox/{message.id}/source.eml", timeout=5).text
    link = str(message_from_string(source, policy=policy.default)["List-Unsubscribe"])
    assert link.startswith(f"<{sandbox.url}")
    return link.strip("<>")


def what_is_held(assembly: Assembly) -> dict[str, list[tuple[Any, ...]]]:
    """Of readers; `since` and `at` are the moments at the provider, so that they agree as well."""
    held = everything(assembly)
    return {name: held[name] for name in ("subscribers", "consents")} | {
        "suppressions": [row[2:] for row in held["suppressions"]]
    }


def test_who_leaves_at_the_provider_has_left_here_by_its_event_and_by_its_list_alike(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly, migrated_sqlite: Path, tmp_path: Path
) -> None:
    port = free_port()
    webhook = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}{PATH}"
    bouncing = "hardbounce@bounce-testing.postmarkapp.com"
    with Sandbox(webhook_url=webhook, owns_way_out=True) as sandbox:
        at_sandbox = {
            "provider": "postmark",
            "unsubscribe": "provider",
            "postmark_api_url": sandbox.url,
            "postmark_server_token": sandbox.token,
            "webhook_username": USER,
            "webhook_password": PASSWORD,
        }
        told = make_assembly(database_url=new_database(kind), **at_sandbox)
        other = tmp_path / "other.db"
        other.write_bytes(migrated_sqlite.read_bytes())
        asking = make_assembly(database_url=f"sqlite:///{other}", **at_sandbox)
        for each in (told, asking):
            readers = [a_reader(each, email=email) for email in ("ada@example.com", "bo@example.com", bouncing)]
        ada, bo, gone = readers

        with served(told, port):
            send(told, a_comparison())
            link = way_out(sandbox, "ada@example.com")
            assert requests.get(link, timeout=5).status_code == 200
            wait_for(lambda: status_of(told, gone) == SUPPRESSED)
            assert status_of(told, ada) == ACTIVE
            assert requests.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=5).status_code == 200
            wait_for(lambda: status_of(told, ada) == UNSUBSCRIBED)
            assert status_of(told, bo) == ACTIVE

            by_event = what_is_held(told)
            assert departures.poll(told.engine, told.post, NOW).outcomes == {"known": 2}
            assert what_is_held(told) == by_event

            assert departures.poll(asking.engine, asking.post, NOW).outcomes == {"left": 1, "suppressed": 1}
            assert what_is_held(asking) == by_event

            # Coming back over there is told, and is no consent here.
            with capture_logs() as logs:
                requests.post(link.replace("unsubscribe", "resubscribe"), timeout=5)
                wait_for(lambda: [each["outcome"] for each in logs if "outcome" in each] == ["let_go"])
            assert what_is_held(told) == by_event
