"""Where is a reader whom somebody looks for? By the address, by how it begins, or among the newest; page by page.

Promises: whoever was erased is never found; a list of a million is not gone through for a page of it, and what comes
onto the list meanwhile moves nothing on the next page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from newsletter.db import is_sqlite
from subscribers.address import GMAIL
from subscribers.subscriber import ERASED, STATUSES, Subscriber

PAGE: Final = 50  # readers

FEW: Final = 10_000
"""Of a status that no more have, all are looked at sooner than the addresses that begin in a way."""

LAST: Final = "\U0010ffff"
"""No address has a letter that comes after it."""

THE_GMAIL: Final = "gmail.com"
"""Under which of its names addresses there are compared."""


@dataclass(frozen=True)
class Page:
    """Some of those who were looked for, and the id of the one to go on behind; None where these are all."""

    readers: list[Subscriber]
    next: int | None = None


def counts(session: Session) -> dict[str, int]:
    """Status -> how many have it; every status but that of the erased."""
    query = select(Subscriber.status, func.count()).group_by(col(Subscriber.status))
    counted = dict(session.exec(query).all())
    return {status: counted.get(status, 0) for status in STATUSES}


def newest(session: Session, status: str | None = None, behind: int | None = None, most: int = PAGE) -> Page:
    """The readers (of one status) who came last, the newest first; `behind`: only those who came before this one."""
    query = select(Subscriber).where(_of_status(status)).order_by(col(Subscriber.id).desc()).limit(most + 1)
    if behind is not None:
        query = query.where(col(Subscriber.id) < behind)
    return _page(list(session.exec(query)), most)


def beginning(
    session: Session, begins: str, status: str | None = None, behind: int | None = None, most: int = PAGE
) -> Page:
    """The readers (of one status) whose addresses begin so, in the order of the addresses, in any case of letters.

    Of addresses at Gmail dots are passed over, as where they are compared. `behind`: an id of a page before.
    """
    last = session.get(Subscriber, behind) if behind is not None else None
    if behind is not None and (last is None or last.status == ERASED):
        return Page([])
    found: dict[int, Subscriber] = {}
    for each in _beginnings(session, begins.strip().lower()):
        query = select(Subscriber).where(each, _of_status(status, session)).order_by(col(Subscriber.address_key))
        if last is not None:
            query = query.where(col(Subscriber.address_key) > last.address_key)
        found |= {one.id or 0: one for one in session.exec(query.limit(most + 1))}
    return _page(sorted(found.values(), key=lambda one: one.address_key), most)


def _beginnings(session: Session, begins: str) -> Iterator[ColumnElement[bool]]:
    """The conditions of beginning so; each is a range of one index."""
    local, at, domain = begins.partition("@")
    bare = local.replace(".", "")
    yield _begins(session, begins)
    if at and any(name.startswith(domain) for name in GMAIL):
        yield _begins(session, f"{bare}@{domain if THE_GMAIL.startswith(domain) else THE_GMAIL}")
    elif not at and bare != local and bare:
        yield _begins(session, bare) & col(Subscriber.address_key).endswith(f"@{THE_GMAIL}")


def _begins(session: Session, text: str) -> ColumnElement[bool]:
    key = col(Subscriber.address_key)
    if is_sqlite(session.connection()):  # which would not take the index for LIKE
        return (key >= text) & (key < text + LAST)
    return key.startswith(text, autoescape=True)  # its order may be a language's, in which this is no range


def _of_status(status: str | None, session: Session | None = None) -> ColumnElement[bool]:
    """The condition of having a status, or of not being erased; with a session, of a search by address.

    There SQLite would go through all who have the status, and sort them, however many they are.
    """
    if status is None:
        return col(Subscriber.status) != ERASED
    if session is not None and _are_many(session, status):
        return col(Subscriber.status).concat("") == status
    return col(Subscriber.status) == status


def _are_many(session: Session, status: str) -> bool:
    some = select(Subscriber.id).where(Subscriber.status == status).limit(FEW + 1)
    return session.exec(select(func.count()).select_from(some.subquery())).one() > FEW


def _page(found: list[Subscriber], most: int) -> Page:
    return Page(found[:most], found[most - 1].id if len(found) > most else None)
