"""The database server is restarted, or away for a while: a send stops with a line, a worker outlasts it.

A PostgreSQL server of these tests' own, which dies as `kill -9` would have it.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from newsletter.assembly import assemble
from newsletter.cli import work
from newsletter.delivery import drain
from newsletter.delivery.drain import LOCK_LOST
from newsletter.delivery.ledger import Accounting
from newsletter.outgoing import Run, send_issue
from tests.cli.conftest import bare_newsletter  # noqa: F401  a fixture
from tests.journeys.test_kill import WEEK, assert_everybody_has_it_once, copies
from tests.journeys.test_troubles import READERS, Issue, make_issue  # noqa: F401  a fixture
from tests.postgres import Cluster, find_programs

PAUSES = drain.RECORD_PAUSES


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server that nobody else uses."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    directory = Path(tempfile.mkdtemp(prefix="newsletter-postgres-"))
    try:
        with Cluster(programs, directory) as running:
            yield running
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def issue(
    server: Cluster,
    make_issue: Callable[[str], Issue],  # noqa: F811  a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Issue:
    made = make_issue(server.create())
    monkeypatch.setattr(drain, "RECORD_PAUSES", PAUSES)
    return made


def test_a_server_that_is_restarted_in_its_midst_stops_the_send_and_loses_nobody(issue: Issue, server: Cluster) -> None:
    def restart() -> None:
        server.stop()
        server.start()

    issue.at_first_batch = restart
    done = issue.send()

    assert (done.status, "Traceback" in done.err) == (1, False), done
    # Whichever notices first: the sender that looks at its lock, or whoever counts or asks just then.
    stopped = f"stopped: {LOCK_LOST}; `newsletter issues send {WEEK}` goes on from here"
    assert stopped in done.err or done.err.splitlines()[-1].startswith("newsletter: the database says: "), done
    assert issue.books.adds_up
    issue.is_finished_by_the_next_send()


def test_a_server_that_stays_away_ends_the_send_with_a_line(
    issue: Issue, server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "RECORD_PAUSES", (0.01,))
    issue.at_first_batch = server.stop
    done = issue.send()
    server.start()

    assert done.status == 1, done
    (said,) = done.err.splitlines()
    assert said.startswith("newsletter: the database says: ")
    assert issue.books.adds_up
    issue.is_finished_by_the_next_send()


def test_a_worker_outlasts_a_database_that_is_away(
    issue: Issue, server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LOOK", 0.1)
    assembly = issue.assembly  # it does not reach its provider, and so begins, and sends nothing
    send_issue(assembly.engine, assembly.rules, assembly.post, WEEK, Run(clock=lambda: datetime.now(UTC), wait=False))
    assert issue.books == Accounting(audience=READERS, queued=READERS)
    hand, stop = assemble(), threading.Event()
    worker = threading.Thread(target=work.work, args=(hand, lambda: datetime.now(UTC), stop))
    away, back = threading.Event(), threading.Event()

    def fall() -> None:
        server.stop()
        away.set()
        back.wait(20)

    issue.at_first_batch = fall
    with capture_logs() as logs:
        worker.start()
        try:
            assert away.wait(20)
            wait_for(lambda: any(log["event"].startswith("could not go on") for log in logs))
            server.start()
            back.set()
            wait_for(lambda: copies(issue.sandbox).total() >= READERS and issue.state == "sent")
        finally:
            back.set()
            stop.set()
            worker.join(30)
            hand.close()
    assert not worker.is_alive()
    assert_everybody_has_it_once(issue.assembly, issue.sandbox, READERS)
    troubles = [log["reason"] for log in logs if log["event"].startswith("could not go on")]
    assert troubles
    assert all("\n" not in reason for reason in troubles)
    assert any(log["event"] == "goes on again" for log in logs)


def wait_for(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
