"""What does the provider tell us? Its events come as posts with a name and a password.

Promises: without both nothing is read; an event counts as taken (200) only once it is on the disk, and 503 asks for it
again; whatever else comes with them is answered with 200 and kept, since Postmark drops for good what another 4xx
refuses, and stops telling where that goes on. No address and no password is in a log.
"""

import hmac
from base64 import b64decode
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.tracking.postmark import translate
from newsletter.web.headers import HEADERS
from newsletter.web.intake import NotWritten
from newsletter.web.site import Site, site_of

PATH: Final = "/webhooks/postmark"
MAX_BODY: Final = 1_000_000  # bytes; an event is a few hundred, a bounce with its whole message may be large
RETRY: Final = "60"  # seconds

# Made once, with all of their headers: a million posts get the same.
RECORDED: Final = PlainTextResponse("recorded\n", headers=HEADERS)
TELL_AGAIN: Final = PlainTextResponse(
    "could not be written; tell it again\n", 503, headers={**HEADERS, "Retry-After": RETRY}
)
WRONG_PASSWORD: Final = PlainTextResponse(
    "name or password is wrong\n",
    401,
    headers={**HEADERS, "WWW-Authenticate": 'Basic realm="webhooks", charset="UTF-8"'},
)

router = APIRouter()


@router.post(
    PATH,
    response_class=PlainTextResponse,
    responses={401: {"description": "Name or password is wrong"}, 503: {"description": "Tell it again later"}},
)
async def postmark(request: Request) -> Response:
    """Write down one event of Postmark's, and do what it says of an address and of a message of ours."""
    return await answer(site_of(request), request.scope, request.receive)


class ShortCut:
    """Middleware: leads the provider's posts past what only pages need. After a send there are a million of them.

    Measured: finding their route and filling its parameters took as long as all the rest of a post.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH:
            ready = await answer(scope["app"].state.site, scope, receive)
            await ready(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def answer(site: Site, scope: Scope, receive: Receive) -> Response:
    """What a post is answered with, once that is true."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if not is_provider(site, headers.get(b"authorization", b"")):
        return WRONG_PASSWORD
    body = await posted(receive)
    if body is None:
        return TELL_AGAIN  # nobody hears it
    trace = headers.get(b"x-pm-webhook-trace-id", b"").decode("latin-1") or None
    try:
        await site.intake.take(translate(body, trace, site.assembly.settings.base_url))
    except NotWritten:
        return TELL_AGAIN
    return RECORDED


def is_provider(site: Site, authorization: bytes) -> bool:
    """Whether a request bears the name and the password; nobody's does where none are set."""
    name, password = site.assembly.settings.webhook_username, site.assembly.settings.webhook_password
    scheme, _, given = authorization.partition(b" ")
    if not name or not password or scheme.lower() != b"basic":
        return False
    try:
        pair = b64decode(given.strip(), validate=True)
    except ValueError:
        return False
    # Compared whole and as bytes, so that the time that it takes tells nothing of how much of it was right.
    return hmac.compare_digest(pair, f"{name}:{password.get_secret_value()}".encode())


async def posted(receive: Receive) -> bytes | None:
    """What was posted, as far as it is kept; None where it was cut short.

    What is too large is read to its end all the same: who is answered while still talking hears nothing.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")[: MAX_BODY - len(body)]
        if not message.get("more_body"):
            return bytes(body)
