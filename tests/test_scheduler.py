"""The clock: real alarms, real databases, and a time of day that the tests choose.

Whatever the alarms do (miss, double, come late, ring in two processes), each issue is drafted once and sent once.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
import structlog
from structlog.testing import capture_logs

import scheduler
from newsletter import outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.outbox import OutboxProvider
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.sandbox.server import Sandbox
from tests.forked import Forked
from tests.newsroom import IN_W47, MONDAY, TUESDAY, W47, approve, draft, issue_of, letters, publish, subscribe, titles

READERS = [f"reader{number}@example.com" for number in range(5)]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

Assemble = Callable[..., Assembly]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: Callable[[str], str]) -> Iterator[Assemble]:
    """Make a running newsletter; each call is another one on the same database, as another process would have it."""
    monkeypatch.chdir(tmp_path)
    url = new_database("sqlite")
    with ExitStack() as stack:

        def make(**settings: Any) -> Assembly:
            assembly = assemble(database_url=url, outbox_dir=str(tmp_path / "outbox"), **settings)
            stack.callback(assembly.close)
            return assembly

        yield make
    structlog.reset_defaults()


def at_sandbox(sandbox: Sandbox) -> dict[str, str]:
    return {
        "provider": "postmark",
        "postmark_api_url": sandbox.url,
        "postmark_server_token": sandbox.token,
        "postmark_stream": "broadcast",
    }


def tick(assembly: Assembly, moment: datetime) -> None:
    """What an alarm does, at a moment that does not pass."""
    scheduler.draft(assembly, lambda: moment)
    scheduler.send(assembly, lambda: moment)


def passing_from(moment: datetime) -> scheduler.Clock:
    """A clock that shows this moment now, and goes on from there."""
    begun = time.monotonic()
    return lambda: moment + timedelta(seconds=time.monotonic() - begun)


@contextmanager
def ringing(monkeypatch: pytest.MonkeyPatch, clock: scheduler.Clock, *assemblies: Assembly) -> Iterator[None]:
    """A real scheduler for each of the newsletters, looking twenty times a second."""
    monkeypatch.setattr(scheduler, "TICK", 0.05)
    running = [scheduler.start(assembly, clock) for assembly in assemblies]
    try:
        yield
    finally:
        for one in running:
            one.shutdown(wait=True)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def all_issues(assembly: Assembly) -> list[Issue]:
    with reading(assembly.engine) as session:
        return issues.every(session)


def is_sent(assembly: Assembly) -> bool:
    return [issue.state for issue in all_issues(assembly)] == ["sent"]


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages)


def books(assembly: Assembly) -> Accounting:
    with reading(assembly.engine) as session:
        return ledger.accounting(session, weekly.require(session, W47).letter_id)


def approved(assembly: Assembly, readers: list[str] = READERS) -> None:
    """The issue of W47, drafted and approved on Monday, for these readers."""
    publish(assembly.engine)
    subscribe(assembly.engine, readers)
    draft(assembly.engine, rules=assembly.rules)
    approve(assembly.engine, rules=assembly.rules)


def at_once(*jobs: Callable[[], object]) -> None:
    """Run these at the same time; raise what one of them raises."""
    gate = threading.Barrier(len(jobs))
    with ThreadPoolExecutor(len(jobs)) as threads:
        for run in [threads.submit(lambda job=job: (gate.wait(), job())) for job in jobs]:  # type: ignore[misc]
            run.result()


def test_two_alarms_at_one_moment_make_one_draft_and_one_send(opened: Assemble, sandbox: Sandbox) -> None:
    one, other = opened(**at_sandbox(sandbox)), opened(**at_sandbox(sandbox))
    publish(one.engine)
    subscribe(one.engine, READERS)

    at_once(lambda: scheduler.draft(one, lambda: MONDAY), lambda: scheduler.draft(other, lambda: MONDAY))

    assert [issue.week for issue in all_issues(one)] == ["2026-W47"]

    approve(one.engine, rules=one.rules)
    at_once(lambda: scheduler.send(one, lambda: TUESDAY), lambda: scheduler.send(other, lambda: TUESDAY))

    assert is_sent(one)
    assert copies(sandbox) == dict.fromkeys(READERS, 1)


def test_two_schedulers_run_side_by_side(opened: Assemble, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [f"reader{number}@example.com" for number in range(1_200)]
    one, other = (opened(**at_sandbox(sandbox), approval="automatic") for _ in range(2))
    publish(one.engine)
    subscribe(one.engine, readers)

    with ringing(monkeypatch, passing_from(TUESDAY - timedelta(seconds=0.3)), one, other):
        wait_for(lambda: is_sent(one))
        time.sleep(0.2)  # and some alarms more

    assert copies(sandbox) == dict.fromkeys(readers, 1)
    assert books(one) == Accounting(audience=len(readers), accepted=len(readers))


def test_two_processes_send_once_and_end_when_they_are_told_to(
    opened: Assemble, sandbox: Sandbox, tmp_path: Path
) -> None:
    assembly = opened(**at_sandbox(sandbox))
    approved(assembly)
    with writing(assembly.engine) as session:
        weekly.schedule(session, W47, datetime.now(UTC) - MINUTE, datetime.now(UTC) - 2 * MINUTE)
        session.commit()
    settings = {**at_sandbox(sandbox), "database_url": assembly.settings.database_url}
    environment = {**os.environ, **{f"NEWSLETTER_{name.upper()}": value for name, value in settings.items()}}
    processes = []
    with ExitStack() as stack:
        for _ in range(2):
            processes.append(Forked("scheduler", env=environment, cwd=tmp_path))
            stack.callback(processes[-1].kill)
        wait_for(lambda: is_sent(assembly), seconds=30)
        # The sign that a scheduler is up: its first round of jobs is done.
        wait_for(lambda: all("cleaned up" in process.said for process in processes), seconds=30)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(timeout=5) for process in processes]

    said = [process.said for process in processes]
    assert codes == [0, 0], said
    assert copies(sandbox) == dict.fromkeys(READERS, 1)
    assert all("ending: what is under way is written down first" in words for words in said), said
    assert "job failed" not in "".join(said), said


def test_a_restart_goes_on_where_the_last_one_ended(
    opened: Assemble, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(opened(**at_sandbox(sandbox)))
    for _ in range(3):
        assembly = opened(**at_sandbox(sandbox))
        with ringing(monkeypatch, lambda: TUESDAY, assembly):
            wait_for(lambda assembly=assembly: is_sent(assembly))  # type: ignore[misc]

    assert copies(sandbox) == dict.fromkeys(READERS, 1)


def test_what_a_dead_scheduler_left_under_way_is_finished(opened: Assemble, outbox: Path) -> None:
    assembly = opened(settle="1s")
    approved(assembly)
    with patch.object(OutboxProvider, "send", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        scheduler.send(assembly, lambda: TUESDAY)
    assert books(assembly) == Accounting(audience=5, sending=5)

    restarted = opened(settle="1s")

    def is_finished() -> bool:
        scheduler.send(restarted, lambda: TUESDAY + MINUTE)
        return books(restarted) == Accounting(audience=5, accepted=5)

    wait_for(is_finished)
    assert len(letters(outbox)) == 5


@pytest.mark.parametrize("late", [timedelta(0), 5 * HOUR, 6 * HOUR])
def test_a_machine_that_slept_sends_what_is_not_too_late(opened: Assemble, outbox: Path, late: timedelta) -> None:
    assembly = opened(max_lateness="6h")
    approved(assembly)
    tick(assembly, MONDAY)
    assert not letters(outbox)

    tick(assembly, TUESDAY + late)

    assert is_sent(assembly)
    assert len(letters(outbox)) == 5


def test_what_is_later_than_that_is_held_and_said(opened: Assemble, outbox: Path) -> None:
    assembly = opened(max_lateness="6h")
    approved(assembly)
    with capture_logs() as logs:
        tick(assembly, TUESDAY + 6 * HOUR + MINUTE)
        tick(assembly, TUESDAY + 7 * HOUR)

    issue = issue_of(assembly.engine)
    reason = "it was due on Tue 24 Nov 09:00 and is 6h01m late, more than 6h"
    assert (issue.state, issue.held_because) == ("held", reason)
    assert [reason in log["note"] for log in logs] == [True]  # said once, not at every alarm
    assert not letters(outbox)


def test_nothing_goes_out_before_its_time_or_without_approval(opened: Assemble, outbox: Path) -> None:
    assembly = opened()
    publish(assembly.engine)
    subscribe(assembly.engine, READERS)
    tick(assembly, MONDAY)
    tick(assembly, TUESDAY + HOUR)
    assert issue_of(assembly.engine).state == "draft"

    approve(assembly.engine, rules=assembly.rules)
    tick(assembly, TUESDAY - timedelta(microseconds=1))

    assert not letters(outbox)


@pytest.mark.parametrize(
    ("zone", "slot", "moment"),
    [
        # 02:30 does not exist: as late as the clock jumped.
        ("Europe/Berlin", "Sun 02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        ("America/New_York", "Sun 02:30", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        # It comes twice: the first one.
        ("Europe/Berlin", "Sun 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("America/New_York", "Sun 01:30", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
    ids=["Berlin, skipped", "New York, skipped", "Berlin, twice", "New York, twice"],
)
def test_a_slot_that_the_clocks_skip_or_repeat_is_one_send(
    opened: Assemble, outbox: Path, zone: str, slot: str, moment: datetime
) -> None:
    assembly = opened(timezone=zone, draft_at="Sun 00:10", send_at=slot, approval="automatic")
    publish(assembly.engine, at=moment - timedelta(days=8))
    subscribe(assembly.engine, READERS)
    sent_at: dict[int, datetime] = {}
    now = moment - 4 * HOUR
    while now < moment + 6 * HOUR:
        tick(assembly, now)
        tick(assembly, now)  # the alarm rings twice
        sent_at.setdefault(len(letters(outbox)), now)
        now += 10 * MINUTE

    assert {count: when for count, when in sent_at.items() if count} == {5: moment}
    assert is_sent(assembly)


def test_the_week_is_drafted_from_its_slot_on_and_only_once(opened: Assemble) -> None:
    assembly = opened()
    publish(assembly.engine)
    slot = MONDAY - HOUR  # Mon 07:00
    tick(assembly, slot - MINUTE)
    assert not all_issues(assembly)

    tick(assembly, slot)
    with writing(assembly.engine) as session:
        weekly.edit(session, W47, "An editor's own words", None)
        session.commit()
    publish(assembly.engine, "Late", "Page", IN_W47)
    for minutes in range(0, 25 * 60, 60):
        tick(assembly, slot + minutes * MINUTE)

    assert [issue.subject_line for issue in all_issues(assembly)] == ["An editor's own words"]
    assert titles(assembly.engine) == ["Haiku vs Codestral"]


def test_a_draft_that_was_slept_through_is_made_until_the_send_slot(opened: Assemble) -> None:
    assembly = opened()
    publish(assembly.engine)

    tick(assembly, TUESDAY)
    assert not all_issues(assembly)

    tick(assembly, TUESDAY - MINUTE)
    assert [issue.state for issue in all_issues(assembly)] == ["draft"]


def test_an_empty_week_makes_no_issue(opened: Assemble, outbox: Path) -> None:
    assembly = opened(approval="automatic")
    subscribe(assembly.engine, READERS)
    for hours in range(48):
        tick(assembly, MONDAY + hours * HOUR)

    assert not all_issues(assembly)
    assert not letters(outbox)


def test_with_automatic_approval_a_week_goes_out_by_itself(opened: Assemble, outbox: Path) -> None:
    assembly = opened(approval="automatic")
    publish(assembly.engine)
    subscribe(assembly.engine, READERS)
    for minutes in range(0, 27 * 60, 20):
        tick(assembly, MONDAY - HOUR + minutes * MINUTE)

    (issue,) = all_issues(assembly)
    assert (issue.state, issue.sent_at) == ("sent", TUESDAY)
    assert len(letters(outbox)) == 5


def test_a_job_that_fails_keeps_neither_itself_nor_the_others_from_ringing(
    opened: Assemble, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = opened()
    approved(assembly)
    really_send = outgoing.send_due
    tries: list[int] = []

    def fails_twice(*arguments: Any) -> list[outgoing.Outcome]:
        tries.append(1)
        if len(tries) <= 2:
            raise OSError("the disk is full")
        return really_send(*arguments)

    monkeypatch.setattr(weekly, "draft_due", Mock(side_effect=ZeroDivisionError("a defect")))
    monkeypatch.setattr(outgoing, "send_due", fails_twice)
    with capture_logs() as logs, ringing(monkeypatch, lambda: TUESDAY, assembly):
        wait_for(lambda: is_sent(assembly))

    assert len(letters(outbox)) == 5
    failed = Counter((log["job"], log["error"]) for log in logs if log["event"] == "job failed")
    assert failed["send", "OSError: the disk is full"] == 2
    assert failed["draft", "ZeroDivisionError: a defect"] >= 2


def test_the_letters_that_the_provider_stores_are_cleared_away_after_weeks(opened: Assemble, sandbox: Sandbox) -> None:
    assembly = opened(**at_sandbox(sandbox))
    approved(assembly)
    scheduler.send(assembly, lambda: TUESDAY)
    with capture_logs() as logs:
        for weeks in (5, 7):
            scheduler.clean_up(assembly, lambda weeks=weeks: datetime.now(UTC) + timedelta(weeks=weeks))  # type: ignore[misc]

    assert [log["removed"] for log in logs] == [0, 1]
