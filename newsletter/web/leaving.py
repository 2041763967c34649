"""How does a reader leave, by the link in a letter or by the button of their mail program (RFC 8058)?

Promises: looking changes nothing, since scanners follow every link; one POST is enough, whoever sends it and whatever
it says; it may come twice and years later; no page says whose link it is, since letters are forwarded. Leaving can be
taken back for a day, and who has left may say why, once; neither is asked for before they have.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from newsletter.db import writing
from newsletter.language import Speech
from newsletter.web.answers import answers, fields
from newsletter.web.form import Form, whence
from newsletter.web.keys import PRIVATE, bad_link, nobody, sign_up_again
from newsletter.web.site import Here, Site, notice, page
from subscribers.subscriber import ERASED, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.tokens import UNSUBSCRIBE, BadToken
from subscribers.unsubscribe import REASONS, Undone, can_undo, gave_reason, give_reason, undo, unsubscribe

SOURCE: Final = "unsubscribe link"
"""How a reader's consent history names this way out."""

RETRY: Final = "60"  # seconds until a mail program may try again

router = APIRouter(prefix="/unsubscribe", default_response_class=HTMLResponse)
log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True)
class Left:
    """What is still to be offered to somebody who has left."""

    has_left: bool
    can_undo: bool
    may_say_why: bool


@router.api_route("/{token}", methods=["GET", "HEAD"], responses=answers(404))
def ask(site: Here, token: str) -> Response:
    """One button. It asks the database nothing, so that it stands even when that is away."""
    if _reader(site, token) is None:
        return _bad_link(site)
    return page(site, "leave.html", headers=PRIVATE)


# The body is never read: it holds nothing that the address does not say already, and may be anything of any size.
@router.post("/{token}", responses=answers(404, 503))
def leave(site: Here, token: str) -> Response:
    """Take the reader off the list, at once."""
    reader = _reader(site, token)
    if reader is None:
        return _bad_link(site)

    def act(session: Session, subscriber: Subscriber) -> tuple[bool, Left]:
        return unsubscribe(session, subscriber, SOURCE, site.clock()), _left(session, site, subscriber)

    try:
        done = _with_reader(site, reader, act)
    except SQLAlchemyError as error:
        log.warning("unsubscribe could not be written", subscriber=reader, error=type(error).__name__)
        return _not_written(site)
    if done is None:
        return nobody(site)
    left_now, left = done
    log.info("unsubscribed", subscriber=reader, again=not left_now)
    return _left_page(site, token, left)


@router.post("/{token}/undo", responses=answers(404, 503))
def take_back(request: Request, site: Here, token: str) -> Response:
    """Put somebody who has left within a day back to where they were."""
    reader = _reader(site, token)
    if reader is None:
        return _bad_link(site)
    undone = _with_reader(
        site, reader, lambda session, subscriber: undo(session, subscriber, SOURCE, site.clock(), whence(request))
    )
    if undone is None:
        return nobody(site)
    log.info("leaving taken back", subscriber=reader, outcome=undone.name)
    if undone is Undone.BACK:
        return notice(
            site,
            site.say("You are back"),
            site.say("It is as if you had not left: letters come to you as before."),
            headers=PRIVATE,
        )
    return sign_up_again(
        site,
        site.say("That can be taken back for a day"),
        site.say("Nothing has changed: it is longer than that, or the address must not be written to any more."),
    )


@router.post(
    "/{token}/reason",
    responses=answers(404, 413, 422, 503),
    openapi_extra=fields(("reason",), reason={"type": "string", "enum": list(REASONS)}),
)
def say_why(site: Here, token: str, form: Form) -> Response:
    """Write down why somebody has left; the first answer counts."""
    reader = _reader(site, token)
    if reader is None:
        return _bad_link(site)
    choice = form.one("reason")

    def act(session: Session, subscriber: Subscriber) -> Left:
        if choice in REASONS:
            give_reason(session, subscriber, choice, SOURCE, site.clock())
        return _left(session, site, subscriber)

    left = _with_reader(site, reader, act)
    if left is None:
        return nobody(site)
    if not left.has_left:
        return notice(site, site.say("You have not left"), site.say("Letters come to you as before."), headers=PRIVATE)
    if choice not in REASONS:
        return _left_page(site, token, left, wrong=site.say("Please choose one of these."))
    return _left_page(site, token, replace(left, may_say_why=False), thanked=True)


def _with_reader(site: Site, reader: int, act: Callable[[Session, Subscriber], T]) -> T | None:
    """Do something with a reader in one transaction; None where there is none any more."""
    with writing(site.engine) as session:
        # Locked, so that two requests at once do not write a wish down twice.
        subscriber = session.get(Subscriber, reader, with_for_update=True)
        if subscriber is None or subscriber.status == ERASED:
            return None
        done = act(session, subscriber)
        session.commit()
    return done


def _left(session: Session, site: Site, subscriber: Subscriber) -> Left:
    session.flush()
    return Left(
        has_left=subscriber.status in (UNSUBSCRIBED, SUPPRESSED),
        can_undo=can_undo(session, subscriber, site.clock()),
        may_say_why=not gave_reason(session, subscriber),
    )


def _left_page(site: Site, token: str, left: Left, wrong: str = "", thanked: bool = False) -> Response:
    return page(
        site,
        "left.html",
        422 if wrong else 200,
        PRIVATE,
        key=token,
        left=left,
        reasons=_reasons(site.say),
        wrong=wrong,
        thanked=thanked,
    )


def _reasons(say: Speech) -> dict[str, str]:
    """The choices of `REASONS` in a reader's language; in English word for word what is kept."""
    return {
        "often": say("Too many letters"),
        "interest": say("It is not for me any more"),
        "never": say("I never signed up"),
        "content": say("I expected something else"),
        "other": say("Another reason"),
    }


def _reader(site: Site, token: str) -> int | None:
    try:
        return site.assembly.tokens.read(UNSUBSCRIBE, token)
    except BadToken:
        return None


def _bad_link(site: Site) -> Response:
    return bad_link(
        site, site.say("The unsubscribe button that many mail programs show beside the sender’s name works, too.")
    )


def _not_written(site: Site) -> Response:
    return notice(
        site,
        site.say("That did not work just now"),
        site.say(
            "You are still on the list: we could not write your wish down. Please press the button again in a few "
            "minutes."
        ),
        status=503,
        headers={**PRIVATE, "Retry-After": RETRY},
    )
