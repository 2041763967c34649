"""The database itself: what is missing of it, and what is damaged."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import structure
from newsletter.db import open_engine, reading, sqlite_file, writing
from newsletter.invariants import violations
from tests.delivery.readers import accept, claim, drawn_up
from tests.postgres import Cluster


def whole(engine: Engine) -> list[str]:
    """What is wrong with the database itself."""
    with reading(engine) as session:
        return [*structure.lacks(session), *(line for one in structure.INVARIANTS for line in one(session))]


def test_a_new_database_is_whole(engine: Engine) -> None:
    assert whole(engine) == []


def test_missing_tables_and_columns_are_all_that_is_said(engine: Engine) -> None:
    with writing(engine) as session:
        session.connection().exec_driver_sql("DROP TABLE pace")
        session.connection().exec_driver_sql("ALTER TABLE issues DROP COLUMN approved_of")
        assert sorted(violations(session)) == [
            "table issues: its column approved_of is not there",
            "table pace is not there",
        ]


POSTGRESQL = [
    (
        "ALTER TABLE deliveries DROP CONSTRAINT pk_deliveries",
        "table deliveries: (letter_id, subscriber_id) is no longer its key, so that a row may stand in it twice",
    ),
    (
        "ALTER TABLE issue_comparisons DROP CONSTRAINT pk_issue_comparisons",
        "table issue_comparisons: (comparison_id) is no longer its key, so that a row may stand in it twice",
    ),
    ("ALTER TABLE claims DROP CONSTRAINT uq_claims_key", "table claims: (key) is no longer unique"),
    ("DROP INDEX ix_suppressions_in_force", "table suppressions: (fingerprint) is no longer unique"),
    (
        "ALTER TABLE deliveries DROP CONSTRAINT ck_deliveries_evidence",
        "table deliveries: its check ck_deliveries_evidence is not there",
    ),
    (
        "ALTER TABLE deliveries DROP CONSTRAINT fk_deliveries_subscriber_id_subscribers",
        "table deliveries: (subscriber_id) no longer refers to subscribers",
    ),
]


@pytest.mark.parametrize(("statement", "said"), POSTGRESQL)
def test_a_key_a_check_or_a_reference_that_is_missing_is_named(cluster: Cluster, statement: str, said: str) -> None:
    engine = open_engine(cluster.create(template="template_newsletter"))
    with writing(engine) as session:
        session.connection().exec_driver_sql(statement)
        assert violations(session) == [said]
        session.rollback()
    engine.dispose()


def test_a_file_that_was_restored_without_its_keys_is_named(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        session.connection().exec_driver_sql("CREATE TABLE another AS SELECT * FROM deliveries")
        session.connection().exec_driver_sql("DROP TABLE deliveries")
        session.connection().exec_driver_sql("ALTER TABLE another RENAME TO deliveries")
        assert violations(session) == [
            "table deliveries: (letter_id, subscriber_id) is no longer its key, so that a row may stand in it twice",
            "table deliveries: its check ck_deliveries_claimed is not there",
            "table deliveries: its check ck_deliveries_evidence is not there",
            "table deliveries: its check ck_deliveries_state is not there",
            "table deliveries: (letter_id) no longer refers to letters",
            "table deliveries: (subscriber_id) no longer refers to subscribers",
        ]


def test_rows_that_refer_to_nothing_are_counted(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    accept(sqlite_engine, letter_id, claim(sqlite_engine, letter_id))
    with closing(sqlite3.connect(str(sqlite_file(sqlite_engine)))) as careless:  # which knows of no references
        careless.execute("DELETE FROM subscribers WHERE id < 3")
        careless.commit()
    assert whole(sqlite_engine) == ["table deliveries: 2 rows refer to rows of subscribers that are not there"]


def damage(file: Path, thing: str, change: Callable[[bytes], bytes] = lambda page: b"\xa5" * len(page)) -> None:
    """Let the disk change the page at which a table or an index begins; without a word how, it is lost."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [thing]).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        before = opened.read(size)
        opened.seek((page - 1) * size)
        assert opened.write(change(before)) == size


@pytest.mark.parametrize("thing", ["ix_deliveries_state", "deliveries", "letters", "issues", "ix_subscribers_status"])
def test_a_file_that_lost_a_page_is_named_and_nothing_raises(sqlite_engine: Engine, thing: str) -> None:
    letter_id = drawn_up(sqlite_engine, 50)
    accept(sqlite_engine, letter_id, claim(sqlite_engine, letter_id))
    sqlite_engine.dispose()
    file = sqlite_file(sqlite_engine)
    assert file
    damage(file, thing)
    with reading(sqlite_engine) as session:
        lines = violations(session)
    assert lines
    assert lines[0].startswith(("the database's file: ", "the database cannot be read: ", "something cannot be read ("))
    assert not any("\n" in line for line in lines)


def test_an_index_that_says_something_else_than_its_table_is_named(sqlite_engine: Engine) -> None:
    drawn_up(sqlite_engine, 50)
    sqlite_engine.dispose()
    file = sqlite_file(sqlite_engine)
    assert file
    damage(file, "ix_subscribers_status", lambda page: page.replace(b"active", b"passed", 1))
    lines = whole(sqlite_engine)
    assert lines
    assert all(line.startswith("the database's file: ") and "ix_subscribers_status" in line for line in lines)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "newsletter.db"
    file.write_text("Dear editor, " * 1000, encoding="utf-8")
    engine = open_engine(f"sqlite:///{file}")
    with reading(engine) as session:
        assert violations(session) == ["the database cannot be read: file is not a database"]
    engine.dispose()
