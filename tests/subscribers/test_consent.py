import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from newsletter.db import reading, writing
from subscribers import consent
from tests.newsroom import IN_W46, IN_W47, MONDAY, subscribe


def test_a_history_has_every_step_of_one_reader_in_the_order_in_which_we_were_told(engine: Engine) -> None:
    ana, bo = subscribe(engine, ["ana@example.com", "bo@example.com"])
    with writing(engine) as session:
        consent.note(session, ana, consent.IMPORTED, "old.csv", IN_W47)
        consent.note(session, bo, consent.ADDED, "by phone", MONDAY)
        consent.note(session, ana, consent.LEFT, "a link in a letter", IN_W46)
        session.commit()
    with reading(engine) as session:
        steps = [(step.kind, step.source, step.at) for step in consent.history(session, ana)]
        assert steps == [("imported", "old.csv", IN_W47), ("left", "a link in a letter", IN_W46)]
        assert [step.kind for step in consent.history(session, bo)] == ["added"]


def test_a_kind_that_is_none_of_the_words_is_refused(sqlite_engine: Engine) -> None:
    (ana,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        consent.note(session, ana, "guessed", "nowhere", IN_W46)
        with pytest.raises(IntegrityError):
            session.flush()
