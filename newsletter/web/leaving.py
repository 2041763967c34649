"""How does a reader leave, by the link in a letter or by the button of their mail program (RFC 8058)?

Promises: looking changes nothing, since scanners follow every link; one POST is enough, whoever sends it and whatever
it says; it may come twice and years later; no page says whose link it is, since letters are forwarded.
"""

from typing import Final

import structlog
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from newsletter.db import writing
from newsletter.web.site import Here, Site, notice, page
from subscribers.subscriber import Subscriber
from subscribers.tokens import UNSUBSCRIBE, BadToken
from subscribers.unsubscribe import unsubscribe

SOURCE: Final = "unsubscribe link"
"""How a reader's consent history names this way out."""

PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
"""The address of these pages is a key: nobody else is to hear of it."""

RETRY = "60"  # seconds until a mail program may try again

router = APIRouter(prefix="/unsubscribe")
log = structlog.get_logger()


@router.api_route("/{token}", methods=["GET", "HEAD"])
def ask(site: Here, token: str) -> Response:
    """One button. It asks the database nothing, so that it stands even when that is away."""
    if _reader(site, token) is None:
        return _bad_link(site)
    return page(site, "leave.html", headers=PRIVATE)


# The body is never read: it holds nothing that the address does not say already, and may be anything of any size.
@router.post("/{token}")
def leave(site: Here, token: str) -> Response:
    """Take the reader off the list, at once."""
    reader = _reader(site, token)
    if reader is None:
        return _bad_link(site)
    try:
        with writing(site.engine) as session:
            # Locked, so that two requests at once do not write the wish down twice.
            subscriber = session.get(Subscriber, reader, with_for_update=True)
            if subscriber is not None:
                left_now = unsubscribe(session, subscriber, SOURCE, site.clock())
                session.commit()
    except SQLAlchemyError as error:
        log.warning("unsubscribe could not be written", subscriber=reader, error=type(error).__name__)
        return _not_written(site)
    if subscriber is None:
        return notice(site, "You are not on the list", "There is nothing to unsubscribe from.", headers=PRIVATE)
    log.info("unsubscribed", subscriber=reader, again=not left_now)
    return notice(
        site,
        "You are unsubscribed",
        "We will not write to you again. A letter that is on its way just now may still arrive.",
        headers=PRIVATE,
    )


def _reader(site: Site, token: str) -> int | None:
    try:
        return site.assembly.tokens.read(UNSUBSCRIBE, token)
    except BadToken:
        return None


def _bad_link(site: Site) -> Response:
    return notice(
        site,
        "This link is incomplete",
        "Nothing has changed. Part of the address is missing or was altered on its way here.",
        "Please open the link from the letter again, or copy all of it. The unsubscribe button that many mail programs "
        "show beside the sender’s name works, too.",
        status=404,
        headers=PRIVATE,
    )


def _not_written(site: Site) -> Response:
    return notice(
        site,
        "That did not work just now",
        "You are still on the list: we could not write your wish down. Please press the button again in a few minutes.",
        status=503,
        headers={**PRIVATE, "Retry-After": RETRY},
    )
