"""What came back last? Events for people to look at, the newest first."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from newsletter.delivery.ledger import StoredLetter
from newsletter.tracking.store import StoredEvent
from subscribers.subscriber import Subscriber


@dataclass(frozen=True)
class Seen:
    """One event as people see it. `letter` is the letter's tag: the week of an issue, or what kind of letter it is."""

    at: datetime
    kind: str
    detail: str | None
    letter: str | None
    email: str | None
    """Of the reader, as it is now; None where it is no reader of ours, or only totals are wanted."""
    stream: str | None
    link: str | None
    agent: str | None
    machine: str | None
    source: str
    received_at: datetime


def newest(
    session: Session,
    most: int,
    letter_id: int | None = None,
    kind: str | None = None,
    *,
    subscriber_id: int | None = None,
) -> list[Seen]:
    """The events that came last, of one letter or of any, of one kind or of all, of one reader or of everybody."""
    query = (
        select(StoredEvent, StoredLetter.tag, Subscriber.email)
        .join(StoredLetter, isouter=True)
        .join(Subscriber, isouter=True)
        .order_by(col(StoredEvent.id).desc())
        .limit(most)
    )
    if letter_id is not None:
        query = query.where(StoredEvent.letter_id == letter_id)
    if kind is not None:
        query = query.where(StoredEvent.kind == kind)
    if subscriber_id is not None:
        query = query.where(StoredEvent.subscriber_id == subscriber_id)
    return [
        Seen(
            at=event.at,
            kind=event.kind,
            detail=event.detail,
            letter=tag,
            email=email,
            stream=event.stream,
            link=event.link,
            agent=event.agent,
            machine=event.machine,
            source=event.source,
            received_at=event.received_at,
        )
        for event, tag, email in session.exec(query)
    ]
