"""Who gets a letter? For each kind of letter the circle of those whom it may go to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func
from sqlmodel import Session, col, select

from subscribers.preferences import AddressChange
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber


@dataclass(frozen=True)
class Circle:
    """Whom a letter may go to, and where. Asked when it is queued, and again when a batch of it is claimed."""

    belongs: ColumnElement[bool]
    """The condition of belonging to the circle, over the subscribers."""
    email: SQLColumnExpression[str]
    """The address that is written to."""
    key: SQLColumnExpression[str]
    """The same as addresses are compared."""


def _named(column: str) -> ColumnElement[str]:
    """What a reader's open change of address says."""
    of_reader = col(AddressChange.subscriber_id) == col(Subscriber.id)
    return sqlalchemy.select(col(column)).where(of_reader).scalar_subquery()


_status = col(Subscriber.status)
_NEW_ADDRESS: Final = _named(AddressChange.email)

MEMBERS: Final = Circle(_status == ACTIVE, col(Subscriber.email), col(Subscriber.address_key))
"""Who gets every issue."""

NOT_YET: Final = Circle(_status.in_([PENDING, UNSUBSCRIBED]), col(Subscriber.email), col(Subscriber.address_key))
"""Who may be asked whether they want to be members."""

KNOWN: Final = Circle(
    _status.in_([PENDING, ACTIVE, PAUSED, UNSUBSCRIBED]), col(Subscriber.email), col(Subscriber.address_key)
)
"""Who may be sent a link to what we hold of them."""

MOVING: Final = Circle(
    sqlalchemy.and_(_status.not_in([SUPPRESSED, ERASED]), _NEW_ADDRESS.is_not(None)),
    func.coalesce(_NEW_ADDRESS, ""),
    func.coalesce(_named(AddressChange.address_key), ""),
)
"""Who gave another address, at that one."""

NOT_MOVED: Final = Circle(
    sqlalchemy.and_(KNOWN.belongs, _NEW_ADDRESS.is_not(None)), col(Subscriber.email), col(Subscriber.address_key)
)
"""Who gave another address, at the present one: as soon as it is theirs no more, nothing of it goes to the new one."""


def is_suppressed() -> ColumnElement[bool]:
    """The condition of being one whom we must not write to."""
    return _status == SUPPRESSED


def member_ids() -> Select[int | None]:
    """The ids of the members, as a query to insert from: the list is never read into memory."""
    return sqlalchemy.select(col(Subscriber.id)).where(MEMBERS.belongs)


def choices(session: Session) -> dict[tuple[str, str | None], int]:
    """What members have muted and which language they have chosen (both as `Subscriber` has them) -> how many have."""
    query = select(Subscriber.muted, Subscriber.language, func.count()).where(MEMBERS.belongs)
    rows = session.exec(query.group_by(col(Subscriber.muted), col(Subscriber.language)))
    return {(muted, language): count for muted, language, count in rows}


def waking(session: Session, now: datetime) -> dict[tuple[str, str | None], int]:
    """The same of those who are no members yet, but whose rest is over: an issue that begins now wakes them."""
    over = (col(Subscriber.status) == PAUSED) & (col(Subscriber.paused_until) <= now)
    query = select(Subscriber.muted, Subscriber.language, func.count()).where(over)
    rows = session.exec(query.group_by(col(Subscriber.muted), col(Subscriber.language)))
    return {(muted, language): count for muted, language, count in rows}


def size(session: Session) -> int:
    """How many would get an issue that was sent now."""
    return session.exec(select(func.count()).select_from(Subscriber).where(MEMBERS.belongs)).one()
