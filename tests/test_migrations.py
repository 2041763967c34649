import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, inspect, text
from sqlmodel import col, select

from newsletter import migrations
from newsletter.db import Table, is_sqlite, open_engine, reading, writing
from newsletter.delivery import claiming, doubts
from newsletter.delivery.claiming import Claim
from newsletter.delivery.sender_lock import enter
from newsletter.farewell import forget
from newsletter.invariants import violations
from subscribers import suppression
from subscribers.address import parse_address
from subscribers.subscriber import ERASED, Subscriber
from tests.newsroom import MONDAY, draft, publish, subscribe, table
from tests.postgres import Cluster

UPGRADE = """
import sys
from newsletter import migrations
from newsletter.db import open_engine
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrations.upgrade(engine)
print(migrations.current(engine))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.create()


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def drift(engine: Engine) -> list[object]:
    """What a new migration would have to change, so that the database is as the models are."""
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "render_as_batch": True}
        )
        return list(compare_metadata(context, Table.metadata))


def test_up_from_empty_and_down_to_nothing_again_and_up_once_more(empty: Engine) -> None:
    assert migrations.is_empty(empty)
    assert migrations.current(empty) is None
    migrations.upgrade(empty)
    assert migrations.current(empty) == migrations.newest()
    assert tables(empty) == set(Table.metadata.tables)
    command.downgrade(migrations.config(empty), "base")
    assert tables(empty) == set()
    assert migrations.current(empty) is None
    migrations.upgrade(empty)
    assert tables(empty) == set(Table.metadata.tables)


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    assert drift(engine) == []


def test_a_database_that_differs_is_seen_to_differ(engine: Engine) -> None:
    with writing(engine) as session:
        session.connection().exec_driver_sql("DROP INDEX ix_deliveries_state")
        session.commit()
    assert len(drift(engine)) == 1


def test_the_migrations_make_the_checks_that_the_models_say(sqlite_engine: Engine) -> None:
    found = inspect(sqlite_engine)
    for name, model in Table.metadata.tables.items():
        expected = {(str(one.name), str(one.sqltext)) for one in model.constraints if isinstance(one, CheckConstraint)}
        there = {(str(one["name"]), str(one["sqltext"])) for one in found.get_check_constraints(name)}
        assert there == {(f"ck_{name}_{check.removeprefix(f'ck_{name}_')}", sql) for check, sql in expected}


def test_every_constraint_has_a_name_on_both_databases(engine: Engine) -> None:
    found = inspect(engine)
    for name in tables(engine):
        names = [one["name"] for one in [*found.get_foreign_keys(name), *found.get_unique_constraints(name)]]
        if not is_sqlite(engine):  # whose AUTOINCREMENT leaves no room for a name
            names.append(found.get_pk_constraint(name)["name"])
        assert all(written and name in written for written in names), (name, names)


def test_upgrading_what_is_newest_already_changes_nothing(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    migrations.upgrade(sqlite_engine)
    assert draft(sqlite_engine).taken == 1


def test_two_processes_that_upgrade_an_empty_database_at_once_both_succeed(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", UPGRADE, empty_url],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=30)
        assert (process.returncode, output) == (0, f"{migrations.newest()}\n")


def test_asking_for_the_migration_waits_for_no_writer(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        session.connection()
        assert migrations.current(sqlite_engine) == migrations.newest()
        assert not migrations.is_empty(sqlite_engine)


def at_0001(engine: Engine, *readers: tuple[str, str, str]) -> None:
    """A database at migration 0001 with (address, key, status) of readers, each of whom was imported."""
    command.upgrade(migrations.config(engine), "0001")
    with engine.begin() as connection:
        for number, (email, key, status) in enumerate(readers, start=1):
            values = {"email": email, "key": key, "status": status, "since": "2026-11-18 09:00:00.000000"}
            connection.execute(
                text(
                    "INSERT INTO subscribers (email, address_key, status, since) VALUES (:email, :key, :status, :since)"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO consents (subscriber_id, kind, source, at) VALUES (:id, 'imported', :source, :since)"
                ),
                {"id": number, "source": f"file {number}", "since": values["since"]},
            )


def test_readers_who_turn_out_to_be_one_are_made_one_as_unwilling_as_the_least_willing(empty: Engine) -> None:
    at_0001(
        empty,
        ("Ada.L@gmail.com", "ada.l@gmail.com", "active"),
        ("adal@googlemail.com", "adal@googlemail.com", "unsubscribed"),
        ("a.dal@gmail.com", "a.dal@gmail.com", "active"),
        ("straße@example.com", "strasse@example.com", "active"),
        ("bo.b@example.com", "bo.b@example.com", "paused"),
        ("c.y@gmail.com", "c.y@gmail.com", "suppressed"),
    )
    migrations.upgrade(empty)
    with reading(empty) as session:
        assert table(session, "SELECT id, email, address_key, status FROM subscribers ORDER BY id") == [
            (1, "Ada.L@gmail.com", "adal@gmail.com", "unsubscribed"),
            (2, "", "erased:2", "erased"),
            (3, "", "erased:3", "erased"),
            (4, "straße@example.com", "straße@example.com", "active"),
            (5, "bo.b@example.com", "bo.b@example.com", "paused"),
            (6, "c.y@gmail.com", "cy@gmail.com", "suppressed"),
        ]
        # What they said stays said, and is said by the one.
        assert table(session, "SELECT subscriber_id, source FROM consents ORDER BY id") == [
            (1, "file 1"),
            (1, "file 2"),
            (1, "file 3"),
            (4, "file 4"),
            (5, "file 5"),
            (6, "file 6"),
        ]
        for one in session.exec(select(Subscriber).where(Subscriber.status != ERASED)):
            assert parse_address(one.email, to_write=False).key == one.address_key
        assert violations(session) == []


def test_who_was_suppressed_before_fingerprints_is_so_by_fingerprint(empty: Engine) -> None:
    at_0001(empty, ("C.Y@gmail.com", "c.y@gmail.com", "suppressed"), ("bo@example.com", "bo@example.com", "active"))
    migrations.upgrade(empty)
    with reading(empty) as session:
        found = suppression.in_force(session, parse_address("cy@googlemail.com"))
        assert found is not None
        assert (found.reason, found.at.isoformat()) == ("manual", "2026-11-18T09:00:00+00:00")
        assert suppression.in_force(session, parse_address("bo@example.com")) is None


def test_what_a_provider_said_before_names_nobody_any_more(empty: Engine) -> None:
    at_0001(empty, ("ana@example.com", "ana@example.com", "active"))
    with empty.begin() as connection:
        at = "'2026-11-18 09:00:00.000000'"
        letter = "'k', '2026-W46', 's', 'p', 'h', 't', 'd'"
        connection.execute(
            text(
                "INSERT INTO letters (key, tag, subject, preheader, html, text, digest, audience, created_at)"
                f" VALUES ({letter}, 1, {at})"
            )
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (letter_id, subscriber_id, state, reason, passing)"
                " VALUES (1, 1, 'refused', 'You wrote to <ana@example.com>, which is inactive', false)"
            )
        )
    migrations.upgrade(empty)
    with reading(empty) as session:
        assert table(session, "SELECT state, reason FROM deliveries") == [
            ("refused", "You wrote to <(the address)>, which is inactive")
        ]


def test_a_key_that_another_reader_has_until_it_gets_its_own_is_no_obstacle(empty: Engine) -> None:
    at_0001(
        empty,
        ("x.y@gmail.com", "x.y@gmail.com", "active"),
        ("xy+a@gmail.com", "xy@gmail.com", "active"),
    )
    migrations.upgrade(empty)
    with reading(empty) as session:
        assert table(session, "SELECT address_key FROM subscribers ORDER BY id") == [
            ("xy@gmail.com",),
            ("xy+a@gmail.com",),
        ]


def test_who_was_erased_stays_so_when_the_older_program_was_brought_back_for_a_while(engine: Engine) -> None:
    (ana, _) = subscribe(engine, ["ana@example.com", "bo@example.com"])
    with writing(engine) as session:
        forget(session, session.get_one(Subscriber, ana), MONDAY)
        session.commit()
    command.downgrade(migrations.config(engine), "0001")
    with reading(engine) as session:
        assert table(session, "SELECT email, status FROM subscribers WHERE email = ''") == [("", "unsubscribed")]
    migrations.upgrade(engine)
    with reading(engine) as session:
        assert table(session, "SELECT address_key, status FROM subscribers ORDER BY id") == [
            (f"erased:{ana}", "erased"),
            ("bo@example.com", "active"),
        ]
        assert violations(session) == []


AT = "2026-11-17 09:0{}:00.000000"


def at_0002(engine: Engine) -> None:
    """A database of before claims had a table: an issue that is going out in three batches, and one that is sent."""
    command.upgrade(migrations.config(engine), "0002")
    rows: dict[str, list[dict[str, Any]]] = {
        "subscribers": [
            {"email": f"{n}@example.com", "address_key": f"{n}@example.com", "status": "active", "muted": "[]"}
            | {"since": AT.format(0)}
            for n in range(1, 7)
        ],
        "letters": [
            {"key": key, "tag": "w", "subject": "s", "preheader": "p", "html": "h", "text": "t", "digest": "d"}
            | {"audience": audience, "left_out": 0, "created_at": AT.format(0)}
            for key, audience in (("k1", 6), ("k2", 1))
        ],
        "deliveries": [
            {"letter_id": letter, "subscriber_id": reader, "variant": 0, "state": state, "passing": False}
            | {"batch": batch, "claimed_at": AT.format(minute) if batch else None, "message_id": message_id}
            for letter, reader, state, batch, minute, message_id in (
                (1, 1, "accepted", "first", 1, "m-1"),
                (1, 2, "accepted", "first", 1, "m-2"),
                (1, 3, "refused", "first", 1, None),
                (1, 4, "in_doubt", "a-second", 2, None),
                (1, 5, "sending", "third", 3, None),
                (1, 6, "queued", None, 0, None),
                (2, 1, "accepted", "of-another", 0, "m-3"),
            )
        ],
        "issues": [
            {"week": week, "state": state, "subject": "s", "preheader": "p", "letter_id": letter or None}
            | {"send_at": AT.format(0), "created_at": AT.format(0)}
            for week, state, letter in (
                ("2026-W47", "sending", 1),
                ("2026-W46", "sent", 2),
                ("2026-W48", "draft", None),
            )
        ],
    }
    with engine.begin() as connection:
        for name, values in rows.items():
            columns = list(values[0])
            names = ", ".join(f":{column}" for column in columns)
            connection.execute(text(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({names})"), values)


def test_batches_of_before_claims_had_a_table_are_claims_of_nobody_who_lives_in_their_order(empty: Engine) -> None:
    at_0002(empty)
    migrations.upgrade(empty)
    with reading(empty) as session:
        found = session.exec(select(Claim).where(Claim.letter_id == 1).order_by(col(Claim.number))).all()
        assert [(one.key, one.taken, one.counted, f"{one.claimed_at:%H:%M}") for one in found] == [
            ("first", 2, None, "09:01"),
            ("a-second", 0, None, "09:02"),
            ("third", 0, None, "09:03"),
        ]
        assert [one.batch for one in doubts.open_doubts(session, 1)] == ["a-second"]
        assert table(session, "SELECT subscriber_id, state, batch FROM deliveries WHERE letter_id = 1 ORDER BY 1") == [
            (1, "accepted", "first"),
            (2, "accepted", "first"),
            (3, "refused", "first"),
            (4, "in_doubt", "a-second"),
            (5, "sending", "third"),
            (6, "queued", None),
        ]
    with enter(empty) as sender:
        assert sender is not None
        assert doubts.doubt_orphans(empty, 1, sender.is_dead, MONDAY) == 1
    assert drift(empty) == []


def test_what_was_going_out_goes_on_after_the_migration(empty: Engine) -> None:
    at_0002(empty)
    migrations.upgrade(empty)
    batch = claiming.claim(empty, 1, 10, claiming.Claimant(7, MONDAY))
    assert batch is not None
    assert [number for number, _ in batch.readers] == [6]


def test_the_older_program_finds_states_that_it_knows_and_sends_no_cancelled_issue(empty: Engine) -> None:
    at_0002(empty)
    migrations.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE issues SET state = 'cancelled' WHERE week = '2026-W47'"))
        connection.execute(text("UPDATE issues SET state = 'scheduled' WHERE week = '2026-W48'"))
    command.downgrade(migrations.config(empty), "0002")
    with reading(empty) as session:
        assert table(session, "SELECT week, state FROM issues ORDER BY week") == [
            ("2026-W46", "sent"),
            ("2026-W47", "sending"),
            ("2026-W48", "approved"),
        ]
        assert table(session, "SELECT subscriber_id, state FROM deliveries WHERE letter_id = 1 ORDER BY 1") == [
            (1, "accepted"),
            (2, "accepted"),
            (3, "refused"),
            (4, "in_doubt"),
            (5, "sending"),
            (6, "left"),
        ]
        claimed = table(session, "SELECT batch FROM deliveries WHERE claimed_at IS NOT NULL AND letter_id = 1")
        assert sorted(batch for (batch,) in claimed) == ["a-second", "first", "first", "first", "third"]
    migrations.upgrade(empty)
    assert migrations.current(empty) == migrations.newest()
