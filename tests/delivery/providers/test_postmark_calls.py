"""One call to Postmark: what is sent with it, on which connection, and what is said when it goes wrong."""

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from newsletter.delivery import postmark_client
from newsletter.delivery.postmark_client import AnswerLost, Clients, ErrorAnswer, NotReached, StrictClient
from tests.delivery.providers.carriers import closed_port
from tests.delivery.providers.scripted import Request, ScriptedPostmark

TOKEN = "hunter2-s3cret"


class Server:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.lines: list[int] = []
        self.reply: Callable[[Request], None] = lambda request: request.answer(200, {"ok": True})
        self._server = ScriptedPostmark(self._answer, other=self._answer)
        self.url = self._server.url
        self.seen = self._server.seen
        self.close = self._server.__exit__

    def _answer(self, request: Request) -> None:
        self.headers.append(dict(request.headers))
        self.bodies.append(request.body)
        self.lines.append(request.client_address[1])
        self.reply(request)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server: Server) -> Iterator[StrictClient]:
    made = StrictClient(TOKEN, server.url, 5)
    yield made
    made.session.close()


def test_a_call_with_data_is_json_in_utf_8_and_names_its_token(server: Server, client: StrictClient) -> None:
    assert client.call("POST", "/email", data={"Привет": "ß"}) == {"ok": True}
    headers = server.headers[0]
    assert headers["X-Postmark-Server-Token"] == TOKEN
    assert (headers["Accept"], headers["Content-Type"]) == ("application/json", "application/json")
    assert headers["User-Agent"].startswith("Postmarker/")
    assert server.bodies == [{"Привет": "ß"}]
    assert server.seen == [("POST", "/email", len('{"Привет":"ß"}'.encode()))]


def test_a_call_without_data_has_no_body_and_asks_by_its_query(server: Server, client: StrictClient) -> None:
    client.call("GET", "/messages/outbound", count=5, tag="a b&c")
    assert server.seen == [("GET", "/messages/outbound?count=5&tag=a+b%26c", 0)]
    assert "Content-Type" not in server.headers[0]


def test_calls_share_a_connection_until_it_has_rested_too_long(
    server: Server, client: StrictClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        client.call("GET", "/email")
    assert len(set(server.lines)) == 1
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 21)
    client.call("GET", "/email")
    client.call("GET", "/email")
    assert len(set(server.lines)) == 2


def test_neither_the_environment_nor_a_redirect_leads_anywhere_else(
    server: Server, client: StrictClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    server.reply = lambda request: request.answer(302, {}, Location=f"{server.url}elsewhere")
    with pytest.raises(AnswerLost, match="redirect"):  # whoever says so may have passed the request on
        client.call("POST", "/email", data={})
    assert [path for _, path, _ in server.seen] == ["/email"]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_every_status_of_the_two_hundreds_brings_its_json(server: Server, client: StrictClient, status: int) -> None:
    server.reply = lambda request: request.answer(status, [1, {"a": None}])
    assert client.call("GET", "/email") == [1, {"a": None}]


def test_what_is_no_json_is_an_answer_that_was_lost(server: Server, client: StrictClient) -> None:
    server.reply = lambda request: request.answer(202, b"<html>", "text/html")
    with pytest.raises(AnswerLost, match=r"^HTTP 202 with an answer that is not JSON$"):
        client.call("POST", "/email", data={})


@pytest.mark.parametrize(
    ("status", "content", "code", "message"),
    [
        (422, {"ErrorCode": 300, "Message": "no"}, 300, "no"),
        (422, {"ErrorCode": 0, "message": "small"}, 0, "small"),
        (422, {"ErrorCode": "300", "Message": "no"}, None, "no"),
        (422, {"ErrorCode": True, "Message": ""}, None, "Unprocessable Entity"),
        (401, {"Message": f"who is\n {TOKEN}?"}, None, "who is [token]?"),
        (500, {"Message": ["no"], "message": "yes"}, None, "yes"),
        (500, b"<html>", None, "Internal Server Error"),
        (500, [1], None, "Internal Server Error"),
        (300, b"", None, "Multiple Choices"),
    ],
)
def test_an_error_brings_its_status_its_code_and_its_words(
    server: Server, client: StrictClient, status: int, content: object, code: int | None, message: str
) -> None:
    server.reply = lambda request: request.answer(status, content)
    with pytest.raises(ErrorAnswer) as caught:
        client.call("POST", "/email", data={})
    error = caught.value
    assert (error.status, error.code, error.message) == (status, code, message)
    assert str(error) == f"HTTP {status}{'' if code is None else f', code {code}'}: {message}"
    assert error.retry_after == ""
    assert error.date.endswith("GMT")


def test_an_error_brings_what_was_said_of_coming_again(server: Server, client: StrictClient) -> None:
    server.reply = lambda request: request.answer(429, {}, **{"Retry-After": "17"})
    with pytest.raises(ErrorAnswer) as caught:
        client.call("POST", "/email", data={})
    assert caught.value.retry_after == "17"


def test_an_error_without_words_says_so() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        line, _ = listener.accept()
        line.recv(65536)
        line.sendall(b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n")
        line.close()

    thread = threading.Thread(target=answer)
    thread.start()
    client = StrictClient(TOKEN, f"http://127.0.0.1:{listener.getsockname()[1]}/", 5)
    with pytest.raises(ErrorAnswer) as caught:
        client.call("GET", "/email")
    thread.join()
    listener.close()
    client.session.close()
    assert str(caught.value) == "HTTP 500: no reason given"
    assert (caught.value.retry_after, caught.value.date) == ("", "")


def test_a_line_cut_is_an_answer_that_was_lost_in_words_without_addresses(server: Server, client: StrictClient) -> None:
    def hang_up(request: Request) -> None:
        request.close_connection = True

    server.reply = hang_up
    with pytest.raises(AnswerLost) as caught:
        client.call("POST", "/email", data={})
    assert str(caught.value) == "ConnectionError: Remote end closed connection without response"


def test_an_answer_that_takes_too_long_in_all_is_lost_and_says_how_long(server: Server) -> None:
    late = threading.Event()

    def dawdle(request: Request) -> None:
        late.wait(5)
        request.close_connection = True

    server.reply = dawdle
    client = StrictClient(TOKEN, server.url, 0.2)
    with pytest.raises(AnswerLost, match=r"^(the answer took longer than 0\.2 s|ReadTimeout: .*)$"):
        client.call("POST", "/email", data={})
    late.set()
    client.session.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:{closed}/", "^ConnectionError: .*Connection refused$"),
        ("nonsense://127.0.0.1/", "^InvalidSchema: "),
        ("127.0.0.1", "^MissingSchema: "),
        ("http:///", "^InvalidURL: "),
    ],
)
def test_what_was_never_connected_was_not_reached(url: str, words: str) -> None:
    client = StrictClient(TOKEN, url.format(closed=closed_port()), 2)
    with pytest.raises(NotReached, match=words):
        client.call("POST", "/email", data={})


def test_tls_against_a_server_without_it_was_not_reached(server: Server) -> None:
    client = StrictClient(TOKEN, server.url.replace("http:", "https:"), 2)
    with pytest.raises(NotReached):
        client.call("POST", "/email", data={})
    client.session.close()


def test_a_token_that_no_header_takes_was_not_reached(server: Server) -> None:
    client = StrictClient("a\nb", server.url, 2)
    with pytest.raises(NotReached, match=r"^InvalidHeader: "):
        client.call("POST", "/email", data={})


def test_an_answer_may_be_as_long_as_is_kept_and_no_longer(
    server: Server, client: StrictClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmark_client, "LONGEST_ANSWER", 200_000)
    server.reply = lambda request: request.answer(200, b'"' + b"x" * 199_998 + b'"')
    assert client.call("GET", "/email") == "x" * 199_998
    server.reply = lambda request: request.answer(200, b'"' + b"x" * 199_999 + b'"')
    with pytest.raises(AnswerLost, match=r"^RequestException: more than 0 MB of an answer$"):
        client.call("GET", "/email")
    assert postmark_client.LONGEST_ANSWER >> 10 == 195


@pytest.mark.parametrize("token", ["", "a b", "é", "a\n", "a\x00"])
def test_a_token_that_can_be_none_is_refused_in_words(token: str) -> None:
    with pytest.raises(ValueError, match=r"^the Postmark server token is empty or holds characters that no token has$"):
        Clients(token, "http://127.0.0.1/", 5)


def test_each_thread_has_one_client_of_its_own_which_ends_with_it() -> None:
    clients = Clients(TOKEN, "http://127.0.0.1/", 7)
    mine = clients.mine()
    assert clients.mine() is mine
    assert (mine.server_token, mine.root_api_url, mine.timeout) == (TOKEN, "http://127.0.0.1/", (7, 7))
    theirs: list[int] = []
    thread = threading.Thread(target=lambda: theirs.extend((id(clients.mine()), id(clients.mine()))))
    thread.start()
    thread.join()
    assert theirs[0] == theirs[1] != id(mine)
    del thread
    gc.collect()
    assert list(clients._all) == [mine]


def test_a_connection_is_waited_for_ten_seconds_at_most() -> None:
    assert StrictClient(TOKEN, "http://127.0.0.1/", 60).timeout == (10, 60)


def test_closing_closes_every_threads_connections(server: Server) -> None:
    clients = Clients(TOKEN, server.url, 5)
    clients.mine().call("GET", "/email")
    clients.close()
    clients.mine().call("GET", "/email")
    assert len(set(server.lines)) == 2
    clients.close()
    clients.close()


def test_the_innermost_trouble_is_found_through_arguments_and_reasons_once() -> None:
    inner = OSError("inner")
    middle = requests.RequestException("middle", inner)
    outer = requests.ConnectionError(middle, middle)
    outer.reason = inner  # type: ignore[attr-defined]
    assert postmark_client._wrapped(outer) == [outer, middle, inner]
