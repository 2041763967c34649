"""The three providers, each with something real behind it that can be looked into."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import requests

from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Envelope, Provider
from newsletter.delivery.smtp import SmtpProvider
from newsletter.sandbox.server import Sandbox
from tests.delivery.providers.smtp_server import SmtpServer

SECRET = "hunter2-s3cret"


@dataclass(frozen=True)
class Received:
    """What a reader got. Line ends are LF."""

    to: str
    html: str
    text: str
    headers: EmailMessage
    batch: str
    row: str


class Carrier(ABC):
    """A provider and what is behind it."""

    provider: Provider
    absent: Provider
    """The same kind of provider, with nothing behind it."""
    can_be_asked = True

    @abstractmethod
    def received(self) -> list[Received]: ...

    def stored(self, envelope: Envelope) -> int:
        """How many messages were taken, however they look."""
        return len(self.received())

    def close(self) -> None:
        self.provider.close()
        self.absent.close()


class Postmark(Carrier):
    def __init__(self, _directory: Path) -> None:
        self.sandbox = Sandbox(token=SECRET)
        self.provider = PostmarkProvider(SECRET, self.sandbox.url, timeout=10)
        self.absent = PostmarkProvider(SECRET, f"http://127.0.0.1:{closed_port()}/", timeout=2)

    def received(self) -> list[Received]:
        found = []
        for message in self.sandbox.messages:
            url = f"{self.sandbox.url}messages/outbound/{message.id}"
            headers = {"X-Postmark-Server-Token": SECRET, "Accept": "application/json"}
            details = requests.get(f"{url}/details", headers=headers, timeout=5).json()
            mail = _parse(requests.get(f"{url}/dump", headers=headers, timeout=5).json()["Body"].encode())
            own = details["Metadata"]
            found.append(
                Received(mail["To"], _lf(details["HtmlBody"]), _lf(details["TextBody"]), mail, own["batch"], own["row"])
            )
        return found

    def close(self) -> None:
        super().close()
        self.sandbox.close()


class Smtp(Carrier):
    can_be_asked = False

    def __init__(self, _directory: Path) -> None:
        self.server = SmtpServer(password=SECRET)
        self.provider = SmtpProvider(f"smtp://user:{SECRET}@127.0.0.1:{self.server.port}", timeout=5)
        self.absent = SmtpProvider(f"smtp://user:{SECRET}@127.0.0.1:{closed_port()}", timeout=2)

    def received(self) -> list[Received]:
        return [_read(raw) for raw in self.server.taken]

    def close(self) -> None:
        super().close()
        self.server.close()


class Outbox(Carrier):
    def __init__(self, directory: Path) -> None:
        self.directory = directory / "outbox"
        self.provider = OutboxProvider(self.directory)
        file = directory / "a file"
        file.write_text("")
        self.absent = OutboxProvider(file)

    def received(self) -> list[Received]:
        return [_read(path.read_bytes()) for path in sorted(self.directory.glob("*/*.eml"))]


def closed_port() -> int:
    server = SmtpServer()
    server.close()
    return server.port


def _read(raw: bytes) -> Received:
    mail = _parse(raw)
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    return Received(
        mail["To"],
        _lf(html.get_content()),
        _lf(text.get_content()),
        mail,
        mail["X-Newsletter-Batch"],
        mail["X-Newsletter-Row"],
    )


def _parse(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n")


CARRIERS: dict[str, Callable[[Path], Carrier]] = {"postmark": Postmark, "smtp": Smtp, "outbox": Outbox}
