"""Who is on the list, and in which state? The Subscriber table and the queries on it."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of
from subscribers.address import Address

PENDING: Final = "pending"
ACTIVE: Final = "active"
PAUSED: Final = "paused"
UNSUBSCRIBED: Final = "unsubscribed"
SUPPRESSED: Final = "suppressed"
ERASED: Final = "erased"

STATUSES = {
    PENDING: "has signed up and not confirmed",
    ACTIVE: "gets every issue",
    PAUSED: "has asked for a rest",
    UNSUBSCRIBED: "has left",
    SUPPRESSED: "must not be written to: mail bounced, or was called spam",
}
"""Every state of somebody on the list and what it means. Only active ones are in an audience."""

FINAL = frozenset({UNSUBSCRIBED, SUPPRESSED})
"""States that an import never changes: only the reader comes back by their own will."""

NOTHING_MUTED: Final = "[]"

LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
"""How the code of a language is written (ISO 639). Which languages there are is not for the list to know."""

PAGE = 500  # rows a query, where a whole list is read


class Subscriber(Table, table=True):
    """An address on the list. Ids are never used again: links in old letters hold them.

    Of somebody who was erased the row stays, since letters are counted by it: without an address, and found by nobody.
    """

    __tablename__ = "subscribers"
    __table_args__ = (
        UniqueConstraint("address_key"),
        CheckConstraint(one_of("status", [*STATUSES, ERASED]), name="status"),
        CheckConstraint("status = 'paused' OR paused_until IS NULL", name="paused"),
        Index("ix_subscribers_choices", "status", "muted", "language"),  # a page counts them
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str
    """As the reader wrote it; empty when erased."""
    address_key: str
    """As addresses are compared; `erased:` and the id when erased."""
    status: str = Field(index=True)
    since: datetime
    """When the subscriber came into this status, UTC."""
    paused_until: datetime | None = None
    """When a rest ends, UTC; null while paused: when the reader says so."""
    language: str | None = None
    """The language that the reader has chosen (ISO 639), even if it is the newsletter's own; null: that one, whichever
    it is."""
    muted: str = NOTHING_MUTED
    """The categories that the reader does not want, as a sorted JSON array of their names."""

    @property
    def muted_categories(self) -> list[str]:
        """The names of the categories that the reader does not want, sorted."""
        return list(json.loads(self.muted))


def muting(categories: Iterable[str]) -> str:
    """Names of categories as `Subscriber.muted` holds them: the same set is always the same text."""
    return json.dumps(sorted(set(categories)), ensure_ascii=False, separators=(",", ":"))


def find(session: Session, address: Address) -> Subscriber | None:
    """The subscriber at an address, however it is spelled; None where there is none."""
    return session.exec(select(Subscriber).where(Subscriber.address_key == address.key)).one_or_none()


def find_locked(session: Session, address: Address) -> Subscriber | None:
    """The same, and nobody else changes or erases them until the transaction ends.

    Whoever changes a reader locks this row first, and only then what belongs to it: so two never wait for each other.
    """
    query = select(Subscriber).where(Subscriber.address_key == address.key).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one_or_none()


def add(session: Session, address: Address, status: str, now: datetime, *, language: str | None = None) -> Subscriber:
    """Put a new address on the list. The caller has looked (`find`) whether it is there."""
    subscriber = Subscriber(email=address.email, address_key=address.key, status=status, since=now, language=language)
    session.add(subscriber)
    session.flush()
    return subscriber


def move(subscriber: Subscriber, status: str, now: datetime, paused_until: datetime | None = None) -> bool:
    """Bring a subscriber into a status; False where it is there already. `paused_until`: of a rest."""
    if subscriber.status == status and subscriber.paused_until == paused_until:
        return False
    subscriber.status = status
    subscriber.paused_until = paused_until
    subscriber.since = now
    return True


def every(session: Session, status: str | None = None) -> Iterator[Subscriber]:
    """All subscribers (of one status) in the order in which they came, read page by page; the erased are none."""
    last = 0
    while True:
        query = select(Subscriber).where(col(Subscriber.id) > last).order_by(col(Subscriber.id)).limit(PAGE)
        wanted = Subscriber.status == status if status else Subscriber.status != ERASED
        page = session.exec(query.where(wanted)).all()
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].id or 0
