"""Troubles with the database and the disk: one clear line, a clear state, and after mending everybody has it once.

Real errors of real databases: a SQLite file that may not grow, a lock that another process holds, a database that only
lets itself be read, and rows that were damaged by a hand.
"""

import email
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from newsletter import weekly
from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.delivery import claiming, drain, ledger
from newsletter.delivery.ledger import Accounting
from newsletter.invariants import violations
from newsletter.sandbox.server import Sandbox
from tests.cli.conftest import Newsletter, bare_newsletter  # noqa: F401  a fixture
from tests.cli.running import Done
from tests.delivery.faulty_line import ARRIVED, FaultyLine
from tests.journeys.test_kill import WEEK, approved_issue, assert_everybody_has_it_once, copies, settings
from tests.postgres import Cluster

READERS = 1_200
BATCH = 200
FEW = 40  # readers, where each letter is a file
SEND = ("issues", "send", str(WEEK))

HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

# Everything is imported before, since another user may not read where this interpreter lies.
AS_NOBODY = """
import os, sys
import newsletter.cli.app, newsletter.migrations, alembic.command, sqlalchemy.dialects.sqlite, encodings.idna
os.setgid(65534)
os.setuid(65534)
sys.argv = ["newsletter", *sys.argv[1:]]
newsletter.cli.app.main()
"""


class Issue:
    """An approved issue to READERS, in a database of a kind, sent from the tests' own process."""

    def __init__(self, url: str, newsletter: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.newsletter, self.sandbox = url, newsletter, sandbox
        self.assembly: Assembly = approved_issue(url, READERS)
        self.at_first_batch: Callable[[], None] = lambda: None
        self.line = FaultyLine(sandbox.url, watch=self._watch)
        for name, value in settings(url, self.line.url).items():
            monkeypatch.setenv(f"NEWSLETTER_{name.upper()}", value)
        monkeypatch.setattr("newsletter.delivery.postmark.PostmarkProvider.max_batch", BATCH)
        monkeypatch.setattr(drain, "RECORD_PAUSES", (0.01, 0.01))

    @property
    def engine(self) -> Engine:
        return self.assembly.engine

    @property
    def state(self) -> str:
        with reading(self.engine) as session:
            return weekly.require(session, WEEK).state

    @property
    def books(self) -> Accounting:
        with reading(self.engine) as session:
            return ledger.accounting(session, weekly.require(session, WEEK).letter_id)

    def send(self) -> Done:
        return self.newsletter(*SEND)

    def execute(self, sql: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(sql), values)

    def is_finished_by_the_next_send(self) -> None:
        done = self.send()
        assert done.status == 0, done
        assert_everybody_has_it_once(self.assembly, self.sandbox, READERS)

    def check(self) -> str:
        """What `db check` finds wrong."""
        return self.newsletter("db", "check").refused()

    def _watch(self, path: str, moment: str) -> None:
        if path.startswith("/email/batch") and moment == ARRIVED:
            first, self.at_first_batch = self.at_first_batch, lambda: None
            first()


@pytest.fixture
def make_issue(
    new_database: Callable[[str], str],
    bare_newsletter: Newsletter,  # noqa: F811  a fixture
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Issue]]:
    """Make an issue in a database, by its kind or its URL."""
    with ExitStack() as stack:

        def make(kind: str) -> Issue:
            url = kind if ":" in kind else new_database(kind)
            issue = Issue(url, bare_newsletter, sandbox, monkeypatch)
            stack.enter_context(issue.line)
            stack.callback(issue.assembly.close)
            return issue

        yield make


@pytest.fixture
def issue(make_issue: Callable[[str], Issue]) -> Issue:
    return make_issue("sqlite")


class Pragmas:
    """What every connection to SQLite is told when it is taken from its pool, from `on` until `off`."""

    def __init__(self) -> None:
        self._pragmas: list[str] = []
        self._connections: list[Any] = []

    def on(self, *pragmas: str) -> None:
        self._pragmas += pragmas

    def off(self, *undo: str) -> None:
        self._pragmas = list(undo)

    def tell(self, connection: Any, *_: object) -> None:
        for pragma in self._pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()


@pytest.fixture
def pragmas() -> Iterator[Pragmas]:
    told = Pragmas()
    event.listen(Engine, "checkout", told.tell)
    yield told
    event.remove(Engine, "checkout", told.tell)


FULL, ROOM = "max_page_count = 1", "max_page_count = 1000000"  # it never becomes less than there are pages


@contextmanager
def locked(url: str) -> Iterator[Callable[[], None]]:
    """Another process holds the write lock, from the call of what is yielded to the end of the block."""
    with ExitStack() as stack:

        def lock() -> None:
            command = [sys.executable, "-c", HOLDER, url.removeprefix("sqlite:///")]
            pipe = subprocess.PIPE
            holder = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            stack.callback(holder.kill)

        yield lock


def test_a_disk_that_is_full_before_it_begins_leaves_the_issue_approved(issue: Issue, pragmas: Pragmas) -> None:
    pragmas.on(FULL)
    said = issue.send().refused()

    assert said == "newsletter: the database says: database or disk is full (NEWSLETTER_DATABASE_URL names it)"
    assert issue.state == "approved"
    assert copies(issue.sandbox) == {}
    pragmas.off(ROOM)
    issue.is_finished_by_the_next_send()


def test_a_disk_that_fills_up_in_its_midst_stops_the_send_and_loses_nobody(issue: Issue, pragmas: Pragmas) -> None:
    issue.at_first_batch = lambda: pragmas.on(FULL)
    said = issue.send().refused()

    assert said == "newsletter: the database says: database or disk is full (NEWSLETTER_DATABASE_URL names it)"
    assert issue.state == "sending"
    left = issue.books
    assert left.adds_up
    assert left.sending > 0  # taken by the provider, and not written down
    assert sum(copies(issue.sandbox).values()) == left.sending + left.accepted
    assert violations_of(issue) == []
    pragmas.off(ROOM)
    issue.is_finished_by_the_next_send()


def violations_of(issue: Issue) -> list[str]:
    with reading(issue.engine) as session:
        return violations(session)


def test_a_lock_that_another_process_holds_for_too_long_is_said(issue: Issue, pragmas: Pragmas) -> None:
    pragmas.on("busy_timeout = 50")
    with locked(issue.url) as lock:
        lock()
        said = issue.send().refused()
    assert said == (
        "newsletter: the database says: database is locked; another process keeps it busy: "
        "run the command again, a send goes on"
    )
    assert issue.state == "approved"
    issue.is_finished_by_the_next_send()


def test_a_lock_that_comes_in_its_midst_stops_the_send_and_loses_nobody(issue: Issue, pragmas: Pragmas) -> None:
    pragmas.on("busy_timeout = 50")
    with locked(issue.url) as lock:
        issue.at_first_batch = lock
        said = issue.send().refused()
        assert "database is locked; another process keeps it busy" in said
        assert issue.books.adds_up
        assert issue.books.sending >= BATCH
    issue.is_finished_by_the_next_send()


def test_a_short_lock_in_its_midst_is_waited_for(
    issue: Issue, pragmas: Pragmas, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas.on("busy_timeout = 1")
    monkeypatch.setattr(drain, "RECORD_PAUSES", (0.2,) * 50)
    with ExitStack() as stack:
        lock = stack.enter_context(locked(issue.url))
        tries: list[int] = []
        really_record = claiming.record

        def record(*arguments: Any) -> None:
            tries.append(1)
            if len(tries) == 3:
                stack.close()
            really_record(*arguments)

        monkeypatch.setattr(claiming, "record", record)
        monkeypatch.setattr(drain, "CONCURRENCY", 1)
        issue.at_first_batch = lock
        assert issue.send().status == 0
    assert_everybody_has_it_once(issue.assembly, issue.sandbox, READERS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_database_that_may_not_be_written_is_said(
    make_issue: Callable[[str], Issue], migrated_sqlite: Path, request: pytest.FixtureRequest
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="newsletter-read-only-"))
    request.addfinalizer(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)
    shutil.copy(migrated_sqlite, folder / "newsletter.db")
    issue = make_issue(f"sqlite:///{folder / 'newsletter.db'}")
    issue.assembly.close()
    process = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *SEND],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(weekly.__file__).parents[1])},
    )  # fmt: skip
    assert (process.returncode, process.stdout) == (1, ""), process.stderr
    assert process.stderr == (
        "newsletter: the database says: attempt to write a readonly database (NEWSLETTER_DATABASE_URL names it)\n"
    )
    assert issue.state == "approved"
    issue.is_finished_by_the_next_send()


def test_a_postgresql_that_only_lets_itself_be_read_is_said(
    make_issue: Callable[[str], Issue], cluster: Cluster
) -> None:
    issue = make_issue("postgresql")
    name = issue.url.rpartition("/")[2]
    cluster.set(name, "default_transaction_read_only", "on")
    said = issue.send().refused()
    assert said.startswith("newsletter: the database says: cannot execute ")
    assert said.endswith(" in a read-only transaction (NEWSLETTER_DATABASE_URL names it)")
    assert issue.state == "approved"
    cluster.set(name, "default_transaction_read_only", "off")
    issue.is_finished_by_the_next_send()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = Path(tempfile.mkdtemp(prefix="newsletter-disk-"))
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        folder.rmdir()
        pytest.skip("only root, and not everywhere, may mount a disk that is soon full")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_an_outbox_whose_disk_is_full_stops_the_send_and_goes_on_when_there_is_room(
    issue: Issue, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_PROVIDER", "outbox")
    monkeypatch.setenv("NEWSLETTER_OUTBOX_DIR", str(small_disk / "outbox"))
    issue.execute(f"DELETE FROM subscribers WHERE id > {FEW}")
    done = issue.send()

    assert done.status == 1
    (said,) = done.err.splitlines()
    assert said.startswith(f"newsletter: {WEEK} stopped: ")
    assert "No space left on device" in said
    written = issue.books.accepted
    assert 0 < written < FEW
    assert issue.books == Accounting(audience=FEW, accepted=written, queued=FEW - written)
    assert len(list(small_disk.rglob("*.eml"))) == written
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    done = issue.send()

    assert done.status == 0, done
    assert issue.state == "sent"
    assert issue.books == Accounting(audience=FEW, accepted=FEW)
    to = Counter(email.message_from_bytes(file.read_bytes())["To"] for file in small_disk.rglob("*.eml"))
    assert to == Counter({f"reader{number}@example.com": 1 for number in range(FEW)})
    assert violations_of(issue) == []
