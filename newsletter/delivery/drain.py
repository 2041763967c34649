"""How is the queue emptied? Claim a batch, call the provider, record the outcomes; a few threads side by side.

Most of the time is waiting for the provider, so that threads are enough. Whatever kills the process, at whatever line,
leaves rows from which the next run goes on. A provider that has too much to do, or says nothing, is called less often,
by one thread only and with smaller batches, until it answers again; after some tries it is left alone.
"""

import math
import random
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.exc import DBAPIError

from newsletter.db import is_sqlite, reading
from newsletter.delivery import claiming, ledger, soundness, throttle
from newsletter.delivery.claiming import Batch, Claimant
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.pacing import Pace, batch_under
from newsletter.delivery.provider import NotSent, Outcome, Unknown, way_of
from newsletter.delivery.sending import Sending
from newsletter.delivery.soundness import Flawed
from newsletter.message import Letter

CONCURRENCY = 4  # calls under way at once
LETTERS = 2 * CONCURRENCY  # variants in memory at once; batches come in their order, so that each is loaded once or so
PROGRESS_PAUSE = 0.5  # seconds between two counts for `on_progress`: counting costs more, the longer the list is
MAX_SILENT = 3  # batches in a row without any answer, after which the provider is left alone
MAX_BUSY = 8  # batches in a row to which it said "not now", each smaller and after a longer pause than the one before
LOOK = 0.1  # seconds between two looks at whether to end, while waiting
RECORD_PAUSES = (0.5, 2.0, 5.0)  # seconds before outcomes are written again that a database did not take
LOCK_LOST = "this sender has lost its lock: the database was restarted, the line to it broke, or the file was deleted"


@dataclass(frozen=True)
class Halt:
    """Why the queue was left before it was empty. `lasting`: an editor has to mend something first."""

    reason: str
    lasting: bool = False


class Drain:
    """Empties the queue of a letter once; the first trouble that would meet every batch stops all after their batch."""

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
        self._over = threading.Event()
        self._halt: Halt | None = None
        self._error: BaseException | None = None
        self._pace = Pace.full(sending.provider.max_batch)
        self._rest_until = -math.inf
        self._trying = threading.Lock()

    def run(self) -> Halt | None:
        """Return why it ended early, or None when there was nothing more to claim. Raises what the database raises."""
        batches = math.ceil(self._waiting(CONCURRENCY * self._pace.size) / self._pace.size)
        # Not an executor's: those are waited for when the program ends, however long a provider keeps silent.
        threads = [
            threading.Thread(target=self._work, name=f"send-{n}", daemon=True)
            for n in range(max(1, min(CONCURRENCY, batches)))
        ]
        for thread in threads:
            thread.start()
        try:
            self._wait_for(threads)
        finally:
            self._over.set()
        if self._error:
            raise self._error
        return self._halt

    def _wait_for(self, threads: Sequence[threading.Thread]) -> None:
        deadline = math.inf
        try:
            for thread in threads:
                while thread.is_alive() and time.monotonic() < deadline:
                    thread.join(LOOK)
                    if self._sending.stop.is_set() and deadline == math.inf:
                        deadline = time.monotonic() + self._sending.grace
        except BaseException:  # an interrupt: what is under way is to be recorded all the same
            self._over.set()
            until = time.monotonic() + self._sending.grace
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            raise
        if any(thread.is_alive() for thread in threads):
            self._halt = self._halt or Halt("it was to end, and the provider had not answered everything yet")

    def _work(self) -> None:
        try:
            while not self._ended():
                if self._pace.troubles == 0:
                    if not self._carry_next():
                        return
                elif self._trying.acquire(blocking=False):  # one at a time, until the provider answers again
                    try:
                        if not self._carry_next():
                            return
                    finally:
                        self._trying.release()
                else:
                    time.sleep(LOOK)
        except BaseException as error:  # noqa: BLE001  raised again by the thread that waits
            self._error = self._error or error
            self._over.set()

    def _ended(self) -> bool:
        return self._over.is_set() or self._sending.stop.is_set()

    def _carry_next(self) -> bool:
        """Send one batch, when its time has come; False when there was none, or it is to end."""
        sending = self._sending
        size = self._wait_for_turn()
        if size is None:
            return False
        claimant = Claimant(
            sending.sender.number, sending.clock(), sending.stopwatch(), way_of(sending.provider, sending.envelope)
        )
        with self._writing:
            batch = claiming.claim(sending.engine, self._letter_id, size, claimant, sending.circle)
        if batch is None:
            return False
        outcomes = self._call(batch)
        self._record(batch, outcomes)
        self._learn(outcomes)
        self._tell()
        return True

    def _wait_for_turn(self) -> int | None:
        """Wait until a batch may be claimed; return how large it may be, or None where it is to end."""
        if not self._slept_until(self._rest_until):
            return None
        sending, size = self._sending, self._pace.size
        rate = sending.limit.at(sending.clock() - self._stored.created_at)
        if rate is not None:
            # No more time is taken than is needed: the letter may be to one person, and another one waits behind it.
            size = self._waiting(batch_under(rate, size))
            if not size:
                return None
            with self._writing:
                ahead = throttle.take(sending.engine, size, rate, sending.clock())
            if not self._slept_until(time.monotonic() + ahead):
                return None
        return None if self._ended() else size

    def _slept_until(self, moment: float) -> bool:
        while (rest := moment - time.monotonic()) > 0:
            if self._ended():
                return False
            time.sleep(min(rest, LOOK))
        return True

    def _call(self, batch: Batch) -> list[Outcome]:
        sending = self._sending
        key_of, make = self._stored.row_key, sending.recipient_of
        try:
            recipients = [make(key_of(number), number, email) for number, email in batch.readers]
            letter = self._letter_of(batch.variant)
        except Flawed as error:
            return [NotSent(str(error), lasting=True)] * len(batch.readers)
        except DBAPIError as error:  # nothing has left, and nobody needs to ask about it
            said = str(error.orig).partition("\n")[0]  # in the other lines a database names addresses
            return [NotSent(f"what a letter is filled with could not be read: {said}")] * len(batch.readers)
        # The last thing before the call: whoever has lost the lock counts as dead, and its batch may be asked about.
        if not sending.sender.holds():
            return [NotSent(LOCK_LOST)] * len(recipients)
        return sending.provider.send(letter, sending.envelope, recipients, batch.key)

    def _record(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Write down what came of a batch; not only once, since what is known now would have to be asked for later."""
        sending = self._sending
        for pause in (*RECORD_PAUSES, None):
            try:
                with self._writing:
                    claiming.record(
                        sending.engine, self._letter_id, batch, outcomes, sending.clock(), sending.stopwatch()
                    )
            except DBAPIError:
                if pause is None:
                    raise
                time.sleep(pause)
            else:
                return

    def _learn(self, outcomes: Sequence[Outcome]) -> None:
        """Go slower after a batch that led to nothing, faster after one that was answered, or stop."""
        led_nowhere = [outcome for outcome in outcomes if isinstance(outcome, Unknown | NotSent)]
        rests = [outcome.rest for outcome in led_nowhere if outcome.rest is not None]
        final = next((each for each in led_nowhere if isinstance(each, NotSent) and _ends_the_run(each)), None)
        with self._lock:
            if final:
                self._end(Halt(final.reason, final.lasting))
            elif not rests and len(led_nowhere) < len(outcomes):
                self._pace = self._pace.faster()
            else:
                self._pace = self._pace.slower()
                most, what = (MAX_BUSY, "were sent away") if rests else (MAX_SILENT, "had no answer")
                if self._pace.troubles >= most:
                    self._end(Halt(f"{most} batches in a row {what}: {led_nowhere[-1].reason}"))
                elif rests:
                    pause = self._pace.pause(max(rests), random.random())  # noqa: S311  no secret
                    self._rest_until = time.monotonic() + pause

    def _end(self, halt: Halt) -> None:
        self._halt = self._halt or halt
        self._over.set()

    def _waiting(self, most: int) -> int:
        with reading(self._sending.engine) as session:
            return ledger.waiting(session, self._letter_id, most)

    def _load(self, variant: int) -> Letter:
        with reading(self._sending.engine) as session:
            return soundness.whole_letter(session, self._stored, variant)

    def _tell(self) -> None:
        """Say how far it is, at most every PROGRESS_PAUSE; `send` says it once more at the end."""
        with self._lock:
            due = time.monotonic() >= self._told_at + PROGRESS_PAUSE
            if due:
                self._told_at = time.monotonic()
        if due:
            with reading(self._sending.engine) as session:
                books = ledger.accounting(session, self._letter_id)
            self._sending.on_progress(books)


def _ends_the_run(outcome: NotSent) -> bool:
    return outcome.lasting or outcome.rest is None
