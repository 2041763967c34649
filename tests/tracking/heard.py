"""Events of one letter, put where they are kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Engine

from newsletter.db import writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import ACCEPTED, Delivery, StoredLetter
from newsletter.message import Letter
from newsletter.tracking.event import WEBHOOK
from newsletter.tracking.store import StoredEvent
from tests.newsroom import TUESDAY, subscribe

LATER = TUESDAY + timedelta(minutes=1)

_numbers = count()


def send_to(engine: Engine, readers: int, opens: str = "readers", clicks: str = "readers") -> tuple[int, list[int]]:
    """A letter that a provider took for so many readers; return its id and theirs."""
    numbers = subscribe(engine, [f"reader{number}@example.com" for number in range(readers)])
    with writing(engine) as session:
        stored = ledger.store(session, Letter("A subject", "Before", "<p>Hello</p>", "Hello"), "2026-W47", TUESDAY)
        stored.opens, stored.clicks = opens, clicks
        ledger.draw_up(session, stored)
        assert stored.id is not None
        for number in numbers:
            row = session.get_one(Delivery, (stored.id, number))
            row.state, row.message_id = ACCEPTED, f"message-{number}"
        session.commit()
        return stored.id, numbers


def hear(engine: Engine, letter_id: int, kind: str, readers: Iterable[int | None], **fields: Any) -> None:
    """Store an event of this kind for each of these readers; `fields` are columns of all of them."""
    at: datetime = fields.pop("at", LATER)
    with writing(engine) as session:
        for reader in readers:
            given = {"source": WEBHOOK, "record_type": "Any", "at": at, "received_at": at, **fields}
            key = f"{next(_numbers):032}"
            session.add(StoredEvent(key=key, kind=kind, letter_id=letter_id, subscriber_id=reader, **given))
        session.commit()


def letter_of(session: Any, letter_id: int) -> StoredLetter:
    stored: StoredLetter = session.get_one(StoredLetter, letter_id)
    return stored
