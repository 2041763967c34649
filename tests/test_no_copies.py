import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, update
from sqlmodel import col, select

from newsletter import farewell
from newsletter.db import Table, leave_no_copies, open_engine, reading, sqlite_file, writing
from newsletter.invariants import violations
from newsletter.tracking.store import StoredEvent
from subscribers import consent
from subscribers.address import parse_address
from subscribers.signup import SignUp
from subscribers.subscriber import Subscriber
from tests.newsroom import IN_W47, TUESDAY, subscribe
from tests.test_farewell import ADA, forget


@pytest.fixture
def postgresql_engine(new_database: Callable[[str], str]) -> Iterator[Engine]:
    engine = open_engine(new_database("postgresql"))
    yield engine
    engine.dispose()


def found_in_files(engine: Engine, texts: set[str]) -> set[str]:
    """Which texts lie in the database's files, whatever SQLite says of them."""
    file = sqlite_file(engine)
    assert file is not None
    data = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*")).lower()
    return {text for text in texts if text.lower().encode() in data}


def test_after_an_erasure_the_files_of_a_database_hold_no_address_of_the_erased(sqlite_engine: Engine) -> None:
    """Readers come, move, sign up and go, so that SQLite splits and merges its pages; then a tenth are erased."""
    engine, chance = sqlite_engine, random.Random(3)
    numbers = subscribe(engine, (f"{chance.randrange(10**9)}.reader{number}@example.com" for number in range(1_000)))
    for _ in range(6):
        with writing(engine) as session:
            for number in chance.sample(numbers, 200):
                name = f"{'moved' * chance.choice([0, 1, 5, 11])}{chance.randrange(10**9)}.{number}"
                address = parse_address(f"{name[-64:].lstrip('.')}@example.org")
                changed = {"email": address.email, "address_key": address.key}
                session.connection().execute(update(Subscriber).where(col(Subscriber.id) == number).values(changed))
                session.connection().execute(
                    insert(SignUp),
                    [{**changed, "source": "form", "words": "", "words_version": "1", "at": IN_W47}],
                )
                consent.note(session, number, consent.IMPORTED, f"a file, {address.email}", IN_W47)
                session.add(
                    StoredEvent(
                        key=name, source="webhook", record_type="Delivery", kind="delivered", at=IN_W47,
                        received_at=IN_W47, subscriber_id=number, agent=name, body=f'{{"Recipient":"{address.email}"}}',
                    )
                )  # fmt: skip
            session.commit()
    erased: set[str] = set()
    for number in chance.sample(numbers, 100):
        with writing(engine) as session:
            erased |= farewell.forget(session, session.get_one(Subscriber, number), TUESDAY)
            session.commit()
    assert len(erased) >= 100
    assert found_in_files(engine, erased)  # in the log, at least
    assert leave_no_copies(engine, erased)
    assert found_in_files(engine, erased) == set()
    with reading(engine) as session:
        assert violations(session) == []


def test_a_copy_that_sqlite_left_behind_is_found_and_goes(sqlite_engine: Engine) -> None:
    engine = sqlite_engine
    subscribe(engine, [ADA.email, "bo@example.com"])
    file = sqlite_file(engine)
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as careless:
        careless.execute("PRAGMA secure_delete = OFF")
        careless.execute("DELETE FROM subscribers WHERE id = 1")
    assert leave_no_copies(engine)  # which looks for nothing
    assert found_in_files(engine, {ADA.email}) == {ADA.email}
    assert leave_no_copies(engine, [ADA.key])
    assert found_in_files(engine, {ADA.email, "bo@example.com"}) == {"bo@example.com"}


def test_the_daily_run_writes_the_file_anew_after_an_erasure_only(sqlite_engine: Engine) -> None:
    engine = sqlite_engine
    subscribe(engine, [ADA.email])
    statements: list[str] = []

    @event.listens_for(engine, "connect")
    def listen(connection: Any, _: Any) -> None:
        connection.set_trace_callback(statements.append)

    engine.dispose()
    assert farewell.tidy(engine, TUESDAY)
    assert "VACUUM" not in statements
    forget(engine)
    assert farewell.tidy(engine, TUESDAY + timedelta(days=1))
    assert statements.count("VACUUM") == 1
    assert farewell.tidy(engine, TUESDAY + timedelta(days=3))
    assert statements.count("VACUUM") == 1


def test_a_long_reader_hinders_it_and_it_is_said(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.db.PATIENCE", 50)
    engine = sqlite_engine
    subscribe(engine, [ADA.email])
    with reading(engine) as session:
        assert session.exec(select(Subscriber.email)).one() == ADA.email
        gone = forget(engine)
        assert leave_no_copies(engine, gone) is False
        assert session.exec(select(Subscriber.email)).one() == ADA.email  # it reads what was, in peace
    assert leave_no_copies(engine, gone) is True
    assert found_in_files(engine, {*gone}) == set()
    with reading(engine) as session:
        assert session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_on_postgresql_the_dead_rows_are_vacuumed(postgresql_engine: Engine) -> None:
    subscribe(postgresql_engine, [ADA.email])
    assert leave_no_copies(postgresql_engine, forget(postgresql_engine)) is True
    vacuumed = "SELECT relname FROM pg_stat_user_tables WHERE vacuum_count > 0"
    with reading(postgresql_engine) as session:
        names = {name for (name,) in session.connection().exec_driver_sql(vacuumed)}
    assert names >= set(Table.metadata.tables)


def test_a_database_that_cannot_be_tidied_now_is_no_error() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none")
    assert leave_no_copies(engine) is False
