"""What the clock writes down of itself, and that it never costs a job anything."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

import scheduler
from newsletter import jobs
from newsletter.assembly import Assembly
from newsletter.chronicle import Did, Notes
from newsletter.db import reading, sqlite_file
from newsletter.editors import log as desk_log
from newsletter.jobs import Job
from tests.newsroom import MONDAY, TUESDAY, W47, approve, publish, subscribe
from tests.test_scheduler import Assemble, opened, ringing, wait_for

__all__ = ["opened"]

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def noted(engine: Engine) -> dict[str, Job]:
    with reading(engine) as session:
        return {job.name: job for job in jobs.every(session)}


def entries(engine: Engine) -> list[tuple[str, str | None, int | None]]:
    with reading(engine) as session:
        return [(entry.act, entry.week, entry.editor_id) for entry in desk_log.newest(session)]


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Somebody else holds SQLite's one write lock."""
    file = sqlite_file(engine)
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def a_job(job: Callable[..., list[Did]], assembly: Assembly, moment: datetime, seconds: float = 20) -> None:
    """What one alarm does."""
    scheduler._logged(job, seconds)(assembly, lambda: moment)


def test_the_page_of_health_sees_every_job_of_a_running_clock(
    opened: Assemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = opened()
    with ringing(monkeypatch, lambda: MONDAY, assembly):
        wait_for(lambda: len(noted(assembly.engine)) == 9)

    found = noted(assembly.engine)
    assert {job.ran_at for job in found.values()} == {MONDAY}
    assert (found["label"].every, found["check"].every) == (scheduler.SOON, scheduler.DAY)
    assert found["check"].did == "looked at everything, and all is well"
    assert not any(job.error for job in found.values())


def test_what_the_clock_drafts_and_sends_stands_in_the_desks_log(opened: Assemble) -> None:
    assembly = opened()
    publish(assembly.engine)
    subscribe(assembly.engine, ["ada@example.com"])
    a_job(scheduler.draft, assembly, MONDAY)
    a_job(scheduler.draft, assembly, MONDAY + MINUTE)  # it is there already
    approve(assembly.engine, rules=assembly.rules)
    a_job(scheduler.send, assembly, TUESDAY)

    assert entries(assembly.engine) == [("sent the issue", str(W47), None), ("drafted the issue", str(W47), None)]
    assert noted(assembly.engine)["send"].did == "sent the issue 2026-W47"


def test_an_issue_that_is_held_is_told_once(opened: Assemble) -> None:
    assembly = opened(max_lateness="6h")
    publish(assembly.engine)
    subscribe(assembly.engine, ["ada@example.com"])
    a_job(scheduler.draft, assembly, MONDAY)
    approve(assembly.engine, rules=assembly.rules)
    for hours in (7, 8):
        a_job(scheduler.send, assembly, TUESDAY + timedelta(hours=hours))

    assert entries(assembly.engine)[0] == ("held the issue", str(W47), None)
    assert len(entries(assembly.engine)) == 2


def test_a_job_with_nothing_to_do_is_noted_once_a_minute(engine: Engine) -> None:
    notes = Notes("draft", 20)
    seen = []
    for seconds in (0, 20, 40, 60, 80):
        notes.ran(engine, MONDAY + seconds * SECOND, [])
        seen.append((noted(engine)["draft"].ran_at - MONDAY).seconds)

    assert seen == [0, 0, 0, 60, 60]


def test_what_it_did_stays_until_it_does_something_else(engine: Engine) -> None:
    notes = Notes("label", 300)
    notes.ran(engine, MONDAY, [Did("12 copies judged")])
    notes.ran(engine, MONDAY + 5 * MINUTE, [])

    job = noted(engine)["label"]
    assert (job.did, job.did_at, job.ran_at) == ("12 copies judged", MONDAY, MONDAY + 5 * MINUTE)
    assert not job.is_silent(MONDAY + 19 * MINUTE)
    assert job.is_silent(MONDAY + 21 * MINUTE)


def test_a_trouble_stays_until_the_job_runs_well_and_names_nobody(engine: Engine) -> None:
    notes = Notes("carry", 20)
    notes.failed(engine, MONDAY, "OSError: no room for ada@example.com")
    assert noted(engine)["carry"].error == "OSError: no room for (the address)"
    assert noted(engine)["carry"].failed_at == MONDAY

    notes.ran(engine, MONDAY + 20 * SECOND, [])  # at once, not after a minute
    assert (noted(engine)["carry"].error, noted(engine)["carry"].failed_at) == (None, None)


def test_a_locked_database_fails_no_job_and_what_concerns_an_issue_is_told_later(sqlite_engine: Engine) -> None:
    notes = Notes("send", 20)
    with locked(sqlite_engine), capture_logs() as logs:
        notes.ran(sqlite_engine, TUESDAY, [Did("sent the issue", str(W47)), Did("2 letters carried")])
        notes.failed(sqlite_engine, TUESDAY, "OSError: the disk is full")
    assert [log["event"] for log in logs] == ["could not write down that a job has run"] * 2
    assert not noted(sqlite_engine)

    notes.ran(sqlite_engine, TUESDAY + 20 * SECOND, [])
    assert entries(sqlite_engine) == [("sent the issue", str(W47), None)]
    notes.ran(sqlite_engine, TUESDAY + 2 * MINUTE, [])
    assert len(entries(sqlite_engine)) == 1


def test_a_note_waits_half_a_second_for_another_writer_and_leaves_others_their_patience(sqlite_engine: Engine) -> None:
    notes = Notes("draft", 20)
    ended = threading.Event()

    def write() -> None:
        notes.ran(sqlite_engine, MONDAY, [])
        ended.set()

    with locked(sqlite_engine):
        thread = threading.Thread(target=write)
        thread.start()
        assert ended.wait(10)  # the others wait for 30 seconds
        thread.join()
    with sqlite_engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 30_000


def test_a_database_that_is_away_fails_no_job(sqlite_engine: Engine) -> None:
    file = sqlite_file(sqlite_engine)
    assert file is not None
    sqlite_engine.dispose()
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    with capture_logs() as logs:
        Notes("draft", 20).ran(sqlite_engine, MONDAY, [])
    assert [log["event"] for log in logs] == ["could not write down that a job has run"]
