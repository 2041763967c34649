from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Batch, Delivery, StoredLetter
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from subscribers.address import parse_address
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.suppression import COMPLAINT, Suppression
from tests.delivery.readers import LETTER, NOW, add_readers, books, drawn_up


def claim(engine: Engine, letter_id: int, limit: int = 500) -> Batch:
    batch = ledger.claim(engine, letter_id, limit, NOW)
    assert batch is not None
    return batch


def accept(engine: Engine, letter_id: int, batch: Batch) -> None:
    outcomes: list[Outcome] = [Accepted(f"id-{number}") for number, _ in batch.readers]
    ledger.record(engine, letter_id, batch, outcomes, NOW)


def become(engine: Engine, status: str, *numbers: int) -> None:
    with engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id).in_(numbers)).values(status=status))


def test_only_active_readers_are_in_the_audience(engine: Engine) -> None:
    for status in (PENDING, PAUSED, UNSUBSCRIBED, SUPPRESSED):
        add_readers(engine, 2, status, name=status)

    letter_id = drawn_up(engine, 3)

    assert books(engine, letter_id) == ledger.Accounting(audience=3, queued=3)


def test_a_reader_who_joins_after_the_list_was_drawn_up_waits_for_the_next_issue(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)

    add_readers(engine, 1, name="late")

    assert books(engine, letter_id).audience == 2
    assert len(claim(engine, letter_id).readers) == 2


def test_a_reader_has_one_row_a_letter(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    with writing(engine) as session:
        session.add(Delivery(letter_id=letter_id, subscriber_id=1))
        with pytest.raises(IntegrityError):
            session.commit()


def test_a_batch_is_claimed_in_the_database_before_it_is_handed_out(engine: Engine) -> None:
    letter_id = drawn_up(engine, 5)

    batch = claim(engine, letter_id, limit=2)

    assert [email for _, email in batch.readers] == ["reader0@example.com", "reader1@example.com"]
    assert books(engine, letter_id) == ledger.Accounting(audience=5, queued=3, sending=2)
    with reading(engine) as session:
        keys = session.exec(select(Delivery.batch).where(Delivery.state == ledger.SENDING)).all()
    assert set(keys) == {batch.key}


def test_two_claims_never_share_a_reader(engine: Engine) -> None:
    letter_id = drawn_up(engine, 400)

    def take_all() -> list[int]:
        taken = []
        while batch := ledger.claim(engine, letter_id, 10, NOW):
            taken += [number for number, _ in batch.readers]
        return taken

    with ThreadPoolExecutor(4) as threads:
        shares = [run.result() for run in [threads.submit(take_all) for _ in range(4)]]

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

    assert ledger.claim(engine, letter_id, 2, NOW) is None
    assert books(engine, letter_id) == ledger.Accounting(audience=3, left=3)


def test_outcomes_are_of_three_kinds_and_the_books_add_up(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)
    batch = claim(engine, letter_id)
    outcomes: list[Outcome] = [
        Accepted("m-1"),
        Refused("inactive"),
        Refused("busy", passing=True),
        Unknown("no answer"),
    ]

    ledger.record(engine, letter_id, batch, outcomes, NOW)

    assert books(engine, letter_id) == ledger.Accounting(audience=4, accepted=1, refused=2, in_doubt=1)
    with reading(engine) as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.subscriber_id))).all()
        assert ledger.refusals(session, letter_id) == {"inactive": 1, "busy": 1}
    assert [(row.message_id, row.reason, row.passing) for row in rows] == [
        ("m-1", None, False),
        (None, "inactive", False),
        (None, "busy", True),
        (None, "no answer", False),
    ]
    assert [row.settled_at for row in rows] == [NOW, NOW, NOW, None]


def test_what_a_batch_stopped_before_goes_back_into_the_queue(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batch = claim(engine, letter_id)

    ledger.record(engine, letter_id, batch, [Accepted("m-1"), NotSent("disk full"), NotSent("disk full")], NOW)

    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=1, queued=2)
    assert [number for number, _ in claim(engine, letter_id).readers] == [2, 3]


def test_an_outcome_is_missing_nothing_is_recorded(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    batch = claim(engine, letter_id)

    with pytest.raises(ValueError, match="shorter"):
        ledger.record(engine, letter_id, batch, [Accepted("m-1")], NOW)

    assert books(engine, letter_id) == ledger.Accounting(audience=2, sending=2)


def test_accepted_without_a_message_id_is_refused_by_the_database(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    with writing(engine) as session, pytest.raises(IntegrityError, match="evidence"):
        session.connection().execute(
            update(Delivery).values(state="accepted").where(col(Delivery.letter_id) == letter_id)
        )


def test_a_late_answer_for_a_batch_that_was_sent_again_changes_nothing(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    first = claim(engine, letter_id)
    ledger.doubt_orphans(engine, letter_id)
    ledger.requeue(engine, letter_id, first.key)
    second = claim(engine, letter_id)

    ledger.record(engine, letter_id, first, [Refused("too late")], NOW)

    assert books(engine, letter_id).sending == 1
    accept(engine, letter_id, second)
    assert books(engine, letter_id).accepted == 1


def test_a_released_batch_is_claimed_again_under_another_key_and_the_same_row_keys(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    first = claim(engine, letter_id)

    ledger.record(engine, letter_id, first, [NotSent("connection refused")] * 2, NOW)

    assert books(engine, letter_id) == ledger.Accounting(audience=2, queued=2)
    second = claim(engine, letter_id)
    assert second.key != first.key
    assert second.readers == first.readers


def test_orphans_are_doubted_and_what_the_provider_has_is_confirmed(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batch = claim(engine, letter_id)

    assert ledger.doubt_orphans(engine, letter_id) == 3
    with reading(engine) as session:
        assert ledger.doubts(session, letter_id) == [ledger.Doubt(batch.key, NOW, (1, 2, 3))]
    assert ledger.confirm(engine, letter_id, batch.key, {1: "m-1", 3: "m-3"}, NOW) == 2
    assert ledger.confirm(engine, letter_id, batch.key, {1: "m-1"}, NOW) == 0
    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=2, in_doubt=1)
    assert ledger.requeue(engine, letter_id, batch.key) == 1
    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=2, queued=1)


def test_a_later_batch_is_the_one_claimed_after_and_accepted(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    claim(engine, letter_id, limit=1)
    later = ledger.claim(engine, letter_id, 1, NOW + timedelta(seconds=1))
    assert later is not None
    with reading(engine) as session:
        assert ledger.accepted_after(session, letter_id, NOW) is None
    accept(engine, letter_id, later)
    with reading(engine) as session:
        assert ledger.accepted_after(session, letter_id, NOW) == later.key
        assert ledger.accepted_after(session, letter_id, NOW + timedelta(seconds=1)) is None


@pytest.mark.parametrize(("source", "target"), list(product(ledger.MOVES, repeat=2)))
def test_a_row_moves_only_where_the_table_of_moves_lets_it(source: str, target: str) -> None:
    if target in ledger.MOVES[source]:
        statement = str(ledger._move(source, target, 1))
        assert statement.startswith("UPDATE deliveries SET state=")
    else:
        with pytest.raises(ValueError, match=f"from {source} to {target}"):
            ledger._move(source, target, 1)


def test_every_state_can_be_reached_and_the_final_ones_are_left_by_nothing() -> None:
    reached = {target for targets in ledger.MOVES.values() for target in targets}
    assert reached == set(ledger.MOVES)
    assert {state for state, targets in ledger.MOVES.items() if not targets} == {
        "accepted",
        "refused",
        "suppressed",
        "left",
    }


def test_a_row_key_names_the_reader_of_this_letter_only() -> None:
    one, other = (
        StoredLetter(key=key, tag="", subject="", preheader="", html="", text="", digest="", created_at=NOW)
        for key in "ab"
    )
    assert one.subscriber_of(one.row_key(17)) == 17
    assert one.subscriber_of(other.row_key(17)) is None
    assert one.subscriber_of("probe") is None
    assert one.subscriber_of("a-²") is None


def test_a_stored_letter_comes_back_byte_for_byte(engine: Engine) -> None:
    letter_id = drawn_up(engine, 0)
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, letter_id)
    assert stored.letter() == LETTER
    assert stored.digest == LETTER.digest
    assert books(engine, letter_id) == ledger.Accounting()
