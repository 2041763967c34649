"""Who gets an issue? Every active subscriber, and nobody else."""

import sqlalchemy
from sqlalchemy import ColumnElement, Select, func
from sqlmodel import Session, col, select

from subscribers.subscriber import ACTIVE, SUPPRESSED, Subscriber


def belongs() -> ColumnElement[bool]:
    """The condition of belonging to the audience, for queries over the subscribers."""
    return col(Subscriber.status) == ACTIVE


def is_suppressed() -> ColumnElement[bool]:
    """The condition of being one whom we must not write to."""
    return col(Subscriber.status) == SUPPRESSED


def member_ids() -> Select[int | None]:
    """The ids of the audience, as a query to insert from: the list is never read into memory."""
    return sqlalchemy.select(col(Subscriber.id)).where(belongs())


def size(session: Session) -> int:
    """How many would get an issue that was sent now."""
    return session.exec(select(func.count()).select_from(Subscriber).where(belongs())).one()
