"""The clock and what came back: what was left undone is done, what was lost is asked for, and troubles are said."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlmodel import Session, col, select
from structlog.testing import capture_logs

import scheduler
from newsletter.assembly import Assembly, assemble
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.sandbox.server import Sandbox
from newsletter.tracking import keeping
from newsletter.tracking.bounces import alarms
from newsletter.tracking.event import COMPLAINED, DELIVERED
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent
from subscribers import suppression
from subscribers.address import parse_address
from tests.newsroom import TUESDAY, W47
from tests.test_scheduler import READERS, approved, at_sandbox, ringing, wait_for

LATER = TUESDAY + timedelta(hours=2)


@pytest.fixture
def opened(tmp_path: Path, new_database: Callable[[str], str]) -> Iterator[Callable[..., Assembly]]:
    """Make a running newsletter."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Assembly:
            url = new_database("sqlite")
            assembly = assemble(database_url=url, outbox_dir=str(tmp_path / "outbox"), **settings)
            stack.callback(assembly.close)
            return assembly

        yield make
    structlog.reset_defaults()


def sent(assembly: Assembly) -> int:
    """The issue of W47 has gone out to `READERS`; the id of its letter."""
    approved(assembly)
    scheduler.send(assembly, lambda: TUESDAY)
    with reading(assembly.engine) as session:
        issue = issues.find(session, W47)
        assert issue is not None
        assert issue.letter_id is not None
        return issue.letter_id


def event(session: Session, number: int, kind: str, **fields: Any) -> None:
    told = {"source": "webhook", "record_type": "Bounce", "at": TUESDAY, "received_at": TUESDAY, **fields}
    session.add(StoredEvent(key=f"{kind} {number} {fields}", kind=kind, subscriber_id=number, **told))


def test_what_somebody_who_died_left_undone_is_done_at_a_tick(
    opened: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly = opened()
    sent(assembly)
    address = parse_address(READERS[0])
    told = {"RecordType": "Bounce", "Type": "HardBounce", "ID": 1, "BouncedAt": "2026-11-24T09:00:00Z"}
    said = translate(json.dumps({**told, "Email": READERS[0]}).encode(), None, "http://127.0.0.1:8000")
    with writing(assembly.engine) as session:
        assert [one.pending for one in keeping.keep(session, [said], TUESDAY)] == [True]
        session.commit()  # and here it died
    with capture_logs() as logs, ringing(monkeypatch, lambda: TUESDAY, assembly):
        wait_for(lambda: any(log["event"] == "finished what events say" for log in logs))
    with reading(assembly.engine) as session:
        suppressed = suppression.in_force(session, address)
        assert suppressed is not None
        assert suppressed.reason == suppression.HARD_BOUNCE
        assert session.exec(select(StoredEvent.pending)).all() == [False]
    assert "@" not in str(logs)


def test_openings_and_clicks_are_judged(opened: Callable[..., Assembly]) -> None:
    assembly = opened()
    letter = sent(assembly)
    with writing(assembly.engine) as session:
        for link in ("a", "b", "c", "d"):
            event(session, 1, "clicked", letter_id=letter, link=link, agent="A/1")
        session.commit()
    with capture_logs() as logs:
        for _ in range(2):
            scheduler.label(assembly, lambda: TUESDAY)
    assert [(log["event"], log["copies"]) for log in logs] == [("judged openings and clicks", 1)]
    with reading(assembly.engine) as session:
        assert set(session.exec(select(StoredEvent.machine))) == {"burst"}


def test_what_was_never_told_is_asked_for(opened: Callable[..., Assembly], sandbox: Sandbox) -> None:
    assembly = opened(**at_sandbox(sandbox))
    sent(assembly)
    with capture_logs() as logs:
        scheduler.ask_back(assembly, lambda: LATER)
    (log,) = logs
    assert (log["event"], log["new"]) == ("asked the provider what came back", {DELIVERED: len(READERS)})
    with reading(assembly.engine) as session:
        told = session.exec(select(StoredEvent.kind).where(col(StoredEvent.letter_id).is_not(None))).all()
    assert told == [DELIVERED] * len(READERS)


def test_a_provider_that_keeps_no_history_is_not_spoken_of(opened: Callable[..., Assembly]) -> None:
    with capture_logs() as logs:
        scheduler.ask_back(opened(), lambda: LATER)
    assert logs == []


def test_our_own_trouble_and_complaints_are_errors_that_say_what_to_do(opened: Callable[..., Assembly]) -> None:
    assembly = opened()
    letter = sent(assembly)
    with writing(assembly.engine) as session:
        for number in range(1, 6):
            event(session, number, DELIVERED, letter_id=letter)
        event(session, 1, COMPLAINED, letter_id=letter)
        for number in (2, 3):
            event(session, number, "bounced_soft", letter_id=letter, detail="DMARCPolicy")
        session.commit()
    with capture_logs() as logs:
        scheduler.check(assembly, lambda: LATER)
    assert [log["log_level"] for log in logs] == ["error", "error"]
    dmarc, complaints = logs
    assert (dmarc["type"], dmarc["events"], dmarc["do"]) == ("DMARCPolicy", 2, alarms()["DMARCPolicy"])
    assert "1 of 5 readers (20.00 %)" in complaints["said"]
    assert "never 0.30 %" in complaints["said"]
    with capture_logs() as logs:
        scheduler.check(assembly, lambda: LATER + timedelta(days=30))
    assert [log["event"] for log in logs] == [complaints["event"]], "a trouble that is over is said no more"
