"""What is in doubt, and what settles it."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.claiming import Claim
from newsletter.delivery.doubts import Doubt, Witness
from newsletter.delivery.ledger import ACCEPTED, IN_DOUBT, MOVES, QUEUED, REFUSED, SENDING
from newsletter.delivery.provider import Accepted, Refused, Unknown
from newsletter.delivery.stopwatch import Uptime
from tests.delivery.readers import (
    NOW,
    accept,
    another_letter,
    books,
    claim,
    doubt,
    drawn_up,
    in_each_state,
    record,
    row_key,
    rows,
)

LATER = NOW + timedelta(hours=1)


def event(engine: Engine, key: str, batch: str, message_id: str = "event") -> int | None:
    with writing(engine) as session:
        moved = doubts.taken_after_all(session, key, batch, message_id, LATER)
        session.commit()
    return moved


def test_orphans_are_doubted_and_what_the_provider_has_is_confirmed(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batch = claim(engine, letter_id, uptime=Uptime("boot", 2.5))
    assert doubt(engine, letter_id) == 3
    with reading(engine) as session:
        assert doubts.open_doubts(session, letter_id) == [Doubt(batch.key, 1, NOW, NOW, None, (1, 2, 3))]
    assert {row.reason for row in rows(engine, letter_id)} == {doubts.SENDER_DIED}
    assert doubts.confirm(engine, letter_id, batch.key, {1: "m-1", 3: "m-3"}, LATER) == 2
    assert doubts.confirm(engine, letter_id, batch.key, {1: "m-0"}, LATER) == 0
    assert doubts.confirm(engine, letter_id, batch.key, {}, LATER) == 0
    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=2, in_doubt=1)
    found = rows(engine, letter_id)[0]
    assert (found.message_id, found.settled_at, found.reason, found.batch) == ("m-1", LATER, None, batch.key)
    assert doubts.requeue(engine, letter_id, batch.key) == 1
    assert books(engine, letter_id) == ledger.Accounting(audience=3, accepted=2, queued=1)
    again = rows(engine, letter_id)[1]
    assert (again.state, again.batch, again.reason) == (QUEUED, None, None)


def test_a_batch_rests_from_the_doubt_on_not_from_the_claim(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    slow = claim(engine, letter_id, limit=1, uptime=Uptime("boot", 1.0))
    quick = claim(engine, letter_id, limit=1, uptime=Uptime("boot", 2.0))
    record(engine, letter_id, quick, [Accepted("m-2")], LATER)
    doubts.doubt_orphans(engine, letter_id, lambda _: True, LATER, Uptime("boot", 3600.0))
    with reading(engine) as session:
        (found,) = doubts.open_doubts(session, letter_id)
        assert found.batch == slow.key
        assert (found.claimed_at, found.rests_since) == (NOW, LATER)
        assert found.rested(LATER, Uptime("boot", 3601.0)) == timedelta(seconds=1)
        # The sender may have called right before it died: what was claimed in between was not sent later.
        (witness,) = doubts.witnesses(session, letter_id, found.number, 3, but=slow.key)
        assert witness.number <= found.number
    later = claim(engine, letter_id)
    record(engine, letter_id, later, [Accepted("m-3")], LATER)
    with reading(engine) as session:
        first = doubts.witnesses(session, letter_id, found.number, 3)[0]
    assert (first.batch, first.number > found.number) == (later.key, True)


def test_a_lost_answer_rests_from_when_it_was_written_down(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    batch = claim(engine, letter_id)
    record(engine, letter_id, batch, [Unknown("no answer")], LATER)
    with reading(engine) as session:
        (found,) = doubts.open_doubts(session, letter_id)
    assert (found.claimed_at, found.rests_since) == (NOW, LATER)


def test_only_what_the_dead_have_under_way_is_called_in_doubt(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)
    other_id = another_letter(engine)
    dead, living = (claim(engine, letter_id, 2, sender=sender) for sender in (7, 8))
    claim(engine, other_id, sender=7)
    asked: list[int] = []

    def is_dead(sender: int) -> bool:
        asked.append(sender)
        return sender == 7

    assert doubts.doubt_orphans(engine, letter_id, is_dead, NOW) == 2
    assert sorted(asked) == [7, 8]
    states = {row.subscriber_id: row.state for row in rows(engine, letter_id)}
    assert states == {
        **{number: IN_DOUBT for number, _ in dead.readers},
        **{number: SENDING for number, _ in living.readers},
    }
    assert books(engine, other_id).sending == 4
    asked.clear()
    assert doubts.doubt_orphans(engine, letter_id, is_dead, NOW) == 0
    assert asked == [8]  # nobody asks after the dead for ever


def test_doubts_are_told_the_oldest_claim_first_whatever_the_clock_said(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batches = [claim(engine, letter_id, 1, now=NOW - timedelta(hours=hours)) for hours in (0, 2, 1)]
    doubt(engine, letter_id)
    with reading(engine) as session:
        found = doubts.open_doubts(session, letter_id)
    assert [(one.batch, one.subscriber_ids) for one in found] == [
        (batch.key, (number,)) for number, batch in enumerate(batches, start=1)
    ]
    assert [one.number for one in found] == sorted(one.number for one in found)


def test_what_is_confirmed_or_queued_again_is_of_that_batch_alone(engine: Engine) -> None:
    letter_id = drawn_up(engine, 2)
    first, second = (claim(engine, letter_id, 1) for _ in range(2))
    doubt(engine, letter_id)
    assert doubts.confirm(engine, letter_id, first.key, {2: "m-2"}, NOW) == 0
    assert doubts.requeue(engine, letter_id, second.key) == 1
    assert [row.state for row in rows(engine, letter_id)] == [IN_DOUBT, QUEUED]


def test_an_editors_word_sends_again_or_gives_up_what_is_in_doubt_and_nothing_else(engine: Engine) -> None:
    letter_id, other_id = drawn_up(engine, len(MOVES)), another_letter(engine)
    states = list(MOVES)
    for outcome in (QUEUED, REFUSED):
        for each in (letter_id, other_id):
            in_each_state(engine, each)
        with writing(engine) as session:
            if outcome == QUEUED:
                assert doubts.resend_all(session, letter_id) == 1
            else:
                assert doubts.give_up_all(session, letter_id, LATER) == 1
            session.commit()
        expected = [outcome if state == IN_DOUBT else state for state in states]
        assert [row.state for row in rows(engine, letter_id)] == expected
        assert [row.state for row in rows(engine, other_id)] == states
        decided = rows(engine, letter_id)[states.index(IN_DOUBT)]
        if outcome == QUEUED:
            assert (decided.batch, decided.reason, decided.settled_at) == (None, None, None)
        else:  # for good: another try is of passing refusals
            assert (decided.reason, decided.settled_at, decided.passing) == (doubts.GIVEN_UP, LATER, False)


@pytest.mark.parametrize("of_this_batch", [True, False])
def test_an_event_settles_a_row_in_whatever_state_it_is_and_leaves_what_is_settled(
    engine: Engine, of_this_batch: bool
) -> None:
    letter_id = drawn_up(engine, len(MOVES))
    batch = claim(engine, letter_id).key
    in_each_state(engine, letter_id, batch if of_this_batch else "b")
    for number, state in enumerate(MOVES, start=1):
        before = rows(engine, letter_id)
        moved = event(engine, row_key(engine, letter_id, number), batch)
        after = rows(engine, letter_id)
        assert moved == (None if state == ACCEPTED else letter_id), state
        row = after[number - 1]
        assert row.state == ACCEPTED
        if state == ACCEPTED:
            assert row == before[number - 1]
        else:
            assert (row.message_id, row.batch, row.settled_at, row.reason) == ("event", batch, LATER, None)
        assert [*after[: number - 1], *after[number:]] == [*before[: number - 1], *before[number:]]
    assert books(engine, letter_id).accepted == len(MOVES)


def test_an_event_that_comes_twice_or_under_another_id_changes_nothing_more(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    batch = claim(engine, letter_id)
    key = row_key(engine, letter_id, 1)
    assert event(engine, key, batch.key) == letter_id
    assert event(engine, key, batch.key) is None
    assert event(engine, key, batch.key, "another") is None
    assert rows(engine, letter_id)[0].message_id == "event"
    record(engine, letter_id, batch, [Accepted("event")])
    assert rows(engine, letter_id)[0].settled_at == LATER


def test_an_event_of_what_is_no_row_of_ours_settles_nothing(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    batch = claim(engine, letter_id)
    own = row_key(engine, letter_id, 1).partition("-")[0]
    strays = ["99", "\u00b2", " 1", "-1", "1-1", "1\n", "9" * 30, "1e0"]
    for key in ("", "-", "-1", "x", "x-1", own, f"{own}-", *(f"{own}-{stray}" for stray in strays)):
        assert event(engine, key, batch.key) is None, key
    assert books(engine, letter_id).sending == 1


def test_an_event_settles_the_copy_of_its_own_letter(engine: Engine) -> None:
    letter_id, other_id = drawn_up(engine, 1), another_letter(engine)
    claim(engine, letter_id)
    batch = claim(engine, other_id)
    assert event(engine, row_key(engine, other_id, 1), batch.key) == other_id
    assert (books(engine, letter_id).sending, books(engine, other_id).accepted) == (1, 1)


def test_witnesses_are_the_next_batches_that_were_taken_and_then_the_last_ones_before(engine: Engine) -> None:
    letter_id = drawn_up(engine, 8)
    other_id = another_letter(engine)
    accept(engine, other_id, claim(engine, other_id))
    batches = [claim(engine, letter_id, 1, uptime=Uptime("boot", second)) for second in range(8)]
    for batch in batches[:6]:
        accept(engine, letter_id, batch)
    record(engine, letter_id, batches[6], [Refused("inactive")])
    record(engine, letter_id, batches[7], [Unknown("cut")])
    with reading(engine) as session:
        numbers = {key: number or 0 for key, number in session.exec(select(Claim.key, Claim.number))}
        of = [numbers[batch.key] for batch in batches]

        def witnesses(number: int, most: int) -> list[int]:
            own = batches[of.index(number)].key
            found = doubts.witnesses(session, letter_id, number, most, but=own)
            return [of.index(witness.number) for witness in found]

        assert witnesses(of[0], 3) == [1, 2, 3]
        assert witnesses(of[3], 3) == [4, 5, 2]
        assert witnesses(of[7], 3) == [5, 4, 3]
        assert witnesses(of[3], 99) == [4, 5, 2, 1, 0]
        assert doubts.witnesses(session, letter_id, of[7], 1, but=batches[7].key) == [
            Witness(batches[5].key, of[5], 1, NOW, None)
        ]


def test_how_long_a_doubt_and_a_witness_have_rested_is_told_by_the_machines_own_count() -> None:
    for rested in (
        Doubt("b", 1, NOW - timedelta(hours=1), NOW, Uptime("boot", 10.0), (1,)).rested,
        Witness("b", 1, 1, NOW, Uptime("boot", 10.0)).rested,
    ):
        assert rested(NOW + timedelta(hours=3), Uptime("boot", 11.0)) == timedelta(seconds=1)
        assert rested(NOW + timedelta(hours=3), Uptime("another", 11.0)) == timedelta(hours=3)
        assert rested(NOW + timedelta(hours=3), None) == timedelta(hours=3)
