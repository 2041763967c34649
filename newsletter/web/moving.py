"""How does a reader confirm another address? By the button behind the link in the letter that went there.

Promises: looking changes nothing and asks the database nothing; no page says which addresses they are.
"""

from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from newsletter import welcome
from newsletter.db import writing
from newsletter.web.answers import answers
from newsletter.web.form import whence
from newsletter.web.keys import PRIVATE, bad_link
from newsletter.web.site import Here, Site, notice, page
from subscribers.preferences import Moved, move_address
from subscribers.tokens import ADDRESS, PREFERENCES, BadToken, Expired

SOURCE: Final = "link to the new address"
"""How a reader's consent history names this step."""

router = APIRouter(prefix="/address", default_response_class=HTMLResponse)
log = structlog.get_logger()


@router.api_route("/{token}", methods=["GET", "HEAD"], responses=answers(404, 410))
def ask(site: Here, token: str) -> Response:
    """One button."""
    try:
        site.assembly.tokens.read_passing(ADDRESS, token, site.clock())
    except Expired:
        return _expired(site)
    except BadToken:
        return bad_link(site)
    return page(site, "address.html", headers=PRIVATE)


@router.post("/{token}", responses=answers(404, 410, 503))
def move(request: Request, site: Here, token: str) -> Response:
    """Bring the reader to the new address."""
    now = site.clock()
    try:
        change, _ = site.assembly.tokens.read_passing(ADDRESS, token, now)
    except Expired:
        return _expired(site)
    except BadToken:
        return bad_link(site)
    with writing(site.engine) as session:
        moved, reader = move_address(session, change, whence(request), SOURCE, now)
        if moved is Moved.MOVED and reader is not None:
            welcome.tell_changed(session, site.assembly.welcome_desk, reader, now)
        session.commit()
    log.info("address", subscriber=reader, outcome=moved.name)
    if moved is Moved.MOVED and reader is not None:
        key = site.assembly.tokens.make_passing(PREFERENCES, reader, now)
        return page(site, "moved.html", headers=PRIVATE, key=key)
    if moved is Moved.TAKEN:
        return notice(
            site,
            site.say("This address cannot be used"),
            site.say(
                "Somebody reads us here already, or asked us never to write here. Nothing has changed: letters go "
                "where they went."
            ),
            headers=PRIVATE,
        )
    return notice(
        site,
        site.say("This link has been used"),
        site.say(
            "If you have pressed the button before, letters go to the new address. If another address was named since, "
            "the link in the newest letter counts; if the old one was kept, nothing has changed."
        ),
        headers=PRIVATE,
    )


def _expired(site: Site) -> Response:
    return notice(
        site,
        site.say("This link has expired"),
        site.say(
            "Nothing has changed: it was good for a day. Name the new address once more on your own page, which every "
            "letter links to at its foot."
        ),
        status=410,
        headers=PRIVATE,
    )
