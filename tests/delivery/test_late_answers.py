"""A provider's answer comes late, when others have thought about the batch meanwhile: what it said still counts."""

from collections.abc import Callable, Mapping

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from newsletter.db import reading, writing
from newsletter.delivery import doubts
from newsletter.delivery.claiming import Batch, Claim
from newsletter.delivery.ledger import ACCEPTED, IN_DOUBT, LEFT, QUEUED, REFUSED, SENDING
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from subscribers.subscriber import UNSUBSCRIBED, Subscriber
from tests.delivery.readers import NOW, books, claim, drawn_up, record, row_key, rows, try_claim

Meanwhile = Callable[[Engine, int, Batch], None]


def nothing(engine: Engine, letter_id: int, batch: Batch) -> None:
    pass


def called_in_doubt(engine: Engine, letter_id: int, batch: Batch) -> None:
    """By somebody who takes the sender of this batch for dead; each batch here has a sender of its own."""
    (reader,) = batch.readers
    assert doubts.doubt_orphans(engine, letter_id, lambda sender: sender == sender_of(reader[0]), NOW) == 1


def queued_again(engine: Engine, letter_id: int, batch: Batch) -> None:
    called_in_doubt(engine, letter_id, batch)
    assert doubts.requeue(engine, letter_id, batch.key) == 1


def sent_again(engine: Engine, letter_id: int, batch: Batch) -> None:
    queued_again(engine, letter_id, batch)
    assert claim(engine, letter_id, 1, sender=sender_of(batch.readers[0][0])).readers == batch.readers


def in_doubt_again(engine: Engine, letter_id: int, batch: Batch) -> None:
    sent_again(engine, letter_id, batch)
    called_in_doubt(engine, letter_id, batch)


def refused_the_second_time(engine: Engine, letter_id: int, batch: Batch) -> None:
    queued_again(engine, letter_id, batch)
    record(engine, letter_id, claim(engine, letter_id, 1), [Refused("the second answer", passing=True)])


def put_aside(engine: Engine, letter_id: int, batch: Batch) -> None:
    queued_again(engine, letter_id, batch)
    ((number, _),) = batch.readers
    with engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id) == number).values(status=UNSUBSCRIBED))
    claim(engine, letter_id, 1, sender=sender_of(number + 1))


def given_up(engine: Engine, letter_id: int, batch: Batch) -> None:
    called_in_doubt(engine, letter_id, batch)
    with writing(engine) as session:
        assert doubts.give_up_all(session, letter_id, NOW) == 1
        session.commit()


def settled_by_an_event(engine: Engine, letter_id: int, batch: Batch) -> None:
    ((number, _),) = batch.readers
    with writing(engine) as session:
        assert doubts.taken_after_all(session, row_key(engine, letter_id, number), batch.key, "event", NOW)
        session.commit()


MEANWHILE: Mapping[Meanwhile, tuple[str, dict[type[Outcome], str]]] = {
    # What happened before the answer: the state that it led to, and what each outcome makes of that (else: nothing).
    given_up: (REFUSED, {Accepted: ACCEPTED}),
    nothing: (SENDING, {Accepted: ACCEPTED, Refused: REFUSED, Unknown: IN_DOUBT, NotSent: QUEUED}),
    called_in_doubt: (IN_DOUBT, {Accepted: ACCEPTED, Refused: REFUSED, NotSent: QUEUED}),
    sent_again: (SENDING, {Accepted: ACCEPTED}),
    in_doubt_again: (IN_DOUBT, {Accepted: ACCEPTED}),
    refused_the_second_time: (REFUSED, {Accepted: ACCEPTED}),
    settled_by_an_event: (ACCEPTED, {}),
    queued_again: (QUEUED, {Accepted: ACCEPTED}),
}
"""In this order, so that whatever is queued again waits in front of those who have not been claimed."""


def sender_of(number: int) -> int:
    return 100 + number


@pytest.mark.parametrize("outcome", [Accepted("late"), Refused("late"), Unknown("late"), NotSent("late")], ids=repr)
def test_a_late_answer_counts_where_nothing_better_is_known(engine: Engine, outcome: Outcome) -> None:
    letter_id = drawn_up(engine, len(MEANWHILE))
    batches = []
    for number, meanwhile in enumerate(MEANWHILE, start=1):
        batches.append(claim(engine, letter_id, 1, sender=sender_of(number)))
        meanwhile(engine, letter_id, batches[-1])
    before = rows(engine, letter_id)
    assert [row.state for row in before] == [state for state, _ in MEANWHILE.values()]

    for batch in batches:
        record(engine, letter_id, batch, [outcome])

    after = rows(engine, letter_id)
    assert books(engine, letter_id).audience == len(MEANWHILE)
    for batch, was, row, (state, changes) in zip(batches, before, after, MEANWHILE.values(), strict=True):
        expected = changes.get(type(outcome))
        if expected is None:
            assert row == was, state
        else:
            assert row.state == expected
            assert row.batch == (None if expected == QUEUED else batch.key)
            assert (row.message_id == "late") == (expected == ACCEPTED)
            assert (row.settled_at == NOW) == (expected in (ACCEPTED, REFUSED))
    with reading(engine) as session:
        of_first_tries = select(Claim.taken).where(col(Claim.key).in_([batch.key for batch in batches]))
        taken = list(session.exec(of_first_tries))
    assert taken == [isinstance(outcome, Accepted)] * len(batches)  # what the provider's search is held against


def test_what_was_put_aside_before_its_first_try_was_found_to_be_taken_is_accepted(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    batch = claim(engine, letter_id, 1, sender=sender_of(1))
    put_aside(engine, letter_id, batch)
    assert [row.state for row in rows(engine, letter_id)] == [LEFT, SENDING]
    record(engine, letter_id, batch, [Refused("late")])
    assert [row.state for row in rows(engine, letter_id)] == [LEFT, SENDING]
    record(engine, letter_id, batch, [Accepted("late")])
    assert [row.state for row in rows(engine, letter_id)] == [ACCEPTED, SENDING]


def test_a_reader_whose_first_try_is_found_to_be_taken_is_not_sent_to_a_third_time(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    first = claim(engine, letter_id, sender=sender_of(1))
    queued_again(engine, letter_id, first)
    second = claim(engine, letter_id)
    record(engine, letter_id, first, [Accepted("late")])
    record(engine, letter_id, second, [NotSent("the line was cut")])
    assert try_claim(engine, letter_id) is None
    (row,) = rows(engine, letter_id)
    assert (row.state, row.message_id, row.batch) == (ACCEPTED, "late", first.key)
