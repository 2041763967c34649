"""Asking whether links answer: what is told of each, and that nobody is led inside, however an address is written."""

import ast
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from newsletter.guarded import LONGEST, is_public
from newsletter.reachable import DEAD, MOVED, OK, REFUSED, UNSAFE, UNSURE, Answer, Checker
from tests.delivery.providers.certificate import OwnCertificate, own_certificate

AGENT = "newsletter-link-check/1 (+https://verdicts.example.com)"
Script = Callable[[str, str, socket.socket], bytes]
"""(method, path, connection) -> what is answered."""


def said(status: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", body]).encode()


class Elsewhere:
    """Somebody else's server on loopback. It keeps what it was asked, head by head."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self._script = script
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with suppress(OSError), line, self._tls.wrap_socket(line, server_side=True) if self._tls else line as talk:
            head = b""
            while b"\r\n\r\n" not in head and (some := talk.recv(4096)):
                head += some
            self.asked.append(head.decode())
            method, path, _ = head.decode().split(" ", 2)
            talk.sendall(self._script(method, path, talk))

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Elsewhere]]:
    with ExitStack() as stack:

        def serve(script: Script, tls: ssl.SSLContext | None = None) -> Elsewhere:
            server = Elsewhere(script, tls)
            stack.callback(server.close)
            return server

        yield serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> OwnCertificate:
    return own_certificate(tmp_path_factory.mktemp("tls"))


def checker(*servers: Elsewhere, **given: object) -> Checker:
    """One to which these servers are the public internet, whatever name they are asked by."""
    also = {("127.0.0.1", server.port) for server in servers}
    return Checker(AGENT, **{"resolve": lambda *_: ["127.0.0.1"], "also": also, **given})  # type: ignore[arg-type]


def trusting(certificate: OwnCertificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate.path))


PAGES = {
    "/there": said("200 OK"),
    "/moved": said("301 Moved", "Location: /there"),
    "/gone": said("404 Not Found"),
    "/people": said("403 Forbidden"),
    "/loop": said("302 Found", "Location: /loop"),
    "/nonsense": b"good morning\r\n\r\n",
}


def test_what_is_told_of_an_address(elsewhere: Callable[..., Elsewhere], certificate: OwnCertificate) -> None:
    def script(method: str, path: str, _: socket.socket) -> bytes:
        if path == "/get-only":
            return said("200 OK", body="x" * 5000) if method == "GET" else said("405 Method Not Allowed")
        return PAGES[path]

    server = elsewhere(script, certificate.context)
    at = f"https://localhost:{server.port}"
    told = checker(server, trust=trusting(certificate)).check(
        [f"{at}{path}" for path in ("/there", "/get-only", "/moved", "/gone", "/people", "/loop", "/nonsense")]
    )
    assert told == [
        Answer(f"{at}/there", OK),
        Answer(f"{at}/get-only", OK),
        Answer(f"{at}/moved", MOVED, "", f"{at}/there"),
        Answer(f"{at}/gone", DEAD, "HTTP 404"),
        Answer(f"{at}/people", UNSURE, "HTTP 403"),
        Answer(f"{at}/loop", DEAD, "more than 5 redirects"),
        Answer(f"{at}/nonsense", DEAD, "what it answers is no HTTP"),
    ]
    (stranger,) = checker(server).check([f"{at}/there"])
    assert (stranger.verdict, stranger.why.partition(":")[0]) == (DEAD, "its certificate is not to be trusted")
    plain = elsewhere(lambda *_: said("200 OK"))
    (unsafe,) = checker(plain).check([f"http://plain.example:{plain.port}/"])
    assert unsafe.verdict == UNSAFE


def test_nothing_but_the_question_is_sent(elsewhere: Callable[..., Elsewhere], monkeypatch: pytest.MonkeyPatch) -> None:
    def script(_: str, path: str, __: socket.socket) -> bytes:
        return said("200 OK") if path == "/b" else said("302 Found", "Set-Cookie: who=you", "Location: /b")

    server = elsewhere(script)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (answer,) = checker(server).check([f"http://elsewhere.example:{server.port}/a?q=ä#part"])
    assert answer.leads_to == f"http://elsewhere.example:{server.port}/b"
    heads = [head.split("\r\n") for head in server.asked]
    assert [head[0] for head in heads] == ["HEAD /a?q=%C3%A4 HTTP/1.1", "HEAD /b HTTP/1.1"]
    for head in heads:
        assert {line.partition(":")[0] for line in head[1:] if line} == {
            "Host",
            "User-Agent",
            "Accept",
            "Accept-Encoding",
            "Connection",
        }
        assert f"Host: elsewhere.example:{server.port}" in head
        assert f"User-Agent: {AGENT}" in head


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "168.63.129.16",
        ),
        *("192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
        *(
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "fe80::1",
            "fe80::1%1",
            "fc00::1",
            "ff02::1",
        ),
        *("fec0::1", "2002:7f00:1::", "2001::1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
        *("2001:db8::1", "3fff::1", "localhost", ""),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_known_in_every_dress(address: str) -> None:
    assert not is_public(address)


def test_what_is_public_may_be_asked() -> None:
    assert all(map(is_public, ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808")))


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "https://[::1]/", "http://2130706433/", "http://0x7f.1/"),
        *("http://0177.0.0.1/", "http://127.1/", "http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/meta-data/"),
        *(
            "http://[fe80::1%25lo]/",
            "http://127.0.0.1:8025/",
            "https://93.184.216.34:22/",
            "http://93.184.216.34:8080/",
        ),
        *("file:///etc/passwd", "ftp://93.184.216.34/", "gopher://93.184.216.34/", "javascript:alert(1)", "//x", ""),
        *("https://me:secret@93.184.216.34/", "https://93.184.216.34@127.0.0.1/", "https://93.184.216.34/\r\nX: y"),
        *("https://93.184.216.34\\@127.0.0.1/", "https://[93.184.216.34/", "https://a b.example/", "https:///x"),
        "https://93.184.216.34/" + "x" * 3000,
    ],
)
def test_what_we_may_not_ask_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *given, **_: tried.append(given))
    (answer,) = Checker(AGENT).check([url])
    assert (answer.verdict, bool(answer.why), tried) == (REFUSED, True, [])


@pytest.mark.parametrize(
    "location",
    [
        *(
            "http://169.254.169.254/latest/",
            "//127.0.0.1/",
            "http://[::1]/",
            "file:///etc/passwd",
            "javascript:alert(1)",
        ),
        "http://name:password@localhost/",
    ],
)
def test_a_redirect_leads_nobody_inside(elsewhere: Callable[..., Elsewhere], location: str) -> None:
    server = elsewhere(lambda *_: said("302 Found", f"Location: {location}"))

    def resolve(host: str, _: int) -> list[str]:
        return ["127.0.0.1"] if host == "outside.example" else [host.strip("[]").replace("localhost", "127.0.0.1")]

    (answer,) = checker(server, resolve=resolve).check([f"http://outside.example:{server.port}/"])
    assert answer.verdict == REFUSED
    assert len(server.asked) == 1


def test_of_a_redirect_without_an_end_little_is_kept(elsewhere: Callable[..., Elsewhere]) -> None:
    server = elsewhere(lambda *_: said("302 Found", f"Location: https://evil.example/{'x' * 60_000}"))
    (answer,) = checker(server).check([f"http://outside.example:{server.port}/"])
    assert answer.verdict == REFUSED
    assert answer.leads_to.startswith("https://evil.example/x")
    assert len(answer.leads_to) == LONGEST


def test_a_name_that_means_something_else_a_moment_later_changes_nothing(
    elsewhere: Callable[..., Elsewhere], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the connection goes to the very address that was looked at, and no name is looked up by itself."""
    server = elsewhere(lambda *_: said("200 OK"))
    meanings = iter([["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "10.0.0.1"]])
    looked_up: list[str] = []

    def resolve(host: str, _: int) -> Sequence[str]:
        looked_up.append(host)
        return next(meanings)

    asked = checker(server, resolve=resolve)
    url = f"http://two-faced.example:{server.port}/"
    connected: list[object] = []
    connect = socket.create_connection

    def connecting(to: object, *given: Any, **more: Any) -> Any:
        connected.append(to)
        return connect(to, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", connecting)
    assert asked.check([url])[0].verdict == UNSAFE
    assert (looked_up, connected) == (["two-faced.example"], [("127.0.0.1", server.port)])
    assert [asked.check([url])[0].verdict for _ in range(2)] == [REFUSED, REFUSED]
    assert len(connected) == 1


def test_who_answers_slowly_or_for_ever_is_left_alone(elsewhere: Callable[..., Elsewhere]) -> None:
    sent: Counter[str] = Counter()
    cut = threading.Event()

    def drip(method: str, path: str, line: socket.socket) -> bytes:
        try:
            if path == "/bomb" and method == "HEAD":
                return said("405 No")
            piece = b"x" * 65536 if path == "/bomb" else b"X-Drip: 1\r\n"
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + (b"\r\n" if path == "/bomb" else b""))
            while not cut.wait(0 if path == "/bomb" else 0.02):
                line.sendall(piece)
                sent[path] += len(piece)
        except OSError:
            sent[f"{path} cut"] += 1
        return b""

    server = elsewhere(drip)
    at = f"http://slow.example:{server.port}"
    slow, bomb = checker(server, timeout=0.4).check([f"{at}/drip", f"{at}/bomb"])
    assert (slow.verdict, slow.why) == (DEAD, "no answer in time")
    assert bomb.verdict == UNSAFE  # it answers, and of its body hardly anything was read
    assert sent["/bomb"] < 20 * 2**20
    silent = elsewhere(lambda *_: said("200 OK") if cut.wait(10) else b"")
    late = checker(silent, total=0.3, timeout=9).check([f"http://{n}.example:{silent.port}/" for n in range(6)])
    assert {each.verdict for each in late} <= {UNSURE, DEAD}
    assert len(late) == 6
    cut.set()


def test_at_most_four_are_asked_at_once_and_a_host_one_question_at_a_time(
    elsewhere: Callable[..., Elsewhere],
) -> None:
    here, most = Counter[str](), Counter[str]()
    lock, four = threading.Lock(), threading.Barrier(4)

    def script(_: str, path: str, __: socket.socket) -> bytes:
        name = path.strip("/")
        with lock:
            for key in (name, "all"):
                here[key] += 1
                most[key] = max(most[key], here[key])
        if name == "many":
            four.wait(10)  # so that four are there at once, or the test fails
        with lock:
            here.subtract((name, "all"))
        return said("200 OK")

    server = elsewhere(script)
    at = server.port
    checker(server).check([f"http://h{n}.example:{at}/many" for n in range(8)])
    checker(server).check([f"http://one.example:{at}/one?{n}" for n in range(6)] + [f"http://one.example:{at}/one"])
    assert (most["all"], most["many"], most["one"], most["one?0"]) == (4, 4, 1, 1)
    assert len(server.asked) == 15


def test_the_guard_has_no_switch_that_a_setting_could_open() -> None:
    """The program makes its checkers of a name for itself and nothing else."""
    folder = Path(__file__).parents[1] / "newsletter"
    calls = [
        node
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Checker"
    ]
    assert calls
    assert [(call.args, [each.arg for each in call.keywords]) for call in calls] == [([], ["agent"])] * len(calls)
    assert Checker(AGENT).also == ()
