"""The clock's other jobs: letters to one person, and what has had its time."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

import scheduler
from newsletter import welcome
from newsletter.assembly import Assembly, assemble
from newsletter.db import reading, writing
from newsletter.sandbox.server import Sandbox
from subscribers import signup, subscriber
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from tests.newsroom import MONDAY, letters
from tests.test_scheduler import READERS, at_sandbox, ringing, wait_for


@pytest.fixture
def opened(tmp_path: Path, new_database: Callable[[str], str]) -> Iterator[Callable[..., Assembly]]:
    """Make a running newsletter; each call is another one on the same database."""
    url = new_database("sqlite")
    with ExitStack() as stack:

        def make(**settings: Any) -> Assembly:
            assembly = assemble(database_url=url, outbox_dir=str(tmp_path / "outbox"), **settings)
            stack.callback(assembly.close)
            return assembly

        yield make
    structlog.reset_defaults()


def signed_up(assembly: Assembly, *emails: str) -> None:
    with writing(assembly.engine) as session:
        for email in emails:
            assert signup.ask(session, parse_address(email), Words("1", "Yes."), Whence(), "form", MONDAY)
        session.commit()


def test_letters_to_one_person_are_carried_whoever_left_them(opened: Callable[..., Assembly], tmp_path: Path) -> None:
    assembly = opened()
    signed_up(assembly, "ana@example.com", "bo@example.com")
    with capture_logs() as logs:
        for _ in range(3):
            scheduler.carry(assembly, lambda: MONDAY)

    assert len(letters(tmp_path)) == 2
    assert [(log["event"], log["sign_ups"], log["letters"]) for log in logs] == [("carried", 2, 1)]


def test_two_schedulers_carry_each_letter_once(
    opened: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox() as sandbox:
        assemblies = [opened(**at_sandbox(sandbox)) for _ in range(2)]
        with ringing(monkeypatch, lambda: MONDAY, *assemblies):
            for number, email in enumerate(READERS):
                signed_up(assemblies[0], email)
                wait_for(lambda number=number: len(sandbox.messages) > number)  # type: ignore[misc]

        assert Counter(message.recipients[0] for message in sandbox.messages) == dict.fromkeys(READERS, 1)


def test_what_has_had_its_time_is_cleared_away(opened: Callable[..., Assembly]) -> None:
    assembly = opened()
    signed_up(assembly, "never@example.com")
    scheduler.carry(assembly, lambda: MONDAY)
    with capture_logs() as logs:
        for days in (29, 30, 31):
            scheduler.clean_up(assembly, lambda days=days: MONDAY + timedelta(days=days, seconds=1))  # type: ignore[misc]

    assert [log["forgotten"] for log in logs] == [0, 1, 0]
    with reading(assembly.engine) as session:
        assert subscriber.find(session, parse_address("never@example.com")) is None


def test_a_file_that_could_not_be_tidied_is_in_the_log(
    opened: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.PATIENCE", 50)
    assembly, other = opened(), opened()
    with capture_logs() as logs:
        with reading(other.engine) as session:
            assert subscriber.find(session, parse_address("ana@example.com")) is None
            signed_up(assembly, "ana@example.com")  # behind what the reader sees, so that the log cannot be emptied
            scheduler.clean_up(assembly, lambda: MONDAY)
        scheduler.clean_up(assembly, lambda: MONDAY)

    assert [(log["log_level"], log.get("clean")) for log in logs] == [
        ("info", False),
        ("warning", None),
        ("info", True),
    ]
    assert "may hold old bytes" in logs[1]["event"]


def test_no_log_of_a_failed_job_says_what_the_database_was_asked(
    opened: Callable[..., Assembly], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = IntegrityError("INSERT …", {"email": "ana@example.com"}, ValueError("unique\nDETAIL: ana@example.com"))
    monkeypatch.setattr(welcome, "carry", Mock(side_effect=error))
    assembly = opened()
    with capture_logs() as logs, ringing(monkeypatch, lambda: MONDAY, assembly):
        wait_for(lambda: any(log.get("job") == "carry" for log in logs))

    assert "ana@example.com" not in str(logs)
