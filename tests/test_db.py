import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Boolean, Engine, Integer, String, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select

from newsletter.db import given, is_sqlite, open_engine, reading, sqlite_file, writing
from subscribers.address import parse_address
from subscribers.consent import Consent
from subscribers.subscriber import ACTIVE, PAUSED, Subscriber, add, move
from tests.newsroom import IN_W47, subscribe, table

INDIA = timezone(timedelta(hours=5, minutes=30))


def test_datetimes_are_aware_utc_in_and_out(engine: Engine) -> None:
    moment = datetime(2026, 3, 29, 6, 30, 15, 123456, tzinfo=INDIA)
    with writing(engine) as session:
        add(session, parse_address("ada@example.com"), ACTIVE, moment)
        session.commit()
    with reading(engine) as session:
        since = session.exec(select(Subscriber.since)).one()
        assert since == moment
        assert since.utcoffset() == timedelta(0)
        assert since.isoformat() == "2026-03-29T01:00:15.123456+00:00"


def test_moments_compare_alike_in_python_and_in_the_database(engine: Engine) -> None:
    with writing(engine) as session:
        add(session, parse_address("ada@example.com"), ACTIVE, datetime(2026, 11, 18, 0, 30, tzinfo=INDIA))
        session.commit()
    before_midnight = datetime(2026, 11, 17, 23, tzinfo=UTC)
    with reading(engine) as session:
        assert session.exec(select(Subscriber.email).where(Subscriber.since < before_midnight)).all() == [
            "ada@example.com"
        ]
        assert session.exec(select(Subscriber.email).where(Subscriber.since > before_midnight)).all() == []


def test_a_naive_datetime_is_refused(engine: Engine) -> None:
    with writing(engine) as session, pytest.raises(StatementError, match=r"(?i)timezone|naive|aware"):
        add(session, parse_address("ada@example.com"), ACTIVE, datetime(2026, 11, 18, 9))  # noqa: DTZ001


def test_leaving_without_a_commit_changes_nothing(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        add(session, parse_address("ada@example.com"), ACTIVE, IN_W47)
    with reading(sqlite_engine) as session:
        assert session.exec(select(Subscriber)).all() == []


def test_whoever_reads_sees_one_moment_however_long_it_takes(engine: Engine) -> None:
    subscribe(engine, ["ada@example.com"])
    with reading(engine) as session:
        before = session.exec(select(Subscriber.email)).all()
        subscribe(engine, ["bo@example.com"])
        assert session.exec(select(Subscriber.email)).all() == before == ["ada@example.com"]
    with reading(engine) as session:
        assert len(session.exec(select(Subscriber.email)).all()) == 2


def test_a_row_that_refers_to_nothing_is_refused(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(Consent(subscriber_id=999, kind="added", source="nowhere", at=IN_W47))
        with pytest.raises(IntegrityError):
            session.flush()


def test_a_status_that_is_none_of_the_words_is_refused(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session, pytest.raises(IntegrityError):
        add(session, parse_address("ada@example.com"), "enthusiastic", IN_W47)


def test_sqlite_is_durable_and_checks_references(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        pragmas = {
            name: table(session, f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "secure_delete": 1,
    }


def test_a_second_writer_waits_for_the_first_and_sees_what_it_wrote(sqlite_engine: Engine) -> None:
    subscribe(sqlite_engine, ["ada@example.com"])
    seen: list[str] = []

    def second() -> None:
        with writing(sqlite_engine) as session:
            reader = session.exec(select(Subscriber)).one()
            seen.append(reader.status)

    thread = threading.Thread(target=second)
    with writing(sqlite_engine) as session:
        reader = session.exec(select(Subscriber)).one()  # only a read, and yet it has the lock
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        move(reader, PAUSED, IN_W47)
        session.add(reader)
        session.commit()
    thread.join(10)
    assert seen == [PAUSED]


def test_a_writing_transaction_takes_the_lock_when_it_begins(sqlite_engine: Engine) -> None:
    file = sqlite_file(sqlite_engine)
    assert file is not None
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other, writing(sqlite_engine) as session:
        session.exec(select(Subscriber)).all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_a_reader_waits_for_no_writer_and_hinders_none(engine: Engine) -> None:
    subscribe(engine, ["ada@example.com"])
    with writing(engine) as session:
        move(reader := session.exec(select(Subscriber)).one(), PAUSED, IN_W47)
        session.add(reader)
        session.flush()
        with reading(engine) as other:
            if not is_sqlite(engine):
                other.connection().execute(text("SET LOCAL lock_timeout = '1s'"))
            assert other.exec(select(Subscriber.status)).one() == ACTIVE
            session.commit()
            if is_sqlite(engine):  # a snapshot; PostgreSQL shows what is committed
                assert other.exec(select(Subscriber.status)).one() == ACTIVE
    with reading(engine) as session:
        assert session.exec(select(Subscriber.status)).one() == PAUSED


def test_ids_of_readers_are_never_used_again(engine: Engine) -> None:
    first = subscribe(engine, ["ada@example.com", "bo@example.com"])
    with writing(engine) as session:
        session.connection().exec_driver_sql("DELETE FROM subscribers")
        session.commit()
    assert set(subscribe(engine, ["cy@example.com"])).isdisjoint(first)


ROWS = [
    (1, "x", True),
    (-(2**31), "", False),
    (None, None, None),
    (3, """a "b" 'c' \\ [1, {}] é 🦊 :x %s %(y)s ?""", True),
    (4, "two\nlines\tand a tab", False),
    (5, "null", True),
    (6, "7", True),
]


@pytest.mark.parametrize("rows", [ROWS, [], [(number, "t" * 300, False) for number in range(2_000)]])
def test_many_rows_come_back_from_one_parameter_as_they_were_given(
    engine: Engine, rows: list[tuple[int | None, str | None, bool | None]]
) -> None:
    with reading(engine) as session:
        found = session.connection().execute(sqlalchemy.select(*given(rows, Integer(), String(), Boolean()))).all()
    assert [tuple(row) for row in found] == rows


def test_text_that_is_no_unicode_is_not_given_to_a_database(engine: Engine) -> None:
    with reading(engine) as session, pytest.raises(UnicodeEncodeError):
        session.connection().execute(sqlalchemy.select(*given([("\ud800",)], String())))


@pytest.mark.parametrize(
    "url", ["garbage", "sqlite://", "sqlite:///:memory:", "mysql://h/x", "oracle://h/x", "postgresql://h:port/x", ""]
)
def test_a_database_that_we_do_not_know_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^wants sqlite:///FILE or postgresql://USER@HOST/NAME$"):
        open_engine(url)


def test_opening_makes_no_connection(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new.db")
    assert sqlite_file(engine) == (tmp_path / "new.db").resolve()
    assert not (tmp_path / "new.db").exists()
    assert sqlite_file(open_engine("postgresql://nobody@127.0.0.1:1/none")) is None
