"""Who is on the list, and in which state? The Subscriber table and the queries on it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of
from subscribers.address import Address

PENDING: Final = "pending"
ACTIVE: Final = "active"
PAUSED: Final = "paused"
UNSUBSCRIBED: Final = "unsubscribed"
SUPPRESSED: Final = "suppressed"

STATUSES = {
    PENDING: "has signed up and not confirmed",
    ACTIVE: "gets every issue",
    PAUSED: "has asked for a rest",
    UNSUBSCRIBED: "has left",
    SUPPRESSED: "must not be written to: mail bounced, or was called spam",
}
"""Every state of a subscriber and what it means. Only active ones are in an audience."""

FINAL = frozenset({UNSUBSCRIBED, SUPPRESSED})
"""States that an import never changes: only the reader comes back by their own will."""

PAGE = 500  # rows a query, where a whole list is read


class Subscriber(Table, table=True):
    """An address on the list. Ids are never used again: links in old letters hold them."""

    __tablename__ = "subscribers"
    __table_args__ = (
        UniqueConstraint("address_key"),
        CheckConstraint(one_of("status", STATUSES), name="status"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str
    address_key: str
    status: str = Field(index=True)
    since: datetime
    """When the subscriber came into this status, UTC."""


def find(session: Session, address: Address) -> Subscriber | None:
    """The subscriber at an address, however it is spelled; None where there is none."""
    return session.exec(select(Subscriber).where(Subscriber.address_key == address.key)).one_or_none()


def add(session: Session, address: Address, status: str, now: datetime) -> Subscriber:
    """Put a new address on the list. The caller has looked (`find`) whether it is there."""
    subscriber = Subscriber(email=address.email, address_key=address.key, status=status, since=now)
    session.add(subscriber)
    session.flush()
    return subscriber


def move(subscriber: Subscriber, status: str, now: datetime) -> bool:
    """Bring a subscriber into a status; False where it is there already."""
    if subscriber.status == status:
        return False
    subscriber.status = status
    subscriber.since = now
    return True


def every(session: Session, status: str | None = None) -> Iterator[Subscriber]:
    """All subscribers (of one status) in the order in which they came, read page by page."""
    last = 0
    while True:
        query = select(Subscriber).where(col(Subscriber.id) > last).order_by(col(Subscriber.id)).limit(PAGE)
        page = session.exec(query.where(Subscriber.status == status) if status else query).all()
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].id or 0
