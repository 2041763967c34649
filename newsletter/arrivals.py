"""What came back, and what comes of it? Events are stored, and then done what they say of our books and of readers.

Promises: what is stored is on the disk before anything is done of it, and says so (`pending`) until it is done, so that
whoever dies in between leaves nothing undone: an event that is told again, the next group or the next round does it;
events may come twice, in any order, and before the answer to the call that sent the message; one event that no database
takes spoils none of the others; and an event of a row that is accepted already, as nearly all are, costs no look more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlmodel import Session

from newsletter import steering
from newsletter.db import committed, reading, writing
from newsletter.delivery import doubts
from newsletter.delivery.ledger import copy_of
from newsletter.departures import Heard, bounced_softly, hear
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.tracking import keeping, store
from newsletter.tracking.event import BOUNCED_SOFT, OTHER, Event, Taken
from newsletter.tracking.keeping import Kept
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent

TOGETHER: Final = 100  # rows that one transaction settles: other writers wait for it
PAGE: Final = 200  # events that are looked for at a time, where something was left to do

UNSTORABLE: Final = "unstorable"
"""The record type of what no database takes as it is."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Settled:
    """A row that an event has settled: of which letter, and the week and the state of its issue, if it is one's."""

    letter_id: int
    week: str | None = None
    state: str | None = None


@dataclass(frozen=True)
class Arrived:
    """What came of one event."""

    fresh: bool
    """Whether it was new."""
    done: bool = True
    """Whether all is done that had to come of it; else it is tried again."""
    settled: Settled | None = None
    heard: Heard | None = None
    silenced: int | None = None
    """The reader who is suppressed because this was one bounce too many."""


def take(engine: Engine, events: Sequence[Event], issues_stream: str, now: datetime) -> list[Arrived]:
    """Store a group of events, and do what they say; what came of each, in their order.

    `issues_stream` is the provider's channel for issues. Raises what the database raises where they could not be
    stored; some of them may be all the same, and all may be told again. What could not be done of what is stored is
    logged, and left to `finish`.
    """
    kept = _store(engine, events, now)
    return _act(engine, list(zip(events, kept, strict=True)), issues_stream, now)


def finish(engine: Engine, issues_stream: str, now: datetime) -> int:
    """Do what is left to do of events that are stored; return of how many it was done. Raises what the database raises.

    To be called now and then, and at the start: it looks for what somebody who died has left. Where nothing of many can
    be done, it does not go on.
    """
    last, count = 0, 0
    while True:
        with reading(engine) as session:
            rows = store.unfinished(session, last, PAGE)
            pairs = [(_event_of(row), Kept(row.id or 0, row.subscriber_id, row.pending, fresh=False)) for row in rows]
        done = sum(each.done for each in _act(engine, pairs, issues_stream, now))
        count += done
        if len(rows) < PAGE or not done:
            return count
        last = rows[-1].id or 0


def settle(engine: Engine, taken: Taken, now: datetime) -> Settled | None:
    """Write down what an event proves; None where that was known, or is about no row of ours.

    In a transaction of its own. Raises what the database raises; then nothing has changed, and it may be told again.
    """
    return settle_all(engine, [taken], now).get(taken.row)


def settle_all(engine: Engine, proofs: Sequence[Taken], now: datetime) -> dict[str, Settled]:
    """Write down what many events prove: row key -> what that has settled. In transactions of so many rows of a letter.

    Raises what the database raises; then what was settled before stays so.
    """
    unproven: dict[int, dict[str, Taken]] = {}
    with reading(engine) as session:
        for proof in proofs:
            letter_id = doubts.unproven(session, proof.row)
            if letter_id is not None:
                unproven.setdefault(letter_id, {}).setdefault(proof.row, proof)
    settled: dict[str, Settled] = {}
    for letter_id, by_row in unproven.items():
        # In one order, as whoever else changes many rows does.
        ordered = sorted(by_row.values(), key=lambda proof: copy_of(proof.row) or ("", 0))
        for first in range(0, len(ordered), TOGETHER):
            settled |= _settle(engine, letter_id, ordered[first : first + TOGETHER], now)
    return settled


def _store(engine: Engine, events: Sequence[Event], now: datetime) -> list[Kept]:
    """Store a group in one transaction; where one of them spoils it, in ever smaller ones."""
    try:
        return committed(engine, lambda session: keeping.keep(session, events, now))
    except (StatementError, ValueError, OverflowError) as error:
        if not _is_their_own(error):
            raise
        spoilt = error
    if len(events) > 1:
        half = len(events) // 2
        return _store(engine, events[:half], now) + _store(engine, events[half:], now)
    if events[0].record_type == UNSTORABLE:
        raise spoilt
    log.warning("event could not be stored as it came", type=events[0].record_type, error=type(spoilt).__name__)
    return _store(engine, [_bare(events[0])], now)


def _is_their_own(error: Exception) -> bool:
    """Whether it is the events that are wrong, and not the database that is away, locked or full."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | ValueError | OverflowError)


def _bare(event: Event) -> Event:
    """An event of which nothing is left that a database might not take, but that it came, and how."""
    body = ascii(event.body) if event.body else None
    return Event(key=event.key, record_type=UNSTORABLE, kind=OTHER, at=None, source=event.source, body=body)


def _act(engine: Engine, pairs: Sequence[tuple[Event, Kept]], issues_stream: str, now: datetime) -> list[Arrived]:
    """Do what is still to come of events that are stored."""
    waiting = {kept.id: (event, kept) for event, kept in pairs if kept.pending}
    came: dict[int, Arrived] = {}
    if waiting:
        try:
            _do(engine, waiting, came, issues_stream, now)
        except DBAPIError as error:
            log.warning("what events say could not be done, and is tried again", error=type(error).__name__)
    nothing, left = Arrived(fresh=False), waiting.keys() - came.keys()
    return [replace(came.get(kept.id, nothing), fresh=kept.fresh, done=kept.id not in left) for _, kept in pairs]


def _do(
    engine: Engine,
    waiting: Mapping[int, tuple[Event, Kept]],
    came: dict[int, Arrived],
    issues_stream: str,
    now: datetime,
) -> None:
    """Do what events say, and add what came of each that is done. Raises where the database is away."""
    # First all rows, then one reader after the other: they are locked in different orders.
    settled: dict[str, Settled] = {}
    unsettled: set[int] = set()
    try:
        settled = settle_all(engine, [event.taken for event, _ in waiting.values() if event.taken], now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  nobody's complaint is to wait for what is wrong with our books
        log.error("what events prove could not be written down", error=type(error).__name__)  # noqa: TRY400
        unsettled = {number for number, (event, _) in waiting.items() if event.taken}
    results = {
        number: Arrived(kept.fresh, settled=settled.get(event.taken.row) if event.taken else None)
        for number, (event, kept) in waiting.items()
    }
    of_readers = [number for number, (event, _) in waiting.items() if event.said or event.kind == BOUNCED_SOFT]
    if of_rows := results.keys() - of_readers - unsettled:
        with writing(engine) as session:
            store.done(session, of_rows)
            session.commit()
        came |= {number: results[number] for number in of_rows}
    for number in of_readers:
        event, kept = waiting[number]
        try:
            heard, silenced = _listen(engine, event, kept, issues_stream, now, is_done=number not in unsettled)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  the others are not to wait for what is wrong with this one
            log.error("what an event says could not be done", event_id=number, error=type(error).__name__)  # noqa: TRY400
            continue
        if number not in unsettled:
            came[number] = replace(results[number], heard=heard, silenced=silenced)


def _listen(
    engine: Engine, event: Event, kept: Kept, issues_stream: str, now: datetime, *, is_done: bool
) -> tuple[Heard | None, int | None]:
    """Do what an event says of a reader, in one transaction with the word that it is done, if that is all."""

    def listen(session: Session) -> tuple[Heard | None, int | None]:
        heard = hear(session, event.said, issues_stream, now, kept.subscriber_id) if event.said else None
        reader = kept.subscriber_id if event.kind == BOUNCED_SOFT else None
        silenced = reader if reader and bounced_softly(session, reader, now) else None
        if is_done:
            store.done(session, [kept.id])
        return heard, silenced

    return committed(engine, listen)


def _settle(engine: Engine, letter_id: int, proofs: Sequence[Taken], now: datetime) -> dict[str, Settled]:
    """Settle some rows of a letter in one transaction: row key -> what that has settled."""

    def write_down(session: Session) -> dict[str, Settled]:
        # The issue before its rows, as whoever steers it locks them.
        issue = issues.of_letter(session, letter_id)
        moved = [
            proof.row
            for proof in proofs
            if doubts.taken_after_all(session, proof.row, proof.batch, proof.message_id, now) is not None
        ]  # of the others an answer was faster
        if issue and moved:
            issue = steering.close(session, Week.parse(issue.week), now)
        return dict.fromkeys(moved, Settled(letter_id, issue.week, issue.state) if issue else Settled(letter_id))

    return committed(engine, write_down)


def _event_of(row: StoredEvent) -> Event:
    """A stored event as it was told; without its words, where they are not kept, as far as its columns say."""
    if row.body is None:
        return Event(row.key, row.record_type, row.kind, row.at)
    return translate(row.body.encode(), None, "")
