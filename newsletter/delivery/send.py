"""How does a letter go out? Claim a batch, call the provider, record the outcomes, until the queue is empty.

A few threads do this side by side, because most of the time is waiting for the provider. Whatever kills the process,
at whatever line, leaves rows from which the next `send` goes on: queued ones are sent, `sending` ones are asked about.
"""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Engine

from newsletter.db import is_sqlite, reading
from newsletter.delivery import ledger, variants
from newsletter.delivery.ledger import Batch, StoredLetter
from newsletter.delivery.provider import Envelope, NothingSent, NotSent, Outcome, Provider, Unknown
from newsletter.delivery.reconcile import reconcile
from newsletter.message import Letter, Recipient
from subscribers.audience import MEMBERS, Circle

CONCURRENCY = 4  # calls under way at once
LETTERS = 2 * CONCURRENCY  # variants in memory at once; batches come in their order, so that each is loaded once or so
PROGRESS_PAUSE = 0.5  # seconds between two counts for `on_progress`: counting costs more, the longer the list is
MAX_LOST_ANSWERS = 3  # batches in a row without any answer, after which the provider is left alone

RecipientOf = Callable[[str, int, str], Recipient]
"""(row key, subscriber id, address) -> what the provider is given of this reader."""


@dataclass(frozen=True)
class Sending:
    """All that it takes to send one letter."""

    engine: Engine
    provider: Provider
    envelope: Envelope
    recipient_of: RecipientOf
    settle: timedelta
    clock: Callable[[], datetime]
    circle: Circle = MEMBERS
    """Whom the letter may go to; asked anew for each batch."""
    on_progress: Callable[[ledger.Accounting], None] = lambda _: None
    """Told now and then while batches go out, and always when none is under way any more."""
    wait: bool = True
    """Whether to stay until unknown outcomes have rested for `settle` and can be decided."""
    on_wait: Callable[[int, datetime], None] = lambda _, __: None
    """Told how many readers are waited for, and until when."""


@dataclass(frozen=True)
class Sent:
    """How a run ended."""

    accounting: ledger.Accounting
    stopped: str | None = None
    """Why it stopped before the queue was empty: the provider's words, or what we saw."""
    in_doubt_because: str | None = None
    """Why the outcomes that are still unknown are; None where only the settle time is missing."""
    settles_at: datetime | None = None


def send(sending: Sending, letter_id: int) -> Sent:
    """Send a letter to everybody in the queue. The caller holds the sender's lock (`sender_lock.only_sender`).

    Safe to call again after any ending. Raises what the database raises.
    """
    engine = sending.engine
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
    ledger.doubt_orphans(engine, letter_id)
    while True:
        stopped = _Drain(sending, stored).run()
        asked = reconcile(engine, sending.provider, sending.envelope, letter_id, sending.settle, sending.clock)
        books = _accounting(engine, letter_id)
        sending.on_progress(books)
        if stopped or not books.queued:  # what is queued may also be what another process's `reconcile` put there
            if stopped or asked.in_doubt == 0 or asked.settles_at is None or not sending.wait:
                break
            sending.on_wait(asked.in_doubt, asked.settles_at)
            _sleep_until(asked.settles_at, sending.clock)
    return Sent(books, stopped, asked.why, asked.settles_at)


class _Drain:
    """Empties the queue once, with a few threads; the first trouble stops them all after their batch."""

    def __init__(self, sending: Sending, stored: StoredLetter) -> None:
        assert stored.id is not None  # it was read from the database
        self._sending = sending
        self._stored = stored
        self._letter_id = stored.id
        self._letter_of = lru_cache(LETTERS)(self._load)
        self._lock = threading.Lock()
        # SQLite has one writer at a time, and lets the others sleep before they try again. Here they queue up instead.
        one_at_a_time = is_sqlite(sending.engine)
        self._writing: AbstractContextManager[object] = threading.Lock() if one_at_a_time else nullcontext()
        self._told_at = -math.inf
        self._stop = threading.Event()
        self._lost_answers = 0
        self._stopped: str | None = None

    def run(self) -> str | None:
        """Return why it stopped early, or None when the queue is empty."""
        with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="send") as threads:
            runs = [threads.submit(self._run_one) for _ in range(CONCURRENCY)]
            try:
                for run in runs:
                    run.result()
            finally:
                self._stop.set()  # an interrupt lets the batches under way be recorded, and nothing new be claimed
        return self._stopped

    def _run_one(self) -> None:
        sending = self._sending
        try:
            while not self._stop.is_set():
                with self._writing:
                    batch = ledger.claim(
                        sending.engine, self._letter_id, sending.provider.max_batch, sending.clock(), sending.circle
                    )
                if batch is None:
                    return
                self._carry(batch)
                self._tell()
        except BaseException:
            self._stop.set()
            raise

    def _carry(self, batch: Batch) -> None:
        sending = self._sending
        recipients = [
            sending.recipient_of(self._stored.row_key(number), number, email) for number, email in batch.readers
        ]
        try:
            outcomes = sending.provider.send(self._letter_of(batch.variant), sending.envelope, recipients, batch.key)
        except NothingSent as error:
            outcomes = [NotSent(str(error))] * len(recipients)
        with self._writing:
            ledger.record(sending.engine, self._letter_id, batch, outcomes, sending.clock())
        self._watch(outcomes)
        not_sent = next((outcome for outcome in outcomes if isinstance(outcome, NotSent)), None)
        if not_sent:
            self._halt(not_sent.reason)

    def _load(self, variant: int) -> Letter:
        with reading(self._sending.engine) as session:
            return variants.letter_of(session, self._stored, variant)

    def _tell(self) -> None:
        """Say how far it is, at most every PROGRESS_PAUSE; `send` says it once more at the end."""
        with self._lock:
            due = time.monotonic() >= self._told_at + PROGRESS_PAUSE
            if due:
                self._told_at = time.monotonic()
        if due:
            self._sending.on_progress(_accounting(self._sending.engine, self._letter_id))

    def _watch(self, outcomes: list[Outcome]) -> None:
        """Leave a provider alone that answers nothing any more: more batches would only be more doubt."""
        lost = [outcome for outcome in outcomes if isinstance(outcome, Unknown)]
        with self._lock:
            self._lost_answers = self._lost_answers + 1 if len(lost) == len(outcomes) else 0
            if self._lost_answers >= MAX_LOST_ANSWERS:
                self._halt(f"{MAX_LOST_ANSWERS} batches in a row had no answer: {lost[-1].reason}")

    def _halt(self, reason: str) -> None:
        self._stopped = self._stopped or reason
        self._stop.set()


def _accounting(engine: Engine, letter_id: int) -> ledger.Accounting:
    with reading(engine) as session:
        return ledger.accounting(session, letter_id)


def _sleep_until(moment: datetime, clock: Callable[[], datetime]) -> None:
    while (rest := (moment - clock()).total_seconds()) > 0:
        time.sleep(min(rest, 1.0))
