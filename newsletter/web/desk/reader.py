"""What do we know of one reader, and what may be done for them? Their whole story, and what they have asked us to do.

Promises: looking changes nothing; each act is logged by the reader's number; of whoever was erased the page says that,
and nothing else.
"""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.db import leave_no_copies
from newsletter.delivery.ledger import LARGEST_ID
from newsletter.dossier import dossier
from newsletter.editors.editor import MANAGE, READ, SUPPRESS
from newsletter.farewell import forget
from newsletter.issues import issue as issues
from newsletter.language import available, own_name
from newsletter.story import Place, story
from newsletter.web.desk.frame import HEADERS, Desk, Form, Here, back_to, only, page
from newsletter.web.desk.readers import READERS, Wrong, forget_search
from newsletter.web.form import LONGEST_SHOWN
from newsletter.weekly import CannotDo
from subscribers import suppression
from subscribers.address import Address, readable
from subscribers.subscriber import ERASED, STATUSES, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.suppression import COMPLAINT, REASONS, status_of_words
from subscribers.unsubscribe import unsubscribe as take_off

AT_THE_DESK: Final = "an editor, at the reader's wish"
"""How a reader's consent history names what is done here for them; as the command does."""

BYTES_MAY_LIE: Final = (
    " Old bytes may lie in the database's file until its other users let go; the clock sees to that every day."
)

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/readers/{number}", dependencies=[Depends(only(READ))])
def show(desk: Here, number: int, before: Annotated[str, Query()] = "") -> Response:
    """One reader: how they stand, what may be done, and all that has happened."""
    return reader_page(desk, number, before=_place(before))


@router.post("/readers/{number}/unsubscribe", dependencies=[Depends(only(SUPPRESS))])
def unsubscribe(desk: Here, _: Form, number: int) -> Response:
    """Take a reader off the list, at their wish."""
    with desk.writing() as session:
        reader = require(session, number)
        left = take_off(session, reader, AT_THE_DESK, desk.now)
        if left:
            desk.log(session, "unsubscribed a reader", subscriber_id=number)
        session.commit()
    return back_to(desk, path_of(number), "They have left the list." if left else "They had left before.")


@router.post("/readers/{number}/export", dependencies=[Depends(only(MANAGE))])
def export(desk: Here, _: Form, number: int) -> Response:
    """All that is held of a reader, as they themselves may have it."""
    with desk.writing() as session:
        require(session, number)
        held = dossier(session, number)
        desk.log(session, "took out what is held of a reader", subscriber_id=number)
        session.commit()
    return Response(
        json.dumps(held, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="reader-{number}.json"'},
    )


@router.post("/readers/{number}/erase", dependencies=[Depends(only(MANAGE))])
def erase(desk: Here, sent: Form, number: int) -> Response:
    """Forget a reader, for who has typed the address."""
    typed = sent.one("address")
    with desk.writing() as session:
        reader = require(session, number)
        address = readable(typed)
        if address is None or address.key != reader.address_key:
            text = "That is not this reader's address. Nothing has changed."
            return reader_page(desk, number, 422, Wrong("erase", text, {"address": typed[:LONGEST_SHOWN]}))
        gone = forget(session, reader, desk.now)
        desk.log(session, "forgot a reader", subscriber_id=number)
        session.commit()
    clean = leave_no_copies(desk.site.engine, gone)
    answer = back_to(desk, path_of(number), "They are forgotten." + ("" if clean else BYTES_MAY_LIE))
    forget_search(desk, answer)  # which may name them
    return answer


def path_of(number: int) -> str:
    """The page of one reader."""
    return f"{READERS}/{number}"


def require(session: Session, number: int) -> Subscriber:
    """A reader, locked for what is to be done. Raises CannotDo for one who was erased, HTTPException for nobody."""
    reader = session.get(Subscriber, number, with_for_update=True) if 0 < number <= LARGEST_ID else None
    if reader is None:
        raise HTTPException(404)
    if reader.status == ERASED:
        raise CannotDo("this reader was forgotten; nothing is held of them any more")
    return reader


def reader_page(
    desk: Desk, number: int, http: int = 200, wrong: Wrong | None = None, before: Place | None = None
) -> Response:
    """The page of one reader. `wrong`: of a form that was on it. Raises HTTPException for nobody."""
    with desk.reading() as session:
        reader = session.get(Subscriber, number) if 0 < number <= LARGEST_ID else None
        if reader is None:
            raise HTTPException(404)
        if reader.status == ERASED:
            return page(desk, "reader_gone.html", reader=reader)
        address = Address(reader.email, reader.address_key)
        in_force = suppression.in_force(session, address)
        newest = next(iter(issues.every(session)), None)
        values: dict[str, Any] = {
            "reader": reader,
            "meaning": STATUSES[reader.status],
            "language": _named(reader.language),
            "suppressed": in_force,
            "is_suppressed": in_force is not None or reader.status == SUPPRESSED,
            "afterwards": _afterwards(session, reader, in_force),
            "story": story(session, reader, before),
            "before": before,
            "week": newest.week if newest else None,
            "reasons": REASONS,
            "wrong": wrong,
        }
    return page(desk, "reader.html", http, **values)


def _afterwards(session: Session, reader: Subscriber, in_force: suppression.Suppression | None) -> str:
    """Where a reader is once the suppression is lifted."""
    if in_force is not None and in_force.reason == COMPLAINT:
        return UNSUBSCRIBED
    return status_of_words(session, reader) if reader.status == SUPPRESSED else reader.status


def _named(language: str | None) -> str | None:
    if language is None:
        return None
    return own_name(language) if language in available() else f"{language} (which there is not)"


def _place(written: str) -> Place | None:
    try:
        return Place.read(written) if written else None
    except ValueError:
        return None
