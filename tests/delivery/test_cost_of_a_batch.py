"""What a batch asks of the database does not grow with the queue behind it, nor a statement a reader with the batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from tests.delivery.readers import claim, drawn_up, record, rows


@contextmanager
def listening(engine: Engine) -> Iterator[list[tuple[str, object]]]:
    """What is said to the database meanwhile: each statement with its parameters."""
    said: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, given: object, *_: object) -> None:
        said.append((statement, given))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


OUTCOMES: list[Outcome] = [Accepted("m-1"), Refused("gone"), Unknown("lost"), NotSent("not reached")]


def test_each_row_of_a_batch_is_looked_up_by_its_key_however_many_are_queued(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 6)
    with listening(sqlite_engine) as said:
        batch = claim(sqlite_engine, letter_id, limit=4)
        record(sqlite_engine, letter_id, batch, OUTCOMES)
    moves = [(statement, given) for statement, given in said if statement.startswith("UPDATE deliveries")]
    assert len(moves) == 1 + len(OUTCOMES)
    with sqlite_engine.connect() as connection:
        for statement, given in moves:
            assert isinstance(given, tuple)
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
            ways = [step for step in plan if "deliveries" in step]
            assert ways == ["SEARCH deliveries USING PRIMARY KEY (letter_id=? AND subscriber_id=?)"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_many_readers_take_no_more_statements_than_one(engine: Engine, outcome: Outcome) -> None:
    letter_id = drawn_up(engine, 41)
    costs = []
    for size in (1, 40):
        with listening(engine) as said:
            batch = claim(engine, letter_id, limit=size)
            each = [Accepted(f"m-{number}") if outcome == OUTCOMES[0] else outcome for number, _ in batch.readers]
            record(engine, letter_id, batch, each)
        assert len(batch.readers) == size
        assert not any(isinstance(given, list) for _, given in said)  # of one for each reader
        costs.append([statement for statement, _ in said])
    assert costs[0] == costs[1]


def test_each_reader_keeps_the_words_that_were_said_of_them(engine: Engine) -> None:
    letter_id = drawn_up(engine, 5)
    batch = claim(engine, letter_id)
    words = "“Nobody”,\n'here' \\ {\"x\": [1]} ☃ 🦊 100% %s :now"
    outcomes: list[Outcome] = [
        Accepted('id-"1"'),
        Refused(words),
        Refused("full", passing=True),
        Unknown(words[::-1]),
        NotSent("true"),
    ]
    record(engine, letter_id, batch, outcomes)
    assert [(row.state, row.batch, row.message_id, row.reason, row.passing) for row in rows(engine, letter_id)] == [
        ("accepted", batch.key, 'id-"1"', None, False),
        ("refused", batch.key, None, words, False),
        ("refused", batch.key, None, "full", True),
        ("in_doubt", batch.key, None, words[::-1], False),
        ("queued", None, None, "true", False),
    ]
