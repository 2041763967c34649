"""Of which copies were we not told what became?

Promise: whoever asks for some of them again and again, and says where it ended, comes to each of them in its turn.
"""

from datetime import datetime
from typing import Final

from sqlmodel import Session, col, exists, select

from newsletter.delivery.ledger import ACCEPTED, Delivery, StoredLetter
from newsletter.issues.issue import Issue
from newsletter.tracking.event import BOUNCES, DELIVERED
from newsletter.tracking.store import StoredEvent

OUTCOMES: Final = (DELIVERED, *BOUNCES)
"""Kinds of which one is enough: what was to become of a copy is known."""

Place = tuple[int, int]
"""(letter, reader): whose copy."""


def unheard_of(
    session: Session, oldest: datetime, newest: datetime, most: int, last: Place = (0, 0)
) -> list[tuple[Place, str]]:
    """Copies that the provider took between two moments, of which we were not told what became: whose, and their ids.

    At most `most`, the oldest first, in a circle: from behind the `last` that was asked about, and from the beginning.
    """
    letter, reader = last
    letters = _letters_since(session, oldest)
    parts: list[tuple[int, int, int | None]] = [(letter, reader, None)] if letter in letters else []
    parts += [(each, 0, None) for each in letters if each > letter]
    parts += [(each, 0, reader if each == letter else None) for each in letters if each <= letter]
    found: list[tuple[Place, str]] = []
    for each, after, up_to in parts:
        if len(found) < most:
            found += _of_letter(session, each, (after, up_to), (oldest, newest), most - len(found))
    return found


def _letters_since(session: Session, oldest: datetime) -> list[int]:
    """Letters of which copies may have gone out since: one that is no issue's does not age, it goes to whoever asks."""
    of_issues = select(Issue.letter_id).where(col(Issue.letter_id).is_not(None))
    recent = (col(StoredLetter.created_at) >= oldest) | col(StoredLetter.id).not_in(of_issues)
    return [
        number
        for number in session.exec(select(StoredLetter.id).where(recent).order_by(col(StoredLetter.id)))
        if number
    ]


def _of_letter(
    session: Session, letter_id: int, readers: tuple[int, int | None], when: tuple[datetime, datetime], most: int
) -> list[tuple[Place, str]]:
    """Those of one letter; `readers`: after which, and up to which."""
    heard = exists().where(
        col(StoredEvent.letter_id) == letter_id,
        col(StoredEvent.kind).in_(OUTCOMES),
        col(StoredEvent.subscriber_id) == col(Delivery.subscriber_id),
    )
    query = select(Delivery.subscriber_id, Delivery.message_id).where(
        Delivery.letter_id == letter_id,
        Delivery.state == ACCEPTED,
        col(Delivery.subscriber_id) > readers[0],
        col(Delivery.settled_at).between(*when),
        ~heard,
    )
    if readers[1] is not None:
        query = query.where(col(Delivery.subscriber_id) <= readers[1])
    rows = session.exec(query.order_by(col(Delivery.subscriber_id)).limit(most))
    return [((letter_id, reader), message_id) for reader, message_id in rows if message_id]
