"""What do we hold of one reader? Everything, for the reader's own eyes and as the proof of their consent.

Promises: each text that a table has of the reader is in it, but for what would open doors (`WITHHELD`); times in ISO
8601 with a Z for UTC.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_
from sqlmodel import Session, col, select

from newsletter.comparisons.comparison import ComparisonRow
from newsletter.comparisons.votes import Vote
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.tracking.event import KINDS
from newsletter.tracking.store import StoredEvent
from subscribers import consent, suppression
from subscribers.address import Address
from subscribers.consent import Consent
from subscribers.exporting import written
from subscribers.fingerprint import Fingerprints
from subscribers.preferences import AddressChange
from subscribers.signup import SignUp
from subscribers.subscriber import ERASED, Subscriber
from subscribers.suppression import Suppression

WITHHELD: Final = {
    "subscribers.address_key": "the address once more, as it is compared",
    "address_changes.address_key": "the address once more, as it is compared",
    "sign_ups.address_key": "the address once more, as it is compared",
    "suppressions.fingerprint": "a hash of the address that only this database can make",
    "deliveries.batch": "chance digits by which many readers' copies are told from others",
    "events.key": "a hash of what the event says, by which it is told from others",
    "events.fingerprint": "a hash of the address that only this database can make",
}
"""What a dossier leaves out, and why."""


def dossier(session: Session, subscriber_id: int) -> dict[str, Any]:
    """All that we hold of a reader, ready for JSON. Raises LookupError for nobody and for somebody who was erased."""
    reader = session.get(Subscriber, subscriber_id)
    if reader is None or reader.status == ERASED:
        raise LookupError("there is no such reader")
    change = session.exec(select(AddressChange).where(AddressChange.subscriber_id == subscriber_id)).one_or_none()
    waiting = select(SignUp).where(SignUp.address_key == reader.address_key).order_by(col(SignUp.id))
    address = Address(reader.email, reader.address_key)
    suppressions = suppression.of_address(session, address)
    return {
        "email": reader.email,
        "status": reader.status,
        "since": _iso(reader.since),
        "paused_until": _iso(reader.paused_until),
        "language": reader.language,
        "muted_categories": reader.muted_categories,
        "consent": [_step(step) for step in consent.history(session, subscriber_id)],
        "suppressions": [_suppression(one) for one in suppressions],
        "letters": _letters(session, subscriber_id),
        "events": _events(session, subscriber_id, Fingerprints(session).of(address)),
        "votes": _votes(session, subscriber_id),
        "address_change": {"email": change.email, "asked_at": _iso(change.asked_at)} if change else None,
        "sign_ups": [_sign_up(one) for one in session.exec(waiting)],
    }


def _step(step: Consent) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "meaning": consent.KINDS[step.kind],
        "at": _iso(step.at),
        "source": step.source,
        "words": step.words,
        "words_version": step.words_version,
        "network": step.network,
        "user_agent": step.user_agent,
    }


def _suppression(one: Suppression) -> dict[str, Any]:
    return {
        "reason": one.reason,
        "meaning": suppression.REASONS[one.reason],
        "source": one.source,
        "at": _iso(one.at),
        "lifted_at": _iso(one.lifted_at),
        "lifted_because": one.lifted_because,
    }


def _sign_up(one: SignUp) -> dict[str, Any]:
    return {
        "email": one.email,
        "at": _iso(one.at),
        "source": one.source,
        "words": one.words,
        "words_version": one.words_version,
        "language": one.language,
        "network": one.network,
        "user_agent": one.user_agent,
    }


def _letters(session: Session, subscriber_id: int) -> list[dict[str, Any]]:
    """The reader's copies, the oldest letter first; without their text, which is the same for many."""
    query = (
        select(Delivery, StoredLetter.tag, StoredLetter.subject, Claim.claimed_at)
        .join(StoredLetter, col(StoredLetter.id) == col(Delivery.letter_id))
        .outerjoin(Claim, col(Claim.key) == col(Delivery.batch))
        .where(Delivery.subscriber_id == subscriber_id)
        .order_by(col(Delivery.letter_id))
    )
    return [
        {
            "letter": tag,
            "subject": subject,
            "state": copy.state,
            "sent_at": _iso(claimed_at),
            "settled_at": _iso(copy.settled_at),
            "message_id": copy.message_id,
            "reason": copy.reason,
        }
        for copy, tag, subject, claimed_at in session.exec(query)
    ]


def _events(session: Session, subscriber_id: int, fingerprint: str) -> list[dict[str, Any]]:
    """What came back of their letters, and what came of the address before it was a reader's; the oldest first."""
    query = (
        select(StoredEvent, StoredLetter.tag)
        .outerjoin(StoredLetter, col(StoredLetter.id) == col(StoredEvent.letter_id))
        .where(or_(col(StoredEvent.subscriber_id) == subscriber_id, col(StoredEvent.fingerprint) == fingerprint))
        .order_by(col(StoredEvent.at), col(StoredEvent.id))
    )
    return [
        {
            "kind": event.kind,
            "meaning": KINDS[event.kind],
            "at": _iso(event.at),
            "letter": tag,
            "link": event.link,
            "user_agent": event.agent,
            "machine": event.machine,
            "detail": event.detail,
            "told_by": event.source,
            "called": event.record_type,
            "message_id": event.message_id,
            "stream": event.stream,
            "as_it_came": event.body,
        }
        for event, tag in session.exec(query)
    ]


def _votes(session: Session, subscriber_id: int) -> list[dict[str, Any]]:
    query = (
        select(Vote, ComparisonRow.title)
        .join(ComparisonRow, col(ComparisonRow.id) == col(Vote.comparison_id))
        .where(Vote.subscriber_id == subscriber_id)
        .order_by(col(Vote.voted_at), col(Vote.id))
    )
    return [
        {"comparison": title, "choice": vote.choice, "at": _iso(vote.voted_at), "changed_at": _iso(vote.changed_at)}
        for vote, title in session.exec(query)
    ]


def _iso(moment: datetime | None) -> str | None:
    return written(moment) if moment else None
