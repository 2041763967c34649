"""Starting and stopping."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter


def test_it_listens_on_loopback_with_the_token_it_was_given() -> None:
    with Sandbox(token="secret") as sandbox, requests.Session() as session:
        assert urlsplit(sandbox.url).hostname == "127.0.0.1"
        assert sandbox.url.endswith("/")
        Api(sandbox.url, "secret", session).post("/email", letter())
        assert Api(sandbox.url, "sandbox-token", session).call("POST", "/email", letter()).status_code == 401
        assert [message.recipients for message in sandbox.messages] == [("ada@example.com",)]


def test_it_stops_at_once_and_leaves_nothing_running() -> None:
    before = threading.active_count()
    sandbox = Sandbox(webhook_url="http://127.0.0.1:9/")
    port = urlsplit(sandbox.url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n")
        started = time.perf_counter()
        sandbox.close()
        assert time.perf_counter() - started < 5
    sandbox.close()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with Sandbox(port) as again:
        assert urlsplit(again.url).port == port


def test_a_port_in_use_is_named() -> None:
    with Sandbox() as sandbox:
        port = urlsplit(sandbox.url).port
        assert port is not None
        with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 is in use"):
            Sandbox(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_then_ends_cleanly(number: signal.Signals) -> None:
    program = (
        "from newsletter.sandbox.server import serve; serve(0, on_ready=lambda sandbox: print(sandbox.url, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert requests.get(url, timeout=10).status_code == 200
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_it_imports_nothing_else_of_the_project() -> None:
    program = "import sys, newsletter.sandbox.server; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    ours = [name for name in names if name.split(".")[0] in ("newsletter", "subscribers") and name != "newsletter"]
    assert ours
    assert all(name.startswith("newsletter.sandbox") for name in ours)
