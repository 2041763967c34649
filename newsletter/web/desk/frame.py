"""What do the pages of the desk share? Who is asking, what they may do, how a form is trusted, how a page is answered.

Promises: nobody sees or does anything here without being signed in, nor what their role does not allow; no form is
taken that one of our pages did not show to this very session; what is refused is said on the page, and nothing changed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer
from jinja2 import Environment
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from newsletter.db import reading, writing, writing_soon
from newsletter.editors import log, sessions
from newsletter.editors.editor import Editor
from newsletter.editors.sessions import SignedIn
from newsletter.places import TEMPLATES
from newsletter.web.desk.cookies import forget_cookie, keys_of, named, secret_of, set_cookie
from newsletter.web.desk.trust import REFUSED, came_from_here, is_proof, proof
from newsletter.web.form import Sent, read
from newsletter.web.keys import PRIVATE
from newsletter.web.site import Site, environment

FOLDER: Final = TEMPLATES / "desk"
HOME: Final = "/desk"
LOGIN: Final = "/desk/login"

SAID: Final = "desk-said"
"""The cookie that carries what is to be said of an act to the page that follows it."""
SAID_FOR: Final = 60  # seconds
LONGEST_SAID: Final = 1_000  # characters
MOST_OF_A_COOKIE: Final = 3_800  # bytes; a browser drops one of more than 4096 with its name and what it is set with

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    **PRIVATE,
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every page of the desk. Scripts are our own files only: none stands in a page."""


class NotSignedIn(Exception):  # noqa: N818  the name says what happened
    """Nobody is signed in by what this request brought."""


class NotAllowed(Exception):  # noqa: N818  the name says what happened
    """Somebody is signed in whose role does not allow this, or whose form is not one of ours; the text says which."""


@dataclass(frozen=True)
class Furniture:
    """What all requests to the desk share, made once."""

    templates: Environment
    files: Mapping[str, tuple[bytes, str]] = field(repr=False)
    """The style sheet and the scripts: name -> what it holds, and its version."""


@dataclass(frozen=True)
class Desk:
    """One request by somebody who is signed in."""

    request: Request
    site: Site
    editor: Editor
    signed_in: SignedIn
    now: datetime

    @property
    def by(self) -> int:
        """The id of whoever is asking."""
        assert self.editor.id is not None  # it was read from the database
        return self.editor.id

    def may(self, right: str) -> bool:
        """Whether whoever is asking may do something (`editors.editor`)."""
        return self.editor.may(right)

    def reading(self) -> Any:
        """A session that only reads."""
        return reading(self.site.engine)

    def writing(self) -> Any:
        """A session for one transaction that may write; the caller commits."""
        return writing(self.site.engine)

    def log(self, session: Session, act: str, **of: Any) -> None:
        """Note what is done, in the transaction that does it: see `editors.log.write`."""
        log.write(session, self.now, self.by, act, **of)

    @property
    def csrf(self) -> str:
        """What each form of this session has to bring."""
        return proof(self.site, self.signed_in.digest)


def furnish(site: Site) -> Furniture:
    """Read all templates and files of the desk, once."""
    templates = environment(FOLDER)
    theme = site.assembly.rules.masthead.theme.style()
    files = {}
    for path in sorted([*FOLDER.glob("*.css"), *FOLDER.glob("*.js")]):
        content = (theme if path.suffix == ".css" else "").encode() + path.read_bytes()
        files[path.name] = (content, sha256(content).hexdigest()[:12])
    base = urlsplit(site.assembly.settings.base_url).path.rstrip("/")
    templates.globals |= {
        "newsletter": site.assembly.settings.name,
        "base": base,
        "zone": site.assembly.settings.timezone,
        "version_of": {name: version for name, (_, version) in files.items()},
    }
    zone = site.assembly.rules.zone
    templates.filters["local"] = lambda at: at.astimezone(zone).strftime("%a %d %b %Y, %H:%M")
    templates.filters["number"] = lambda number: "—" if number is None else f"{number:,}"
    for name in templates.list_templates(["html"]):
        templates.get_template(name)
    return Furniture(templates, files)


def signed_in(request: Request) -> Desk:
    """Who is asking. Raises NotSignedIn."""
    site: Site = request.app.state.site
    now = site.clock()
    secret = secret_of(request)
    if not secret:
        raise NotSignedIn
    with reading(site.engine) as session:
        found = sessions.find(session, secret, now)
    if found is None:
        raise NotSignedIn
    desk = Desk(request, site, found[1], found[0], now)
    if now - desk.signed_in.seen_at >= sessions.NOTED:
        _note_use(desk)
    request.state.desk = desk  # for the page that says what was wrong, should something be
    return desk


def _note_use(desk: Desk) -> None:
    """Write down that a session is in use; no page waits for that while others write for long."""
    assert desk.signed_in.id is not None  # it was read from the database
    with suppress(OperationalError), writing_soon(desk.site.engine) as session:
        sessions.note_use(session, desk.signed_in.id, desk.now)
        session.commit()


async def guard(request: Request, desk: Annotated[Desk, Depends(signed_in)]) -> Sent:
    """Let nobody do anything by a form that is not one of ours; the form. Raises NotSignedIn or NotAllowed.

    Nothing of a body is read before it is known who sends it.
    """
    if request.method in ("GET", "HEAD"):
        return Sent()
    if not came_from_here(request):
        raise NotAllowed(REFUSED)
    sent = await read(request)
    check_form(desk, sent.one("csrf"))
    return sent


def check_form(desk: Desk, brought: str) -> None:
    """Raises NotAllowed for a form that was not shown to this session."""
    if not is_proof(desk.site, desk.signed_in.digest, brought):
        raise NotAllowed(REFUSED)


Here = Annotated[Desk, Depends(signed_in)]
"""Who is asking, as a parameter of an endpoint."""

Form = Annotated[Sent, Depends(guard)]
"""What a form of ours has sent, as a parameter of an endpoint."""


def only(right: str) -> Callable[[Desk], None]:
    """A dependency that lets only those through who may do something: `dependencies=[Depends(only(SEND))]`."""

    def check(desk: Here) -> None:
        if not desk.may(right):
            raise NotAllowed(f"Your account is that of an {desk.editor.role}: this takes a publisher.")

    return check


def page(desk: Desk, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Fill one of `templates/desk` and answer with it. Templates have `desk`, `said` and `csrf` besides."""
    said = None if is_part(desk.request) else _said(desk)  # a part has no place for it: the next page says it
    furniture: Furniture = desk.request.app.state.furniture
    values = {"desk": desk, "csrf": desk.csrf, "said": said, "is_part": is_part(desk.request), **values}
    answer = HTMLResponse(furniture.templates.get_template(template).render(values), status, HEADERS)
    if said:
        forget_cookie(desk.site, answer, SAID)
    return answer


def outside(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The same for a page that knows nobody: it stands in front of the door, or says what was wrong."""
    furniture: Furniture = request.app.state.furniture
    return HTMLResponse(furniture.templates.get_template(template).render(values), status, HEADERS)


def is_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page, to put it in place of another."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def back_to(desk: Desk, path: str, said: str = "", *, wrong: bool = False) -> Response:
    """After an act: to a page of the desk (`/desk/…`), which says what was done."""
    answer = lead_to(desk.request, path)
    if said:
        tell(desk.site, answer, said, wrong=wrong)
    return answer


def lead_to(request: Request, path: str) -> Response:
    """To another page of the desk (`/desk/…`), below whatever path the public address has."""
    return RedirectResponse(f"{below(request)}{path}", 303, HEADERS)


def below(request: Request) -> str:
    """The path of the public address, below which all pages are; mostly none."""
    return str(request.app.state.furniture.templates.globals["base"])


def tell(site: Site, answer: Response, said: str, *, wrong: bool = False) -> None:
    """Let the page that follows say something."""
    words = ""
    most = LONGEST_SAID
    while not words or len(words) > MOST_OF_A_COOKIE:  # characters that are no ASCII take more room
        words = str(URLSafeTimedSerializer(keys_of(site), salt="desk said").dumps([said[:most], wrong]))
        most //= 2
    set_cookie(site, answer, SAID, words, SAID_FOR)


def _said(desk: Desk) -> tuple[str, bool] | None:
    try:
        cookie = desk.request.cookies.get(named(desk.site, SAID), "")
        words, wrong = URLSafeTimedSerializer(keys_of(desk.site), salt="desk said").loads(cookie, SAID_FOR)
    except (BadSignature, ValueError, TypeError):
        return None
    return str(words), bool(wrong)


def here_or_home(request: Request) -> str:
    """The page of the desk that a form was on, for the way back; the first page where that is not told."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return HOME
    path = parts.path.removeprefix(below(request))
    return local_path(path + (f"?{parts.query}" if parts.query else "")) or HOME


def local_path(wanted: str) -> str | None:
    """A path of the desk that somebody asks to be led to; None for anything that might lead elsewhere."""
    good = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and "//" not in wanted
    inside = wanted == HOME or wanted.startswith((f"{HOME}/", f"{HOME}?"))
    up = ".." in wanted or "%2e" in wanted.lower()  # which browsers take for a dot, too
    return wanted if good and inside and not up else None
