"""What the search is held against, what an editor may decide, and which late words count."""

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.claiming import Batch, Claim
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown
from tests.delivery.readers import NOW, accept, another_letter, books, claim, doubt, drawn_up, record, rows


def batches(engine: Engine, letter_id: int, count: int) -> list[Batch]:
    """Batches of one reader each, in the order of their claims."""
    return [claim(engine, letter_id, limit=1) for _ in range(count)]


def seen(engine: Engine, letter_id: int, number: int, most: int = 3) -> list[tuple[int, int]]:
    """(number, taken) of the witnesses about the batch of this number."""
    with reading(engine) as session:
        own = session.exec(select(Claim.key).where(Claim.number == number)).first()
        return [(one.number, one.taken) for one in doubts.witnesses(session, letter_id, number, most, but=own)]


def test_the_next_batches_that_were_taken_are_witnesses_and_only_where_they_are_too_few_the_last_ones_before(
    sqlite_engine: Engine,
) -> None:
    letter_id = drawn_up(sqlite_engine, 7)
    for number, batch in enumerate(batches(sqlite_engine, letter_id, 7), 1):
        outcome: Outcome = Unknown("lost") if number in (3, 5) else Accepted(f"m-{number}")
        record(sqlite_engine, letter_id, batch, [outcome])
    assert seen(sqlite_engine, letter_id, 3) == [(4, 1), (6, 1), (7, 1)]
    assert seen(sqlite_engine, letter_id, 3, most=2) == [(4, 1), (6, 1)]
    assert seen(sqlite_engine, letter_id, 5) == [(6, 1), (7, 1), (4, 1)]
    assert seen(sqlite_engine, letter_id, 7) == [(6, 1), (4, 1), (2, 1)]
    assert seen(sqlite_engine, letter_id, 1, most=9) == [(2, 1), (4, 1), (6, 1), (7, 1)]


def test_a_batch_of_another_letter_is_no_witness(sqlite_engine: Engine) -> None:
    letter_id, other_id = drawn_up(sqlite_engine, 2), another_letter(sqlite_engine)
    claim(sqlite_engine, letter_id, limit=1)
    accept(sqlite_engine, other_id, claim(sqlite_engine, other_id))
    assert seen(sqlite_engine, letter_id, 1) == []
    assert seen(sqlite_engine, other_id, 2) == []
    assert seen(sqlite_engine, other_id, 1) == [(2, 2)]


def test_a_witness_says_how_many_of_it_the_provider_took_and_when_it_was_claimed(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    batch = claim(sqlite_engine, letter_id)
    record(sqlite_engine, letter_id, batch, [Accepted("m-1"), Refused("inactive"), Accepted("m-3")])
    with reading(sqlite_engine) as session:
        (witness,) = doubts.witnesses(session, letter_id, 0, 3)
    assert witness == doubts.Witness(batch.key, 1, 2, NOW, None)


def test_only_what_dead_senders_left_under_way_is_called_in_doubt(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 4)
    dead, alive = (claim(sqlite_engine, letter_id, limit=2, sender=sender) for sender in (7, 8))
    asked = []

    def is_dead(sender: int) -> bool:
        asked.append(sender)
        return sender == 7

    assert doubts.doubt_orphans(sqlite_engine, letter_id, is_dead, NOW) == 2
    assert sorted(asked) == [7, 8]
    found = rows(sqlite_engine, letter_id)
    assert [(row.state, row.batch) for row in found] == [("in_doubt", dead.key)] * 2 + [("sending", alive.key)] * 2
    assert [row.reason for row in found] == [doubts.SENDER_DIED] * 2 + [None] * 2
    assert doubts.doubt_orphans(sqlite_engine, letter_id, lambda sender: sender == 7, NOW) == 0


def test_doubts_are_told_batch_by_batch_the_oldest_first(sqlite_engine: Engine) -> None:
    letter_id, other_id = drawn_up(sqlite_engine, 5), another_letter(sqlite_engine)
    first, second = (claim(sqlite_engine, letter_id, limit=2) for _ in range(2))
    claim(sqlite_engine, letter_id)
    record(sqlite_engine, letter_id, second, [Unknown("lost"), Accepted("m")])
    record(sqlite_engine, letter_id, first, [Unknown("lost")] * 2)
    record(sqlite_engine, other_id, claim(sqlite_engine, other_id, limit=1), [Unknown("lost")])
    with reading(sqlite_engine) as session:
        found = doubts.open_doubts(session, letter_id)
    assert [(one.batch, one.number, one.subscriber_ids) for one in found] == [
        (first.key, 3, (1, 2)),  # the third one was claimed before it was known that their answers were lost
        (second.key, 3, (3,)),
    ]


def test_confirming_and_queueing_again_touch_the_one_batch_that_was_asked_about(sqlite_engine: Engine) -> None:
    letter_id, other_id = drawn_up(sqlite_engine, 4), another_letter(sqlite_engine)
    first, second = (claim(sqlite_engine, letter_id, limit=2) for _ in range(2))
    third = claim(sqlite_engine, other_id)
    for of, batch in ((letter_id, first), (letter_id, second), (other_id, third)):
        record(sqlite_engine, of, batch, [Unknown("lost")] * len(batch.readers))
    assert doubts.confirm(sqlite_engine, letter_id, first.key, {}, NOW) == 0
    assert doubts.confirm(sqlite_engine, letter_id, first.key, {1: "m-1", 3: "not of this batch"}, NOW) == 1
    one, *_ = rows(sqlite_engine, letter_id)
    assert (one.state, one.message_id, one.settled_at, one.reason, one.batch) == (
        "accepted", "m-1", NOW, None, first.key,
    )  # fmt: skip
    assert doubts.requeue(sqlite_engine, letter_id, first.key) == 1
    found = rows(sqlite_engine, letter_id)
    assert [row.state for row in found] == ["accepted", "queued", "in_doubt", "in_doubt"]
    assert (found[1].batch, found[1].reason) == (None, None)
    assert books(sqlite_engine, other_id) == ledger.Accounting(audience=4, in_doubt=4)


@pytest.mark.parametrize("resend", [True, False])
def test_an_editors_word_is_for_all_that_is_in_doubt_of_this_letter_and_for_nothing_else(
    sqlite_engine: Engine, resend: bool
) -> None:
    letter_id, other_id = drawn_up(sqlite_engine, 3), another_letter(sqlite_engine)
    batch = claim(sqlite_engine, letter_id, limit=2)
    record(sqlite_engine, letter_id, batch, [Unknown("lost"), Accepted("m")])
    claim(sqlite_engine, other_id)
    doubt(sqlite_engine, other_id)
    with writing(sqlite_engine) as session:
        count = doubts.resend_all(session, letter_id) if resend else doubts.give_up_all(session, letter_id, NOW)
        session.commit()
    assert count == 1
    one, two, three = rows(sqlite_engine, letter_id)
    decided = ("queued", None, None, None) if resend else ("refused", batch.key, doubts.GIVEN_UP, NOW)
    assert (one.state, one.batch, one.reason, one.settled_at) == decided
    assert one.passing is False
    assert (two.state, three.state) == ("accepted", "queued")
    assert books(sqlite_engine, other_id) == ledger.Accounting(audience=3, in_doubt=3)
