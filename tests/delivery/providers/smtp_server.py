"""A real SMTP server on loopback that does as it is told."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Answer = str | Callable[[SMTP], Awaitable[str]]


def cut(protocol: SMTP) -> None:
    """Break the connection at once."""
    if protocol.transport is not None:
        assert isinstance(protocol.transport, asyncio.Transport)
        protocol.transport.abort()


class SmtpServer:
    """Keeps what it takes. `on_mail`, `on_rcpt` and `on_data` answer otherwise, by the recipient's address."""

    def __init__(self, password: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[bytes] = []
        self.connections = 0
        self.on_mail: str | None = None
        self.on_rcpt: dict[str, str] = {}
        self.on_data: dict[str, Answer] = {}
        self._password = password
        self._loop = asyncio.new_event_loop()
        self._protocols: list[SMTP] = []
        # In a thread of its own from the start: a browser may have a loop running in this one.
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        listening = self._loop.create_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def _accept(self) -> SMTP:
        self.connections += 1
        wanted = self._password is not None
        protocol = SMTP(
            self,
            loop=self._loop,
            enable_SMTPUTF8=False,
            hostname="localhost",
            auth_require_tls=False,
            authenticator=self._authenticate if wanted else None,
        )
        self._protocols.append(protocol)
        return protocol

    def _authenticate(self, _server: object, _session: object, _envelope: object, _kind: str, data: Any) -> AuthResult:
        assert self._password is not None
        right = isinstance(data, LoginPassword) and data.password == self._password.encode()
        return AuthResult(success=right, handled=False, message=None if right else "535 5.7.8 no")

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._password is not None and not session.authenticated:
            return "530 5.7.0 log in first"
        if self.on_mail:
            return self.on_mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.on_rcpt:
            return self.on_rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.on_data.get(envelope.rcpt_tos[0], "250 OK")
        if not isinstance(answer, str):
            answer = await answer(server)
        if answer.startswith("250"):
            assert isinstance(envelope.original_content, bytes)
            self.taken.append(envelope.original_content)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._loop.is_running():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for protocol in self._protocols:
            cut(protocol)
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)
