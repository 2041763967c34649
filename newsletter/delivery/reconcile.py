"""What became of the messages whose outcome we do not know? Ask the provider, then decide.

Found at the provider: accepted. Not found proves nothing by itself: the search may lag, or have lost it. A message
goes back into the queue only when it has rested for the settle time **and** a positive control shows that the search
works: a message of ours that was sent later is visible, or, where there is none, a probe to nobody.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Doubt, StoredLetter
from newsletter.delivery.provider import CannotAsk, Envelope, Provider

PROBE_PATIENCE = 30.0  # seconds that a probe is given to show in the provider's search
PROBE_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)  # seconds between looks; the last one repeats


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


def reconcile(
    engine: Engine,
    provider: Provider,
    envelope: Envelope,
    letter_id: int,
    settle: timedelta,
    clock: Callable[[], datetime],
) -> Reconciled:
    """Ask once about every batch of a letter that is in doubt. Safe at any time, also while another process sends.

    It never touches rows of a live sender (those are `sending`, not `in_doubt`), and every change is from one stated
    state to another, so that two rounds at once do no harm.
    """
    result = Reconciled()
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
        open_doubts = ledger.doubts(session, letter_id)
    for doubt in open_doubts:
        try:
            missing = _confirm_found(engine, provider, envelope, stored, doubt, clock(), result)
            if not missing:
                continue
            rested_at = doubt.claimed_at + settle
            if clock() < rested_at:
                result.settles_at = min(rested_at, result.settles_at or rested_at)
            elif _search_works(engine, provider, envelope, letter_id, doubt):
                result.requeued += ledger.requeue(engine, letter_id, doubt.batch)
                continue
            else:
                result.why = "the provider's search does not show later messages of ours either"
        except CannotAsk as error:
            missing = len(doubt.subscriber_ids)
            result.why = str(error)
        result.in_doubt += missing
    return result


def _confirm_found(
    engine: Engine,
    provider: Provider,
    envelope: Envelope,
    stored: StoredLetter,
    doubt: Doubt,
    now: datetime,
    result: Reconciled,
) -> int:
    """Record what the provider has of a batch; return how many of its doubtful rows it does not show."""
    found = {stored.subscriber_of(row): number for row, number in provider.find(envelope, doubt.batch).items()}
    known = {number: found[number] for number in doubt.subscriber_ids if number in found}
    assert stored.id is not None  # it was read from the database
    result.accepted += ledger.confirm(engine, stored.id, doubt.batch, known, now)
    return len(doubt.subscriber_ids) - len(known)


def _search_works(engine: Engine, provider: Provider, envelope: Envelope, letter_id: int, doubt: Doubt) -> bool:
    """The positive control. Raises CannotAsk."""
    with reading(engine) as session:
        later = ledger.accepted_after(session, letter_id, doubt.claimed_at)
    if later and later != doubt.batch:
        return bool(provider.find(envelope, later))
    probe = secrets.token_hex(16)
    provider.probe(envelope, probe)
    deadline = time.monotonic() + PROBE_PATIENCE
    pauses = iter(PROBE_PAUSES)
    while not provider.probe_is_visible(envelope, probe):
        if time.monotonic() > deadline:
            return False
        time.sleep(next(pauses, PROBE_PAUSES[-1]))
    return True
