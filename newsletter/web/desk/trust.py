"""Does a form come from one of our own pages? What browsers say of that, before any token is looked at."""

from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

REFUSED: Final = (
    "This form is not one that the desk has shown to you, or it is too old. Nothing has changed; try again."
)


def came_from_here(request: Request) -> bool:
    """Whether a browser says that a form comes from our own pages; what says nothing at all may pass: no browser does.

    `Sec-Fetch-Site` cannot be set by a page. Where it is missing, `Origin` is held against the host that was asked.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
