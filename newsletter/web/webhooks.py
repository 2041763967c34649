"""What does the provider tell us? Its events come as posts with a name and a password.

Promises: without both nothing is read; an event counts as taken (200) only once it is on the disk, and 503 asks for it
again; whatever else comes with them is answered with 200, since Postmark drops for good what another 4xx refuses, and
stops telling where that goes on. No address and no password is in a log.
"""

import hmac
from base64 import b64decode
from datetime import datetime
from typing import Annotated, Final

import orjson
import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from newsletter.arrivals import settle
from newsletter.db import writing
from newsletter.delivery.provider import Listed
from newsletter.departures import Heard, hear
from newsletter.tracking.postmark import LetGo, read, record_type, taken
from newsletter.web.site import Here, Site

MAX_BODY: Final = 1_000_000  # bytes; an event is a few hundred, a bounce with its whole message may be large
RETRY: Final = "60"  # seconds

router = APIRouter()
log = structlog.get_logger()


def is_provider(request: Request, site: Here) -> bool:
    """Whether a request bears the name and the password; nobody's does where none are set."""
    name, password = site.assembly.settings.webhook_username, site.assembly.settings.webhook_password
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not name or not password or scheme.lower() != "basic":
        return False
    try:
        pair = b64decode(given.strip(), validate=True)
    except ValueError:
        return False
    # Compared whole and as bytes, so that the time that it takes tells nothing of how much of it was right.
    return hmac.compare_digest(pair, f"{name}:{password.get_secret_value()}".encode())


async def posted(request: Request, known: Annotated[bool, Depends(is_provider)]) -> bytes | None:
    """What was posted by the provider; None where it is too large, or was cut short.

    What is too large is read to its end all the same, but not kept: who is answered while still talking hears nothing.
    """
    if not known:
        return None
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BODY:
                body += chunk
    except ClientDisconnect:
        return None
    return bytes(body) if size <= MAX_BODY else None


@router.post(
    "/webhooks/postmark",
    response_class=PlainTextResponse,
    responses={401: {"description": "Name or password is wrong"}, 503: {"description": "Tell it again later"}},
)
def postmark(
    site: Here, known: Annotated[bool, Depends(is_provider)], body: Annotated[bytes | None, Depends(posted)]
) -> Response:
    """Write down what one event of Postmark's says of an address, and what it proves of a message of ours."""
    if not known:
        challenge = {"WWW-Authenticate": 'Basic realm="webhooks", charset="UTF-8"'}
        return PlainTextResponse("name or password is wrong\n", 401, challenge)
    try:
        event = None if body is None else orjson.loads(body)
    except orjson.JSONDecodeError:
        event = None
    kind, now = record_type(event), site.clock()
    said, proof = read(event), taken(event)
    try:
        # One after the other, and each on the disk by itself: they lock readers and rows in different orders.
        settled = settle(site.engine, proof, now) if proof else None
        heard = _listen(site, said, now) if said else None
    except SQLAlchemyError as error:
        log.warning("event could not be written", type=kind, error=type(error).__name__)
        return PlainTextResponse("could not be written; tell it again\n", 503, {"Retry-After": RETRY})
    if not (settled or heard):
        log.info("event not recorded", type=kind)
        return PlainTextResponse("not recorded\n")
    details: dict[str, object] = {"outcome": heard.outcome, "subscriber": heard.subscriber} if heard else {}
    if settled:
        details |= {"settled": f"a row of letter {settled.letter_id}", "issue": settled.week, "state": settled.state}
    log.info("event", type=kind, **details)
    return PlainTextResponse("recorded\n")


def _listen(site: Site, said: Listed | LetGo, now: datetime) -> Heard:
    with writing(site.engine) as session:
        heard = hear(session, said, site.assembly.settings.postmark_stream, now)
        session.commit()
    return heard
