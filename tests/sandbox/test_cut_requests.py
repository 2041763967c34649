"""A client that dies in the midst of its request leaves no trace in the sandbox, neither a message nor a traceback."""

import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from newsletter.sandbox.server import Sandbox


@pytest.mark.parametrize("fault", [None, "accept-then-drop"])
def test_half_a_request_is_taken_by_nobody(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: str | None
) -> None:
    if fault:
        sandbox.faults.set(fault)
    head = (
        "POST /email/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nX-Postmark-Server-Token: {sandbox.token}\r\nContent-Length: 5000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0)) as line:
        line.sendall(head.encode() + b'[{"From": "a@example.com"')
        time.sleep(0.05)  # so that it is being read

    calls = requests.get(f"{sandbox.url}wire.json", timeout=5).json()  # asked after it, and so answered after it
    time.sleep(0.05)

    assert sandbox.messages == []
    assert calls["requests"] == 0
    assert sandbox.faults.struck.total() == 0
    assert not [record for record in caplog.records if record.exc_info or "Exception" in record.getMessage()]
