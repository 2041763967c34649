"""A line to the provider that breaks where a test wants it to: real HTTP, real sockets, on loopback.

It stands between a sender and the sandbox. For each POST of messages a test may say what happens: the answer is lost
after the sandbox took the batch (LOSE_ANSWER), or the batch never arrives (LOSE_REQUEST). It can also be slow, and tell
a test when a POST has come in and when the sandbox has taken it, so that the test can kill the sender just then.
"""

import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import requests

LOSE_ANSWER = "lose the answer"
LOSE_REQUEST = "lose the request"

ARRIVED = "arrived"
TAKEN = "taken"

Watch = Callable[[str, str], None]
"""(path, ARRIVED or TAKEN) of a POST."""


class FaultyLine:
    """A proxy to `target`; also a context manager. `faults` are taken by the POSTs of messages in their order.

    `delay`: most seconds that a POST takes before it is handed on, and again before its answer is.
    """

    def __init__(
        self, target: str, *faults: str | None, delay: float = 0, watch: Watch = lambda path, moment: None
    ) -> None:
        self._target = target
        self._faults = list(faults)
        self._lock = threading.Lock()
        self.posts = 0
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._forward(line._ask("GET", self))

            def do_POST(self) -> None:
                fault = line._next_fault(self.path)
                watch(self.path, ARRIVED)
                time.sleep(delay * random.random())
                if fault == LOSE_REQUEST:
                    self.rfile.read(int(self.headers["Content-Length"]))
                answer = None if fault == LOSE_REQUEST else line._ask("POST", self)
                watch(self.path, TAKEN)
                time.sleep(delay * random.random())
                if fault:
                    self.close_connection = True
                    self.connection.close()
                elif answer is not None:
                    self._forward(answer)

            def _forward(self, answer: requests.Response) -> None:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a cut line is what we are here for
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next_fault(self, path: str) -> str | None:
        if not path.startswith("/email/batch"):
            return None
        with self._lock:
            self.posts += 1
            return self._faults.pop(0) if self._faults else None

    def _ask(self, method: str, request: BaseHTTPRequestHandler) -> requests.Response:
        length = int(request.headers.get("Content-Length") or 0)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        url = self._target + request.path.lstrip("/")
        return requests.request(method, url, data=request.rfile.read(length), headers=headers, timeout=30)
