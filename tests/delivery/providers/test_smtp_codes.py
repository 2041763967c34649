"""Each code that an SMTP server may answer with: whose trouble it is, whether it may pass, and in which words."""

from collections.abc import Iterator
from datetime import date

import pytest

from newsletter.delivery.provider import Accepted, KeepsNoRecord, NotSent, Outcome, Refused, Unknown
from newsletter.delivery.smtp import Server, SmtpProvider, read_url
from tests.delivery.providers.hostile import HostileSmtp, hang_up
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.smtp_server import SmtpServer

BEFORE, ODD, AFTER = "before@mail.example", "odd@mail.example", "after@mail.example"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def send(server: SmtpServer) -> list[Outcome]:
    provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout=5)
    readers = [reader(number, email=email) for number, email in enumerate((BEFORE, ODD, AFTER))]
    return provider.send(LETTER, ENVELOPE, readers, new_batch())


def taken_by(server: SmtpServer) -> list[str]:
    return [raw.decode().splitlines()[0].removeprefix("To: ") for raw in server.taken]


@pytest.mark.parametrize("code", [400, 450, 499, 500, 550, 599])
@pytest.mark.parametrize("step", ["on_rcpt", "on_data"])
def test_a_refusal_is_one_readers_and_from_500_on_for_good(server: SmtpServer, step: str, code: int) -> None:
    getattr(server, step)[ODD] = f"{code} so it is"
    before, odd, after = send(server)
    assert odd == Refused(f"the SMTP server said {code} so it is", passing=code < 500)
    assert isinstance(before, Accepted)
    assert isinstance(after, Accepted)
    assert taken_by(server) == [BEFORE, AFTER]
    assert server.connections == 1


@pytest.mark.parametrize("step", ["on_rcpt", "on_data"])
def test_after_421_the_rest_goes_over_a_new_connection(server: SmtpServer, step: str) -> None:
    getattr(server, step)[ODD] = "421 closing"
    before, odd, after = send(server)
    assert odd == Refused("the SMTP server said 421 closing", passing=True)
    assert isinstance(before, Accepted)
    assert isinstance(after, Accepted)
    assert server.connections == 2


@pytest.mark.parametrize("code", [200, 250, 251, 299])
def test_any_code_of_the_two_hundreds_after_the_message_says_that_it_was_taken(server: SmtpServer, code: int) -> None:
    server.on_data[ODD] = f"{code} queued"
    assert [type(outcome) for outcome in send(server)] == [Accepted] * 3


@pytest.mark.parametrize("code", [199, 300, 354, 600])
def test_a_code_that_means_nothing_after_the_message_leaves_it_in_doubt(server: SmtpServer, code: int) -> None:
    server.on_data[ODD] = f"{code} what"
    before, odd, after = send(server)
    assert odd == Unknown(f"the SMTP server answered the message with {code} what")
    assert isinstance(before, Accepted)
    assert isinstance(after, Accepted)
    assert server.connections == 2


@pytest.mark.parametrize("code", [251, 252])
def test_a_reader_whom_the_server_passes_on_is_no_refusal(server: SmtpServer, code: int) -> None:
    server.on_rcpt[ODD] = f"{code} will forward"
    _, odd, _ = send(server)
    assert isinstance(odd, Refused)  # the server here has kept no reader, and says so at DATA
    assert "said 503" in odd.reason


@pytest.mark.parametrize(
    ("code", "lasting", "rest", "advice"),
    [
        (400, False, 0.0, ""),
        (499, False, 0.0, ""),
        (500, True, None, ": check NEWSLETTER_FROM"),
        (599, True, None, ": check NEWSLETTER_FROM"),
        (600, False, None, ""),
    ],
)
def test_a_refused_sender_is_everybodys_trouble(
    server: SmtpServer, code: int, lasting: bool, rest: float | None, advice: str
) -> None:
    server.on_mail = f"{code} not you"
    expected = NotSent(f"the SMTP server refuses our sender ({code} not you){advice}", lasting, rest)
    assert send(server) == [expected] * 3
    assert server.taken == []


def test_values_that_are_missing_are_one_readers_trouble(server: SmtpServer) -> None:
    provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout=5)
    readers = [reader(1), reader(2, email="no address"), reader(3)]
    readers[0].values.pop("NAME")  # type: ignore[attr-defined]
    outcomes = provider.send(LETTER, ENVELOPE, readers, new_batch())
    assert outcomes[0] == Refused("no value for the merge field 'NAME'")
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].reason.startswith("cannot be written: not an e-mail address: ")
    assert isinstance(outcomes[2], Accepted)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", Server("mail.example", 587, False, "offered")),
        ("smtps://mail.example", Server("mail.example", 465, True, "offered")),
        ("smtp://mail.example:2525", Server("mail.example", 2525, False, "offered")),
        ("smtp://u:p@mail.example", Server("mail.example", 587, False, "required", "u", "p")),
        ("smtp://a%40b:p%3Aq%25@mail.example", Server("mail.example", 587, False, "required", "a@b", "p:q%")),
        ("smtp://u@mail.example", Server("mail.example", 587, False, "required", "u")),
        ("smtp://localhost", Server("localhost", 587, False, "never")),
        ("smtp://127.0.0.9:25", Server("127.0.0.9", 25, False, "never")),
        ("smtp://[::1]:25", Server("::1", 25, False, "never")),
        ("smtp://u:p@127.0.0.1", Server("127.0.0.1", 587, False, "never", "u", "p")),
        ("smtp://u:p@mail.example?starttls=offered", Server("mail.example", 587, False, "offered", "u", "p")),
        ("smtp://localhost?starttls=required", Server("localhost", 587, False, "required")),
    ],
)
def test_a_url_says_where_and_how(url: str, server: Server) -> None:
    assert read_url(url) == server


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("smtp://mail.example:port", "the SMTP URL is not a URL"),
        ("smtp://[::1", "the SMTP URL is not a URL"),
        ("http://mail.example", "the SMTP URL wants smtp://host:port or smtps://host:port"),
        ("smtp://", "the SMTP URL wants smtp://host:port or smtps://host:port"),
        ("smtp://mail.example?starttls=perhaps", "starttls in the SMTP URL is one of required, offered, never"),
    ],
)
def test_a_url_that_is_none_is_refused_in_words(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        read_url(url)


def test_a_code_beyond_all_codes_is_no_refusal_for_good(server: SmtpServer) -> None:
    server.on_rcpt[ODD] = "600 what"
    assert send(server)[1] == Refused("the SMTP server said 600 what", passing=True)


def test_a_line_that_breaks_before_the_message_is_whole_is_one_readers_trouble_and_may_pass() -> None:
    with HostileSmtp("RCPT", hang_up) as hostile:
        provider = SmtpProvider(f"smtp://127.0.0.1:{hostile.port}", timeout=5)
        (outcome,) = provider.send(LETTER, ENVELOPE, [reader()], new_batch())
    assert isinstance(outcome, Refused)
    assert outcome.passing is True
    assert outcome.reason.startswith(f"not sent: trouble with the SMTP server 127.0.0.1:{hostile.port} (")
    assert outcome.reason.endswith("): check NEWSLETTER_SMTP_URL")


def test_a_login_that_is_refused_says_where_and_in_whose_words() -> None:
    with SmtpServer(password="hunter2") as server:
        provider = SmtpProvider(f"smtp://user:wrong@127.0.0.1:{server.port}", timeout=5)
        (outcome,) = provider.send(LETTER, ENVELOPE, [reader()], new_batch())
    where = f"127.0.0.1:{server.port}"
    words = f"the SMTP server {where} refuses our login (5.7.8 no): check NEWSLETTER_SMTP_URL"
    assert outcome == NotSent(words, lasting=True)


def test_a_server_that_repeats_the_password_is_not_quoted(server: SmtpServer) -> None:
    server.on_rcpt[ODD] = "550 hunter2 is wrong"
    provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout=5)
    provider.server = Server("127.0.0.1", server.port, False, "never", None, "hunter2")
    (outcome,) = provider.send(LETTER, ENVELOPE, [reader(email=ODD)], new_batch())
    assert outcome == Refused("the SMTP server said 550 [password] is wrong")


def test_a_server_that_keeps_no_record_says_where_to_look() -> None:
    provider = SmtpProvider("smtp://127.0.0.1:9")
    for ask in (provider.find, provider.probe, provider.probe_is_visible):
        with pytest.raises(KeepsNoRecord) as caught:
            ask(ENVELOPE, new_batch())
        assert str(caught.value) == (
            "an SMTP server keeps no record that could be asked; look into its log for the batch key"
        )
    assert list(provider.listed("broadcast")) == []
    assert provider.tidy(date(2026, 11, 24)) == 0


def test_neither_the_provider_nor_its_server_shows_the_password() -> None:
    provider = SmtpProvider("smtp://u:hunter2@mail.example:25")
    assert repr(provider) == "SmtpProvider('mail.example', 25)"
    assert "hunter2" not in repr(provider.server)
