"""An HTTP server on loopback that stores templates, and answers batches as a script says."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Script = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `body` is its JSON."""

    protocol_version = "HTTP/1.1"
    body: Any

    def answer(self, status: int, content: object, kind: str = "application/json", **headers: str) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", headers.pop("length", str(len(raw))))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def messages(self) -> list[Any]:
        found = self.body["Messages"] if isinstance(self.body, dict) else self.body
        assert isinstance(found, list)
        return found

    def accept(self) -> list[dict[str, Any]]:
        return [
            {"To": one["To"], "MessageID": f"id-{one['Metadata']['row']}", "ErrorCode": 0} for one in self.messages()
        ]

    def handle_any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.body = json.loads(raw) if raw else None
        scripted = self.server
        assert isinstance(scripted, _Server)
        scripted.script.seen.append((self.command, self.path, len(raw)))
        scripted.script.handle(self)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    script: "ScriptedPostmark"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that has hung up


class ScriptedPostmark:
    """`batch` answers POST /email/batch…, `templates` everything about templates, `other` the rest."""

    def __init__(self, batch: Script, templates: Script | None = None, other: Script | None = None) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self._batch = batch
        self._templates = templates or (lambda request: request.answer(200, {"TemplateId": 1}))
        self._other = other
        self._server = _Server(("127.0.0.1", 0), Request)
        self._server.script = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def handle(self, request: Request) -> None:
        if request.path.startswith("/email/batch"):
            self._batch(request)
        elif request.path.startswith("/templates"):
            self._templates(request)
        else:
            assert self._other is not None
            self._other(request)

    @property
    def posts(self) -> int:
        """How many times messages were posted."""
        return sum(method == "POST" and path.startswith("/email/batch") for method, path, _ in self.seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def drop(request: Request) -> None:
    request.close_connection = True


def stall(request: Request) -> None:
    time.sleep(0.6)
    request.close_connection = True
