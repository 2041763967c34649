"""The clock's look at what must always be true: once a day, and after each issue."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text
from structlog.testing import capture_logs

import scheduler
from newsletter.assembly import Assembly, assemble
from tests.newsroom import TUESDAY
from tests.test_scheduler import approved, is_sent, ringing, wait_for

WRONG = "the database is not as it must be: stop sending until it is understood"


@pytest.fixture
def assembly(tmp_path: Path, new_database: Callable[[str], str]) -> Iterator[Assembly]:
    made = assemble(database_url=new_database("sqlite"), outbox_dir=str(tmp_path / "outbox"))
    yield made
    made.close()
    structlog.reset_defaults()


def damage(assembly: Assembly) -> None:
    """Somebody is on the list by half, which hinders no send."""
    half = (
        "INSERT INTO subscribers (email, address_key, status, since, muted) "
        "VALUES ('', 'half@example.com', 'pending', '2026-01-01 09:00:00', '[]')"
    )
    with assembly.engine.begin() as connection:
        connection.execute(text(half))


def test_where_all_holds_nothing_is_said(assembly: Assembly) -> None:
    approved(assembly)
    with capture_logs() as logs:
        scheduler.check(assembly, lambda: TUESDAY)
    assert logs == []


def test_what_is_wrong_is_an_error_a_line_each_without_an_address(assembly: Assembly) -> None:
    approved(assembly)
    damage(assembly)
    with capture_logs() as logs:
        scheduler.check(assembly, lambda: TUESDAY)
    assert [(log["event"], log["log_level"], log["wrong"]) for log in logs] == [
        (WRONG, "error", "subscriber 6: erased by half, or nameless and not erased")
    ]
    assert "@" not in str(logs)


def test_it_looks_when_it_starts_and_not_at_every_tick(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(assembly)
    damage(assembly)
    before = TUESDAY.replace(year=2025)
    with capture_logs() as logs, ringing(monkeypatch, lambda: before, assembly):
        wait_for(lambda: any(log["event"] == WRONG for log in logs))
        wait_for(lambda: any(log["event"] == "cleaned up" for log in logs))
    assert [log["event"] for log in logs].count(WRONG) == 1


def test_it_looks_right_after_an_issue_has_gone_out(assembly: Assembly) -> None:
    approved(assembly)
    damage(assembly)
    with capture_logs() as logs:
        scheduler.send(assembly, lambda: TUESDAY)
        scheduler.send(assembly, lambda: TUESDAY)  # nothing has gone out by this one
    assert is_sent(assembly)
    assert [log["event"] for log in logs] == ["sent", WRONG]
