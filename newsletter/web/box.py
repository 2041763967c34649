"""How does another site show our sign-up form on its own page, without writing it? A page made to be framed.

It is the one page that may be framed. Whoever frames it could hide it and have somebody press its button: that asks for
a letter to an address which that person has typed, and any site may ask for one by a form of its own; nobody becomes a
reader but by the button behind that letter. The page says nothing of anybody and takes nothing from its address but the
language. What the form is answered with opens in a tab of its own, under our own address, and may not be framed.
"""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from newsletter.web.headers import HEADERS
from newsletter.web.joining import elsewhere
from newsletter.web.site import Here, page

FRAMEABLE: Final = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("ancestors 'none'", "ancestors *"),
    "X-Robots-Tag": "noindex",
}

router = APIRouter(default_response_class=HTMLResponse)


# Kept by no cache: it notes which site shows it.
@router.api_route("/subscribe/box", methods=["GET", "HEAD"])
def box(request: Request, site: Here) -> Response:
    """The sign-up form alone, for a frame on another site's page."""
    shown_by = elsewhere(request, site, request.headers.get("referer", ""))
    return page(site, "box.html", headers=FRAMEABLE, shown_by=shown_by or "")
