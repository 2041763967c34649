"""Is anything of a letter still under way? For whoever has stopped it, and wants to know when it stands still."""

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.delivery import doubts, ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.sender_lock import enter
from newsletter.delivery.stopwatch import Stopwatch, no_count

LOOK = 0.2  # seconds between two looks


def wait_until_still(
    engine: Engine,
    letter_id: int,
    patience: float,
    clock: Callable[[], datetime],
    stopwatch: Stopwatch = no_count,
    on_wait: Callable[[int], None] = lambda _: None,
) -> Accounting:
    """Wait until no row of a letter is under way, at most `patience` seconds; return where its readers stand then.

    To be called once the letter is closed: nothing is claimed then, and what is under way can only become less. What a
    dead sender has left there is called in doubt. `on_wait` is told once, of how many readers, where it must wait.
    """
    until = time.monotonic() + patience
    told = False
    while (books := _books(engine, letter_id)).sending:
        with enter(engine) as sender:
            dead = sender.is_dead if sender else None
            orphans = doubts.doubt_orphans(engine, letter_id, dead, clock(), stopwatch()) if dead else 0
        if orphans:
            continue
        if time.monotonic() >= until:
            break
        if not told:
            on_wait(books.sending)
            told = True
        time.sleep(LOOK)
    return books


def _books(engine: Engine, letter_id: int) -> Accounting:
    with reading(engine) as session:
        return ledger.accounting(session, letter_id)
