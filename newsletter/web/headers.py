"""What must a browser refuse to do with our pages? The same on every answer, errors included.

Promises: no script, nothing from elsewhere, no frame around our pages but the one that is made for it; and nothing is
kept by a cache unless the page says so itself.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Middleware: gives every answer these headers, and leaves alone those that a page has set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its answer."""

        async def send_completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                wanted = dict(HEADERS)
                headers = MutableHeaders(scope=message)
                if "content-security-policy" in headers:  # it says who may frame it, and this could not say "anybody"
                    wanted.pop("X-Frame-Options")
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_completed if scope["type"] == "http" else send)
