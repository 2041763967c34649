"""RFC 8058 by hand: bytes on a socket, as the servers of mailbox providers send them."""

import socket
from collections.abc import Iterator

import pytest

from newsletter.assembly import Assembly
from newsletter.web.app import create_app
from subscribers.subscriber import ACTIVE, UNSUBSCRIBED
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES, Tokens
from tests.web.serving import serving
from tests.web.world import NOW, a_reader, everything, status_of, way_out

BODY = b"List-Unsubscribe=One-Click"
FORM = b"Content-Type: application/x-www-form-urlencoded"
PARTS = b'--b0undary\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b0undary--\r\n'
BOT = b"User-Agent: Mozilla/5.0 (compatible; SomeBot/1.0; +https://bot.example)"
VARIANTS = {
    "urlencoded": ((FORM,), BODY),
    "with a charset": ((FORM + b"; charset=utf-8",), BODY),
    "multipart": ((b"Content-Type: multipart/form-data; boundary=b0undary",), PARTS),
    "empty body": ((FORM,), b""),
    "no content type": ((), BODY),
    "empty user agent": ((FORM, b"User-Agent:"), BODY),
    "a bot's user agent": ((FORM, BOT), BODY),
    "upper case": ((FORM.upper(),), BODY.upper()),
    "lower case": ((FORM.lower(),), BODY.lower()),
    "a cookie of somebody's": ((FORM, b"Cookie: session=1"), BODY),
    "another site's": ((FORM, b"Origin: https://mail.example", b"Sec-Fetch-Site: cross-site"), BODY),
    "through a proxy": ((FORM, b"X-Forwarded-For: 203.0.113.9", b"Via: 1.1 proxy.example"), BODY),
    "a body that says something else": ((FORM,), b"List-Unsubscribe=Something"),
}
"""Headers beside Host and Content-Length, and the body."""


@pytest.fixture
def port(assembly: Assembly) -> Iterator[int]:
    with serving(create_app(assembly, clock=lambda: NOW)) as port:
        yield port


def talk(port: int, *lines: bytes, body: bytes = b"") -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Say this on a connection of its own: (status line, headers, body) of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\r\n".join([*lines, b"", body]))
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, {name.lower(): value for name, value in (line.split(b": ", 1) for line in headers)}, rest


def post(port: int, path: str, headers: tuple[bytes, ...], body: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    start = f"POST {path} HTTP/1.1".encode()
    length = b"Content-Length: %d" % len(body)
    return talk(port, start, b"Host: verdicts.example.com", b"Connection: close", length, *headers, body=body)


def assert_done(answer: tuple[bytes, dict[bytes, bytes], bytes]) -> None:
    status, headers, body = answer
    assert status.split()[1] == b"200"
    assert b"location" not in headers
    assert b"set-cookie" not in headers
    assert b"You are unsubscribed" in body


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_post_takes_the_reader_off_the_list(assembly: Assembly, port: int, variant: str) -> None:
    reader = a_reader(assembly)
    headers, body = VARIANTS[variant]
    assert_done(post(port, way_out(assembly, reader), headers, body))
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_an_old_client_needs_neither_host_nor_length(assembly: Assembly, port: int) -> None:
    reader = a_reader(assembly)
    assert_done(talk(port, f"POST {way_out(assembly, reader)} HTTP/1.0".encode()))
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_a_body_in_chunks_will_do(assembly: Assembly, port: int) -> None:
    reader = a_reader(assembly)
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    start = f"POST {way_out(assembly, reader)} HTTP/1.1".encode()
    lines = (start, b"Host: x", b"Connection: close", b"Transfer-Encoding: chunked", FORM)
    assert_done(talk(port, *lines, body=chunk))
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_the_answer_comes_before_a_body_that_never_does(assembly: Assembly, port: int) -> None:
    reader = a_reader(assembly)
    start = f"POST {way_out(assembly, reader)} HTTP/1.1".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"\r\n".join([start, b"Host: x", b"Content-Length: 26", FORM, b"", b""]))
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    assert status_of(assembly, reader) == UNSUBSCRIBED


def test_tokens_that_are_not_for_this_change_nothing(assembly: Assembly, port: int) -> None:
    reader = a_reader(assembly)
    good = way_out(assembly, reader).removeprefix("/unsubscribe/")
    number, signature = good.split(".")
    passing = [assembly.tokens.make_passing(purpose, reader, NOW) for purpose in (CONFIRM, PREFERENCES, ADDRESS)]
    forged = Tokens(["somebody else's key"]).make("unsubscribe", reader)
    before = everything(assembly)
    for token in (*passing, forged, good[:-1], good[:-8], number, f"{number}.", f"zz.{signature}", good.swapcase(), ""):
        status, headers, _ = post(port, f"/unsubscribe/{token}", (FORM,), BODY)
        assert status.split()[1] == b"404"
        assert b"location" not in headers
    assert everything(assembly) == before
    assert status_of(assembly, reader) == ACTIVE
