"""How does somebody become a reader? A form, a letter, a button.

Promises: the form is answered alike whoever is on the list, in words and in work; looking at the page behind the
letter's link changes nothing and asks the database nothing; only its button makes a reader.
"""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from newsletter import welcome, wording
from newsletter.db import writing
from newsletter.web.answers import answers, fields
from newsletter.web.form import LONGEST_SHOWN, Form, Sent, what_is_wrong, whence
from newsletter.web.keys import PRIVATE, bad_link, sent_to_you, sign_up_again
from newsletter.web.metadata import About
from newsletter.web.site import Here, Site, cached, notice, page
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Words
from subscribers.preferences import moved_since
from subscribers.signup import PER, Confirmed
from subscribers.tokens import CONFIRM, PREFERENCES, BadToken, Expired

FORM_SOURCE: Final = "sign-up form"
BOX_SOURCE: Final = "sign-up box"
CONFIRM_SOURCE: Final = "confirmation link"
"""How a reader's consent history names these ways in."""

TRAP: Final = "homepage"
"""A field that no person sees; programs that fill in everything fill it in."""

LONGEST_HOST: Final = 100  # characters of another site's name that are kept

_HOST: Final = re.compile(r"[\w.:-]+")
"""A host's name in whatever letters, or its address in figures; nobody has to read anything else in a history."""

router = APIRouter(default_response_class=HTMLResponse)
log = structlog.get_logger()


@router.api_route("/subscribe", methods=["GET", "HEAD"], responses=answers(304))
def look(request: Request, site: Here) -> Response:
    """The sign-up form alone, and how to put it on another page."""
    return cached(request, _form(site))


@router.post(
    "/subscribe",
    responses=answers(413, 422, 429, 503),
    openapi_extra=fields(
        ("email",),
        email={"type": "string", "format": "email", "description": "The address that is to get the letter."},
        words={"type": "string", "description": "The version of the words that the form showed."},
        site={"type": "string", "description": "The host of the page that has the form in a frame."},
    ),
)
def subscribe(request: Request, site: Here, form: Form) -> Response:
    """Ask for the letter. The answer is the same whoever is on the list."""
    if form.one(TRAP):
        return _look_into_your_inbox(site)
    written = form.one("email")
    try:
        if not written:
            return _form(site, status=422, wrong=site.say("Please write your email address into the field."))
        address = parse_address(written)
    except ValueError as error:
        return _form(site, status=422, wrong=what_is_wrong(site.say, error), written=written[:LONGEST_SHOWN])
    with writing(site.engine) as session:
        within = signup.ask(
            session,
            address,
            _shown(site, form),
            whence(request),
            _source(request, site, form),
            site.clock(),
            language=_language(site, form),
        )
        session.commit()
    if not within:
        return _form(
            site,
            status=429,
            wrong=site.say("Too many addresses came from your network within an hour. Please try again later."),
            written=written[:LONGEST_SHOWN],
            headers={"Retry-After": str(int(PER.total_seconds()))},
        )
    site.postman.nudge()
    return _look_into_your_inbox(site)


@router.api_route("/confirm/{token}", methods=["GET", "HEAD"], responses=answers(404, 410))
def ask(site: Here, token: str) -> Response:
    """One button. It asks the database nothing, so that it stands even when that is away."""
    try:
        site.assembly.tokens.read_passing(CONFIRM, token, site.clock())
    except Expired:
        return page(site, "expired.html", 410, PRIVATE, wish=CONFIRM)
    except BadToken:
        return bad_link(site)
    return page(site, "confirm.html", headers=PRIVATE, words=_confirming(site))


# The body is never read: the words that the button stood beside are the page's, whatever is sent.
@router.post("/confirm/{token}", responses=answers(404, 503))
def confirm(request: Request, site: Here, token: str) -> Response:
    """Make a reader of whoever has the link; with a link whose time is over, send a fresh one."""
    now = site.clock()
    try:
        reader, made_at = site.assembly.tokens.read_passing(CONFIRM, token, now)
    except Expired as expired:
        return _again(site, expired.number, now)
    except BadToken:
        return bad_link(site)
    words = _confirming(site)
    with writing(site.engine) as session:
        if moved_since(session, reader, made_at):  # it lies in a mailbox that is theirs no more, and would be a key
            return _out_of_date(site)
        confirmed = signup.confirm(session, reader, made_at, words, whence(request), CONFIRM_SOURCE, now)
        if confirmed is Confirmed.NOW:
            welcome.greet(session, site.assembly.welcome_desk, reader, now)
        session.commit()
    log.info("confirmed", subscriber=reader, outcome=confirmed.name)
    if confirmed is Confirmed.NOW:
        site.postman.nudge()
    if confirmed in (Confirmed.NOW, Confirmed.BEFORE):
        key = site.assembly.tokens.make_passing(PREFERENCES, reader, now)
        return page(site, "confirmed.html", headers=PRIVATE, key=key)
    return _out_of_date(site)


def _out_of_date(site: Site) -> Response:
    return sign_up_again(
        site,
        site.say("This link is out of date"),
        site.say(
            "Nothing has changed. Since the letter with it was written, the address has left the list, was forgotten, "
            "or must not be written to any more."
        ),
    )


def _again(site: Site, reader: int, now: datetime) -> Response:
    with writing(site.engine) as session:
        welcome.ask_again(session, site.assembly.welcome_desk, reader, now)
        session.commit()
    site.postman.nudge()
    return sent_to_you(site)


def _form(
    site: Site, status: int = 200, wrong: str = "", written: str = "", headers: dict[str, str] | None = None
) -> HTMLResponse:
    links = site.assembly.links
    return page(
        site,
        "subscribe.html",
        status,
        headers,
        wrong=wrong,
        written=written,
        about=About(site.say("Subscribe"), links.subscribe()),
        there=links.subscribe(),
        box=links.box(),
    )


def _look_into_your_inbox(site: Site) -> Response:
    return notice(
        site,
        site.say("Look into your inbox"),
        site.say(
            "If nothing stands in the way, a letter from us arrives within a few minutes. Open the link in it: only "
            "then are you on the list."
        ),
        site.say(
            "Nothing there? Look among the spam, and whether the address was written as it should be. You may try "
            "again."
        ),
    )


def _shown(site: Site, form: Sent) -> Words:
    """The words that a form says it has shown."""
    return wording.sign_up_shown(site.assembly.settings.name, form.one("words"))


def _confirming(site: Site) -> Words:
    """The words beside the button that confirms."""
    return wording.confirm(site.assembly.settings.name, site.say.code)


def _language(site: Site, form: Sent) -> str | None:
    """The language in which somebody has signed up: that of the words they agreed to, which a form on another page may
    say in another language than ours. None where it is the newsletter's own."""
    shown = wording.sign_up_language(form.one("words")) or site.say.code
    return None if shown == site.assembly.settings.language else shown


def elsewhere(request: Request, site: Site, address: str) -> str | None:
    """The host of an address, fit to be kept, where it is not one of ours."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    ours = (urlsplit(site.assembly.settings.base_url).hostname, request.url.hostname)
    return host[:LONGEST_HOST] if host and host not in ours and _HOST.fullmatch(host) else None


def _source(request: Request, site: Site, form: Sent) -> str:
    """Which form it was: ours, one that another site has written, or ours in a frame on another site's page."""
    if other := elsewhere(request, site, request.headers.get("origin", "")):
        return f"{FORM_SOURCE} on {other}"
    framed_by = elsewhere(request, site, f"//{form.one('site')}")
    return f"{BOX_SOURCE} on {framed_by}" if framed_by else FORM_SOURCE
