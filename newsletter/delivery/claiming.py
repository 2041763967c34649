"""Which readers are sent to next, and what came of it? A batch is claimed, and its outcomes are recorded.

Each function is one transaction, which it commits itself (the one exception to "commit at the edge"): a claim that is
not on the disk when the call begins would be no claim.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy
from sqlalchemy import Boolean, CheckConstraint, Engine, Index, Integer, String, Update, func, update
from sqlmodel import Field, col, select

from newsletter.db import Table, given, writing
from newsletter.delivery.ledger import (
    ACCEPTED,
    IN_DOUBT,
    LEFT,
    NOT_TAKEN,
    QUEUED,
    REFUSED,
    SENDING,
    SUPPRESSED,
    Delivery,
    StoredLetter,
    keep_open,
    moving,
    moving_readers,
    unnamed,
)
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused
from newsletter.delivery.stopwatch import Uptime
from subscribers.audience import MEMBERS, Circle, is_suppressed
from subscribers.subscriber import Subscriber
from subscribers.suppression import keys_among


class Claim(Table, table=True):
    """A batch that was taken out of the queue to be sent in one call."""

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint("(boot IS NULL) = (uptime IS NULL)", name="uptime"),
        Index("ix_claims_letter_id", "letter_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True)
    """In the order of the claims, whatever the clock says."""
    key: str = Field(unique=True)
    """32 random hex digits, which travel with every message."""
    letter_id: int = Field(foreign_key="letters.id")
    sender: int
    """Who claimed it (`sender_lock.Sender.number`)."""
    claimed_at: datetime
    rests_since: datetime
    """The last moment at which something of it may have left: of the claim, then of the answer, or of the doubt."""
    boot: str | None = None
    uptime: float | None = None
    """The same moment in seconds since that start of the machine: see `stopwatch`."""
    rests_after: int = 0
    """The letter's newest claim at that moment: only what was claimed after it was certainly sent later."""
    way: str | None = None
    """Which way it went (`provider.way_of`); null where an earlier program claimed it."""
    taken: int = 0
    """How many of it the provider said that it took."""

    @property
    def counted(self) -> Uptime | None:
        """Since when it rests, by the machine's own count."""
        return Uptime(self.boot, self.uptime) if self.boot is not None and self.uptime is not None else None


@dataclass(frozen=True)
class Batch:
    """Readers who are sent to in one call: (subscriber id, address), claimed under one key."""

    key: str
    readers: tuple[tuple[int, str], ...]
    variant: int = 0
    """Which variant of the letter all of them get."""


@dataclass(frozen=True)
class Claimant:
    """Who claims, and when, by both clocks."""

    sender: int
    now: datetime
    uptime: Uptime | None = None
    way: str | None = None
    """Which way the batch is about to go."""


def claim(engine: Engine, letter_id: int, limit: int, claimant: Claimant, circle: Circle = MEMBERS) -> Batch | None:
    """Take the next readers out of the queue, at most `limit` and all of one variant.

    None when the queue is empty, or the letter is closed. Who has left the letter's circle or was suppressed since the
    list was drawn up is put aside here, and never claimed.
    """
    is_open = select(StoredLetter.open).where(StoredLetter.id == letter_id)
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
            keep_open(session, letter_id)  # or closed: what is committed of that is seen by what follows
            window = session.connection().execute(queued).all() if session.exec(is_open).one() else []
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
                if numbers:
                    aside = moving_readers(QUEUED, state, letter_id, numbers).values(settled_at=claimant.now)
                    session.connection().execute(aside)
            batch = Batch(secrets.token_hex(16), members, variant) if members else None
            if batch:
                session.add(_claim(batch.key, letter_id, claimant))
                claimed = moving_readers(QUEUED, SENDING, letter_id, (number for number, _ in members))
                session.connection().execute(claimed.values(batch=batch.key, reason=None))
            session.commit()
        if batch:
            return batch


def record(
    engine: Engine,
    letter_id: int,
    batch: Batch,
    outcomes: Sequence[Outcome],
    now: datetime,
    uptime: Uptime | None = None,
) -> None:
    """Write down what came of a batch, an outcome per reader and in their order, in one transaction.

    Also when it comes late, and another sender has called the batch in doubt, or queued it again, in the meantime: what
    the provider itself said counts. Rows that somebody has settled keep what they have, unless the provider took them:
    then they are accepted, whatever was thought. Done twice, it changes nothing more.
    """
    moves: dict[str, list[_Word]] = {ACCEPTED: [], REFUSED: [], IN_DOUBT: [], QUEUED: []}
    for (number, email), outcome in zip(batch.readers, outcomes, strict=True):
        if isinstance(outcome, Accepted):
            moves[ACCEPTED].append((letter_id, number, outcome.message_id, None, False))
        elif isinstance(outcome, Refused):
            moves[REFUSED].append((letter_id, number, None, unnamed(outcome.reason, email), outcome.passing))
        else:
            state = QUEUED if isinstance(outcome, NotSent) else IN_DOUBT
            moves[state].append((letter_id, number, None, unnamed(outcome.reason, email), False))
    with writing(engine) as session:
        for state, words in moves.items():
            if words:
                session.connection().execute(_move_to(state, words, batch.key, now))
        if moves[ACCEPTED] or moves[IN_DOUBT]:
            at_rest = resting(letter_id, [batch.key], now, uptime)
            session.connection().execute(at_rest.values(taken=len(moves[ACCEPTED])))
        session.commit()


def resting(letter_id: int, keys: Sequence[str], now: datetime, uptime: Uptime | None) -> Update:
    """The UPDATE that lets batches rest from now on: whatever was to leave of them has left, or never will.

    Not since the claim: a sender may have been slow, or stopped, between the claim and the call.
    """
    newest = sqlalchemy.select(func.max(col(Claim.number))).where(col(Claim.letter_id) == letter_id).scalar_subquery()
    return (
        update(Claim)
        .where(col(Claim.key).in_(keys))
        .values(
            rests_since=now,
            boot=uptime.boot if uptime else None,
            uptime=uptime.seconds if uptime else None,
            rests_after=newest,
        )
    )


_Word = tuple[int, int, str | None, str | None, bool]
"""What was said of one reader: letter, subscriber id, message id, reason, whether it may pass."""


def _move_to(state: str, words: Sequence[_Word], batch: str, now: datetime) -> Update:
    """One UPDATE of all rows of a batch that go to the same state, each with what was said of its reader."""
    letter, reader, message, reason, passing = given(words, Integer(), Integer(), String(), String(), Boolean())
    # Accepted also where it was queued again meanwhile, as not sent. It was; so it must not be sent again.
    sources = {ACCEPTED: NOT_TAKEN, IN_DOUBT: (SENDING,)}.get(state, (SENDING, IN_DOUBT))
    move = moving(sources, state, letter).where(col(Delivery.subscriber_id) == reader)
    if state != ACCEPTED:
        move = move.where(col(Delivery.batch) == batch)
    return move.values(
        batch=None if state == QUEUED else batch,
        message_id=message,
        reason=reason,
        passing=passing,
        settled_at=now if state in (ACCEPTED, REFUSED) else None,
    )


def _claim(key: str, letter_id: int, claimant: Claimant) -> Claim:
    uptime = claimant.uptime
    return Claim(
        key=key,
        letter_id=letter_id,
        sender=claimant.sender,
        claimed_at=claimant.now,
        rests_since=claimant.now,
        boot=uptime.boot if uptime else None,
        uptime=uptime.seconds if uptime else None,
        way=claimant.way,
    )
