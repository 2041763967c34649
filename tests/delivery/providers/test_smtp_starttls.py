"""Who offers encryption gets letters encrypted, unless the URL says never; and by which name we greet."""

import socket
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.delivery.provider import Accepted
from newsletter.delivery.smtp import SmtpProvider
from tests.delivery.providers.certificate import own_certificate
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.smtp_server import SmtpServer


class Offering(SmtpServer):
    """Offers STARTTLS, and notes of each message whether it came encrypted, and who greeted."""

    def __init__(self, directory: Path) -> None:
        self.certificate = own_certificate(directory)
        self.encrypted: list[bool] = []
        self.greeted: list[str | None] = []
        super().__init__()

    def _accept(self) -> SMTP:
        protocol = SMTP(self, loop=self._loop, hostname="localhost", tls_context=self.certificate.context)
        self._protocols.append(protocol)
        return protocol

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.encrypted.append(session.ssl is not None)
        self.greeted.append(session.host_name)
        return await super().handle_DATA(server, session, envelope)


@pytest.mark.parametrize(("asked", "encrypted"), [("offered", True), ("required", True), ("never", False)])
def test_a_server_that_offers_encryption(
    asked: str, encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Offering(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate.path))
        provider = SmtpProvider(f"smtp://localhost:{server.port}?starttls={asked}", timeout=5)
        (outcome,) = provider.send(LETTER, ENVELOPE, [reader()], new_batch())
        assert isinstance(outcome, Accepted)
        assert server.encrypted == [encrypted]


def test_encryption_that_is_only_used_where_it_is_offered_is_no_condition() -> None:
    with SmtpServer() as server:
        provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}?starttls=offered", timeout=5)
        (outcome,) = provider.send(LETTER, ENVELOPE, [reader()], new_batch())
        assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(("name", "greeted"), [("news.example.com", "news.example.com"), ("laptop", "[127.0.0.1]")])
def test_we_greet_by_our_whole_name_or_by_an_address(
    name: str, greeted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    with Offering(tmp_path) as server:
        provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout=5)
        provider.send(LETTER, ENVELOPE, [reader()], new_batch())
        assert server.greeted == [greeted]
