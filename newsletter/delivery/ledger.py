"""Who has had a letter, who is yet to get it, and whom do we not know of? One row per reader and letter.

The row is there before anything is sent. A batch is claimed and committed before the provider is called, and what came
of it is written after. Each function below is one transaction; they commit themselves (the one exception to "commit at
the edge"), because a claim that is not on the disk when the call begins would be no claim.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy
from sqlalchemy import CheckConstraint, ColumnElement, Engine, Index, Update, bindparam, func, insert, literal, update
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, is_sqlite, one_of, writing
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused
from newsletter.message import Letter
from subscribers.audience import MEMBERS, Circle, is_suppressed, member_ids
from subscribers.subscriber import NOTHING_MUTED, Subscriber
from subscribers.suppression import keys_among

QUEUED: Final = "queued"
SENDING: Final = "sending"
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
SUPPRESSED: Final = "suppressed"
LEFT: Final = "left"
IN_DOUBT: Final = "in_doubt"

MOVES = {
    QUEUED: {
        SENDING: "claimed: the provider is about to be called",
        SUPPRESSED: "suppressed since the list was drawn up",
        LEFT: "unsubscribed or paused since the list was drawn up",
    },
    SENDING: {
        ACCEPTED: "the provider gave it an id",
        REFUSED: "the provider said no to this reader",
        IN_DOUBT: "the provider's answer was lost, or the sender died before it wrote the answer down",
        QUEUED: "certainly not sent: the provider was not reached, refused the batch, or the batch stopped before it",
    },
    IN_DOUBT: {
        ACCEPTED: "the provider was asked, and has it",
        QUEUED: "the provider was asked, long enough after, and does not have it though it shows later ones",
    },
    ACCEPTED: {},
    REFUSED: {},
    SUPPRESSED: {},
    LEFT: {},
}
"""Every state of a row, and what may follow it and why."""

ADDRESS: Final = re.compile(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+")
"""What may be an address in a provider's words."""

UNSETTLED = (QUEUED, SENDING, IN_DOUBT)
"""States of which something is yet to come. Without them, a letter is done."""

ALL_ALIKE: Final[Mapping[str, int | None]] = {}
"""Of a letter without variants."""


class StoredLetter(Table, table=True):
    """A letter as it goes out, frozen. `audience` is null until the list is drawn up."""

    __tablename__ = "letters"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    """16 random hex digits: part of every row's key, so that two databases never mean the same message."""
    tag: str
    subject: str
    preheader: str
    html: str
    text: str
    digest: str
    audience: int | None = None
    left_out: int = 0
    """Members for whom nothing was left of the letter that they had not muted; they are not in the audience."""
    created_at: datetime = Field(index=True)

    def letter(self) -> Letter:
        """The letter as a value."""
        return Letter(subject=self.subject, preheader=self.preheader, html=self.html, text=self.text)

    def row_key(self, subscriber_id: int) -> str:
        """What identifies one reader's copy at the provider, however often it is tried."""
        return f"{self.key}-{subscriber_id}"

    def subscriber_of(self, row_key: str) -> int | None:
        """The reader whose copy of this letter a row key names; None for any other key."""
        key, _, number = row_key.partition("-")
        return int(number) if key == self.key and number.isdecimal() else None


class Delivery(Table, table=True):
    """One reader's copy of one letter."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(one_of("state", MOVES), name="state"),
        CheckConstraint("state <> 'accepted' OR message_id IS NOT NULL", name="evidence"),
        CheckConstraint("state NOT IN ('sending', 'in_doubt') OR batch IS NOT NULL", name="claimed"),
        Index("ix_deliveries_state", "letter_id", "state", "variant", "subscriber_id"),
        Index("ix_deliveries_subscriber", "subscriber_id"),
        {"sqlite_with_rowid": False},
    )

    letter_id: int = Field(primary_key=True, foreign_key="letters.id")
    subscriber_id: int = Field(primary_key=True, foreign_key="subscribers.id")
    variant: int = 0
    """Which variant of the letter this copy is; 0 is the letter itself."""
    state: str = QUEUED
    batch: str | None = None
    claimed_at: datetime | None = None
    settled_at: datetime | None = None
    """When the row came into a state that is the end of it."""
    message_id: str | None = None
    reason: str | None = None
    """The provider's words, where it refused or we do not know."""
    passing: bool = False
    """Of a refusal: whether its reason may go away."""


@dataclass(frozen=True)
class Batch:
    """Readers who are sent to in one call: (subscriber id, address), claimed under one key."""

    key: str
    readers: tuple[tuple[int, str], ...]
    variant: int = 0
    """Which variant of the letter all of them get."""


@dataclass(frozen=True)
class Doubt:
    """A batch of which some outcomes are unknown: whose, since when it may have been sent, and why."""

    batch: str
    claimed_at: datetime
    subscriber_ids: tuple[int, ...]


@dataclass(frozen=True)
class Accounting:
    """Where the readers of a letter stand. `adds_up` holds at every moment."""

    audience: int = 0
    queued: int = 0
    sending: int = 0
    accepted: int = 0
    refused: int = 0
    suppressed: int = 0
    left: int = 0
    in_doubt: int = 0
    left_out: int = 0
    """Members for whom nothing was left of the letter; they are not in the audience."""

    @property
    def adds_up(self) -> bool:
        """Whether every reader of the audience is in exactly one state."""
        return bool(self.audience == sum(getattr(self, state) for state in MOVES))

    @property
    def unsettled(self) -> int:
        """How many readers something is yet to come of."""
        return sum(getattr(self, state) for state in UNSETTLED)


def store(session: Session, letter: Letter, tag: str, now: datetime) -> StoredLetter:
    """Freeze a letter. The caller commits."""
    stored = StoredLetter(
        key=secrets.token_hex(8),
        tag=tag,
        subject=letter.subject,
        preheader=letter.preheader,
        html=letter.html,
        text=letter.text,
        digest=letter.digest,
        created_at=now,
    )
    session.add(stored)
    session.flush()
    return stored


def draw_up(session: Session, stored: StoredLetter, variant_of: Mapping[str, int | None] = ALL_ALIKE) -> int:
    """Fix the audience: one row per reader, in one statement. The caller commits. Return how many.

    `variant_of`: what is muted (as `Subscriber.muted` has it) -> the variant's number, None for those who get nothing.
    Everybody else gets the letter itself, also who mutes something while the list is being drawn up.
    """
    assert stored.id is not None  # store() has flushed it
    assert stored.audience is None  # a list is drawn up once
    muted_by: dict[int | None, list[str]] = {}
    for muted, number in variant_of.items():
        muted_by.setdefault(number, []).append(muted)
    nothing_left = _muted_one_of(muted_by.pop(None, []))
    variant = sqlalchemy.case(
        (col(Subscriber.muted) == NOTHING_MUTED, 0),  # most readers; asked first
        *((_muted_one_of(texts), number) for number, texts in muted_by.items()),
        else_=0,
    )
    members = member_ids().where(~nothing_left)
    # In one order, as whoever else locks many readers does: each row refers to its reader, and so locks them a little.
    members = members.order_by(col(Subscriber.id))
    members = members.add_columns(literal(stored.id), variant, literal(QUEUED), literal(False))
    columns = ["subscriber_id", "letter_id", "variant", "state", "passing"]
    session.connection().execute(insert(Delivery).from_select(columns, members))
    if not is_sqlite(session.connection()):
        # PostgreSQL thinks that hardly any row is queued, and would go through all of them for each batch.
        session.connection().exec_driver_sql("ANALYZE deliveries")
    count = select(func.count()).select_from(Delivery).where(Delivery.letter_id == stored.id)
    stored.audience = session.exec(count).one()
    session.add(stored)
    return stored.audience


def add(session: Session, stored: StoredLetter, subscriber_id: int) -> None:
    """Put one reader on the list of a letter that goes to one at a time. The caller commits."""
    assert stored.id is not None  # store() has flushed it
    session.add(Delivery(letter_id=stored.id, subscriber_id=subscriber_id))
    stored.audience = (stored.audience or 0) + 1
    session.add(stored)
    session.flush()


def claim(engine: Engine, letter_id: int, limit: int, now: datetime, circle: Circle = MEMBERS) -> Batch | None:
    """Take the next readers out of the queue, at most `limit` and all of one variant; None when it is empty.

    Who has left the letter's circle or was suppressed since the list was drawn up is put aside here, and never claimed.
    """
    reader = (col(Delivery.subscriber_id), col(Delivery.variant), circle.email, circle.key, circle.belongs)
    queued = (
        sqlalchemy.select(*reader, is_suppressed())
        .join(Subscriber)
        .where(col(Delivery.letter_id) == letter_id, col(Delivery.state) == QUEUED)
        .order_by(col(Delivery.variant), col(Delivery.subscriber_id))
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    while True:
        with writing(engine) as session:
            window = session.connection().execute(queued).all()
            if not window:
                return None
            # The list of suppressed addresses has the last word, whatever a reader's row says: the two are written by
            # different transactions, of which one may not have seen the other.
            barred = keys_among(session, [key for _, _, _, key, belongs, _ in window if belongs])
            suppressed = [number for number, _, _, key, _, said in window if said or key in barred]
            left = [number for number, _, _, _, belongs, said in window if not belongs and not said]
            wanted = [(number, of, to) for number, of, to, key, belongs, _ in window if belongs and key not in barred]
            variant = wanted[0][1] if wanted else 0
            members = tuple((number, to) for number, of, to in wanted if of == variant)
            for state, numbers in ((SUPPRESSED, suppressed), (LEFT, left)):
                _update(session, _move(QUEUED, state, letter_id).values(settled_at=now), numbers)
            batch = Batch(key=secrets.token_hex(16), readers=members, variant=variant)
            claimed = _move(QUEUED, SENDING, letter_id).values(batch=batch.key, claimed_at=now, reason=None)
            _update(session, claimed, [number for number, _ in members])
            session.commit()
        if members:
            return batch


def record(engine: Engine, letter_id: int, batch: Batch, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write down what came of a batch, an outcome per reader and in their order, in one transaction.

    Rows that were settled by somebody else in the meantime keep what they have.
    """
    moves: dict[str, list[dict[str, Any]]] = {ACCEPTED: [], REFUSED: [], IN_DOUBT: [], QUEUED: []}
    for (number, email), outcome in zip(batch.readers, outcomes, strict=True):
        row: dict[str, Any] = {"of_reader": number, "reason": None, "message_id": None, "passing": False}
        if isinstance(outcome, Accepted):
            moves[ACCEPTED].append({**row, "message_id": outcome.message_id, "settled_at": now})
        elif isinstance(outcome, Refused):
            refused = {"reason": _unnamed(outcome.reason, email), "passing": outcome.passing, "settled_at": now}
            moves[REFUSED].append({**row, **refused})
        else:
            state = QUEUED if isinstance(outcome, NotSent) else IN_DOUBT
            moves[state].append({**row, "reason": _unnamed(outcome.reason, email), "settled_at": None})
    with writing(engine) as session:
        for state, rows in moves.items():
            if rows:
                statement = _move(SENDING, state, letter_id).where(
                    col(Delivery.batch) == batch.key, col(Delivery.subscriber_id) == bindparam("of_reader")
                )
                values: dict[str, Any] = {
                    name: bindparam(name) for name in ("reason", "message_id", "passing", "settled_at")
                }
                if state == QUEUED:
                    values |= {"batch": None, "claimed_at": None}
                session.connection().execute(statement.values(values), rows)
        session.commit()


def doubt_orphans(engine: Engine, letter_id: int) -> int:
    """Call in doubt what a dead sender left under way; return how many rows. Only the one live sender may do this."""
    with writing(engine) as session:
        orphaned = _move(SENDING, IN_DOUBT, letter_id).values(reason="the sender died before it wrote the answer down")
        count = session.connection().execute(orphaned).rowcount
        session.commit()
    return count


def confirm(engine: Engine, letter_id: int, batch: str, found: Mapping[int, str], now: datetime) -> int:
    """Of a batch in doubt, write down what the provider has: subscriber id -> message id. Return how many rows."""
    if not found:
        return 0
    with writing(engine) as session:
        statement = _move(IN_DOUBT, ACCEPTED, letter_id).where(
            col(Delivery.batch) == batch, col(Delivery.subscriber_id) == bindparam("of_reader")
        )
        values = {"message_id": bindparam("found_id"), "settled_at": now, "reason": None}
        rows = [{"of_reader": number, "found_id": message_id} for number, message_id in found.items()]
        count = session.connection().execute(statement.values(values), rows).rowcount
        session.commit()
    return count


def requeue(engine: Engine, letter_id: int, batch: str) -> int:
    """Put the rest of a batch in doubt back into the queue, known not to have been sent. Return how many rows."""
    with writing(engine) as session:
        back = _move(IN_DOUBT, QUEUED, letter_id).where(col(Delivery.batch) == batch)
        count = session.connection().execute(back.values(batch=None, claimed_at=None, reason=None)).rowcount
        session.commit()
    return count


def doubts(session: Session, letter_id: int) -> list[Doubt]:
    """The batches of which some outcomes are unknown, the oldest first."""
    query = (
        select(Delivery.batch, Delivery.claimed_at, Delivery.subscriber_id)
        .where(Delivery.letter_id == letter_id, Delivery.state == IN_DOUBT)
        .order_by(col(Delivery.claimed_at), col(Delivery.batch), col(Delivery.subscriber_id))
    )
    batches: dict[tuple[str, datetime], list[int]] = {}
    for batch, claimed_at, number in session.exec(query):
        assert batch is not None and claimed_at is not None  # the table's CHECK, and every claim, see to it  # noqa: PT018
        batches.setdefault((batch, claimed_at), []).append(number)
    return [Doubt(batch, claimed_at, tuple(numbers)) for (batch, claimed_at), numbers in batches.items()]


def accepted_after(session: Session, letter_id: int, moment: datetime) -> str | None:
    """The key of the newest batch claimed after a moment of which something was accepted; None without one."""
    query = (
        select(Delivery.batch)
        .where(Delivery.letter_id == letter_id, Delivery.state == ACCEPTED, col(Delivery.claimed_at) > moment)
        .order_by(col(Delivery.claimed_at).desc())
    )
    return session.exec(query).first()


def accounting(session: Session, letter_id: int | None) -> Accounting:
    """Where the readers of a letter stand; all zero for an issue whose list is not drawn up."""
    stored = session.get(StoredLetter, letter_id) if letter_id is not None else None
    if stored is None:
        return Accounting()
    query = select(Delivery.state, func.count()).where(Delivery.letter_id == letter_id).group_by(col(Delivery.state))
    counts = dict(session.exec(query).all())
    return Accounting(audience=stored.audience or 0, left_out=stored.left_out, **counts)


def refusals(session: Session, letter_id: int) -> dict[str, int]:
    """The provider's words -> how many readers it said them of."""
    query = select(Delivery.reason, func.count()).where(Delivery.letter_id == letter_id, Delivery.state == REFUSED)
    return {reason or "": count for reason, count in session.exec(query.group_by(col(Delivery.reason)))}


def _muted_one_of(texts: Sequence[str]) -> ColumnElement[bool]:
    # Written out, not bound: SQLite binds at most 32,766 values, and there may be more ways of muting.
    return col(Subscriber.muted).in_(bindparam(None, list(texts), expanding=True, literal_execute=True))


def _unnamed(reason: str, email: str) -> str:
    """A provider's words without addresses: they stand in one place only, so that they can be erased there.

    Without any reader's: what is said of a batch may name one, and is written down for all of them.
    """
    return ADDRESS.sub("(the address)", re.sub(re.escape(email), "(the address)", reason, flags=re.IGNORECASE))


def _move(source: str, target: str, letter_id: int) -> Update:
    """The one way in which a row's state is changed: an UPDATE from one state to another that may follow it."""
    if target not in MOVES[source]:
        raise ValueError(f"a row cannot go from {source} to {target}")
    of_letter = col(Delivery.letter_id) == letter_id
    return update(Delivery).where(of_letter, col(Delivery.state) == source).values(state=target)


def _update(session: Session, statement: Update, subscriber_ids: Sequence[int]) -> None:
    if subscriber_ids:
        session.connection().execute(statement.where(col(Delivery.subscriber_id).in_(subscriber_ids)))
