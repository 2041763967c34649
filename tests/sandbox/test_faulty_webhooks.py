"""Events that are lost, told twice, late or in another order."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter
from tests.sandbox.test_faulty_accounts import Clock
from tests.sandbox.test_faulty_calls import raw
from tests.sandbox.test_webhooks import Endpoint

LAST = "last@example.com"


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


def send(api: Api, count: int) -> list[str]:
    """Send a batch, and return its recipients."""
    recipients = [f"r{number}@example.com" for number in range(count)]
    api.post("/email/batch", [letter(To=email) for email in recipients])
    return recipients


def told(endpoint: Endpoint, count: int) -> list[str]:
    """The recipients of the next events."""
    return [endpoint.next()["Recipient"] for _ in range(count)]


def told_by_the_end(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> list[str]:
    """The recipients of all events before one that meets no fault."""
    sandbox.faults.clear()
    api.post("/email", letter(To=LAST))
    found: list[str] = []
    while LAST not in found:
        found.append(endpoint.next()["Recipient"])
    assert endpoint.told.empty()
    return found[:-1]


@pytest.mark.parametrize("fault", ["accept-then-drop", "accept-then-truncate", "accept-then-500", "accept-then-html"])
def test_an_event_comes_also_for_a_message_whose_answer_was_lost(
    sandbox: Sandbox, endpoint: Endpoint, fault: str
) -> None:
    sandbox.faults.set(fault)
    raw(sandbox, [letter()])
    event = endpoint.next()
    assert (event["RecordType"], event["MessageID"]) == ("Delivery", sandbox.messages[-1].id)


def test_an_event_may_come_before_the_answer(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("accept-then-stall:seconds=0.5")
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    sending = threading.Thread(target=lambda: answers.put(api.post("/email", letter())))
    sending.start()
    event = endpoint.next()
    assert answers.empty()
    sending.join()
    assert answers.get()["MessageID"] == event["MessageID"]


def test_events_are_lost(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("webhook-lost:times=3,after=1")
    recipients = send(api, 5)
    assert told(endpoint, 2) == [recipients[0], recipients[4]]
    assert sandbox.faults.struck["webhook-lost"] == 3
    assert told_by_the_end(sandbox, api, endpoint) == []


def test_a_share_of_the_events_is_lost(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("webhook-lost:share=0.5")
    recipients = send(api, 200)
    api.post("/email/batch", [letter(To=LAST)] * 30)
    found: list[str] = []
    while LAST not in found:
        found += told(endpoint, 1)
    assert 60 < len(found) < 140
    assert {*found} < {*recipients, LAST}
    assert sorted(found[:-1], key=recipients.index) == found[:-1]


def test_events_are_told_twice_under_one_number(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("webhook-duplicated:times=1")
    first, second = send(api, 2)
    events = [endpoint.told.get(timeout=5) for _ in range(3)]
    assert [body["Recipient"] for body, _ in events] == [first, first, second]
    assert events[0][0] == events[1][0]
    traces = [headers["X-PM-Webhook-Trace-Id"] for _, headers in events]
    assert traces[0] == traces[1] != traces[2]


def test_events_are_told_late(sandbox: Sandbox, api: Api, endpoint: Endpoint, clock: Clock) -> None:
    sandbox.faults.set("webhook-late:seconds=3600,times=2")
    first, second, third = send(api, 3)
    assert told(endpoint, 1) == [third]
    clock.move(3599)
    assert told_by_the_end(sandbox, api, endpoint) == []
    clock.move(1)
    assert told(endpoint, 2) == [first, second]


def test_events_are_told_in_another_order_and_none_is_lost(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("webhook-reordered")
    recipients = send(api, 120)
    found = told(endpoint, 120)
    assert found != recipients
    assert Counter(found) == Counter(recipients)
    send(api, 1)
    assert told(endpoint, 1) == recipients[:1]  # one alone comes too


def test_some_events_are_told_behind_others(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    sandbox.faults.set("webhook-reordered:times=2")
    recipients = send(api, 4)
    assert told(endpoint, 4) == [*recipients[2:], recipients[1], recipients[0]]


def test_a_sandbox_with_events_to_come_stops_at_once(endpoint: Endpoint) -> None:
    faults = ["webhook-late:seconds=3600,times=1", "paused:seconds=3600,share=0.5"]
    with Sandbox(webhook_url=endpoint.url, faults=faults) as sandbox:
        raw(sandbox, [letter()] * 10)
        while not sandbox.faults.struck["webhook-late"]:
            time.sleep(0.001)
        assert sandbox.held
        started = time.perf_counter()
        sandbox.close()
        assert time.perf_counter() - started < 3
