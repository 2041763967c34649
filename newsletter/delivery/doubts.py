"""Of whom do we not know whether they were sent to, and what settles it?

Each function that takes an engine is one transaction, which it commits itself. What settles a doubt for the better (the
provider has the message) always brings the provider's id; what is in doubt is queued again only by who has asked long
enough, or by an editor who takes it upon themselves.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, Update, bindparam
from sqlmodel import Session, col, select

from newsletter.db import writing
from newsletter.delivery.claiming import Claim, resting
from newsletter.delivery.ledger import (
    ACCEPTED,
    IN_DOUBT,
    NOT_TAKEN,
    QUEUED,
    REFUSED,
    SENDING,
    Delivery,
    StoredLetter,
    copy_of,
    moving,
)
from newsletter.delivery.stopwatch import Uptime, elapsed

SENDER_DIED = "the sender died before it wrote the answer down"
GIVEN_UP = "an editor gave it up: whether it was sent is not known"


@dataclass(frozen=True)
class Doubt:
    """A batch of which some outcomes are unknown: whose, and since when nothing of it can have left any more."""

    batch: str
    number: int
    """Batches with a higher number were certainly sent later."""
    claimed_at: datetime
    rests_since: datetime
    counted: Uptime | None
    subscriber_ids: tuple[int, ...]
    way: str | None = None
    """Which way it went (`provider.way_of`), where that is known."""

    def rested(self, now: datetime, uptime: Uptime | None) -> timedelta:
        """For how long nothing of it can have left, whatever the clock was set to meanwhile."""
        return elapsed(self.rests_since, self.counted, now, uptime)


@dataclass(frozen=True)
class Witness:
    """A batch of which the provider said itself that it took so many messages: its search ought to show them."""

    batch: str
    number: int
    taken: int
    rests_since: datetime
    counted: Uptime | None

    def rested(self, now: datetime, uptime: Uptime | None) -> timedelta:
        """How long ago it was taken, whatever the clock was set to meanwhile."""
        return elapsed(self.rests_since, self.counted, now, uptime)


def doubt_orphans(
    engine: Engine, letter_id: int, is_dead: Callable[[int], bool], now: datetime, uptime: Uptime | None = None
) -> int:
    """Call in doubt what dead senders left under way; return how many rows. It rests from now on.

    When a sender died is not known, nor whether it called the provider right before.

    `is_dead`: whether the sender of a number is gone for good (`sender_lock.Sender.is_dead`).
    """
    with writing(engine) as session:
        under_way = (
            select(Claim.sender, Claim.key)
            .join(Delivery, (col(Delivery.letter_id) == col(Claim.letter_id)) & (col(Delivery.batch) == col(Claim.key)))
            .where(Delivery.letter_id == letter_id, Delivery.state == SENDING)
            .distinct()
        )
        batches: dict[int, list[str]] = {}
        for sender, key in session.exec(under_way):
            batches.setdefault(sender, []).append(key)
        orphaned = [key for sender, keys in batches.items() if is_dead(sender) for key in keys]
        count = 0
        if orphaned:
            called = moving(SENDING, IN_DOUBT, letter_id).where(col(Delivery.batch).in_(orphaned))
            count = session.connection().execute(called.values(reason=SENDER_DIED)).rowcount
            session.connection().execute(resting(letter_id, orphaned, now, uptime))
        session.commit()
    return count


def open_doubts(session: Session, letter_id: int) -> list[Doubt]:
    """The batches of which some outcomes are unknown, the oldest first."""
    query = (
        select(Claim, Delivery.subscriber_id)
        .join(Delivery, (col(Delivery.letter_id) == col(Claim.letter_id)) & (col(Delivery.batch) == col(Claim.key)))
        .where(Delivery.letter_id == letter_id, Delivery.state == IN_DOUBT)
        .order_by(col(Claim.number), col(Delivery.subscriber_id))
    )
    readers: dict[str, list[int]] = {}
    claims: dict[str, Claim] = {}
    for claim, subscriber_id in session.exec(query):
        claims[claim.key] = claim
        readers.setdefault(claim.key, []).append(subscriber_id)
    return [
        Doubt(
            batch=key,
            number=max(claim.number or 0, claim.rests_after),
            claimed_at=claim.claimed_at,
            rests_since=claim.rests_since,
            counted=claim.counted,
            subscriber_ids=tuple(readers[key]),
            way=claim.way,
        )
        for key, claim in claims.items()
    ]


def reasons(session: Session, letter_id: int) -> dict[str, list[str]]:
    """Batch -> why the outcomes of its readers who are in doubt are unknown: the provider's words, or what we saw."""
    query = (
        select(Delivery.batch, Delivery.reason)
        .where(Delivery.letter_id == letter_id, Delivery.state == IN_DOUBT)
        .distinct()
        .order_by(col(Delivery.batch), col(Delivery.reason))
    )
    found: dict[str, list[str]] = {}
    for batch, reason in session.exec(query):
        found.setdefault(batch or "", []).extend(filter(None, [reason]))
    return found


def witnesses(
    session: Session, letter_id: int, number: int, most: int, way: str | None = None, but: str | None = None
) -> list[Witness]:
    """Batches of a letter that the provider said it took, to hold its search against: at most so many.

    Those that were claimed right after the one with this number, as they had the longest to show; where there are not
    enough of them, the last ones before it. Only those that went the same way: what another account took, or went
    over another channel, says nothing of it. `but` names the batch itself, which is none.
    """
    taken = select(Claim).where(Claim.letter_id == letter_id, Claim.taken > 0, col(Claim.way).is_not_distinct_from(way))
    order = col(Claim.number)
    if but is not None:
        taken = taken.where(Claim.key != but)
    later = session.exec(taken.where(order > number).order_by(order).limit(most)).all()
    earlier = session.exec(taken.where(order <= number).order_by(order.desc()).limit(most - len(later))).all()
    return [
        Witness(claim.key, claim.number or 0, claim.taken, claim.rests_since, claim.counted)
        for claim in (*later, *earlier)
    ]


def proven(session: Session, letter_id: int, batches: Collection[str]) -> dict[str, set[int]]:
    """Of each of these batches those of whom it is known that the provider took their messages: its search shows them.

    Goes through all rows of the letter that were accepted: to be asked once for many batches.
    """
    query = select(Delivery.batch, Delivery.subscriber_id).where(
        Delivery.letter_id == letter_id, Delivery.state == ACCEPTED, col(Delivery.batch).in_(batches)
    )
    found: dict[str, set[int]] = {}
    for batch, number in session.exec(query):
        found.setdefault(batch or "", set()).add(number)
    return found


def confirm(engine: Engine, letter_id: int, batch: str, found: Mapping[int, str], now: datetime) -> int:
    """Of a batch, write down what the provider has: subscriber id -> message id. Return how many rows have moved.

    Also of readers who are not in doubt: who was called refused, or was queued again by another process that asked a
    moment earlier, is not to be sent to again either.
    """
    if not found:
        return 0
    with writing(engine) as session:
        of_batch = (col(Delivery.batch) == batch) | (col(Delivery.state) == QUEUED)
        statement = moving(NOT_TAKEN, ACCEPTED, letter_id).where(
            of_batch, col(Delivery.subscriber_id) == bindparam("of_reader")
        )
        values = {
            "batch": batch,
            "message_id": bindparam("found_id"),
            "settled_at": now,
            "reason": None,
            "passing": False,
        }
        rows = [{"of_reader": number, "found_id": message_id} for number, message_id in found.items()]
        count = session.connection().execute(statement.values(values), rows).rowcount
        session.commit()
    return count


def requeue(engine: Engine, letter_id: int, batch: str) -> int:
    """Put the rest of a batch in doubt back into the queue, known not to have been sent. Return how many rows."""
    with writing(engine) as session:
        back = moving(IN_DOUBT, QUEUED, letter_id).where(col(Delivery.batch) == batch)
        count = session.connection().execute(back.values(batch=None, reason=None)).rowcount
        session.commit()
    return count


def resend_all(session: Session, letter_id: int, batches: Collection[str] | None = None) -> int:
    """Queue again all that is in doubt (of these batches), on an editor's word. The caller commits. How many rows."""
    again = _of_batches(moving(IN_DOUBT, QUEUED, letter_id), batches)
    return session.connection().execute(again.values(batch=None, reason=None)).rowcount


def give_up_all(session: Session, letter_id: int, now: datetime, batches: Collection[str] | None = None) -> int:
    """Call refused, for good, all that is in doubt (of these batches), on an editor's word. The caller commits.

    Return how many rows.
    """
    given_up = _of_batches(moving(IN_DOUBT, REFUSED, letter_id), batches)
    return session.connection().execute(given_up.values(reason=GIVEN_UP, settled_at=now)).rowcount


def unproven(session: Session, row_key: str) -> int | None:
    """The letter of the row that a key names, where nobody has written down yet that the provider took it.

    None for a row that is accepted, and where there is no such row. One look by keys, so that it may be asked often.
    """
    copy = copy_of(row_key)
    if copy is None:
        return None
    of_row = (StoredLetter.key == copy[0], Delivery.subscriber_id == copy[1], Delivery.state != ACCEPTED)
    return session.exec(select(Delivery.letter_id).join(StoredLetter).where(*of_row)).one_or_none()


def taken_after_all(session: Session, row_key: str, batch: str, message_id: str, now: datetime) -> int | None:
    """An event shows that the provider took a message: its row is accepted, whatever was thought. The caller commits.

    Returns the letter's id where a row has moved. Also a row that is under way again in another batch: what that one
    carries is no more to be helped, but if it was not sent, it must not be sent a third time. A batch that was never
    claimed here (a backup was restored since) is not written down.
    """
    copy, letter_id = copy_of(row_key), unproven(session, row_key)
    if copy is None or letter_id is None:
        return None
    claimed = session.exec(select(Claim.key).where(Claim.key == batch, Claim.letter_id == letter_id)).one_or_none()
    settled = {"batch": claimed, "message_id": message_id, "reason": None, "passing": False, "settled_at": now}
    move = moving(NOT_TAKEN, ACCEPTED, letter_id).where(col(Delivery.subscriber_id) == copy[1])
    return letter_id if session.connection().execute(move.values(settled)).rowcount else None


def _of_batches(statement: Update, batches: Collection[str] | None) -> Update:
    return statement if batches is None else statement.where(col(Delivery.batch).in_(batches))
