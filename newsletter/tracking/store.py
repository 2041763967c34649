"""What has come back so far? The table of events: each stored once, as it came, and told whose copy it was about.

Promises: the same happening is one row, whoever tells it and however often; a row that still has to be acted upon says
so (`pending`) until that is done, whatever happens in between; nothing that came is thrown away for being odd.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy
from sqlalchemy import CheckConstraint, Index, Integer, text
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, given, one_of
from newsletter.tracking.event import KINDS, SOURCES

KEPT: Final = timedelta(days=45)
"""How long an event is kept word for word; the provider keeps its own for as long."""

PENDING: Final = text("pending")

WHOLE: Final = text("(body IS NOT NULL OR agent IS NOT NULL)")
"""Of which more is kept than what is counted."""

NOBODYS: Final = text("letter_id IS NOT NULL AND coalesce(subscriber_id, 0) = 0 AND length(key) = 32")
"""Of which only totals are wanted, and that still have the key by which it could be worked out whose they were.

Not IS NULL: SQLite would rather go through all that is nobody's, by the index on readers, than take the small one."""

TOUCHES: Final = text("kind IN ('opened', 'clicked') AND letter_id IS NOT NULL AND subscriber_id IS NOT NULL")
"""Openings and clicks of a reader's copy, which can be judged by what else was done with it."""


class StoredEvent(Table, table=True):
    """One event."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint(one_of("source", SOURCES), name="source"),
        Index("ix_events_letter", "letter_id", "kind", "subscriber_id", "machine"),
        Index("ix_events_subscriber", "subscriber_id"),
        Index(
            "ix_events_fingerprint",
            "fingerprint",
            sqlite_where=text("fingerprint IS NOT NULL"),
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
        Index("ix_events_pending", "id", sqlite_where=PENDING, postgresql_where=PENDING),
        Index("ix_events_whole", "received_at", sqlite_where=WHOLE, postgresql_where=WHOLE),
        Index("ix_events_nobodys", "received_at", sqlite_where=NOBODYS, postgresql_where=NOBODYS),
        Index(
            "ix_events_touches", "rules", "letter_id", "subscriber_id", sqlite_where=TOUCHES, postgresql_where=TOUCHES
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    """See `event.Event`."""
    source: str
    record_type: str
    kind: str
    detail: str | None = None
    at: datetime
    """When it happened, as it says; when we heard of it, where it does not."""
    received_at: datetime = Field(index=True)
    letter_id: int | None = Field(default=None, foreign_key="letters.id")
    """The letter of which it is about a copy; none where it is about none of ours."""
    subscriber_id: int | None = Field(default=None, foreign_key="subscribers.id")
    """Whose copy; none where it is nobody's of ours, or only totals are wanted."""
    fingerprint: str | None = None
    """Of the address, where it is no reader's that we know: by it the event is found if they must be forgotten."""
    message_id: str | None = None
    stream: str | None = None
    link: str | None = None
    agent: str | None = None
    machine: str | None = None
    """Why it was a machine's doing (`scanners.LABELS`); none where it may have been a reader's."""
    rules: int | None = None
    """The version of the rules by which that was judged; none while it was not."""
    pending: bool = False
    """Whether something still has to come of it."""
    body: str | None = None
    """As it came; for `KEPT`, and nothing of whoever was erased."""


def unfinished(session: Session, after: int, most: int) -> list[StoredEvent]:
    """Events of which something still has to come, the oldest first, with ids above `after`."""
    # In the words of the index: SQLite would not see that `pending = 1` is the same.
    query = select(StoredEvent).where(PENDING, col(StoredEvent.id) > after)
    return list(session.exec(query.order_by(col(StoredEvent.id)).limit(most)))


def done(session: Session, numbers: Iterable[int]) -> None:
    """Nothing has to come any more of the events with these ids. The caller commits."""
    (one,) = given([(number,) for number in numbers], Integer())
    finished = sqlalchemy.update(StoredEvent).where(col(StoredEvent.id).in_(sqlalchemy.select(one)))
    session.connection().execute(finished.values(pending=False))
