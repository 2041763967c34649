"""Readers and letters for the tests of delivery."""

from datetime import UTC, datetime

from sqlalchemy import Engine, insert

from newsletter.db import writing
from newsletter.delivery import ledger
from newsletter.delivery.provider import Envelope
from newsletter.message import Letter, Recipient
from subscribers.subscriber import ACTIVE, Subscriber

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)

ENVELOPE = Envelope(
    sender="Weekly Verdicts <verdicts@example.com>",
    stream="broadcast",
    tag="2026-W47",
    list_id="<newsletter.example.com>",
)

LETTER = Letter(
    subject="Ox 100%, Mend 25%",
    preheader="Who would ship what",
    html="<p>To %%EMAIL%%</p><a href='%%UNSUBSCRIBE_URL%%'>leave</a>",
    text="To %%EMAIL%%: %%UNSUBSCRIBE_URL%%",
)


def recipient(row: str, number: int, email: str) -> Recipient:
    url = f"https://verdicts.example.com/unsubscribe/{number}"
    return Recipient(row, email, {"EMAIL": email, "UNSUBSCRIBE_URL": url}, url)


def add_readers(engine: Engine, count: int, status: str = ACTIVE, name: str = "reader") -> None:
    rows = [
        {"email": f"{name}{n}@example.com", "address_key": f"{name}{n}@example.com", "status": status, "since": NOW}
        for n in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Subscriber), rows)


def drawn_up(engine: Engine, readers: int) -> int:
    """A letter whose list of so many active readers is drawn up; return its id."""
    if readers:
        add_readers(engine, readers)
    with writing(engine) as session:
        stored = ledger.store(session, LETTER, ENVELOPE.tag, NOW)
        ledger.draw_up(session, stored)
        session.commit()
        assert stored.id is not None
        return stored.id


def books(engine: Engine, letter_id: int) -> ledger.Accounting:
    with writing(engine) as session:
        accounting = ledger.accounting(session, letter_id)
    assert accounting.adds_up
    return accounting
