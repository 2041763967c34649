"""A letter that somebody, or a disk, has changed in the database is found out before anything of it is sent."""

import pytest
from sqlalchemy import Engine

from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.soundness import Flawed, flaw, whole_letter
from newsletter.message import Letter
from tests.delivery.readers import LETTER, NOW, another_letter, claim, drawn_up

SEE = "`newsletter db check` names all that is wrong"
VARIANT = Letter("Shorter", "p", "<p>h</p>", "t")


def told(engine: Engine, letter_id: int) -> str | None:
    with reading(engine) as session:
        return flaw(session, session.get_one(StoredLetter, letter_id))


def by_hand(engine: Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(sql)
        connection.commit()


def test_a_changed_word_is_told_by_the_digest(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 1)
    by_hand(sqlite_engine, "UPDATE letters SET text = text || '!'")
    assert told(sqlite_engine, letter_id) == (
        f"the letter has been changed since it was frozen, and no longer has its digest {LETTER.digest[:12]}; {SEE}"
    )


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM deliveries WHERE subscriber_id = 1", "UPDATE deliveries SET state = 'gone' WHERE subscriber_id = 1"],
)
def test_readers_who_are_missing_or_in_no_known_state_are_counted(sqlite_engine: Engine, change: str) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    by_hand(sqlite_engine, change)
    assert told(sqlite_engine, letter_id) == f"the audience is 3, but 2 readers are in a state that there is; {SEE}"


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM claims", "UPDATE claims SET key = 'another'", "UPDATE claims SET letter_id = 2 WHERE number = 1"],
)
def test_rows_under_way_whose_claim_is_gone_are_counted(sqlite_engine: Engine, change: str) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    another_letter(sqlite_engine)
    claim(sqlite_engine, letter_id, limit=2)
    by_hand(sqlite_engine, change)
    assert told(sqlite_engine, letter_id) == (
        f"of 2 readers it is not known when they were sent to, and by whom; {SEE}"
    )


def test_a_letter_whose_list_is_not_drawn_up_yet_has_no_reader_to_be_missing(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        number = ledger.store(session, LETTER, "tag", NOW).id or 0
        session.commit()
    assert told(sqlite_engine, number) is None


def test_only_the_variant_that_was_changed_is_not_sent_and_it_is_named(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        number = (stored := ledger.store(session, LETTER, "tag", NOW)).id
        for variant in (1, 2):
            variants.freeze(session, stored, variant, VARIANT, [str(variant)])
        session.commit()
    by_hand(sqlite_engine, "UPDATE letter_variants SET text = 'other' WHERE number = 1")
    with reading(sqlite_engine) as session:
        stored = session.get_one(StoredLetter, number)
        assert whole_letter(session, stored, 0) == LETTER
        assert whole_letter(session, stored, 2) == VARIANT
        with pytest.raises(Flawed, match=rf"^variant 1 of the letter has been changed .* {VARIANT.digest[:12]}; "):
            whole_letter(session, stored, 1)
    by_hand(sqlite_engine, "UPDATE letters SET html = 'other'")
    with reading(sqlite_engine) as session, pytest.raises(Flawed, match=r"^the letter has been changed since"):
        whole_letter(session, session.get_one(StoredLetter, number), 0)
