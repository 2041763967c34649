"""How is an address kept from being written to, and how let back in? Of a reader, and of somebody who is none.

The reason is asked for in words, and stands in the reader's story; the desk's log says only that it was done.
"""

from typing import Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from newsletter.editors.editor import LIFT, SUPPRESS
from newsletter.web.desk.frame import Desk, Form, Here, back_to, only
from newsletter.web.desk.reader import path_of, reader_page, require
from newsletter.web.desk.readers import FOUND, Wrong, readers_page
from newsletter.web.form import LONGEST_SHOWN, Sent
from subscribers import subscriber, suppression
from subscribers.address import Address, readable
from subscribers.suppression import COMPLAINT, HARD_BOUNCE, MANUAL, REASONS, SOFT_BOUNCE

MAY_SAY: Final = (MANUAL, COMPLAINT, HARD_BOUNCE)
"""Reasons that an editor may give; the others are found out."""

LONGEST: Final = 300  # characters of a reason in words

SAY_WHY: Final = "Say why, in a few words. Nothing has changed."
NO_ADDRESS: Final = "That is no address. Nothing has changed."
ASK_THE_PROVIDER: Final = (
    " The provider may keep a list of its own: take the address off that, too, or it goes on refusing it. "
    "It may keep complaints for good."
)

router = APIRouter(default_response_class=HTMLResponse)


@router.post("/readers/suppress", dependencies=[Depends(only(SUPPRESS))])
def suppress_address(desk: Here, sent: Form) -> Response:
    """See to it that an address is never written to, whoever has it."""
    address = readable(sent.one("address"))
    if address is None or not _words(sent, "note"):
        return _again(desk, sent, "suppress", "note", SAY_WHY if address else NO_ADDRESS)
    return back_to(desk, FOUND, _suppress(desk, sent, address))


@router.post("/readers/lift", dependencies=[Depends(only(LIFT))])
def lift_address(desk: Here, sent: Form) -> Response:
    """Let an address be written to again."""
    address = readable(sent.one("address"))
    if address is None or not _words(sent, "because"):
        return _again(desk, sent, "lift", "because", SAY_WHY if address else NO_ADDRESS)
    return back_to(desk, FOUND, _lift(desk, sent, address))


@router.post("/readers/{number}/suppress", dependencies=[Depends(only(SUPPRESS))])
def suppress(desk: Here, sent: Form, number: int) -> Response:
    """See to it that a reader is never written to."""
    address = _address_of(desk, number)
    if not _words(sent, "note"):
        return reader_page(desk, number, 422, Wrong("suppress", SAY_WHY, _typed(sent, "note")))
    return back_to(desk, path_of(number), _suppress(desk, sent, address))


@router.post("/readers/{number}/lift", dependencies=[Depends(only(LIFT))])
def lift(desk: Here, sent: Form, number: int) -> Response:
    """Let a reader be written to again; they are where their own words have left them."""
    address = _address_of(desk, number)
    if not _words(sent, "because"):
        return reader_page(desk, number, 422, Wrong("lift", SAY_WHY, _typed(sent, "because")))
    return back_to(desk, path_of(number), _lift(desk, sent, address))


def _suppress(desk: Desk, sent: Sent, address: Address) -> str:
    reason = sent.one("reason") if sent.one("reason") in MAY_SAY else MANUAL
    with desk.writing() as session:
        reader = subscriber.find_locked(session, address)
        before = suppression.in_force(session, address)
        was = before and before.reason  # the row may become another's word
        is_new = suppression.suppress(session, address, reason, f"an editor: {_words(sent, 'note')}", desk.now)
        now = suppression.in_force(session, address)
        is_other = now is not None and now.reason != was
        if is_new or is_other:
            number = reader.id if reader else None
            desk.log(session, "suppressed an address", subscriber_id=number, detail=REASONS[reason])
        session.commit()
    if is_new:
        return "Nobody writes to this address any more."
    if is_other and was:
        return f"It had been suppressed before ({REASONS[was]}); from now on: {REASONS[reason]}."
    return "It had been suppressed before; nothing has changed."


def _lift(desk: Desk, sent: Sent, address: Address) -> str:
    with desk.writing() as session:
        before = suppression.in_force(session, address)
        lifted = suppression.lift(session, address, _words(sent, "because"), desk.now)
        reader = subscriber.find(session, address)
        if lifted:
            number = reader.id if reader else None
            reason = REASONS[before.reason] if before else None
            desk.log(session, "lifted a suppression", subscriber_id=number, detail=reason and f"it was: {reason}")
        session.commit()
    if not lifted:
        return "It is not suppressed; nothing has changed."
    now = f"the reader is {reader.status} now." if reader else "nobody on the list has it."
    at_provider = before is not None and before.reason not in (MANUAL, SOFT_BOUNCE)
    return f"It may be written to again; {now}" + (ASK_THE_PROVIDER if at_provider else "")


def _address_of(desk: Desk, number: int) -> Address:
    with desk.reading() as session:
        reader = require(session, number)
        return Address(reader.email, reader.address_key)


def _again(desk: Desk, sent: Sent, form: str, name: str, text: str) -> Response:
    # Only what can be printed: it is looked for, and PostgreSQL takes no NUL in a text.
    words = "".join(filter(str.isprintable, sent.one("address")))[:LONGEST_SHOWN]
    return readers_page(desk, words, None, http=422, wrong=Wrong(form, text, _typed(sent, name)))


def _typed(sent: Sent, name: str) -> dict[str, str]:
    return {name: sent.one(name)[:LONGEST_SHOWN], "reason": sent.one("reason")}


def _words(sent: Sent, name: str) -> str:
    """A reason as it is kept: on one line, and not without end."""
    return "".join(filter(str.isprintable, " ".join(sent.one(name).split())))[:LONGEST]
