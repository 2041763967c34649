"""The way out, by a link that is good for ever; the way back, for a day; and why somebody left.

Leaving works at once and however often it is asked for. Taking it back brings a reader to where their own words had
brought them before: who never confirmed is as pending as ever.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from sqlmodel import Session

from subscribers import consent
from subscribers.consent import NOWHERE, Consent, Whence, Words
from subscribers.subscriber import ACTIVE, ERASED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber, move

UNDO: Final = timedelta(hours=24)
"""For how long leaving can be taken back."""

REASONS: Final = {
    "often": "Too many letters",
    "interest": "It is not for me any more",
    "never": "I never signed up",
    "content": "I expected something else",
    "other": "Another reason",
}
"""Why readers leave, and the words by which they say so."""

REASONS_VERSION: Final = "reasons-1"

AT_PROVIDER: Final = "unsubscribed at Postmark"
"""How a reader's consent history names the way out that is the provider's own."""

_BEGAN = (consent.CONFIRMED, consent.IMPORTED, consent.ADDED)
"""The steps that make a member. Taking a leave back is none: it only leads to where one was."""


class Undone(Enum):
    """What came of taking a leave back."""

    BACK = "is a reader again, or was one all the time"
    TOO_LATE = "left more than a day ago, or not by their own word"
    GONE = "cannot be written to any more"


def unsubscribe(session: Session, subscriber: Subscriber, source: str, now: datetime) -> bool:
    """Take a reader off the list; False where they had left before.

    A suppressed reader stays suppressed, which is stronger, and the wish is still written down once. Nothing can be
    said of one who was erased.
    """
    if subscriber.status in (UNSUBSCRIBED, ERASED):
        return False
    assert subscriber.id is not None  # it has been stored
    if subscriber.status == SUPPRESSED and _has_left(consent.history(session, subscriber.id)):
        return False
    consent.note(session, subscriber.id, consent.LEFT, source, now)
    if subscriber.status != SUPPRESSED:
        move(subscriber, UNSUBSCRIBED, now)
    session.add(subscriber)
    return True


def can_undo(session: Session, subscriber: Subscriber, now: datetime) -> bool:
    """Whether a reader has left so lately that they may take it back."""
    assert subscriber.id is not None  # it has been stored
    lately = subscriber.status == UNSUBSCRIBED and now - subscriber.since <= UNDO
    return lately and _has_left(consent.history(session, subscriber.id))


def undo(session: Session, subscriber: Subscriber, source: str, now: datetime, whence: Whence = NOWHERE) -> Undone:
    """Take a leave back. Twice is once."""
    if subscriber.status in (SUPPRESSED, ERASED):
        return Undone.GONE
    if subscriber.status != UNSUBSCRIBED:
        return Undone.BACK
    if not can_undo(session, subscriber, now):
        return Undone.TOO_LATE
    assert subscriber.id is not None  # it has been stored
    began = any(step.kind in _BEGAN for step in consent.history(session, subscriber.id))
    # RETURNED counts as agreeing; who had only signed up has done that again, and no more.
    consent.note(session, subscriber.id, consent.RETURNED if began else consent.SIGNED_UP, source, now, whence=whence)
    move(subscriber, ACTIVE if began else PENDING, now)
    session.add(subscriber)
    return Undone.BACK


def gave_reason(session: Session, subscriber: Subscriber) -> bool:
    """Whether a reader has said why they left, since they last did."""
    assert subscriber.id is not None  # it has been stored
    kinds = [step.kind for step in consent.history(session, subscriber.id)]
    return consent.REASON in kinds[_last(kinds, consent.LEFT) + 1 :]


def give_reason(session: Session, subscriber: Subscriber, choice: str, source: str, now: datetime) -> bool:
    """Write down why a reader has left, once; False where they have not left, or have said it. `choice`: of REASONS."""
    assert subscriber.id is not None  # it has been stored
    words = Words(REASONS_VERSION, REASONS[choice])
    left = subscriber.status in (UNSUBSCRIBED, SUPPRESSED) and _has_left(consent.history(session, subscriber.id))
    if not left or gave_reason(session, subscriber):
        return False
    consent.note(session, subscriber.id, consent.REASON, source, now, words)
    return True


def _has_left(steps: Sequence[Consent]) -> bool:
    """Whether leaving is the last that a reader said of staying or leaving."""
    kinds = [step.kind for step in steps if step.kind == consent.LEFT or step.kind in consent.AGREED]
    return bool(kinds) and kinds[-1] == consent.LEFT


def _last(kinds: Sequence[str], wanted: str) -> int:
    return max((place for place, kind in enumerate(kinds) if kind == wanted), default=-1)
