"""What became of the messages whose outcome we do not know? Ask the provider, then decide.

Found at the provider: accepted. Not found proves nothing by itself: the search may lag, or have lost it. A message
goes back into the queue only when it has rested for the settle time **and** a positive control shows that the search
works: what is known to have been taken of the same batch shows, and the next batches that went the same way and that
the provider said it took show whole, or, where there is none later, the last ones before and a probe to nobody.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.delivery import doubts
from newsletter.delivery.doubts import Doubt, Witness
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.provider import CannotAsk, Envelope, KeepsNoRecord, Provider, way_of
from newsletter.delivery.stopwatch import Stopwatch, no_count

WITNESSES = 3  # batches that must show whole before the search's silence about another one counts
MAX_IN_VAIN = 2  # questions without an answer, after which the provider is not asked about the other batches
PROBE_PATIENCE = 30.0  # seconds that a probe is given to show in the provider's search
PROBE_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)  # seconds between looks; the last one repeats

DOES_NOT_SHOW = "the provider's search does not show other messages either that it said it had taken"
ANOTHER_WAY = "it went through another account or channel than the one that is set now, whose search cannot show it"
NO_PROBE = f"the provider's search did not show a probe of ours within {PROBE_PATIENCE:.0f} seconds"


@dataclass(frozen=True)
class Asking:
    """All that it takes to ask about one letter."""

    engine: Engine
    provider: Provider
    envelope: Envelope
    settle: timedelta
    clock: Callable[[], datetime]
    stopwatch: Stopwatch = no_count
    stop: threading.Event = field(default_factory=threading.Event)
    """Set from outside to end the asking: what is not decided then stays as it is."""
    resend: bool = True
    """Whether what was certainly not sent may go back into the queue; otherwise it is only asked what was."""


@dataclass
class Reconciled:
    """What one round of asking found out, in readers."""

    accepted: int = 0
    requeued: int = 0
    in_doubt: int = 0
    """Still unknown after this round."""
    settles_at: datetime | None = None
    """When the first of them will have rested long enough; None where that time has passed."""
    why: str | None = None
    """Why nothing more could be decided, where it is not only the time."""
    rested: bool = True
    """Whether all that is in doubt has rested for the settle time."""
    batches: set[str] = field(default_factory=set, compare=False)
    """The batches that they are of."""
    needs_editor: bool = False
    """Whether asking again will hardly help: the control failed, or the provider keeps no record."""

    def leave(self, doubt: Doubt, readers: int) -> None:
        """So many readers of a batch stay in doubt."""
        self.in_doubt += readers
        self.batches.add(doubt.batch)

    def wait_until(self, moment: datetime) -> None:
        """Something can be decided at this moment; the first such moment counts."""
        self.settles_at = min(moment, self.settles_at or moment)


def reconcile(asking: Asking, letter_id: int) -> Reconciled:
    """Ask once about every batch of a letter that is in doubt. Safe at any time, also while another process sends.

    It never touches rows of a live sender (those are `sending`, not `in_doubt`), and every change is from one stated
    state to another, so that two rounds at once do no harm.
    """
    result = Reconciled()
    with reading(asking.engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
        open_doubts = doubts.open_doubts(session, letter_id)
    control = _Control(asking, letter_id, [doubt.batch for doubt in open_doubts])
    in_vain = 0
    for doubt in open_doubts:
        missing = len(doubt.subscriber_ids)
        wait = asking.settle - doubt.rested(asking.clock(), asking.stopwatch())
        result.rested = result.rested and wait <= timedelta(0)
        if in_vain == MAX_IN_VAIN or asking.stop.is_set():
            result.leave(doubt, missing)
            continue
        try:
            shown = _confirm_found(asking, stored, doubt, result)
            missing = len(set(doubt.subscriber_ids) - shown)
            if not missing:
                continue
            if wait > timedelta(0):
                result.wait_until(asking.clock() + wait)
            elif not asking.resend:
                result.why = "only an editor may have it sent again"
            elif trouble := control.trouble(doubt, shown):
                if trouble.passing > timedelta(0):
                    result.wait_until(asking.clock() + trouble.passing)
                else:
                    result.why, result.needs_editor = trouble.why, True
            elif set(doubt.subscriber_ids) <= _confirm_found(asking, stored, doubt, result):
                continue  # asked once more: it may be only since the first time that the search works
            else:
                result.requeued += doubts.requeue(asking.engine, letter_id, doubt.batch)
                continue
        except CannotAsk as error:
            in_vain += 1
            result.why = str(error)
            result.needs_editor = result.needs_editor or isinstance(error, KeepsNoRecord)
        result.leave(doubt, missing)
    return result


def _confirm_found(asking: Asking, stored: StoredLetter, doubt: Doubt, result: Reconciled) -> set[int]:
    """Record what the provider has of a batch; return of which readers it shows a message."""
    shown = asking.provider.find(asking.envelope, doubt.batch)
    found = {
        number: message_id for row, message_id in shown.items() if (number := stored.subscriber_of(row)) is not None
    }
    assert stored.id is not None  # it was read from the database
    result.accepted += doubts.confirm(asking.engine, stored.id, doubt.batch, found, asking.clock())
    return set(found)


@dataclass(frozen=True)
class _Trouble:
    """Why the search's silence does not count; `passing`: how long until it may."""

    why: str
    passing: timedelta = timedelta(0)


@dataclass
class _Control:
    """Whether the search's silence counts just now; each thing is asked once a round."""

    asking: Asking
    letter_id: int
    doubtful: Sequence[str]
    """The batches that are in doubt."""
    _proven: dict[str, set[int]] | None = field(default=None, init=False)
    _shown: dict[str, bool] = field(default_factory=dict, init=False)
    _shows_probe: bool | None = field(default=None, init=False)

    def trouble(self, doubt: Doubt, shown: Set[int]) -> _Trouble | None:
        """Why the silence about a batch does not count, or None where it does. Raises CannotAsk.

        `shown`: the readers whose messages the search shows of it.
        """
        with reading(self.asking.engine) as session:
            if self._proven is None:
                self._proven = doubts.proven(session, self.letter_id, self.doubtful)
            witnesses = doubts.witnesses(session, self.letter_id, doubt.number, WITNESSES, doubt.way, but=doubt.batch)
        if not self._proven.get(doubt.batch, set()) <= shown:
            return _Trouble(DOES_NOT_SHOW)
        now = way_of(self.asking.provider, self.asking.envelope)
        if not witnesses and doubt.way not in (None, now):
            return _Trouble(ANOTHER_WAY)
        for witness in witnesses:
            if not self._shows(witness):
                rested = witness.rested(self.asking.clock(), self.asking.stopwatch())
                return _Trouble(DOES_NOT_SHOW, max(self.asking.settle - rested, timedelta(0)))
        if any(witness.number > doubt.number for witness in witnesses):
            return None
        if self._shows_probe is None:
            self._shows_probe = self._probe()
        return None if self._shows_probe else _Trouble(NO_PROBE)

    def _shows(self, witness: Witness) -> bool:
        if witness.batch not in self._shown:
            found = self.asking.provider.find(self.asking.envelope, witness.batch)
            self._shown[witness.batch] = len(found) >= witness.taken
        return self._shown[witness.batch]

    def _probe(self) -> bool:
        provider, envelope = self.asking.provider, self.asking.envelope
        probe = secrets.token_hex(16)
        provider.probe(envelope, probe)
        deadline = time.monotonic() + PROBE_PATIENCE
        pauses = iter(PROBE_PAUSES)
        while not provider.probe_is_visible(envelope, probe):
            if time.monotonic() > deadline or self.asking.stop.wait(next(pauses, PROBE_PAUSES[-1])):
                return False
        return True
