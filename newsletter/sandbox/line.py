"""How is the line to a client cut: before an answer, in its midst, or once nobody waits any more?

On the level of TCP: the client sees a connection that ends where an answer should be, as it does when a server or
something on the way to it dies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_CUT = "cut"


class Line(H11Protocol):
    """A connection that an answer can cut; one that is answered no more is cut when the server stops."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, _CUT: self._cut}, _loop)

    def shutdown(self) -> None:
        """Close, whether an answer is under way or not."""
        super().shutdown()
        self._cut()

    def _cut(self) -> None:
        # What has been written still goes out.
        self.transport.close()


class NoAnswer(Response):
    """Nothing at all: the line is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """Cut the line."""
        await _cut(scope, receive)


class HalfAnswer(Response):
    """The first half of another answer, which has promised the whole of it; then the line is cut."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half, and cut the line."""
        whole = self._whole
        body = bytes(whole.body)
        await send({"type": "http.response.start", "status": whole.status_code, "headers": whole.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _cut(scope, receive)


class LateAnswer(Response):
    """Another answer, after some seconds; None: never. A client that leaves before is let go."""

    def __init__(self, answer: Response, seconds: float | None) -> None:
        super().__init__()
        self._answer = answer
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send the other answer."""
        gone = asyncio.ensure_future(_until_gone(receive))
        await asyncio.wait([gone], timeout=self._seconds)
        if not gone.done():
            gone.cancel()
            await self._answer(scope, receive, send)


async def _cut(scope: Scope, receive: Receive) -> None:
    cut: Callable[[], None] = scope["state"][_CUT]
    cut()
    await _until_gone(receive)  # otherwise the server thinks that an answer was forgotten


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
