"""A batch is claimed before it is sent, and what came of it is written down, also when it comes late."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, update
from sqlmodel import col, select

from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import SENDING, Delivery
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from newsletter.delivery.stopwatch import Uptime
from subscribers.address import parse_address
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import PAUSED, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.suppression import COMPLAINT, Suppression
from tests.delivery.readers import (
    NOW,
    books,
    claim,
    drawn_up,
    record,
    rows,
    try_claim,
)


def become(engine: Engine, status: str, *numbers: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id).in_(numbers)).values(status=status))


def test_a_batch_is_claimed_in_the_database_before_it_is_handed_out(engine: Engine) -> None:
    letter_id = drawn_up(engine, 5)
    batch = claim(engine, letter_id, limit=2)
    assert [email for _, email in batch.readers] == ["reader0@example.com", "reader1@example.com"]
    assert books(engine, letter_id) == ledger.Accounting(audience=5, queued=3, sending=2)
    with reading(engine) as session:
        keys = session.exec(select(Delivery.batch).where(Delivery.state == SENDING)).all()
    assert set(keys) == {batch.key}


def test_a_claim_says_whose_it_is_and_when_by_both_clocks_and_stands_in_true_order(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    first = claim(engine, letter_id, limit=1, sender=17, uptime=Uptime("boot", 3.5))
    second = claim(engine, letter_id, limit=1, sender=18, now=NOW.replace(year=2000))
    with reading(engine) as session:
        one, two = session.exec(select(Claim).order_by(col(Claim.number))).all()
    assert (one.key, one.letter_id, one.sender, one.claimed_at, one.counted, one.taken) == (
        first.key,
        letter_id,
        17,
        NOW,
        Uptime("boot", 3.5),
        0,
    )
    assert (two.key, two.sender, two.claimed_at, two.counted) == (second.key, 18, NOW.replace(year=2000), None)


def test_two_claims_never_share_a_reader(engine: Engine) -> None:
    letter_id = drawn_up(engine, 400)

    def take_all(sender: int) -> list[int]:
        taken = []
        while batch := try_claim(engine, letter_id, 10, sender=sender):
            taken += [number for number, _ in batch.readers]
        return taken

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(take_all, range(4)))
    taken = [number for share in shares for number in share]
    assert len(taken) == len(set(taken)) == 400


@pytest.mark.parametrize(
    ("status", "state"),
    [(UNSUBSCRIBED, "left"), (PAUSED, "left"), (SUPPRESSED, "suppressed")],
)
def test_a_reader_who_is_gone_since_the_list_was_drawn_up_is_never_claimed(
    engine: Engine, status: str, state: str
) -> None:
    letter_id = drawn_up(engine, 4)
    become(engine, status, 1, 2)
    batch = claim(engine, letter_id, limit=2)
    assert [number for number, _ in batch.readers] == [3, 4]
    assert books(engine, letter_id) == ledger.Accounting(audience=4, sending=2, **{state: 2})
    assert [row.settled_at for row in rows(engine, letter_id)] == [NOW, NOW, None, None]


def test_the_list_of_suppressed_addresses_has_the_last_word_whatever_a_readers_row_says(engine: Engine) -> None:
    """As after an import and a complaint of which neither has seen the other."""
    letter_id = drawn_up(engine, 3)
    with writing(engine) as session:
        fingerprint = Fingerprints(session).of(parse_address("reader1@example.com"))
        session.add(Suppression(fingerprint=fingerprint, reason=COMPLAINT, source="", at=NOW))
        session.commit()
    assert [number for number, _ in claim(engine, letter_id).readers] == [1, 3]
    assert books(engine, letter_id) == ledger.Accounting(audience=3, sending=2, suppressed=1)


def test_a_queue_of_nobody_but_leavers_ends(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    become(engine, UNSUBSCRIBED, 1, 2, 3)
    assert try_claim(engine, letter_id, 2) is None
    assert books(engine, letter_id) == ledger.Accounting(audience=3, left=3)
    with reading(engine) as session:
        assert session.exec(select(Claim)).all() == []


def test_outcomes_are_of_three_kinds_and_the_books_add_up(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)
    batch = claim(engine, letter_id)
    outcomes: list[Outcome] = [
        Accepted("m-1"),
        Refused("inactive"),
        Refused("busy", passing=True),
        Unknown("no answer"),
    ]
    record(engine, letter_id, batch, outcomes)
    assert books(engine, letter_id) == ledger.Accounting(audience=4, accepted=1, refused=2, in_doubt=1)
    with reading(engine) as session:
        assert ledger.refusals(session, letter_id) == {"inactive": 1, "busy": 1}
    found = rows(engine, letter_id)
    assert [(row.message_id, row.reason, row.passing) for row in found] == [
        ("m-1", None, False),
        (None, "inactive", False),
        (None, "busy", True),
        (None, "no answer", False),
    ]
    assert [row.settled_at for row in found] == [NOW, NOW, NOW, None]
    assert {row.batch for row in found} == {batch.key}


def test_what_a_batch_stopped_before_goes_back_into_the_queue(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batch = claim(engine, letter_id)
    record(engine, letter_id, batch, [Accepted("m-1"), NotSent("disk full"), NotSent("disk full")])
    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=1, queued=2)
    assert [row.batch for row in rows(engine, letter_id)] == [batch.key, None, None]
    assert [number for number, _ in claim(engine, letter_id).readers] == [2, 3]


def test_where_an_outcome_is_missing_nothing_is_recorded(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    batch = claim(engine, letter_id)
    with pytest.raises(ValueError, match="shorter"):
        record(engine, letter_id, batch, [Accepted("m-1")])
    assert books(engine, letter_id) == ledger.Accounting(audience=2, sending=2)


def test_a_released_batch_is_claimed_again_under_another_key_and_the_same_row_keys(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    first = claim(engine, letter_id)
    record(engine, letter_id, first, [NotSent("connection refused")] * 2)
    assert books(engine, letter_id) == ledger.Accounting(audience=2, queued=2)
    second = claim(engine, letter_id)
    assert second.key != first.key
    assert second.readers == first.readers


def test_recorded_twice_as_after_a_commit_whose_answer_was_lost_it_counts_once(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)
    batch = claim(engine, letter_id)
    outcomes: list[Outcome] = [Accepted("m-1"), Refused("inactive"), Unknown("cut"), NotSent("full")]
    for _ in range(2):
        record(engine, letter_id, batch, outcomes)
    assert books(engine, letter_id) == ledger.Accounting(audience=4, accepted=1, refused=1, in_doubt=1, queued=1)
    with reading(engine) as session:
        assert session.exec(select(Claim.taken)).one() == 1


def test_once_a_letter_is_closed_no_claimer_gets_another_batch(engine: Engine) -> None:
    """Four of them at once, and the letter is closed in their midst."""
    letter_id = drawn_up(engine, 4_000)
    begun, claimed, closing = threading.Barrier(5), 0, threading.Event()

    def take_all(sender: int) -> int:
        begun.wait()
        taken = 0
        while try_claim(engine, letter_id, 5, sender=sender):
            taken += 1
            if closing.is_set():  # SQLite's lock is not fair: who waits for it would hardly ever find it free
                time.sleep(0.005)
        return taken

    with ThreadPoolExecutor(4) as threads:
        shares = [threads.submit(take_all, number) for number in range(4)]
        begun.wait()
        while claimed < 10:
            claimed = claims(engine)
        closing.set()
        with writing(engine) as session:
            ledger.set_open(session, letter_id, is_open=False)
            session.commit()
        at_the_close = claims(engine)
        assert sum(share.result() for share in shares) == claims(engine) == at_the_close
    assert 10 <= at_the_close < 800
    assert books(engine, letter_id) == ledger.Accounting(
        audience=4_000, sending=5 * at_the_close, queued=4_000 - 5 * at_the_close
    )


def test_a_claim_waits_for_who_is_just_closing_the_letter_and_then_gets_nothing(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as session:
            ledger.set_open(session, letter_id, is_open=False)
            claimed = threads.submit(try_claim, engine, letter_id)
            with pytest.raises(TimeoutError):
                claimed.result(timeout=0.2)
            session.commit()
        assert claimed.result(timeout=10) is None
    assert books(engine, letter_id) == ledger.Accounting(audience=3, queued=3)


def claims(engine: Engine) -> int:
    with reading(engine) as session:
        return session.exec(select(func.count()).select_from(Claim)).one()
