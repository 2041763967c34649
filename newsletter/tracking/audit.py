"""What must always be true of events? They are of copies that there are, and what had to come of them has come.

Each invariant goes through an index once, however many events there are, and looks closer at the odd ones alone.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import sqlmodel
from sqlalchemy import case, func, select
from sqlmodel import Session, col

from newsletter.delivery.audit import Invariant
from newsletter.delivery.ledger import ACCEPTED, Delivery, StoredLetter
from newsletter.tracking.event import DOOR, SUBSCRIBED, UNSUBSCRIBED
from newsletter.tracking.store import PENDING, StoredEvent

WAITS_AT_MOST: Final = timedelta(hours=1)
"""How long an event may wait for what has to come of it, while later ones come in."""


def _events_are_of_copies_that_there_are(session: Session) -> Iterator[str]:
    """An event is of a reader's copy that there is, and one that came of a message shows in that copy's state."""
    event, copy = StoredEvent.__table__.alias("event"), Delivery.__table__  # type: ignore[attr-defined]
    of_copy = (copy.c.letter_id == event.c.letter_id) & (copy.c.subscriber_id == event.c.subscriber_id)
    known_taken = select(copy.c.letter_id).where(of_copy, copy.c.state == ACCEPTED).exists()
    # Nearly all are of accepted copies. What the others are is not in the index, so it is read of them alone.
    odd = select(event.c.id).where(event.c.letter_id.is_not(None), event.c.subscriber_id.is_not(None), ~known_taken)
    is_there = col(Delivery.state).is_not(None)
    came_of_it = (
        (col(StoredEvent.source) != DOOR)
        & col(StoredEvent.kind).not_in((SUBSCRIBED, UNSUBSCRIBED))
        & col(StoredEvent.message_id).is_not(None)
        & ~col(StoredEvent.pending)
    )
    of_event = (col(Delivery.letter_id) == StoredEvent.letter_id) & (
        Delivery.subscriber_id == StoredEvent.subscriber_id
    )
    counts = (
        select(
            col(StoredEvent.letter_id),
            func.sum(case((is_there, 0), else_=1)),
            func.sum(case((is_there & came_of_it, 1), else_=0)),
        )
        .outerjoin(Delivery, of_event)
        .where(col(StoredEvent.id).in_(odd))
        .group_by(col(StoredEvent.letter_id))
        .order_by(col(StoredEvent.letter_id))
    )
    tags = dict(session.exec(sqlmodel.select(StoredLetter.id, StoredLetter.tag)).all())
    for letter_id, missing, unproven in session.execute(counts):
        named = f"letter {letter_id} ({tags.get(letter_id)})"
        if missing:
            yield f"{named}: {missing} events are of readers who have no copy of it"
        if unproven:
            yield f"{named}: {unproven} events show that a copy was taken, but it is not accepted"


def _what_came_was_acted_upon(session: Session) -> Iterator[str]:
    """What has to come of an event comes within an hour, as long as anything comes in."""
    newest = session.execute(select(func.max(col(StoredEvent.received_at)))).scalar_one()
    if newest is None:
        return
    waiting = select(func.count()).select_from(StoredEvent)
    waiting = waiting.where(PENDING, col(StoredEvent.received_at) < newest - WAITS_AT_MOST)
    if count := session.execute(waiting).scalar_one():
        yield f"{count} events have waited for more than {WAITS_AT_MOST} for what has to come of them"


INVARIANTS: Final[tuple[Invariant, ...]] = (_events_are_of_copies_that_there_are, _what_came_was_acted_upon)
