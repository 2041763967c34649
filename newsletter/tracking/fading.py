"""What of an event has had its time? As it came, and what opened or clicked, it is kept for `store.KEPT`.

What is counted stays. Promise: however many events there are, only those are looked at that are due.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, String, cast, literal, select, update
from sqlmodel import Session, col

from newsletter.tracking.store import KEPT, NOBODYS, WHOLE, StoredEvent
from subscribers.subscriber import ERASED, Subscriber

CHUNK: Final = 1_000  # events of one transaction

TOLD_AGAIN: Final = timedelta(days=2)
"""How long what came of somebody who was erased, or is to be nobody's, may be told once more, and is to be known again
by its key."""

NO_KEY: Final = "erased:"

NAMELESS: Final[ColumnElement[str]] = literal(NO_KEY) + cast(col(StoredEvent.id), String)
"""In the place of an event's key, which is a hash of the address, too: by it, whoever guesses an address could see
whether the event was theirs."""


def fade(session: Session, now: datetime) -> int:
    """Take their words from the next CHUNK events that are older than `KEPT`; return how many. The caller commits."""
    due = select(col(StoredEvent.id)).where(col(StoredEvent.received_at) < now - KEPT, WHOLE)
    return _change(session, due.order_by(col(StoredEvent.received_at)), body=None, agent=None)


def unname(session: Session, now: datetime) -> int:
    """Take their keys from the next CHUNK events of nobody, which may have been told again; return how many.

    These are events that came after their reader was erased (an erasure does so with those that are there), and those
    of which only totals are wanted: a key holds the message and the reader's address. The caller commits.
    """
    erased = select(col(Subscriber.id)).where(col(Subscriber.status) == ERASED)
    late = select(col(StoredEvent.id)).where(
        col(StoredEvent.subscriber_id).in_(erased),
        col(StoredEvent.key).not_like(f"{NO_KEY}%"),
        col(StoredEvent.received_at) < now - TOLD_AGAIN,
    )
    totals = select(col(StoredEvent.id)).where(NOBODYS, col(StoredEvent.received_at) < now - TOLD_AGAIN)
    return _change(session, late, key=NAMELESS) or _change(
        session, totals.order_by(col(StoredEvent.received_at)), key=NAMELESS
    )


def _change(session: Session, due: Any, **values: Any) -> int:
    some = col(StoredEvent.id).in_(due.limit(CHUNK))
    return session.connection().execute(update(StoredEvent).where(some).values(values)).rowcount
