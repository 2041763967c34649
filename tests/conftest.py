"""Real databases for the tests, no stray environment, no network but loopback.

`engine` runs a test on a SQLite file and on PostgreSQL; `sqlite_engine` on a SQLite file only. Both are empty
and at the newest migration.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine

from newsletter import migrations
from newsletter.db import open_engine
from newsletter.sandbox.server import Sandbox
from newsletter.welcome import WelcomeDesk
from tests.newsroom import RULES, post
from tests.postgres import Cluster, find_programs

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_stray_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def checked(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest migration, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    command.upgrade(migrations.config(engine), "head")
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of our own on a free port, without durability (the tests never cut its power)."""
    programs = find_programs()
    if programs is None:
        message = (
            "PostgreSQL's server programs (initdb, postgres) are not installed: half of the database tests cannot run"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    directory = Path(tempfile.mkdtemp(prefix="newsletter-postgres-"))
    try:
        with Cluster(programs, directory) as running:
            template = open_engine(running.create("template_newsletter"))
            command.upgrade(migrations.config(template), "head")
            template.dispose()
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Make a database of a kind ("sqlite" or "postgresql") at the newest migration; return its URL."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / "newsletter.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            return f"sqlite:///{path}"
        running: Cluster = request.getfixturevalue("cluster")
        return running.create(template="template_newsletter")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    return new_database(request.param)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(new_database: Callable[[str], str]) -> Iterator[Engine]:
    engine = open_engine(new_database("sqlite"))
    yield engine
    engine.dispose()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A provider that takes everything, on a free port."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """A folder for letters as files."""
    return tmp_path / "outbox"


@pytest.fixture
def desk(outbox: Path) -> WelcomeDesk:
    """Writes letters to one person into the outbox."""
    return WelcomeDesk(RULES.masthead, post(outbox))
