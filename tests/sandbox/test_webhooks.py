"""What an endpoint is told."""

import base64
import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter

HARD = "HardBounce@bounce-testing.postmarkapp.com"


class Endpoint:
    """Takes webhooks and keeps what it was told, with the headers; `answer` is the status it gives."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[dict[str, Any], dict[str, str]]] = queue.Queue()
        self.answer = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.told.put((body, dict(self.headers)))
                self.send_response(endpoint.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name upstream
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://postmark:secret@127.0.0.1:{self._server.server_port}/webhooks/postmark"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def next(self) -> dict[str, Any]:
        return self.told.get(timeout=5)[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture(scope="module")
def sandbox(endpoint: Endpoint) -> Iterator[Sandbox]:
    with Sandbox(webhook_url=endpoint.url) as running:
        yield running


def test_an_accepted_message_is_delivered(api: Api, endpoint: Endpoint) -> None:
    sent = api.post("/email", letter(Tag="w47", Metadata={"b": "1"}, MessageStream="broadcast"))
    event, headers = endpoint.told.get(timeout=5)
    assert list(event) == [
        "RecordType",
        "MessageStream",
        "ServerID",
        "MessageID",
        "Recipient",
        "Tag",
        "DeliveredAt",
        "Details",
        "Metadata",
    ]
    assert (event["RecordType"], event["MessageStream"], event["MessageID"]) == (
        "Delivery",
        "broadcast",
        sent["MessageID"],
    )
    assert (event["Recipient"], event["Tag"], event["Metadata"]) == ("ada@example.com", "w47", {"b": "1"})
    assert event["DeliveredAt"].endswith("Z")
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"postmark:secret").decode()
    assert headers["X-PM-Webhook-Trace-Id"]


def test_a_hard_bounce_is_told_and_then_the_suppression(api: Api, endpoint: Endpoint) -> None:
    sent = api.post("/email", letter(To=HARD, Tag="w47", Metadata={"b": "1"}))
    bounce, change = endpoint.next(), endpoint.next()
    assert (bounce["RecordType"], bounce["Type"], bounce["TypeCode"], bounce["Inactive"]) == (
        "Bounce",
        "HardBounce",
        1,
        True,
    )
    assert (bounce["Email"], bounce["MessageID"], bounce["Subject"]) == (HARD.lower(), sent["MessageID"], "Hello")
    assert isinstance(bounce["ID"], int)
    assert change == {
        "RecordType": "SubscriptionChange",
        "MessageID": sent["MessageID"],
        "ServerID": bounce["ServerID"],
        "MessageStream": "outbound",
        "ChangedAt": change["ChangedAt"],
        "Recipient": HARD.lower(),
        "Origin": "Recipient",
        "SuppressSending": True,
        "SuppressionReason": "HardBounce",
        "Tag": "w47",
        "Metadata": {"b": "1"},
    }


def test_only_a_change_of_a_suppression_is_told(api: Api, endpoint: Endpoint) -> None:
    path = "/message-streams/broadcast/suppressions"
    entries = {"Suppressions": [{"EmailAddress": "off@example.com"}]}
    for step in (path, path, f"{path}/delete", f"{path}/delete"):
        api.post(step, entries)
    on, off = endpoint.next(), endpoint.next()
    assert (on["SuppressSending"], on["SuppressionReason"], on["Origin"]) == (True, "ManualSuppression", "Customer")
    assert (off["SuppressSending"], off["SuppressionReason"], off["Recipient"]) == (False, None, "off@example.com")
    assert (
        (on["MessageID"], on["Tag"], on["Metadata"])
        == (off["MessageID"], off["Tag"], off["Metadata"])
        == (None, None, {})
    )


def test_the_black_hole_tells_nothing_and_a_soft_bounce_does_not_suppress(api: Api, endpoint: Endpoint) -> None:
    api.post(
        "/email/batch",
        [letter(To="test@blackhole.postmarkapp.com"), letter(To="SoftBounce@bounce-testing.postmarkapp.com"), letter()],
    )
    bounce = endpoint.next()
    assert (bounce["Type"], bounce["Inactive"]) == ("SoftBounce", False)
    assert endpoint.next()["RecordType"] == "Delivery"
    assert endpoint.told.empty()


def test_an_endpoint_that_refuses_is_not_told_again(
    api: Api, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.answer = 503
    api.post("/email", letter())
    endpoint.next()
    endpoint.answer = 200
    api.post("/email", letter(To="next@example.com"))
    assert endpoint.next()["Recipient"] == "next@example.com"
    assert "the webhook answered 503 to a Delivery" in caplog.text
    assert "secret" not in caplog.text


def test_an_endpoint_that_is_away_delays_nothing(caplog: pytest.LogCaptureFixture) -> None:
    url = "http://postmark:secret@127.0.0.1:9/"
    with Sandbox(webhook_url=url) as sandbox, requests.Session() as session:
        started = time.perf_counter()
        Api(sandbox.url, sandbox.token, session).post("/email/batch", [letter()] * 500)
        assert time.perf_counter() - started < 5
    assert "secret" not in caplog.text
