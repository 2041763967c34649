"""How is the sandbox started and stopped?

It listens on loopback only, keeps everything in memory, and leaves nothing running once it is closed.
"""

import errno
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from newsletter.sandbox import acting, sending
from newsletter.sandbox.app import build
from newsletter.sandbox.line import Line
from newsletter.sandbox.mailbox import Message
from newsletter.sandbox.sending import Office
from newsletter.sandbox.striking import Faults
from newsletter.sandbox.webhooks import Webhooks

HOST = "127.0.0.1"
DEFAULT_PORT = 8025
DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but loopback


class Sandbox:
    """A running sandbox; also a context manager.

    `port` 0 takes any free one; `url` says which (`http://127.0.0.1:PORT/`). `webhook_url` is told of events, with
    basic authentication where the URL has a user and a password. `owns_way_out`: broadcast messages without a
    List-Unsubscribe get the sandbox's own, as on a stream whose unsubscribes Postmark manages. `faults` are on from the
    start, and drawn from `seed`; `clock` gives aware moments. Raises OSError, with a clear message, where the port is
    taken, and ValueError for a fault that there is not.
    """

    def __init__(
        self,
        port: int = 0,
        token: str = DEFAULT_TOKEN,
        webhook_url: str | None = None,
        *,
        owns_way_out: bool = False,
        faults: Iterable[str] = (),
        seed: int | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = Faults(seed)
        self.faults.set(*faults)
        listener = _listen(port)
        self.token = token
        self.url = f"http://{HOST}:{listener.getsockname()[1]}/"
        self._office = Office(
            faults=self.faults,
            webhooks=Webhooks(webhook_url, self.faults, clock) if webhook_url else None,
            way_out=f"{self.url}unsubscribe/" if owns_way_out else None,
            clock=clock,
        )
        config = uvicorn.Config(
            build(self._office, token),
            loop="asyncio",
            http=Line,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError(f"the sandbox could not be started at {self.url}")
            time.sleep(0.002)

    @property
    def messages(self) -> list[Message]:
        """The accepted messages, oldest first, without those that a paused account holds."""
        sending.release_due(self._office)
        return self._office.mailbox.newest_first()[::-1]

    @property
    def held(self) -> list[Message]:
        """The messages that a paused account holds, oldest first."""
        sending.release_due(self._office)
        return self._office.mailbox.newest_first(held=True)[::-1]

    def release(self) -> int:
        """Let everything that a paused account holds go out; returns how many messages. Later ones are held again."""
        return sending.release(self._office)

    def open(self, message_id: str, agent: str = acting.READER) -> bool:
        """Open a message; whether that was noted. Here and below: ValueError where no such message has gone out."""
        return acting.open_letter(self._office, acting.find(self._office, message_id), agent)

    def links(self, message_id: str) -> dict[str, bool]:
        """A message's links in the order of its HTML, and whether it is noted who follows them."""
        return dict(acting.links_of(acting.find(self._office, message_id)))

    def click(self, message_id: str, link: str, agent: str = acting.READER) -> bool:
        """Follow a link; whether that was noted. Raises ValueError for a link that the message does not have."""
        return acting.click(self._office, acting.find(self._office, message_id), link, agent)

    def scan(self, message_id: str, agent: str = acting.SCANNER) -> int:
        """Follow all links within a second; returns how many were noted."""
        return acting.scan(self._office, acting.find(self._office, message_id), agent)

    def complain(self, message_id: str) -> None:
        """Call a message spam."""
        acting.complain(self._office, acting.find(self._office, message_id))

    def bounce(self, message_id: str, way: str = "HardBounce", *, inactive: bool | None = None) -> None:
        """Let a message come back; `inactive`: its address is written to no more, None: as Postmark has it."""
        acting.bounce(self._office, acting.find(self._office, message_id), way, inactive=inactive)

    def leave(self, message_id: str) -> None:
        """Unsubscribe a message's reader here."""
        acting.leave(self._office, acting.find(self._office, message_id))

    def come_back(self, message_id: str) -> None:
        """Subscribe a message's reader again here, who had left here."""
        acting.come_back(self._office, acting.find(self._office, message_id))

    def close(self) -> None:
        """Stop at once, and forget everything. Idempotent."""
        self._server.should_exit = True
        # Nobody is waited for: what a client has not been answered by now, it will have to ask again.
        self._server.force_exit = True
        self._thread.join()
        if self._office.webhooks:
            self._office.webhooks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def serve(
    port: int = DEFAULT_PORT,
    token: str = DEFAULT_TOKEN,
    webhook_url: str | None = None,
    on_ready: Callable[[Sandbox], None] | None = None,
    *,
    owns_way_out: bool = False,
    faults: Iterable[str] = (),
    seed: int | None = None,
) -> None:
    """Run a sandbox until SIGINT or SIGTERM; call it from the main thread. `on_ready` is called once it listens.

    Raises OSError, with a clear message, where the port is taken, and ValueError for a fault that there is not.
    """
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Sandbox(port, token, webhook_url, owns_way_out=owns_way_out, faults=faults, seed=seed) as sandbox:
            if on_ready:
                on_ready(sandbox)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(port: int) -> socket.socket:
    # asyncio sends small answers at once only where the socket says that it speaks TCP; otherwise each takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                error.errno, f"port {port} on {HOST} is in use: choose another, or 0 for any free one"
            ) from None
        raise
    return listener
