"""How does a letter go out? Empty the queue, ask about what is in doubt, until nothing is left to be done.

Whatever kills the process, at whatever line, leaves rows from which the next `send` goes on: queued ones are sent,
those that a dead sender left under way are asked about.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from newsletter.db import reading
from newsletter.delivery import doubts, ledger, soundness
from newsletter.delivery.drain import Drain
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.reconcile import Asking, reconcile
from newsletter.delivery.sending import Sending

OTHERS_PAUSE = 0.5  # seconds between two looks at what other senders still have under way
TURN = 0.2  # seconds between two looks at whether to end, while waiting


@dataclass(frozen=True)
class Sent:
    """How a run ended."""

    accounting: ledger.Accounting
    stopped: str | None = None
    """Why it stopped before the queue was empty: the provider's words, or what we saw."""
    in_doubt_because: str | None = None
    """Why the outcomes that are still unknown are; None where only the settle time is missing."""
    settles_at: datetime | None = None
    needs_editor: str | None = None
    """Why another run would not help: somebody has to mend or to decide something first."""


def send(sending: Sending, letter_id: int) -> Sent:
    """Send a letter to everybody in the queue, for as long as it is open.

    Safe to call again after any ending. Raises what the database raises.
    """
    engine = sending.engine
    asking = Asking(
        engine, sending.provider, sending.envelope, sending.settle, sending.clock, sending.stopwatch, sending.stop
    )
    while True:
        doubts.doubt_orphans(engine, letter_id, sending.sender.is_dead, sending.clock(), sending.stopwatch())
        with reading(engine) as session:
            stored = session.get_one(StoredLetter, letter_id)
            if flaw := soundness.flaw(session, stored):
                return Sent(ledger.accounting(session, letter_id), stopped=flaw, needs_editor=flaw)
        halt = Drain(sending, stored).run()
        asked = reconcile(asking, letter_id)
        with reading(engine) as session:
            is_open = session.get_one(StoredLetter, letter_id).open
            books = ledger.accounting(session, letter_id)
        sending.on_progress(books)
        if halt or sending.stop.is_set() or not is_open:
            break
        if books.queued:  # put there by us just now, or by another process's asking
            continue
        if books.sending and sending.wait:
            _sleep(OTHERS_PAUSE, sending)
        elif asked.in_doubt and asked.settles_at and sending.wait:
            sending.on_wait(asked.in_doubt, asked.settles_at)
            _sleep((asked.settles_at - sending.clock()).total_seconds(), sending)
        else:
            break
    needs_editor = halt.reason if halt and halt.lasting else None
    if (
        not (halt or sending.stop.is_set())
        and asked.needs_editor
        and not (books.queued or books.sending or asked.settles_at)
    ):
        needs_editor = asked.why
    stopped = halt.reason if halt else "it was asked to end" if sending.stop.is_set() and books.unsettled else None
    return Sent(books, stopped, asked.why, asked.settles_at, needs_editor)


def _sleep(seconds: float, sending: Sending) -> None:
    # By the monotonic clock: a wall clock that is set back would have it wait for hours.
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0 and not sending.stop.wait(min(rest, TURN)):
        pass
