import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, inspect

from newsletter import migrations
from newsletter.db import Table, is_sqlite, open_engine, writing
from tests.newsroom import draft, publish
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
