"""Who was refused and why, who may be tried again, and who is added to a list of one."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.postmark_client import StrictClient
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown
from tests.delivery.readers import LETTER, NOW, add_readers, another_letter, books, claim, drawn_up, record, rows


@pytest.fixture
def refused(sqlite_engine: Engine) -> Engine:
    """Two letters: of the first, four readers were refused, of the second one."""
    letter_id, other_id = drawn_up(sqlite_engine, 6), another_letter(sqlite_engine)
    busy, inactive = Refused("busy", passing=True), Refused("inactive")
    batch = claim(sqlite_engine, letter_id)
    outcomes: list[Outcome] = [busy, inactive, busy, Refused(""), Accepted("m"), Unknown("lost")]
    record(sqlite_engine, letter_id, batch, outcomes)
    batch = claim(sqlite_engine, other_id)
    record(sqlite_engine, other_id, batch, [busy, *[Accepted(f"o-{number}") for number in range(5)]])
    return sqlite_engine


def test_refusals_are_counted_by_the_providers_words_and_of_one_letter(refused: Engine) -> None:
    with reading(refused) as session:
        assert ledger.refusals(session, 1) == {"busy": 2, "inactive": 1, "": 1}
        assert ledger.refusals(session, 1, passing=True) == {"busy": 2}
        assert ledger.refusals(session, 2) == ledger.refusals(session, 2, passing=True) == {"busy": 1}
        assert ledger.refusals(session, 3) == {}


def test_only_who_was_refused_for_a_passing_reason_is_queued_again_and_only_of_one_letter(refused: Engine) -> None:
    with writing(refused) as session:
        assert ledger.retry_refused(session, 1) == 2
        session.commit()
    found = rows(refused, 1)
    assert [row.state for row in found] == ["queued", "refused", "queued", "refused", "accepted", "in_doubt"]
    again = found[0]
    assert (again.batch, again.reason, again.passing, again.settled_at, again.message_id) == (
        None,
        None,
        False,
        None,
        None,
    )
    assert books(refused, 2) == ledger.Accounting(audience=6, accepted=5, refused=1)


def test_a_reader_without_words_for_a_refusal_is_counted_all_the_same(refused: Engine) -> None:
    with refused.begin() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET reason = NULL WHERE state = 'refused' AND reason = ''")
    with reading(refused) as session:
        assert ledger.refusals(session, 1)[""] == 1


def test_a_letter_to_one_at_a_time_has_each_reader_in_its_audience_once_added(sqlite_engine: Engine) -> None:
    add_readers(sqlite_engine, 3)

    def add(session: Session, letter_id: int, number: int) -> None:
        ledger.add(session, session.get_one(StoredLetter, letter_id), number)

    with writing(sqlite_engine) as session:
        letter_id = ledger.store(session, LETTER, "welcome", NOW).id or 0
        add(session, letter_id, 2)
        session.commit()
    assert books(sqlite_engine, letter_id) == ledger.Accounting(audience=1, queued=1)
    with writing(sqlite_engine) as session:
        add(session, letter_id, 3)
        session.commit()
    assert books(sqlite_engine, letter_id) == ledger.Accounting(audience=2, queued=2)
    assert [(row.letter_id, row.subscriber_id) for row in rows(sqlite_engine, letter_id)] == [
        (letter_id, 2),
        (letter_id, 3),
    ]


def test_who_carries_letters_shows_where_to_and_no_secret() -> None:
    assert repr(OutboxProvider(Path("out"))) == "OutboxProvider('out')"
    assert repr(PostmarkProvider("hunter2", "https://x.example/")) == "PostmarkProvider('https://x.example/')"
    assert repr(StrictClient("hunter2", "https://x.example/", 5)) == "<StrictClient: https://x.example/>"
