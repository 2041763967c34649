"""Who did what at the desk, and when? Written in the transaction that did it; never changed, never taken away.

No address of a reader stands here, nor what an editor typed: only what was done, to which issue or to which reader's
number. A reader who is erased leaves the number.
"""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, Session, col, select

from newsletter.db import Table

PAGE = 50  # entries


class Entry(Table, table=True):
    """One thing that was done."""

    __tablename__ = "desk_log"
    __table_args__ = (Index("ix_desk_log_week", "week", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    editor_id: int | None = Field(default=None, foreign_key="editors.id")
    """Null: the command line, or the clock."""
    act: str
    """What was done, in a few words: "approved the issue"."""
    week: str | None = None
    """The issue that it was done to."""
    subscriber_id: int | None = None
    """The reader whom it was done to."""
    detail: str | None = None
    """What else is to be known of it; no address, no secret."""


def write(
    session: Session,
    now: datetime,
    editor_id: int | None,
    act: str,
    *,
    week: str | None = None,
    subscriber_id: int | None = None,
    detail: str | None = None,
) -> None:
    """Note what is done, in the transaction that does it."""
    session.add(Entry(at=now, editor_id=editor_id, act=act, week=week, subscriber_id=subscriber_id, detail=detail))


def newest(session: Session, *, week: str | None = None, before: int | None = None, most: int = PAGE) -> list[Entry]:
    """The newest entries (of one issue), the newest first; `before`: only those with a smaller id, to page by."""
    query = select(Entry).order_by(col(Entry.id).desc()).limit(most)
    if week is not None:
        query = query.where(Entry.week == week)
    if before is not None:
        query = query.where(col(Entry.id) < before)
    return list(session.exec(query))
