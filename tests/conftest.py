"""Real databases for the tests, no stray environment, no network but loopback.

`engine` runs a test on a SQLite file and on PostgreSQL; `sqlite_engine` on a SQLite file only. Both are empty
and at the newest migration. What would be the same work for each test is done once: a PostgreSQL database is lent to
one test after another (`lending`), and a statement is compiled for all engines of a kind.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from alembic import command
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from newsletter import migrations
from newsletter.db import open_engine
from newsletter.sandbox.server import Sandbox
from newsletter.welcome import WelcomeDesk
from tests.browser import find_chromium
from tests.lending import Lending
from tests.newsroom import RULES, post
from tests.postgres import Cluster, find_programs

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_stray_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_stray_logs() -> Iterator[None]:
    """A test that reads the settings sets up the logs as well: where they go, and that for good."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def checked(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test tried to reach {address[0]}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """As in a program, which has one engine for years; a test opens one or more, and compiling was a fifth of its work.

    What SQLAlchemy has compiled it keeps by the dialect, each engine's own. All of a kind are alike here: one server,
    one SQLite.
    """
    compiled: LRUCache[object, object] = LRUCache(4_000)

    def share(connection: Connection) -> None:
        connection.engine._compiled_cache = compiled  # type: ignore[assignment]

    with pytest.MonkeyPatch.context() as patch:
        for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):
            patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        event.listen(Engine, "engine_connect", share)
        yield
        event.remove(Engine, "engine_connect", share)


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
        # Rows stay where they were put, as in a database that lives for a second.
        with Cluster(programs, directory, autovacuum="off") as running:
            template = open_engine(running.create("template_newsletter"))
            command.upgrade(migrations.config(template), "head")
            template.dispose()
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def lending(cluster: Cluster) -> Iterator[Lending]:
    """PostgreSQL databases at the newest migration, for a test each."""
    lending = Lending(cluster, "template_newsletter")
    yield lending
    lending.close()


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Make a database of a kind ("sqlite" or "postgresql") at the newest migration; return its URL."""
    lent: list[tuple[Lending, str]] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / "newsletter.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            return f"sqlite:///{path}"
        lending: Lending = request.getfixturevalue("lending")
        url = lending.lend()
        lent.append((lending, url))
        return url

    yield make
    for lending, url in lent:
        lending.take_back(url)


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


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """The machine's own Chromium, driven over its own protocol; there can be one in a process."""
    from playwright.sync_api import sync_playwright

    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
