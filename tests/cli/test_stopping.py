"""An editor stops an issue that another process is just sending over a slow line: real processes, real HTTP."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter import approving, weekly
from newsletter.assembly import assemble
from newsletter.comparisons.importers import import_paths
from newsletter.db import writing
from newsletter.issues.week import Week
from newsletter.sandbox.server import Sandbox
from tests.cli.conftest import Newsletter
from tests.delivery.faulty_line import FaultyLine
from tests.delivery.readers import add_readers
from tests.forked import Forked

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "newsletter" / "sample" / "comparisons.jsonl"
WEEK = "2026-W47"
READERS = 90
BATCH = 3
SLOW = 0.25  # seconds that a batch is at most held up, on its way and on the way back

Start = Callable[[], Forked]


@pytest.fixture
def slow_line(sandbox: Sandbox) -> Iterator[FaultyLine]:
    with FaultyLine(sandbox.url, delay=SLOW) as line:
        yield line


@pytest.fixture
def approved(
    bare_newsletter: Newsletter, database_url: str, slow_line: FaultyLine, monkeypatch: pytest.MonkeyPatch
) -> Newsletter:
    """An approved issue to 90 readers, to be sent over the slow line."""
    given = {
        "DATABASE_URL": database_url,
        "PROVIDER": "postmark",
        "POSTMARK_API_URL": slow_line.url,
        "POSTMARK_SERVER_TOKEN": "sandbox-token",
        "PROVIDER_TIMEOUT": "10s",
        "SETTLE": "1s",
        "MAX_LATENESS": "99999d",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    now = datetime.now(UTC)
    with closing(assemble()) as assembly:
        add_readers(assembly.engine, READERS)
        with writing(assembly.engine) as session:
            assert not import_paths(session, [SAMPLE], None, now).bad
            weekly.draft(session, assembly.rules, Week.parse(WEEK), now)
            approving.approve(session, assembly.rules, Week.parse(WEEK), now)
            session.commit()
    return bare_newsletter


@pytest.fixture
def start_sender() -> Iterator[Start]:
    """Start a process that sends the issue, in small batches."""
    started: list[Forked] = []

    def start() -> Forked:
        process = Forked("tests.journeys.sender", WEEK, str(BATCH), env=os.environ, cwd=ROOT)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def wait_for_messages(sandbox: Sandbox, least: int, sender: Forked) -> None:
    deadline = time.monotonic() + 30
    while len(sandbox.messages) < least:
        assert sender.poll() is None, sender.communicate(timeout=0)
        assert time.monotonic() < deadline
        time.sleep(0.01)


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages)


def everybody_once() -> Counter[str]:
    return Counter(f"reader{number}@example.com" for number in range(READERS))


def taken_and_no_more(sandbox: Sandbox) -> int:
    """How many messages the sandbox has; none comes in the time that any batch could be on its way."""
    taken = len(sandbox.messages)
    time.sleep(2 * SLOW)
    assert len(sandbox.messages) == taken
    return taken


def status(newsletter: Newsletter) -> dict[str, Any]:
    document: dict[str, Any] = newsletter("issues", "status", WEEK, "--json").document
    states = ("queued", "sending", "accepted", "refused", "suppressed", "left", "in_doubt")
    assert document["audience"] == sum(document[name] for name in states) == READERS
    return document


def test_once_pause_has_returned_nothing_more_arrives_and_resume_sends_the_rest(
    approved: Newsletter, start_sender: Start, sandbox: Sandbox
) -> None:
    sender = start_sender()
    wait_for_messages(sandbox, BATCH, sender)
    began = time.monotonic()
    paused = approved("issues", "pause", WEEK)
    assert time.monotonic() - began < 5
    taken = taken_and_no_more(sandbox)
    assert paused.status == 0
    assert f"nothing more of it goes out until `newsletter issues resume {WEEK}`" in paused.out
    document = status(approved)
    assert (document["state"], document["accepted"], document["queued"]) == ("paused", taken, READERS - taken)
    assert 0 < taken < READERS
    said, _ = sender.communicate(timeout=30)
    assert "state='paused'" in said

    assert approved("issues", "pause", WEEK).ok() == paused.out
    assert f"is paused; `issues resume {WEEK}` lets it go on" in approved("issues", "send", WEEK).refused()
    assert approved("issues", "send", "--due").ok() == "nothing is due\n"
    assert taken_and_no_more(sandbox) == taken

    resumed = approved("issues", "resume", WEEK)
    assert (resumed.status, resumed.out.splitlines()[-1][:15]) == (0, f"{WEEK} (sent)")
    assert copies(sandbox) == everybody_once()
    assert status(approved)["accepted"] == READERS
    assert approved("db", "check").ok() == "every invariant holds\n"
    assert approved("issues", "resume", WEEK).ok() == f"{WEEK} (sent): it has been sent; nothing to do\n"


def test_once_cancel_has_returned_nothing_more_ever_arrives(
    approved: Newsletter, start_sender: Start, sandbox: Sandbox
) -> None:
    sender = start_sender()
    wait_for_messages(sandbox, BATCH, sender)
    cancelled = approved("issues", "cancel", WEEK)
    taken = taken_and_no_more(sandbox)
    assert cancelled.status == 0
    assert cancelled.out.splitlines()[-1] == f"{taken} readers have it, {READERS - taken} never will"
    document = status(approved)
    assert (document["state"], document["accepted"], document["decisions"]) == ("cancelled", taken, [])
    said, _ = sender.communicate(timeout=30)
    assert "state='cancelled'" in said

    assert approved("issues", "cancel", WEEK).ok() == cancelled.out
    for command in ("send", "resume", "pause", "retry"):
        assert "cancelled" in (said := approved("issues", command, WEEK).refused()) or "called off" in said
    assert approved("issues", "send", "--due").ok() == "nothing is due\n"
    assert taken_and_no_more(sandbox) == taken
    assert set(copies(sandbox).values()) == {1}
    assert approved("db", "check").ok() == "every invariant holds\n"


def test_pausing_what_a_dead_sender_has_left_waits_for_nobody(
    approved: Newsletter, start_sender: Start, sandbox: Sandbox
) -> None:
    sender = start_sender()
    wait_for_messages(sandbox, BATCH, sender)
    sender.kill()
    sender.wait(timeout=30)
    began = time.monotonic()
    approved("issues", "pause", WEEK).ok()
    assert time.monotonic() - began < 5
    document = status(approved)
    assert (document["state"], document["sending"]) == ("paused", 0)
    assert document["in_doubt"] > 0  # they were under way when it died
    assert approved("issues", "resume", WEEK).status == 0
    assert copies(sandbox) == everybody_once()
