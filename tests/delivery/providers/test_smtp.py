"""SMTP: when a message is not sent, refused, taken, or in doubt."""

import asyncio
import socket
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from newsletter.delivery.smtp import SmtpProvider, read_url
from newsletter.message import Recipient
from tests.delivery.providers.certificate import own_certificate
from tests.delivery.providers.hostile import HostileSmtp
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.smtp_server import SmtpServer, cut


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def send(server: SmtpServer, readers: list[Recipient], timeout: float = 2.0) -> list[Outcome]:
    return SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout).send(LETTER, ENVELOPE, readers, new_batch())


def kinds(outcomes: list[Outcome]) -> list[type[Outcome]]:
    return [type(outcome) for outcome in outcomes]


async def hang_up(server: SMTP) -> str:
    cut(server)
    return "421 gone"


async def say_nothing(_server: SMTP) -> str:
    await asyncio.sleep(30)
    return "250 too late"


def test_a_batch_takes_one_connection_and_the_id_comes_from_the_row(server: SmtpServer) -> None:
    readers = [reader(number) for number in range(5)]
    outcomes = send(server, readers)
    assert outcomes == [Accepted(f"<{one.row}@example.com>") for one in readers]
    assert server.connections == 1


@pytest.mark.parametrize(("answer", "passing"), [("550 5.1.1 no such user", False), ("451 4.3.0 later", True)])
def test_a_refused_reader_is_refused_alone(server: SmtpServer, answer: str, passing: bool) -> None:
    readers = [reader(number) for number in range(3)]
    server.on_rcpt[readers[1].email] = answer
    outcomes = send(server, readers)
    assert kinds(outcomes) == [Accepted, Refused, Accepted]
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].passing is passing
    assert answer[4:] in outcomes[1].reason
    assert server.connections == 1


@pytest.mark.parametrize(("answer", "passing"), [("554 5.7.1 spam", False), ("452 4.3.1 disk full", True)])
def test_refused_content_is_refused(server: SmtpServer, answer: str, passing: bool) -> None:
    readers = [reader(number) for number in range(2)]
    server.on_data[readers[0].email] = answer
    outcomes = send(server, readers)
    assert kinds(outcomes) == [Refused, Accepted]
    assert isinstance(outcomes[0], Refused)
    assert outcomes[0].passing is passing


def test_a_line_cut_after_the_message_leaves_that_one_in_doubt(server: SmtpServer) -> None:
    readers = [reader(number) for number in range(3)]
    server.on_data[readers[1].email] = hang_up
    assert kinds(send(server, readers)) == [Accepted, Unknown, Accepted]
    assert server.connections == 2
    assert len(server.taken) == 2


def test_silence_after_the_message_leaves_that_one_in_doubt(server: SmtpServer) -> None:
    readers = [reader(number) for number in range(2)]
    server.on_data[readers[0].email] = say_nothing
    assert kinds(send(server, readers, timeout=0.3)) == [Unknown, Accepted]


def test_a_second_cut_gives_up_on_the_rest(server: SmtpServer) -> None:
    readers = [reader(number) for number in range(5)]
    for number in (0, 2):
        server.on_data[readers[number].email] = hang_up
    outcomes = send(server, readers)
    assert kinds(outcomes) == [Unknown, Accepted, Unknown, NotSent, NotSent]
    assert server.connections == 2


def stopped(outcomes: list[Outcome]) -> NotSent:
    """The one reason why none of them was sent."""
    first = outcomes[0]
    assert isinstance(first, NotSent)
    assert outcomes == [first] * len(outcomes)
    return first


@pytest.mark.parametrize(
    ("answer", "lasting", "rest"),
    [
        ("550 5.7.1 not you", True, None),
        ("553 5.1.8 no such domain", True, None),
        ("451 4.7.1 later", False, 0.0),
        ("421 4.7.0 too much from you", False, 0.0),
        ("999 what", False, None),
    ],
)
def test_a_refused_sender_stops_the_batch(server: SmtpServer, answer: str, lasting: bool, rest: float | None) -> None:
    server.on_mail = answer
    outcome = stopped(send(server, [reader(1), reader(2)]))
    assert (outcome.lasting, outcome.rest) == (lasting, rest)
    assert ("NEWSLETTER_FROM" in outcome.reason) == lasting
    assert server.taken == []


def test_a_sender_that_is_refused_in_the_midst_leaves_what_was_taken(server: SmtpServer) -> None:
    readers = [reader(number) for number in range(3)]

    async def last_one(_server: SMTP) -> str:
        server.on_mail = "451 4.7.1 enough for now"
        return "250 OK"

    server.on_data[readers[0].email] = last_one
    outcomes = send(server, readers)
    assert kinds(outcomes) == [Accepted, NotSent, NotSent]
    assert stopped(outcomes[1:]).rest == 0.0


def test_a_refused_login_stops_the_run_and_shows_no_password() -> None:
    with SmtpServer(password="the right one") as server:
        provider = SmtpProvider(f"smtp://user:wr%6Fng-one@127.0.0.1:{server.port}", 2)
        outcome = stopped(provider.send(LETTER, ENVELOPE, [reader()], new_batch()))
        assert outcome.lasting
        assert "login" in outcome.reason
        assert "wrong-one" not in outcome.reason
        assert server.taken == []


@pytest.mark.parametrize("url", ["smtp://127.0.0.1:{}?starttls=required", "smtps://127.0.0.1:{}"])
def test_tls_that_is_required_and_not_there_stops_the_run(server: SmtpServer, url: str) -> None:
    outcome = stopped(SmtpProvider(url.format(server.port), 2).send(LETTER, ENVELOPE, [reader()], new_batch()))
    assert outcome.lasting
    assert server.taken == []


def test_a_login_that_is_wanted_and_not_offered_stops_the_run(server: SmtpServer) -> None:
    provider = SmtpProvider(f"smtp://user:secret@127.0.0.1:{server.port}", 2)
    assert stopped(provider.send(LETTER, ENVELOPE, [reader()], new_batch())).lasting


@pytest.mark.parametrize(
    ("greeting", "lasting", "rest"),
    [
        (b"421 too many connections", False, 0.0),
        (b"450 later", False, 0.0),
        (b"554 you are on a list", True, None),
        (b"", False, None),
        (b"hello", False, None),
    ],
)
def test_a_greeting_that_is_none_says_whether_to_come_again(greeting: bytes, lasting: bool, rest: float | None) -> None:
    def greet(line: socket.socket, _beginning: bytes) -> None:
        line.sendall(greeting + b"\r\n" if greeting else b"")
        line.close()

    with HostileSmtp("greeting", greet) as server:
        provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", 2)
        outcome = stopped(provider.send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch()))
    assert (outcome.lasting, outcome.rest) == (lasting, rest)
    assert greeting[4:].decode() in outcome.reason


def test_a_row_has_one_message_id_however_often_it_is_tried(server: SmtpServer) -> None:
    one = reader()
    for _ in range(3):
        assert send(server, [one]) == [Accepted(f"<{one.row}@example.com>")]
    messages = [message_from_bytes(raw) for raw in server.taken]
    assert {message["Message-ID"] for message in messages} == {f"<{one.row}@example.com>"}
    assert len({message["X-Newsletter-Batch"] for message in messages}) == 3


def test_a_certificate_is_checked_against_the_servers_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = own_certificate(tmp_path)
    with SmtpServer(tls=certificate.context) as server:

        def try_as(host: str) -> Outcome:
            (outcome,) = SmtpProvider(f"smtps://{host}:{server.port}", 2).send(
                LETTER, ENVELOPE, [reader()], new_batch()
            )
            return outcome

        assert stopped([try_as("localhost")]).lasting  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        assert isinstance(try_as("localhost"), Accepted)
        assert stopped([try_as("127.0.0.1")]).lasting  # it names another


@pytest.mark.parametrize(
    ("url", "port", "tls", "starttls"),
    [
        ("smtp://mail.example", 587, False, "offered"),
        ("smtp://user:p%40ss@mail.example", 587, False, "required"),
        ("smtp://user:pass@mail.example?starttls=never", 587, False, "never"),
        ("smtp://user:pass@localhost:25", 25, False, "never"),
        ("smtps://mail.example", 465, True, "offered"),
    ],
)
def test_urls_are_read(url: str, port: int, tls: bool, starttls: str) -> None:
    server = read_url(url)
    assert (server.port, server.tls, server.starttls) == (port, tls, starttls)
    assert server.password in (None, "p@ss", "pass")
    assert "pass" not in repr(server)


@pytest.mark.parametrize(
    "url", ["http://x", "smtp://", "smtp://u:secret@h:port", "smtp://u:secret@h?starttls=maybe", ""]
)
def test_urls_that_are_none_are_refused_unshown(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP URL") as caught:
        read_url(url)
    assert "secret" not in str(caught.value)
