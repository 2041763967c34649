"""Readers, letters, and those who send them, for the tests of delivery."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine, insert
from sqlmodel import col, delete, select

from newsletter.db import reading, writing
from newsletter.delivery import claiming, doubts, ledger
from newsletter.delivery.claiming import Batch, Claimant
from newsletter.delivery.ledger import MOVES, Delivery, StoredLetter
from newsletter.delivery.provider import Accepted, Envelope, Outcome
from newsletter.delivery.stopwatch import Uptime
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

GONE = 2
"""The number of a sender that is dead: nobody holds its lock."""


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


def another_letter(engine: Engine) -> int:
    """One more letter to the readers that there are; return its id."""
    return drawn_up(engine, 0)


def in_each_state(engine: Engine, letter_id: int, batch: str = "b") -> None:
    """Reader 1 in the first state of MOVES, reader 2 in the second, and so on; whatever the list was before."""
    with engine.begin() as connection:
        connection.execute(delete(Delivery).where(col(Delivery.letter_id) == letter_id))
        states = [
            {
                "letter_id": letter_id,
                "subscriber_id": number,
                "state": state,
                "batch": batch,
                "message_id": f"m-{number}",
            }
            for number, state in enumerate(MOVES, start=1)
        ]
        connection.execute(insert(Delivery), states)


def books(engine: Engine, letter_id: int) -> ledger.Accounting:
    with writing(engine) as session:
        accounting = ledger.accounting(session, letter_id)
    assert accounting.adds_up
    return accounting


def rows(engine: Engine, letter_id: int) -> list[Delivery]:
    """The letter's rows, by reader."""
    with reading(engine) as session:
        query = select(Delivery).where(Delivery.letter_id == letter_id).order_by(col(Delivery.subscriber_id))
        return list(session.exec(query))


def row_key(engine: Engine, letter_id: int, number: int) -> str:
    """What identifies a reader's copy of the letter at the provider."""
    with reading(engine) as session:
        return session.get_one(StoredLetter, letter_id).row_key(number)


def try_claim(
    engine: Engine,
    letter_id: int,
    limit: int = 500,
    now: datetime = NOW,
    sender: int = GONE,
    uptime: Uptime | None = None,
) -> Batch | None:
    """A batch that a sender takes out of the queue, who dies if none is named; None where nothing is left."""
    return claiming.claim(engine, letter_id, limit, Claimant(sender, now, uptime))


def claim(
    engine: Engine,
    letter_id: int,
    limit: int = 500,
    now: datetime = NOW,
    sender: int = GONE,
    uptime: Uptime | None = None,
) -> Batch:
    """As `try_claim`, where there is something left."""
    batch = try_claim(engine, letter_id, limit, now, sender, uptime)
    assert batch is not None
    return batch


def record(engine: Engine, letter_id: int, batch: Batch, outcomes: Sequence[Outcome], now: datetime = NOW) -> None:
    claiming.record(engine, letter_id, batch, outcomes, now)


def accept(engine: Engine, letter_id: int, batch: Batch) -> None:
    """The provider takes all of a batch."""
    record(engine, letter_id, batch, [Accepted(f"id-{number}") for number, _ in batch.readers])


def doubt(engine: Engine, letter_id: int) -> int:
    """Everybody who has sent this letter so far is dead; return how many rows are in doubt by it."""
    return doubts.doubt_orphans(engine, letter_id, lambda _: True, NOW)
