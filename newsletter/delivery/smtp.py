"""How does an SMTP server carry a letter? One message a reader, one connection a batch.

Promises: a message is in doubt only between its last byte and the server's answer; before, it was not sent, after, it
was taken or refused. Nothing in doubt is sent again. A server that dawdles is cut off when the time is over, however
often it gives a sign of life. The password is in no text that comes out of here.
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.delivery import wire
from newsletter.delivery.deadline import Deadline
from newsletter.delivery.mime import MimeFiller, filler_for
from newsletter.delivery.provider import (
    Accepted,
    Envelope,
    KeepsNoRecord,
    Listed,
    NotSent,
    Outcome,
    Refused,
    Shown,
    Unknown,
    spoken,
)
from newsletter.message import Letter, Recipient

CONNECT_TIMEOUT = 10  # seconds
MOST_LINES = 2  # connections for one batch
TROUBLE = (smtplib.SMTPException, OSError)
STARTTLS = ("required", "offered", "never")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """Where the SMTP server is and how to speak to it."""

    host: str
    port: int
    tls: bool
    starttls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class SmtpProvider:
    """An SMTP server by URL: `smtp://user:password@host:587?starttls=required` or `smtps://…` (TLS from the start).

    `starttls` is `required`, `offered` (used where the server offers it) or `never`. Without it: `never` on
    loopback, `required` where there is a password to protect, else `offered`. User and password are
    percent-encoded. `timeout` is in seconds: so long may a connection take until it is ready, a message until its
    last byte, and the answer to that. `now` (aware) dates the messages.
    Raises ValueError for a URL that is none of this.
    """

    name = "smtp"
    max_batch = 50
    keeps_list = False
    keeps_history = False

    def __init__(
        self, url: str, timeout: float = 60.0, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.server = read_url(url)
        self.account = self.server.host
        self._timeout = timeout
        self._now = now

    def __repr__(self) -> str:
        return f"SmtpProvider({self.server.host!r}, {self.server.port})"

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        """Send one batch over one connection; see Provider.send.

        A connection that breaks is made again once, for the messages that had not begun.
        """
        if not recipients:
            return []
        try:
            wire.key("the batch", batch)
            filler = filler_for(letter, envelope)
        except ValueError as error:
            return [NotSent(f"the letter cannot be sent: {error}", lasting=True)] * len(recipients)
        outcomes: list[Outcome] = []
        lines: list[smtplib.SMTP] = []
        with Deadline(self._timeout, lambda: lines[-1].sock if lines else None) as deadline:
            for recipient in recipients:
                deadline.again()
                trouble = self._ready(lines)
                if trouble is None:
                    outcomes.append(self._send_one(lines[-1], deadline, filler, recipient, batch))
                    trouble = outcomes[-1] if isinstance(outcomes[-1], NotSent) else None
                if trouble is not None:
                    outcomes += [trouble] * (len(recipients) - len(outcomes))
                    break
            deadline.again()
            for line in lines:
                _hang_up(line)
        return outcomes

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:  # noqa: ARG002  the protocol's
        """Raise KeepsNoRecord, always."""
        raise KeepsNoRecord("an SMTP server keeps no record that could be asked; look into its log for the batch key")

    def probe(self, envelope: Envelope, batch: str) -> None:
        """Raise KeepsNoRecord: there is no search whose working could be seen."""
        self.find(envelope, batch)

    def probe_is_visible(self, envelope: Envelope, batch: str) -> bool:
        """Raise KeepsNoRecord, see `probe`."""
        return bool(self.find(envelope, batch))

    def listed(self, stream: str) -> Iterator[Listed]:  # noqa: ARG002  the protocol's
        """Nobody: there is no such list."""
        return iter(())

    def returned(self, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:  # noqa: ARG002
        """Nothing: it does not hear of it."""
        return iter(())

    def kept_out(self, stream: str, since: datetime) -> Iterator[Shown]:  # noqa: ARG002  the protocol's
        """Nobody: there is no such list."""
        return iter(())

    def history(self, message_id: str) -> Shown | None:  # noqa: ARG002  the protocol's
        """Nothing: it does not hear of it."""
        return None

    def tidy(self, before: date) -> int:  # noqa: ARG002  the protocol's
        """Nothing is stored apart from the messages."""
        return 0

    def close(self) -> None:
        """No connection outlives its batch."""

    def _ready(self, lines: list[smtplib.SMTP]) -> NotSent | None:
        """See that the last of the lines is there, a second one at most; or say why nothing more can be sent."""
        if lines and lines[-1].sock is not None:
            return None
        if len(lines) == MOST_LINES:
            return NotSent("the SMTP server broke the connection twice")
        try:
            self._connect(lines)
        except (*TROUBLE, ValueError) as error:  # ValueError: a host or password outside ASCII
            lasting, rest = _verdict(error)
            return NotSent(self._explain(error), lasting, rest)
        return None

    def _connect(self, lines: list[smtplib.SMTP]) -> None:
        """Connect, encrypt, log in. Raises smtplib.SMTPException, OSError or ValueError, having closed the line."""
        server = self.server
        context = ssl.create_default_context()
        name, patience = _own_name(), min(CONNECT_TIMEOUT, self._timeout)
        # Not with the host at once: then it would wait for the server's first words, out of the deadline's reach.
        connection: Any = (
            smtplib.SMTP_SSL(local_hostname=name, timeout=patience, context=context)
            if server.tls
            else smtplib.SMTP(local_hostname=name, timeout=patience)
        )
        connection._host = server.host  # the certificate is checked against it; smtplib sets it with the host alone
        lines.append(connection)
        try:
            code, words = connection.connect(server.host, server.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, words)  # noqa: TRY301  as smtplib does it
            connection.sock.settimeout(self._timeout)
            # The final dot is a packet of its own, which must not wait for the answer to the one before.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.ehlo_or_helo_if_needed()
            offered = connection.has_extn("starttls")
            if not server.tls and (server.starttls == "required" or (server.starttls == "offered" and offered)):
                connection.starttls(context=context)
                connection.ehlo_or_helo_if_needed()
            if server.user is not None:
                connection.login(server.user, server.password or "")
        except BaseException:
            connection.close()
            raise

    def _send_one(
        self, connection: smtplib.SMTP, deadline: Deadline, filler: MimeFiller, recipient: Recipient, batch: str
    ) -> Outcome:
        """Hand over one message. Leaves the connection closed where it is of no more use."""
        try:
            message = filler.fill(recipient, batch, self._now())
        except KeyError as error:
            return Refused(f"no value for the merge field {error}")
        except ValueError as error:
            return Refused(f"cannot be written: {error}")
        try:
            code, words = connection.mail(filler.sender.address)
            if code != 250:
                return self._sender_refused(connection, code, words)
            code, words = connection.rcpt(wire.address(recipient.email))
            if code not in (250, 251, 252):
                return self._refused(connection, code, words)
            code, words = connection.docmd("DATA")
            if code != 354:
                return self._refused(connection, code, words)
            # RFC 5321, 4.5.2: a dot that begins a line is doubled. The first line is a header.
            connection.send(message.replace(b"\r\n.", b"\r\n.."))
        except TROUBLE as error:
            # Without its final dot a message is not taken. It is not simply queued again: a message that breaks the
            # connection each time would stand in everybody's way.
            connection.close()
            return Refused(f"not sent: {self._explain(error)}", passing=True)
        deadline.again()
        try:
            connection.send(b".\r\n")
            code, words = connection.getreply()
        except TROUBLE as error:
            connection.close()
            return Unknown(f"the SMTP server did not say whether it took the message: {self._explain(error)}")
        if 200 <= code < 300:
            return Accepted(filler.message_id(recipient))
        if 400 <= code < 600:
            return self._refused(connection, code, words)
        connection.close()
        return Unknown(f"the SMTP server answered the message with {code} {self._clean(words)}")

    def _sender_refused(self, connection: smtplib.SMTP, code: int, words: bytes) -> NotSent:
        """Who may not send now may not send to the next reader either."""
        lasting, rest = _by_code(code)
        advice = ": check NEWSLETTER_FROM" if lasting else ""
        connection.close()
        return NotSent(f"the SMTP server refuses our sender ({code} {self._clean(words)}){advice}", lasting, rest)

    def _refused(self, connection: smtplib.SMTP, code: int, words: bytes) -> Refused:
        """5xx is for good, 4xx may pass (RFC 5321, 4.2.1); 421 announces that the server hangs up."""
        if code == 421:
            connection.close()
        else:
            _reset(connection)
        return Refused(f"the SMTP server said {code} {self._clean(words)}", passing=not 500 <= code < 600)

    def _explain(self, error: BaseException) -> str:
        where = f"{self.server.host}:{self.server.port}"
        if isinstance(error, smtplib.SMTPAuthenticationError):
            words = self._clean(error.smtp_error)
            return f"the SMTP server {where} refuses our login ({words}): check NEWSLETTER_SMTP_URL"
        return f"trouble with the SMTP server {where} ({self._clean(str(error))}): check NEWSLETTER_SMTP_URL"

    def _clean(self, words: bytes | str) -> str:
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        if self.server.password:
            text = text.replace(self.server.password, "[password]")
        return spoken(text)


def _by_code(code: int) -> tuple[bool, float | None]:
    """(lasting, rest) of a refusal that is not about one reader: 5xx is for good, 4xx may pass (RFC 5321, 4.2.1)."""
    return 500 <= code < 600, 0.0 if 400 <= code < 500 else None


def _verdict(error: Exception) -> tuple[bool, float | None]:
    """(lasting, rest) of a connection that could not be made ready."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_code(error.smtp_code)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return False, None
    # No STARTTLS or no login where we must have it; a certificate that does not fit, or no TLS; but not a line cut.
    cut = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    return isinstance(error, smtplib.SMTPException | ssl.SSLError | ValueError) and not cut, None


def read_url(url: str) -> Server:
    """Read an SMTP URL. Raises ValueError, which does not repeat the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the SMTP URL is not a URL") from None
    if parts.scheme not in ("smtp", "smtps") or not host:
        raise ValueError("the SMTP URL wants smtp://host:port or smtps://host:port")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    loopback = host in _LOOPBACK or host.startswith("127.")
    default = "never" if loopback else "required" if user else "offered"
    starttls = parse_qs(parts.query).get("starttls", [default])[-1]
    if starttls not in STARTTLS:
        raise ValueError(f"starttls in the SMTP URL is one of {', '.join(STARTTLS)}")
    tls = parts.scheme == "smtps"
    return Server(host, port or (465 if tls else 587), tls, starttls, user, password)


def _own_name() -> str:
    # Not socket.getfqdn, which may wait for a name server for many seconds.
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _reset(connection: smtplib.SMTP) -> None:
    """End a transaction that was refused, so that the next can begin."""
    try:
        code, _ = connection.rset()
    except TROUBLE:
        code = 0
    if code != 250:
        connection.close()


def _hang_up(connection: smtplib.SMTP) -> None:
    try:
        if connection.sock is not None:
            connection.quit()
    except TROUBLE:
        connection.close()
