"""A letter is closed at once, however many senders claim from it without a pause."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from newsletter.db import open_engine, writing
from newsletter.delivery import ledger
from newsletter.delivery.claiming import Claimant, claim
from tests.delivery.readers import GONE, NOW, drawn_up

CLAIMS_AT_ONCE = 8
ONE_CLAIM = 0.03  # seconds
LONG = 5.0  # seconds; so long whoever never gets in would wait


def test_whoever_closes_a_letter_does_not_wait_until_nobody_claims_from_it(new_database: Callable[[str], str]) -> None:
    engine = open_engine(new_database("postgresql"))
    letter_id = drawn_up(engine, 1)
    over = threading.Event()
    deadline = time.monotonic() + LONG

    def claim_again_and_again(sender: int) -> int:
        count = 0
        while not over.is_set() and time.monotonic() < deadline:
            with writing(engine) as session:
                ledger.keep_open(session, letter_id)
                count += 1
                time.sleep(ONE_CLAIM * (1 + sender / CLAIMS_AT_ONCE))  # each in a rhythm of its own
        return count

    with ThreadPoolExecutor(CLAIMS_AT_ONCE) as pool:
        claims = [pool.submit(claim_again_and_again, sender) for sender in range(CLAIMS_AT_ONCE)]
        time.sleep(5 * ONE_CLAIM)
        began = time.monotonic()
        with writing(engine) as session:
            ledger.set_open(session, letter_id, is_open=False)
            session.commit()
        took = time.monotonic() - began
        over.set()
        counts = [each.result() for each in claims]
    engine.dispose()
    assert min(counts) > 0
    assert took < LONG / 2


def test_a_claim_that_waited_for_whoever_was_closing_the_letter_finds_it_closed(
    new_database: Callable[[str], str],
) -> None:
    engine = open_engine(new_database("postgresql"))
    letter_id = drawn_up(engine, 3)
    with ThreadPoolExecutor(1) as pool, writing(engine) as session:
        ledger.set_open(session, letter_id, is_open=False)
        waiting = pool.submit(claim, engine, letter_id, 2, Claimant(GONE, NOW))
        time.sleep(ONE_CLAIM)
        assert not waiting.done()
        session.commit()
        assert waiting.result() is None
    engine.dispose()
