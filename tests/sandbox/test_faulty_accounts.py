"""Search that lags or loses, an account that is paused, suppressions that count late: by a clock that a test moves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, accepted, letter, refused
from tests.sandbox.test_webhooks import Endpoint

HARD = "hardbounce@bounce-testing.postmarkapp.com"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture
def sandbox(clock: Clock, endpoint: Endpoint) -> Iterator[Sandbox]:
    with Sandbox(webhook_url=endpoint.url, clock=clock, seed=7) as running:
        yield running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    with requests.Session() as session:
        yield Api(sandbox.url, sandbox.token, session)


def send(api: Api, count: int = 1, **changes: object) -> list[str]:
    """Send a batch, and return its MessageIDs."""
    batch = [letter(**{"To": f"r{number}@example.com", **changes}) for number in range(count)]
    return [item["MessageID"] for item in api.post("/email/batch", batch)]


def found(api: Api, **query: Any) -> set[str]:
    return {message["MessageID"] for message in api.search(**query)["Messages"]}


def test_a_message_is_found_some_seconds_after_it_was_accepted(sandbox: Sandbox, api: Api, clock: Clock) -> None:
    sandbox.faults.set("search-lag:seconds=5")
    (first,) = send(api, Metadata={"batch": "1"})
    clock.move(3)
    (second,) = send(api, Metadata={"batch": "1"})
    assert found(api, metadata_batch="1") == set()
    assert api.search()["TotalCount"] == 0
    clock.move(1.9)
    assert found(api) == set()
    clock.move(0.1)
    assert found(api, metadata_batch="1") == {first}
    clock.move(3)
    assert found(api) == {first, second}
    assert sandbox.faults.struck["search-lag"] == 4
    assert len(sandbox.messages) == 2


def test_a_message_that_search_does_not_show_has_no_details_either(sandbox: Sandbox, api: Api, clock: Clock) -> None:
    sandbox.faults.set("search-lag:seconds=5")
    (sent,) = send(api)
    for look in ("details", "dump"):
        assert refused(api.call("GET", f"/messages/outbound/{sent}/{look}"))[:2] == (422, 701)
        assert api.page(f"inbox/{sent}").status_code == 200
    clock.move(5)
    assert api.get(f"/messages/outbound/{sent}/details")["MessageID"] == sent


def test_a_lost_message_is_never_found_while_the_fault_is_on(sandbox: Sandbox, api: Api, clock: Clock) -> None:
    sandbox.faults.set("search-loss", "search-lag:seconds=5")
    sent = send(api, 3)
    clock.move(10**6)
    assert found(api) == set()
    sandbox.faults.clear()
    assert found(api) == {*sent}


def test_a_share_of_the_messages_is_lost_and_stays_so(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("search-loss:share=0.3")
    sent = send(api, 400)
    shown = found(api)
    assert 220 < len(shown) < 340
    assert shown < {*sent}
    assert found(api) == shown
    assert all(found(api, recipient=f"r{sent.index(each)}@example.com") == {each} & shown for each in sent[:30])


def test_the_paging_counts_what_is_shown(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("search-loss:share=0.5")
    send(api, 100)
    shown = api.search(count=500)
    pages = [api.search(count=20, offset=offset) for offset in range(0, 100, 20)]
    assert {page["TotalCount"] for page in pages} == {shown["TotalCount"]}
    assert [message for page in pages for message in page["Messages"]] == shown["Messages"]


def test_a_paused_account_takes_messages_and_holds_them(
    sandbox: Sandbox, api: Api, clock: Clock, endpoint: Endpoint
) -> None:
    sandbox.faults.set("paused")
    (sent,) = send(api, To=HARD, Metadata={"batch": "1"})
    clock.move(10**6)
    assert found(api) == found(api, status="sent") == set()
    (row,) = api.search(status="queued", metadata_batch="1")["Messages"]
    assert (row["MessageID"], row["Status"]) == (sent, "Queued")
    details = api.get(f"/messages/outbound/{sent}/details")
    assert (details["Status"], details["MessageEvents"]) == ("Queued", [])
    assert ([message.id for message in sandbox.held], sandbox.messages) == ([sent], [])
    assert api.page("inbox.json").json() == {"messages": []}
    assert api.page(f"inbox/{sent}").status_code == 404
    assert "1 message is held by a paused account" in api.page("").text
    assert api.get("/message-streams/outbound/suppressions/dump") == {"Suppressions": []}
    assert endpoint.told.empty()

    assert sandbox.release() == 1
    assert sandbox.release() == 0
    assert found(api) == {sent}
    assert found(api, status="queued") == set()
    assert api.search()["Messages"][0]["Status"] == "Sent"
    assert (sandbox.held, [message.id for message in sandbox.messages]) == ([], [sent])
    assert (endpoint.next()["MessageID"], endpoint.next()["RecordType"]) == (sent, "SubscriptionChange")
    assert endpoint.told.empty()


def test_held_messages_go_out_when_their_time_has_come_though_nobody_looks(
    sandbox: Sandbox, api: Api, clock: Clock, endpoint: Endpoint
) -> None:
    sandbox.faults.set("paused:seconds=3600")
    (first,) = send(api)
    clock.move(600)
    (second,) = send(api)
    sandbox.faults.clear()  # holds nothing more, and lets nothing go
    (third,) = send(api)
    assert endpoint.next()["MessageID"] == third
    assert found(api, status="queued") == {first, second}
    clock.move(3000)
    assert endpoint.next()["MessageID"] == first
    assert [message.id for message in sandbox.held] == [second]
    assert [message.id for message in sandbox.messages] == [first, third]
    clock.move(600)
    assert endpoint.next()["MessageID"] == second
    assert endpoint.told.empty()


def test_without_a_webhook_held_messages_have_gone_out_when_somebody_looks(clock: Clock) -> None:
    with Sandbox(clock=clock, faults=["paused:seconds=60"]) as sandbox, requests.Session() as session:
        api = Api(sandbox.url, sandbox.token, session)
        for look in (
            lambda: len(sandbox.messages),
            lambda: len(api.page("inbox.json").json()["messages"]),
            lambda: 2 - api.page("faults").json()["held"],
            lambda: len(found(api)),
            lambda: 2 - len(sandbox.held),
        ):
            api.session.delete(f"{sandbox.url}inbox")
            send(api, 2)
            assert look() == 0
            clock.move(60)
            assert look() == 2


def test_a_share_of_the_messages_is_held(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("paused:share=0.5")
    sent = send(api, 200)
    held = {message.id for message in sandbox.held}
    assert 60 < len(held) < 140
    assert found(api, status="queued") == held
    assert found(api) == {*sent} - held
    assert sandbox.faults.struck["paused"] == len(held)


def test_a_suppression_counts_late_for_messages_and_at_once_for_the_list(
    sandbox: Sandbox, api: Api, clock: Clock
) -> None:
    sandbox.faults.set("suppression-lag:seconds=60")
    path = "/message-streams/broadcast/suppressions"
    api.post(path, {"Suppressions": [{"EmailAddress": "ada@example.com"}]})
    assert [entry["EmailAddress"] for entry in api.get(f"{path}/dump")["Suppressions"]] == ["ada@example.com"]
    clock.move(59)
    assert accepted(api.call("POST", "/email", letter(MessageStream="broadcast")))["ErrorCode"] == 0
    assert sandbox.faults.struck["suppression-lag"] == 1
    clock.move(1)
    assert refused(api.call("POST", "/email", letter(MessageStream="broadcast")))[:2] == (422, 406)
