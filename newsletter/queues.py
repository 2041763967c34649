"""What waits to be sent, is under way, or is in doubt? Issue by issue, and letters to one person by their kind.

Promise: of letters that are done nothing is looked at, however many copies there are of them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, func, select

from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import IN_DOUBT, QUEUED, SENDING, UNSETTLED, Delivery, StoredLetter
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from subscribers.signup import SignUp

GOING_OUT: Final = (issues.SENDING, issues.PAUSED, issues.HELD, issues.CANCELLED)
"""States of an issue of which something may be left; of one that was called off only what was under way then."""

MOST_LOOKED_AT: Final = 2_000  # copies under way or in doubt by which the oldest batch is found; more are hardly ever


@dataclass(frozen=True)
class Queue:
    """What is left of one letter. `what` is the week of an issue, or the kind of a letter to one person."""

    what: str
    state: str | None
    """Of the issue; None of a letter to one person."""
    queued: int
    sending: int
    in_doubt: int
    oldest: datetime | None
    """When the oldest batch was claimed that is under way or in doubt; else when an issue's list was drawn up."""


def left(session: Session) -> list[Queue]:
    """All letters of which something is left, the newest issue first, then letters to one person."""
    of_issues = select(Issue).where(col(Issue.state).in_(GOING_OUT), col(Issue.letter_id).is_not(None))
    begun = session.exec(of_issues.order_by(col(Issue.week).desc())).all()
    found = [_of_letter(session, issue.letter_id or 0, issue.week, issue.state) for issue in begun]
    belongs = select(Issue.letter_id).where(col(Issue.letter_id).is_not(None))
    personal = select(StoredLetter.id, StoredLetter.tag).where(col(StoredLetter.id).not_in(belongs))
    found += [_of_letter(session, number or 0, tag, None) for number, tag in session.exec(personal)]
    return [each for each in found if each.queued or each.sending or each.in_doubt]


def sign_ups(session: Session) -> tuple[int, datetime | None]:
    """How many forms nobody has attended to, and when the oldest of them came."""
    return session.exec(select(func.count(), func.min(SignUp.at))).one()


def _of_letter(session: Session, letter_id: int, what: str, state: str | None) -> Queue:
    # Of an issue that was called off, those who are queued stay so, and wait for nothing.
    states = UNSETTLED if state != issues.CANCELLED else (SENDING, IN_DOUBT)
    rows = select(Delivery.state, func.count()).where(Delivery.letter_id == letter_id, col(Delivery.state).in_(states))
    counts = dict(session.exec(rows.group_by(col(Delivery.state))).all())
    oldest = None
    if counts.get(SENDING) or counts.get(IN_DOUBT):
        oldest = _oldest_claim(session, letter_id)
    elif counts and state is not None:
        oldest = session.get_one(StoredLetter, letter_id).created_at
    return Queue(what, state, counts.get(QUEUED, 0), counts.get(SENDING, 0), counts.get(IN_DOUBT, 0), oldest)


def _oldest_claim(session: Session, letter_id: int) -> datetime | None:
    """When the oldest batch was claimed of which something is under way or in doubt."""
    batches: set[str] = set()
    # State by state, and in the order of the index: else SQLite goes through all of the letter's rows.
    in_order = (col(Delivery.variant), col(Delivery.subscriber_id))
    for state in (SENDING, IN_DOUBT):
        of_state = select(func.coalesce(Delivery.batch, "")).where(
            Delivery.letter_id == letter_id, Delivery.state == state
        )
        batches.update(session.exec(of_state.order_by(*in_order).limit(MOST_LOOKED_AT)))
    of_claims = select(Claim.key, Claim.claimed_at).where(Claim.letter_id == letter_id).order_by(col(Claim.number))
    return next((at for key, at in session.exec(of_claims) if key in batches), None)
