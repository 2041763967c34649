"""What does the desk keep in a browser? Signed cookies that no script reads and no other site's form brings along.

Behind TLS their names begin with `__Host-`: a browser takes those only over TLS, only from this very host and for all
of it, so that neither another site of our domain nor somebody on the line can plant one. SameSite is Lax and not
Strict: a link to the desk in a mail is to find its editor signed in, and no GET of the desk changes anything.
"""

from hashlib import sha256
from secrets import token_hex
from typing import Final

from fastapi import Request, Response
from itsdangerous import BadSignature, Signer, TimestampSigner

from newsletter.web.site import Site

SESSION: Final = "desk"
"""Holds the secret of a session; gone with the browser's own session."""
KNOWN: Final = "desk-known"
"""Says in which account this browser has been, so that nobody who guesses from elsewhere can keep its editor out."""
KNOWN_FOR: Final = 180 * 24 * 3600  # seconds


def keys_of(site: Site) -> list[str]:
    """The keys that sign cookies and forms, the newest last, as itsdangerous has them. All are good for reading."""
    return list(reversed(site.assembly.tokens.keys))


def is_secure(site: Site) -> bool:
    """Whether browsers reach us by TLS."""
    return site.assembly.settings.base_url.startswith("https://")


def named(site: Site, name: str) -> str:
    """What a cookie is called in the browser."""
    return f"__Host-{name}" if is_secure(site) else name


def cookie_name(site: Site) -> str:
    """What the cookie of a session is called in the browser."""
    return named(site, SESSION)


def signer(site: Site) -> Signer:
    """Signs the cookie of a session."""
    return Signer(keys_of(site), salt="desk session", digest_method=sha256)


def secret_of(request: Request) -> str:
    """The secret of the session that a browser has, whether that is still good or not; empty where it has none."""
    site: Site = request.app.state.site
    try:
        return signer(site).unsign(request.cookies.get(cookie_name(site), "")).decode()
    except (BadSignature, UnicodeError):
        return ""


def known_as(request: Request) -> tuple[int, str] | None:
    """The account in which this browser has been, and what tells it from all others that have been in it."""
    site: Site = request.app.state.site
    try:
        known = _known(site).unsign(request.cookies.get(named(site, KNOWN), ""), KNOWN_FOR).decode()
        number, _, browser = known.partition("-")
        return int(number), browser
    except (BadSignature, ValueError):  # a UnicodeError is a ValueError
        return None


def sign_in(site: Site, answer: Response, editor_id: int, secret: str) -> None:
    """Give a browser its session, and the word that it has been in this account."""
    set_cookie(site, answer, SESSION, signer(site).sign(secret).decode())
    set_cookie(site, answer, KNOWN, _known(site).sign(f"{editor_id}-{token_hex(8)}").decode(), KNOWN_FOR)


def set_cookie(site: Site, answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Give a browser a cookie; without seconds it is gone when the browser is closed."""
    secure = is_secure(site)
    answer.set_cookie(named(site, name), value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")


def forget_cookie(site: Site, answer: Response, name: str) -> None:
    """Take a cookie away; with all that it was set with, since a browser refuses `__Host-` without `Secure`."""
    set_cookie(site, answer, name, "", 0)


def _known(site: Site) -> TimestampSigner:
    return TimestampSigner(keys_of(site), salt="desk known", digest_method=sha256)
