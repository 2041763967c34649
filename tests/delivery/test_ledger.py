"""A row for each reader and letter, and the moves that it may make."""

from itertools import product

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import (
    ACCEPTED,
    IN_DOUBT,
    LEFT,
    MOVES,
    QUEUED,
    REFUSED,
    SENDING,
    SUPPRESSED,
    Delivery,
    StoredLetter,
    moving,
)
from newsletter.delivery.provider import Accepted, Outcome, Refused
from subscribers import subscriber
from subscribers.subscriber import PAUSED, PENDING, UNSUBSCRIBED
from tests.delivery.readers import (
    LETTER,
    NOW,
    add_readers,
    another_letter,
    books,
    claim,
    drawn_up,
    in_each_state,
    record,
    rows,
    try_claim,
)

DECLARED = {
    QUEUED: {SENDING, SUPPRESSED, LEFT, ACCEPTED},
    SENDING: {ACCEPTED, REFUSED, IN_DOUBT, QUEUED},
    IN_DOUBT: {ACCEPTED, REFUSED, QUEUED},
    REFUSED: {QUEUED, ACCEPTED},
    SUPPRESSED: {ACCEPTED},
    LEFT: {ACCEPTED},
    ACCEPTED: set(),
}
"""Written down a second time, so that a move is never added or lost by accident."""


def test_only_active_readers_are_in_the_audience(engine: Engine) -> None:
    for status in (PENDING, PAUSED, UNSUBSCRIBED, subscriber.SUPPRESSED):
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


def test_accepted_without_a_message_id_is_refused_by_the_database(engine: Engine) -> None:
    letter_id = drawn_up(engine, 1)
    with writing(engine) as session, pytest.raises(IntegrityError, match="evidence"):
        session.connection().execute(
            update(Delivery).values(state="accepted").where(col(Delivery.letter_id) == letter_id)
        )


@pytest.mark.parametrize("state", [SENDING, IN_DOUBT])
def test_under_way_or_in_doubt_without_a_batch_to_ask_about_is_refused_by_the_database(
    engine: Engine, state: str
) -> None:
    letter_id = drawn_up(engine, 1)
    with writing(engine) as session, pytest.raises(IntegrityError, match="claimed"):
        session.connection().execute(update(Delivery).values(state=state).where(col(Delivery.letter_id) == letter_id))


def test_the_moves_are_those_that_were_meant_and_each_has_its_reason() -> None:
    assert {state: set(targets) for state, targets in MOVES.items()} == DECLARED
    for targets in MOVES.values():
        assert all(len(reason.split()) > 3 for reason in targets.values())


@pytest.mark.parametrize(("source", "target"), list(product(MOVES, repeat=2)))
def test_a_row_moves_only_where_the_table_of_moves_lets_it(source: str, target: str) -> None:
    if target in DECLARED[source]:
        assert str(moving(source, target, 1)).startswith("UPDATE deliveries SET state=")
    else:
        with pytest.raises(ValueError, match=f"from {source} to {target}"):
            moving(source, target, 1)


@pytest.mark.parametrize("target", MOVES)
def test_a_move_from_several_states_is_one_only_where_each_of_them_may_make_it(target: str) -> None:
    sources = [source for source in MOVES if target in DECLARED[source]]
    moving(sources, target, 1)
    for stray in set(MOVES) - set(sources):
        with pytest.raises(ValueError, match=f"from {stray} to {target}"):
            moving([*sources, stray], target, 1)


def test_a_move_touches_the_rows_of_its_letter_that_are_in_one_of_its_states_and_no_others(engine: Engine) -> None:
    letter_id, other_id = drawn_up(engine, len(MOVES)), another_letter(engine)
    for source, targets in MOVES.items():
        for target in targets:
            for each in (letter_id, other_id):
                in_each_state(engine, each)
            before = [row.state for row in rows(engine, letter_id)]
            with writing(engine) as session:
                assert session.connection().execute(moving(source, target, letter_id)).rowcount == 1
                session.commit()
            after = [row.state for row in rows(engine, letter_id)]
            assert after == [target if state == source else state for state in before], (source, target)
            assert [row.state for row in rows(engine, other_id)] == before


def test_a_move_of_some_readers_rows_leaves_those_of_others_alone(engine: Engine) -> None:
    letter_id = drawn_up(engine, 4)
    with writing(engine) as session:
        statement = ledger.moving_readers(QUEUED, LEFT, letter_id, [2, 4, 99])
        assert session.connection().execute(statement).rowcount == 2
        session.commit()
    assert [row.state for row in rows(engine, letter_id)] == [QUEUED, LEFT, QUEUED, LEFT]


def test_every_state_can_be_reached_and_nothing_follows_what_was_taken() -> None:
    assert {target for targets in MOVES.values() for target in targets} == set(MOVES)
    assert {state for state, targets in MOVES.items() if not targets} == {ACCEPTED}


def test_a_letter_is_done_exactly_when_none_of_its_rows_can_still_be_sent() -> None:
    for state in MOVES:
        accounting = ledger.Accounting(audience=1, **{state: 1})
        assert accounting.adds_up
        assert accounting.unsettled == (state in (QUEUED, SENDING, IN_DOUBT))
    assert not ledger.Accounting(audience=2, queued=1).adds_up


def test_another_try_is_given_to_passing_refusals_alone_and_forgets_what_was_said(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    outcomes: list[Outcome] = [Refused("inactive"), Refused("busy", passing=True), Accepted("m-3")]
    record(engine, letter_id, claim(engine, letter_id), outcomes)
    other_id = another_letter(engine)
    record(engine, other_id, claim(engine, other_id), [Refused("busy", passing=True)] * 3)
    with writing(engine) as session:
        assert ledger.retry_refused(session, letter_id) == 1
        session.commit()
    again = rows(engine, letter_id)[1]
    assert (again.state, again.batch, again.reason) == (QUEUED, None, None)
    assert (again.passing, again.settled_at) == (False, None)
    assert books(engine, letter_id) == ledger.Accounting(audience=3, queued=1, refused=1, accepted=1)
    assert books(engine, other_id).refused == 3
    assert [number for number, _ in claim(engine, letter_id).readers] == [2]


def test_nothing_of_a_closed_letter_is_claimed_until_it_is_open_again_and_others_are(engine: Engine) -> None:
    letter_id, other_id = drawn_up(engine, 3), another_letter(engine)
    with writing(engine) as session:
        ledger.set_open(session, letter_id, is_open=False)
        session.commit()
    assert try_claim(engine, letter_id) is None
    assert len(claim(engine, other_id).readers) == 3
    with writing(engine) as session:
        ledger.set_open(session, letter_id, is_open=True)
        session.commit()
    assert len(claim(engine, letter_id).readers) == 3


def test_a_providers_words_are_kept_without_addresses() -> None:
    said = "You tried to send to <Ada@Example.com>; see 'bo@example.net' or call."
    assert ledger.unnamed(said, "ada@example.com") == (
        "You tried to send to <(the address)>; see '(the address)' or call."
    )
    odd = "no mailbox: o'connor x@example.com"  # as a whole it is no address, unless one knows whose it is
    assert ledger.unnamed(odd, "o'connor x@example.com") == "no mailbox: (the address)"
    assert ledger.unnamed("no such stream") == "no such stream"


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
    assert stored.open
    assert books(engine, letter_id) == ledger.Accounting()
