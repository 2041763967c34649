"""Does a form come from a page of ours, shown to this very browser? What browsers say of that, and what proves it.

Each form brings a proof that is bound to the session it was shown to; one at the door, where there is no session yet,
to a cookie that the door gives. So nobody can send an editor's browser in with somebody else's account either.
"""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from itsdangerous import BadSignature, Signer, TimestampSigner, URLSafeTimedSerializer

from newsletter.web.desk.cookies import forget_cookie, keys_of, named, set_cookie
from newsletter.web.site import Site

REFUSED: Final = (
    "This form is not one that the desk has shown to you, or it is too old. Nothing has changed; try again."
)
DOOR: Final = "desk-door"
"""The cookie that stands for a session where there is none yet."""
DOOR_FOR: Final = 12 * 3600  # seconds
CARRIED_FOR: Final = 3600  # seconds from when a new second step is shown until it has to be confirmed


def came_from_here(request: Request) -> bool:
    """Whether a browser says that a form comes from our own pages; what says nothing at all may pass: no browser does.

    `Sec-Fetch-Site` cannot be set by a page. Where it is missing, `Origin` has to be the public address, or the host
    that was asked: a proxy may have changed the one, and somebody at the machine itself goes past the other.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    public = urlsplit(request.app.state.site.assembly.settings.base_url)
    try:
        said = urlsplit(origin)
    except ValueError:
        return False
    if (said.scheme, said.netloc) == (public.scheme, public.netloc):
        return True
    return bool(said.netloc) and said.netloc == request.headers.get("host")


def proof(site: Site, shown_to: str) -> str:
    """What each form of a session brings; `shown_to` is the hash that the database knows the session by.

    Not its number, which a database may give again once the session is gone.
    """
    return _signature(site).get_signature(shown_to).decode()


def is_proof(site: Site, shown_to: str, brought: str) -> bool:
    """Whether this is what the forms of a session bring."""
    return _signature(site).verify_signature(shown_to, brought.encode(errors="replace"))


def before_the_door(request: Request) -> tuple[str, str]:
    """(what the cookie of the door is to hold, what its form brings); the same for all pages of a browser."""
    site: Site = request.app.state.site
    chance = _chance(request) or token_urlsafe(32)
    return _door(site).sign(chance).decode(), proof(site, f"door {chance}")


def open_door(site: Site, answer: Response, cookie: str) -> None:
    """Give a browser the cookie of the door."""
    set_cookie(site, answer, DOOR, cookie, DOOR_FOR)


def close_door(site: Site, answer: Response) -> None:
    """Take it away again: who is in has a session."""
    forget_cookie(site, answer, DOOR)


def was_before_the_door(request: Request, brought: str) -> bool:
    """Whether a form is one that the door has shown to this browser."""
    chance = _chance(request)
    return came_from_here(request) and bool(chance) and is_proof(request.app.state.site, f"door {chance}", brought)


def carry(site: Site, secret: str, whose: str) -> str:
    """A new second step as a field of the form that confirms it: until then nothing is kept of it."""
    return str(_carried(site).dumps([secret, sha256(whose.encode(errors="replace")).hexdigest()]))


def carried(site: Site, brought: str, whose: str) -> str | None:
    """The second step that a form was shown with; None where it was another's, or is too old."""
    try:
        secret, of = _carried(site).loads(brought, CARRIED_FOR)
    except (BadSignature, UnicodeError):
        return None
    return str(secret) if of == sha256(whose.encode(errors="replace")).hexdigest() else None


def _chance(request: Request) -> str:
    site: Site = request.app.state.site
    try:
        return _door(site).unsign(request.cookies.get(named(site, DOOR), ""), DOOR_FOR).decode()
    except (BadSignature, UnicodeError):
        return ""


def _signature(site: Site) -> Signer:
    return Signer(keys_of(site), salt="desk form", digest_method=sha256)


def _door(site: Site) -> TimestampSigner:
    return TimestampSigner(keys_of(site), salt="desk door", digest_method=sha256)


def _carried(site: Site) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(keys_of(site), salt="desk second step", signer_kwargs={"digest_method": sha256})
