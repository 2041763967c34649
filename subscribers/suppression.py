"""Which addresses must we not write to, and why?

By fingerprint, not by reader: it holds for the address also when its reader was erased and comes back in a file. Only
an editor lifts a suppression, and says why.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index, func, text
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of, upsert
from subscribers import consent
from subscribers.address import Address
from subscribers.fingerprint import Fingerprints, among
from subscribers.subscriber import ACTIVE, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber, find_locked, move

HARD_BOUNCE: Final = "hard_bounce"
SOFT_BOUNCE: Final = "soft_bounce"
COMPLAINT: Final = "complaint"
MANUAL: Final = "manual"
PROVIDER: Final = "provider"

REASONS = {
    HARD_BOUNCE: "the address does not exist",
    SOFT_BOUNCE: "letter after letter came back",
    COMPLAINT: "the reader called a letter spam",
    MANUAL: "an editor said so",
    PROVIDER: "the provider will not write to it",
}

IN_FORCE: Final = text("lifted_at IS NULL")


class Suppression(Table, table=True):
    """One address that must not be written to, or must not have been until it was lifted."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint(one_of("reason", REASONS), name="reason"),
        CheckConstraint("(lifted_at IS NULL) = (lifted_because IS NULL)", name="lifted"),
        Index(
            "ix_suppressions_in_force",
            "fingerprint",
            unique=True,
            sqlite_where=IN_FORCE,
            postgresql_where=IN_FORCE,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str = Field(index=True)
    """Of the address, see `fingerprint`."""
    reason: str
    source: str
    """Who says so: a provider's name, an editor's words, a file's name."""
    at: datetime
    lifted_at: datetime | None = None
    lifted_because: str | None = None


def suppress(session: Session, address: Address, reason: str, source: str, now: datetime) -> bool:
    """See to it that an address is not written to; False where that was so before.

    A subscriber at the address becomes suppressed; of consent nothing is noted, since nothing was said. A complaint
    takes the place of another reason in force, because it weighs more when somebody lifts it.
    """
    fingerprint = Fingerprints(session).of(address)
    subscriber = find_locked(session, address)
    # Two messages about one address may come at the same moment, and must not stumble over each other.
    added = session.exec(
        upsert(session, Suppression)
        .values(fingerprint=fingerprint, reason=reason, source=source, at=now)
        .on_conflict_do_nothing(index_elements=["fingerprint"], index_where=IN_FORCE)
        .returning(col(Suppression.id))
    ).first()
    if not added and reason == COMPLAINT:
        known = _in_force(session, fingerprint)
        if known and known.reason != COMPLAINT:
            known.reason, known.source, known.at = reason, source, now
            session.add(known)
    if subscriber:
        move(subscriber, SUPPRESSED, now)
        session.add(subscriber)
    return added is not None


def in_force(session: Session, address: Address) -> Suppression | None:
    """Why an address must not be written to; None where it may."""
    return _in_force(session, Fingerprints(session).of(address))


def suppressed_among(session: Session, fingerprints: Collection[str]) -> set[str]:
    """Those of many fingerprints that must not be written to."""
    some = among(col(Suppression.fingerprint), fingerprints)
    return set(session.exec(select(Suppression.fingerprint).where(some, IN_FORCE)))


def keys_among(session: Session, keys: Collection[str]) -> set[str]:
    """Those of many addresses (as they are compared) that must not be written to."""
    fingerprints = Fingerprints(session)
    key_of = {fingerprints.of(Address(key, key)): key for key in keys}
    return {key_of[fingerprint] for fingerprint in suppressed_among(session, key_of)}


def lifted_among(session: Session, fingerprints: Collection[str]) -> dict[str, datetime]:
    """Those of many fingerprints of which a suppression was lifted -> when one last was."""
    some = among(col(Suppression.fingerprint), fingerprints)
    query = select(Suppression.fingerprint, func.max(col(Suppression.lifted_at))).where(some)
    found = session.exec(query.group_by(col(Suppression.fingerprint)))
    return {fingerprint: at for fingerprint, at in found if at is not None}


def of_address(session: Session, address: Address) -> list[Suppression]:
    """All suppressions that an address ever had, oldest first."""
    fingerprint = Fingerprints(session).of(address)
    query = select(Suppression).where(Suppression.fingerprint == fingerprint).order_by(col(Suppression.id))
    return list(session.exec(query))


def lift(session: Session, address: Address, because: str, now: datetime) -> bool:
    """Let an address be written to again, at an editor's word; False where it was not suppressed.

    A subscriber at the address goes back to where their own words leave them: active where they agreed; pending where
    they never did; unsubscribed where they left since, or called a letter spam, which counts as leaving from now on.
    Raises ValueError without a reason.
    """
    if not because.strip():
        raise ValueError("say why the suppression is lifted")
    subscriber = find_locked(session, address)
    suppression = in_force(session, address)
    if suppression:
        suppression.lifted_at, suppression.lifted_because = now, because.strip()
        session.add(suppression)
    suppressed = subscriber is not None and subscriber.status == SUPPRESSED
    if subscriber and suppressed:
        status = status_of_words(session, subscriber)
        if suppression is not None and suppression.reason == COMPLAINT and status != UNSUBSCRIBED:
            # Written down, or the end of a later suppression would make them a member again.
            assert subscriber.id is not None  # it was read from the database
            consent.note(session, subscriber.id, consent.LEFT, REASONS[COMPLAINT], suppression.at)
            status = UNSUBSCRIBED
        move(subscriber, status, now)
        session.add(subscriber)
    return suppression is not None or suppressed


def _in_force(session: Session, fingerprint: str) -> Suppression | None:
    return session.exec(select(Suppression).where(Suppression.fingerprint == fingerprint, IN_FORCE)).one_or_none()


def status_of_words(session: Session, subscriber: Subscriber) -> str:
    """The status that the steps of a reader's consent amount to."""
    assert subscriber.id is not None  # it was read from the database
    status = PENDING
    for step in consent.history(session, subscriber.id):
        if step.kind in consent.AGREED:
            status = ACTIVE
        elif step.kind == consent.LEFT:
            status = UNSUBSCRIBED
    return status
