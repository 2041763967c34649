"""What may a reader do on their own page? Everything that concerns them, with the link as the only key.

Promises: looking changes nothing; each act that is sent twice is done once; the address shows on this page alone; once
the link's time is over, or the reader has moved since it was made, a fresh one goes to the address that we have, and to
no other; whoever is to be written to elsewhere hears of it where they are.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from sqlmodel import Session

from newsletter import dossier, farewell, welcome, wording
from newsletter.comparisons.categories import category_key
from newsletter.db import leave_no_copies, reading, writing
from newsletter.language import available
from newsletter.web import own_page
from newsletter.web.answers import answers, fields
from newsletter.web.form import LONGEST_SHOWN, Form, Sent, what_is_wrong, whence
from newsletter.web.keys import PRIVATE, bad_link, nobody, sent_to_you
from newsletter.web.own_page import MAY
from newsletter.web.site import Here, Site, notice, page
from subscribers import preferences, signup
from subscribers.address import parse_address
from subscribers.consent import Whence
from subscribers.preferences import CHANGES_OF_A_READER, HOUR, MOST_WEEKS, Asked
from subscribers.signup import Confirmed
from subscribers.subscriber import ERASED, Subscriber
from subscribers.tokens import PREFERENCES, BadToken, Expired
from subscribers.unsubscribe import unsubscribe

SOURCE: Final = "own page"
"""How a reader's consent history names what was said here."""

FRESH_LINK: Final = "link"


router = APIRouter(prefix="/preferences", default_response_class=HTMLResponse)
log = structlog.get_logger()


@dataclass(frozen=True)
class Said:
    """What the page says of an act: that it is done, or what was wrong, and in which part of the page."""

    text: str
    status: int = 200
    part: str = ""
    written: str = ""
    """What was typed, to be mended."""
    gone: frozenset[str] = frozenset()
    """Texts that were erased, no copy of which is to lie about."""

    @property
    def is_wrong(self) -> bool:
        """Whether nothing was done."""
        return self.status != 200


@dataclass(frozen=True)
class Act:
    """What a reader wants done, and all that doing it needs."""

    session: Session
    site: Site
    subscriber: Subscriber
    sent: Sent
    whence: Whence
    now: datetime


@router.api_route("/{token}", methods=["GET", "HEAD"], responses=answers(404, 410, 503))
def look(site: Here, token: str) -> Response:
    """A reader's own page."""
    try:
        reader, made_at = site.assembly.tokens.read_passing(PREFERENCES, token, site.clock())
        with reading(site.engine) as session:
            _see_that_it_is_theirs(session, reader, made_at)
            subscriber = session.get(Subscriber, reader)
            if subscriber is None or subscriber.status == ERASED:
                return nobody(site)
            return _page(session, site, subscriber, token)
    except Expired:
        return _expired(site)
    except BadToken:
        return bad_link(site)


@router.api_route(
    "/{token}/data",
    methods=["GET", "HEAD"],
    response_class=JSONResponse,
    responses=answers(404, 410, 503),
)
def data(site: Here, token: str) -> Response:
    """All that we hold of the reader: to be read in the browser, and kept as a file."""
    try:
        reader, made_at = site.assembly.tokens.read_passing(PREFERENCES, token, site.clock())
        with reading(site.engine) as session:
            _see_that_it_is_theirs(session, reader, made_at)
            held = dossier.dossier(session, reader)
    except Expired:
        return _expired(site)
    except BadToken:
        return bad_link(site)
    except LookupError:
        return nobody(site, 404)
    return Response(
        json.dumps(held, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={**PRIVATE, "Content-Disposition": 'inline; filename="what-we-hold-of-you.json"'},
    )


@router.post(
    "/{token}",
    responses=answers(404, 410, 413, 422, 429, 503),
    openapi_extra=fields(
        ("do",),
        do={"type": "string", "enum": sorted([*MAY["active"], FRESH_LINK])},
        shown={"type": "array", "items": {"type": "string"}, "description": "The categories that could be chosen."},
        follow={"type": "array", "items": {"type": "string"}, "description": "Those of them that were."},
        language={"type": "string", "enum": list(available()), "description": "What letters are to speak."},
        weeks={"type": "integer", "minimum": 1, "maximum": MOST_WEEKS},
        email={"type": "string", "description": "The new address."},
        sure={"type": "string", "enum": ["yes"]},
    ),
)
def choose(request: Request, site: Here, token: str, form: Form) -> Response:
    """Do one thing, and show the page as it is after it."""
    now = site.clock()
    try:
        key = site.assembly.tokens.read_passing(PREFERENCES, token, now)
        return _choose(request, site, token, key, form, now)
    except Expired as expired:
        return _fresh_link(site, expired.number, now) if form.one("do") == FRESH_LINK else _expired(site)
    except BadToken:
        return bad_link(site)


def _choose(request: Request, site: Site, token: str, key: tuple[int, datetime], form: Sent, now: datetime) -> Response:
    reader, made_at = key
    with writing(site.engine) as session:
        subscriber = session.get(Subscriber, reader, with_for_update=True)
        _see_that_it_is_theirs(session, reader, made_at)
        if subscriber is None or subscriber.status == ERASED:
            return nobody(site)
        wish = form.one("do")
        said = _do(wish, Act(session, site, subscriber, form, whence(request), now))
        session.commit()
        answer = _page(session, site, subscriber, token, said) if subscriber.status != ERASED else None
    log.info("own page", subscriber=reader, act=wish if wish in ACTS else "unknown", done=not said.is_wrong)
    site.postman.nudge()
    if answer is None:
        leave_no_copies(site.engine, said.gone)
        return _forgotten(site)
    return answer


def _see_that_it_is_theirs(session: Session, reader: int, made_at: datetime) -> None:
    """A key that went to a mailbox which its reader has left opens nothing. Raises Expired."""
    if preferences.moved_since(session, reader, made_at):
        raise Expired(reader)


def _do(wish: str, act: Act) -> Said:
    say = act.site.say
    if wish not in ACTS:
        return Said(say("That form was incomplete, and nothing has changed. Please use the buttons of this page."), 422)
    if wish not in MAY[act.subscriber.status]:
        return Said(say("That is not possible as things are now, and nothing has changed."), 422)
    return ACTS[wish](act)


def _choose_categories(act: Act) -> Said:
    """Mute what was shown and not chosen. What was not shown stays: there may be a new category since."""
    shown, follow = ({category_key(name) for name in act.sent.all(field)} for field in ("shown", "follow"))
    known = own_page.choices(act.session, act.subscriber)
    muted = []
    for choice in known:
        key = category_key(choice.name)
        if (key not in follow) if key in shown else not choice.followed:
            muted.append(choice.name)
    preferences.mute(act.session, act.subscriber, muted)
    if known and len(muted) == len(known):
        return Said(act.site.say("Saved. You have chosen none: you get no letter until something else is compared."))
    return Said(act.site.say("Saved. It holds from the next letter on."))


def _choose_language(act: Act) -> Said:
    code = act.sent.one("language")
    if code not in available():
        return Said(act.site.say("Please choose one of these. Nothing has changed."), 422, "language")
    preferences.choose_language(act.session, act.subscriber, code)
    return Said(act.site.say("Saved. It holds from the next letter on."))


def _pause(act: Act) -> Said:
    weeks = act.sent.one("weeks")
    if not (weeks.isascii() and weeks.isdecimal() and len(weeks) <= 2 and 1 <= int(weeks) <= MOST_WEEKS):
        wrong = act.site.say("Please choose from 1 to {most} weeks. Nothing has changed.", most=MOST_WEEKS)
        return Said(wrong, 422, "pause")
    preferences.pause(act.session, act.subscriber, int(weeks), act.now)
    assert act.subscriber.paused_until is not None  # whoever may pause has a rest now
    until = act.subscriber.paused_until.astimezone(act.site.assembly.settings.zone)
    return Said(act.site.say("Done. No letters until {day}.", day=act.site.say.day(until.date())))


def _resume(act: Act) -> Said:
    preferences.resume(act.session, act.subscriber, act.now)
    return Said(act.site.say("Done. The next letter comes to you."))


def _change_address(act: Act) -> Said:
    say, written = act.site.say, act.sent.one("email")
    try:
        if not written:
            return Said(say("Please write the new address into the field. Nothing has changed."), 422, "address")
        address = parse_address(written)
    except ValueError as error:
        wrong = say("{wrong} Nothing has changed.", wrong=what_is_wrong(say, error))
        return Said(wrong, 422, "address", written[:LONGEST_SHOWN])
    if address.email == act.subscriber.email:
        return Said(say("Letters go to that address already."))
    asked = preferences.ask_address(act.session, act.subscriber, address, act.now)
    if asked is Asked.TOO_OFTEN:
        return Said(
            say("You can name {most} addresses an hour. Please try again later.", most=CHANGES_OF_A_READER),
            429,
            "address",
            written[:LONGEST_SHOWN],
        )
    assert act.subscriber.id is not None  # it was read from the database
    # Also where nothing follows at the other address: by the one letter, the other could be told.
    welcome.tell_of_change(act.session, act.site.assembly.welcome_desk, act.subscriber.id, act.now)
    if asked is Asked.WRITE:
        welcome.ask_address(act.session, act.site.assembly.welcome_desk, act.subscriber.id, act.now)
    return Said(
        say(
            "Look into the inbox of {email}: the button in the letter there makes the change. Until then letters go "
            "where they went.",
            email=address.email,
        )
    )


def _stay(act: Act) -> Said:
    preferences.drop_change(act.session, act.subscriber)
    return Said(act.site.say("Done. Your address stays as it is."))


def _join(act: Act) -> Said:
    """Take the reader's word that they want the letter: they have it from a page that only they can open."""
    assert act.subscriber.id is not None  # it was read from the database
    words = wording.confirm(act.site.assembly.settings.name, act.site.say.code)
    confirmed = signup.confirm(act.session, act.subscriber.id, act.now, words, act.whence, SOURCE, act.now)
    if confirmed is Confirmed.NOW:
        welcome.greet(act.session, act.site.assembly.welcome_desk, act.subscriber.id, act.now)
    return Said(act.site.say("You are on the list. The next letter comes to you."))


def _leave(act: Act) -> Said:
    unsubscribe(act.session, act.subscriber, SOURCE, act.now)
    return Said(act.site.say("You are unsubscribed. A letter that is on its way just now may still arrive."))


def _erase(act: Act) -> Said:
    if act.sent.one("sure") != "yes":
        return Said(act.site.say("Please tick “Yes, forget me” first. Nothing has changed."), 422, "erase")
    return Said(act.site.say("You are forgotten."), gone=farewell.forget(act.session, act.subscriber, act.now))


ACTS: Final[dict[str, Callable[[Act], Said]]] = {
    own_page.CATEGORIES: _choose_categories,
    own_page.LANGUAGE: _choose_language,
    own_page.PAUSE: _pause,
    own_page.RESUME: _resume,
    own_page.ADDRESS: _change_address,
    own_page.STAY: _stay,
    own_page.JOIN: _join,
    own_page.LEAVE: _leave,
    own_page.ERASE: _erase,
}


def _page(session: Session, site: Site, subscriber: Subscriber, token: str, said: Said | None = None) -> Response:
    return page(
        site,
        "preferences.html",
        said.status if said else 200,
        {**PRIVATE, "Retry-After": str(int(HOUR.total_seconds()))} if said and said.status == 429 else PRIVATE,
        own=own_page.own_page(session, site, subscriber),
        said=said,
        key=token,
        most_weeks=MOST_WEEKS,
        words=wording.confirm(site.assembly.settings.name, site.say.code),
    )


def _expired(site: Site) -> Response:
    return page(site, "expired.html", 410, PRIVATE, wish=PREFERENCES)


def _fresh_link(site: Site, reader: int, now: datetime) -> Response:
    with writing(site.engine) as session:
        welcome.ask_link(session, site.assembly.welcome_desk, reader, now)
        session.commit()
    site.postman.nudge()
    return sent_to_you(site)


def _forgotten(site: Site) -> Response:
    return notice(
        site,
        site.say("You are forgotten"),
        site.say(
            "We hold your address no more, nor anything else that names you. What remains are counts: so many letters "
            "were sent."
        ),
        site.say(
            "A letter that is on its way just now may still arrive. Should you ever want to read us again, sign up "
            "like anybody else."
        ),
        headers=PRIVATE,
    )
