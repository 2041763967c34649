"""How is a person forgotten? What remains is a row without an address, by which letters are counted.

Every table that holds something of a reader says in a `Trace` which rows are theirs and what an erasure leaves of them;
`TRACES` are the readers' own tables, `newsletter.farewell` adds the rest and runs them all. Nothing else forgets, so a
table that is missing there is missing everywhere; a test looks for it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, String, case, cast, delete, literal, or_, update
from sqlmodel import Session, col, select

from newsletter.db import Table
from subscribers import suppression
from subscribers.address import Address
from subscribers.consent import Consent
from subscribers.fingerprint import Erasure, Fingerprints
from subscribers.preferences import AddressChange
from subscribers.signup import SignUp
from subscribers.subscriber import ERASED, NOTHING_MUTED, PENDING, SUPPRESSED, Subscriber
from subscribers.suppression import Suppression


@dataclass(frozen=True)
class Person:
    """Whom rows may belong to."""

    subscriber_id: int
    address_key: str
    fingerprint: str


@dataclass(frozen=True)
class Trace:
    """What a table holds of a person, and what an erasure leaves of it."""

    table: type[Table]
    theirs: Callable[[Person], ColumnElement[bool]]
    """The condition of being a person's row."""
    emptied: Mapping[str, Any] | None = None
    """Column -> what it holds afterwards; None: the rows go."""
    stays: Mapping[str, str] = field(default_factory=dict)
    """Text column -> why what it says can stay: it names nobody."""


TRACES: Final = (
    Trace(
        AddressChange,
        # Also another reader's wish to move to this address.
        lambda person: or_(
            col(AddressChange.subscriber_id) == person.subscriber_id,
            col(AddressChange.address_key) == person.address_key,
        ),
    ),
    Trace(SignUp, lambda person: col(SignUp.address_key) == person.address_key),
    Trace(
        Suppression,
        lambda person: col(Suppression.fingerprint) == person.fingerprint,
        {"source": "", "lifted_because": case((col(Suppression.lifted_because).is_not(None), literal("")))},
        {
            "fingerprint": "a keyed hash, so that a file does not bring back who complained",
            "reason": "one of a few words",
        },
    ),
    Trace(
        Consent,
        lambda person: col(Consent.subscriber_id) == person.subscriber_id,
        {"source": "", "words": None, "network": None, "user_agent": None},
        {"kind": "one of a few words", "words_version": "names a text that everybody was shown"},
    ),
    Trace(
        Subscriber,
        lambda person: col(Subscriber.id) == person.subscriber_id,
        {
            "email": "",
            "address_key": literal("erased:") + cast(col(Subscriber.id), String),
            "status": ERASED,
            "paused_until": None,
            "language": None,
            "muted": NOTHING_MUTED,
        },
    ),
)


def person(session: Session, subscriber: Subscriber) -> Person:
    """A subscriber as the one whose traces are looked for."""
    assert subscriber.id is not None  # it has been stored
    address = Address(subscriber.email, subscriber.address_key)
    return Person(subscriber.id, address.key, Fingerprints(session).of(address))


def erase(session: Session, subscriber: Subscriber, traces: tuple[Trace, ...], now: datetime) -> frozenset[str]:
    """Leave nothing of a subscriber in these tables but what names nobody. The caller commits.

    Who was suppressed stays so by fingerprint. Return the addresses, as they stood there, that must be found nowhere
    now; none where all was done before.
    """
    session.refresh(subscriber, with_for_update=True)
    if subscriber.status == ERASED:
        return frozenset()
    address = Address(subscriber.email, subscriber.address_key)
    if subscriber.status == SUPPRESSED:
        suppression.suppress(session, address, suppression.MANUAL, "", now)  # where none is in force
    was_reader = subscriber.status != PENDING
    theirs = person(session, subscriber)
    fingerprints = Fingerprints(session)
    asked = select(SignUp.email, SignUp.address_key).where(SignUp.address_key == address.key)
    moving_to = select(AddressChange.email, AddressChange.address_key).where(
        AddressChange.subscriber_id == subscriber.id
    )
    gone = {address, *(Address(*row) for query in (asked, moving_to) for row in session.exec(query))}
    subscriber.since = now
    session.flush()
    for trace in traces:
        rows = trace.theirs(theirs)
        changed = delete(trace.table) if trace.emptied is None else update(trace.table).values(trace.emptied)
        session.connection().execute(changed.where(rows))
    for one in gone:
        session.merge(Erasure(fingerprint=fingerprints.of(one), at=now, by_files_never=was_reader and one == address))
    session.flush()
    session.expire_all()  # what was read before holds what is gone
    session.refresh(subscriber)
    return frozenset(text for one in gone for text in (one.email, one.key))


def any_since(session: Session, moment: datetime) -> bool:
    """Whether anybody was erased since a moment."""
    return session.exec(select(Erasure.fingerprint).where(Erasure.at >= moment).limit(1)).first() is not None
