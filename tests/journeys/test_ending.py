"""A sender is told to end while it sends: what is under way is written down, nothing new begun, the next one goes on.

Real processes, real signals, a real database, real HTTP to the sandbox over a line that waits where a test wants it to.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests

from newsletter import weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.outgoing import Run, send_issue
from newsletter.sandbox.server import Sandbox
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from tests.delivery.faulty_line import ARRIVED, FaultyLine
from tests.forked import Forked
from tests.journeys.test_kill import ROOT, WEEK, approved_issue, assert_everybody_has_it_once, copies, settings

READERS = 600
BATCH = 25
MOST_UNDER_WAY = 4 * BATCH
SEND = ("issues", "send", str(WEEK))
ENDINGS = {
    "send": (SEND, 1),
    "cron": (("issues", "send", "--due"), 1),
    "worker": (("worker",), 0),
    "clock": (("clock",), 0),
}
"""Command, and the exit status that it ends with when it was told to and there is work left."""


class Gate:
    """Where POSTs of messages wait, from the first one on, until the test lets them through."""

    def __init__(self) -> None:
        self.arrived, self.opened = threading.Event(), threading.Event()

    def watch(self, path: str, moment: str) -> None:
        if path.startswith("/email/batch") and moment == ARRIVED:
            self.arrived.set()
            self.opened.wait(60)


@contextmanager
def told(
    assembly: Assembly, line: FaultyLine, *command: str, grace: float = 25, settle: str = "1s"
) -> Iterator[Forked]:
    """A program at work, killed at the end of the block if it is still there."""
    given = settings(assembly.settings.database_url, line.url) | {"settle": settle}
    environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
    process = Forked("tests.journeys.ended", str(BATCH), str(grace), *command, env=environment, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def due_issue(database_url: str) -> Assembly:
    """An issue that goes out just now."""
    assembly = approved_issue(database_url, READERS)
    with writing(assembly.engine) as session:
        issue = weekly.require(session, WEEK)
        issue.send_at = datetime.now(UTC) - timedelta(minutes=1)
        session.add(issue)
        session.commit()
    return assembly


def drawn_up(assembly: Assembly) -> None:
    """The issue goes out, but its provider cannot be reached: that is where a worker goes on."""
    run = Run(clock=lambda: datetime.now(UTC), wait=False)
    send_issue(assembly.engine, assembly.rules, assembly.post, WEEK, run)
    assert books(assembly) == Accounting(audience=READERS, queued=READERS)


def books(assembly: Assembly) -> Accounting:
    with reading(assembly.engine) as session:
        return ledger.accounting(session, weekly.require(session, WEEK).letter_id)


def finish(assembly: Assembly, line: FaultyLine, sandbox: Sandbox) -> None:
    with told(assembly, line, *SEND) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert_everybody_has_it_once(assembly, sandbox, READERS)


@pytest.mark.parametrize(
    ("kind", "name"), [*(("sqlite", name) for name in ENDINGS), ("postgresql", "send"), ("postgresql", "worker")]
)
def test_whoever_is_told_to_end_writes_down_what_is_under_way_and_begins_nothing_new(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str, name: str
) -> None:
    command, status = ENDINGS[name]
    gate = Gate()
    with (
        closing(due_issue(new_database(kind))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
    ):
        if name == "worker":
            drawn_up(assembly)
        with told(assembly, line, *command) as process:
            assert gate.arrived.wait(30)
            time.sleep(0.2)  # for the other threads to have claimed theirs
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None  # it waits for the answers
            gate.opened.set()
            output, _ = process.communicate(timeout=10)
        assert process.returncode == status, output
        assert "ending: what is under way is written down first" in output
        assert "Traceback" not in output

        taken = sum(copies(sandbox).values())
        assert 0 < taken <= MOST_UNDER_WAY
        assert books(assembly) == Accounting(audience=READERS, accepted=taken, queued=READERS - taken)
        finish(assembly, line, sandbox)


@pytest.mark.parametrize("name", ENDINGS)
def test_a_provider_that_says_nothing_keeps_nobody_from_ending(
    new_database: Callable[[str], str], sandbox: Sandbox, name: str
) -> None:
    command, status = ENDINGS[name]
    gate = Gate()
    with (
        closing(due_issue(new_database("sqlite"))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
    ):
        if name == "worker":
            drawn_up(assembly)
        with told(assembly, line, *command, grace=0.5) as process:
            assert gate.arrived.wait(30)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=10)
        assert process.returncode == status, output
        assert "Traceback" not in output
        left = books(assembly)
        assert 0 < left.sending <= MOST_UNDER_WAY
        assert left.adds_up

        gate.opened.set()  # and only now does the provider take them
        finish(assembly, line, sandbox)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(
    new_database: Callable[[str], str], sandbox: Sandbox, number: int, status: int
) -> None:
    gate = Gate()
    with (
        closing(due_issue(new_database("sqlite"))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
    ):
        with told(assembly, line, *SEND) as process:
            assert gate.arrived.wait(30)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            begun = time.monotonic()
            process.send_signal(number)
            process.communicate(timeout=10)
        assert process.returncode == status
        assert time.monotonic() - begun < 5
        gate.opened.set()
        finish(assembly, line, sandbox)


def test_ctrl_c_is_heeded_like_sigterm(new_database: Callable[[str], str], sandbox: Sandbox) -> None:
    gate = Gate()
    with (
        closing(due_issue(new_database("sqlite"))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
    ):
        with told(assembly, line, *SEND) as process:
            assert gate.arrived.wait(30)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            gate.opened.set()
            output, _ = process.communicate(timeout=10)
        assert process.returncode == 1
        assert f"{WEEK} stopped: it was asked to end; `newsletter issues send {WEEK}` goes on from here" in output
        finish(assembly, line, sandbox)


def test_a_send_that_waits_for_doubts_to_settle_ends_at_once(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    gate = Gate()
    with (
        closing(due_issue(new_database("sqlite"))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
    ):
        with told(assembly, line, *SEND) as process:
            assert gate.arrived.wait(30)
            process.kill()
        # The batches of the dead one have not arrived; the next one asks, and waits for the settle time.
        with FaultyLine(sandbox.url) as other, told(assembly, other, *SEND, settle="10m") as process:
            deadline = time.monotonic() + 30
            while books(assembly).accepted < READERS - MOST_UNDER_WAY:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=5)
        assert process.returncode == 1, output
        assert 0 < books(assembly).in_doubt <= MOST_UNDER_WAY
        gate.opened.set()
        finish(assembly, line, sandbox)


def test_the_pages_end_when_the_letter_under_way_is_written_down(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    gate = Gate()
    now = datetime.now(UTC)
    with (
        closing(due_issue(new_database("sqlite"))) as assembly,
        FaultyLine(sandbox.url, watch=gate.watch) as line,
        closing(socket.create_server(("127.0.0.1", 0))) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        with writing(assembly.engine) as session:
            signup.ask(session, parse_address("ana@example.com"), Words("1", "Yes."), Whence(), "form", now)
            session.commit()
        with told(assembly, line, "serve", "--port", str(port)) as process:
            assert gate.arrived.wait(30)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None
            gate.opened.set()
            process.communicate(timeout=10)
        assert process.returncode == -signal.SIGTERM
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
        assert [message.tag for message in sandbox.messages] == ["confirm"]
        with reading(assembly.engine) as session:
            assert ledger.accounting(session, 1) == Accounting(audience=1, accepted=1)
