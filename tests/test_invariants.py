from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import outgoing
from newsletter.db import reading, writing
from newsletter.invariants import INVARIANTS, violations
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, post, publish, subscribe


@pytest.fixture
def sent(engine: Engine, tmp_path: Path) -> Engine:
    """A database with one issue that was sent to three readers."""
    publish(engine)
    publish(engine, "Second")
    draft(engine)
    approve(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(3)])
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, at(TUESDAY))
    return engine


def run(session: Session, *statements: str) -> None:
    for statement in statements:
        session.connection().exec_driver_sql(statement)


BREAKS = {
    "_accounting_adds_up": (
        "UPDATE letters SET audience = 4",
        "letter 1 (2026-W47): the audience is 4, but its rows make",
    ),
    "_frozen_letters_are_whole": (
        "UPDATE letters SET text = text || '.'",
        "letter 1 (2026-W47): its content no longer has its digest",
    ),
    "_what_was_approved_is_what_goes_out": ("UPDATE issues SET digest = 'another'", "issue 2026-W47: approved another"),
    "_sending_issues_have_letters": (
        "UPDATE issues SET state = 'draft'",
        "issue 2026-W47 is draft, but its letter is 1",
    ),
    "_sent_issues_are_settled": (
        "UPDATE deliveries SET state = 'queued', message_id = NULL WHERE subscriber_id = 2",
        "issue 2026-W47 is sent, but 1 readers are not settled",
    ),
    "_issues_have_comparisons": ("DELETE FROM issue_comparisons", "issue 2026-W47 has no comparisons"),
    "_message_ids_are_unique": ("UPDATE deliveries SET message_id = 'one'", "message one stands in 3 rows"),
}


def test_all_holds_after_a_send(sent: Engine) -> None:
    with reading(sent) as session:
        assert violations(session) == []


def test_all_holds_of_an_empty_database_and_of_a_draft(engine: Engine) -> None:
    with reading(engine) as session:
        assert violations(session) == []
    publish(engine)
    draft(engine)
    with reading(engine) as session:
        assert violations(session) == []


def test_every_invariant_is_broken_by_a_test() -> None:
    assert set(BREAKS) == {invariant.__name__ for invariant in INVARIANTS}
    assert all(invariant.__doc__ for invariant in INVARIANTS)


def test_each_break_is_named_and_nothing_else_is(sent: Engine) -> None:
    for statement, said in BREAKS.values():
        with writing(sent) as session:  # and never committed
            run(session, statement)
            (line,) = violations(session)
            assert line.startswith(said)
            assert "\n" not in line


def test_a_sent_issue_without_its_letter_is_named(sent: Engine) -> None:
    with writing(sent) as session:
        run(session, "UPDATE issues SET letter_id = NULL")
        assert violations(session) == ["issue 2026-W47 is sent, but its letter is None"]


def test_a_reader_who_was_lost_from_the_ledger_is_noticed(sent: Engine) -> None:
    with writing(sent) as session:
        run(session, "DELETE FROM deliveries WHERE subscriber_id = 3")
        (line,) = violations(session)
        assert line.startswith("letter 1 (2026-W47): the audience is 3")


def test_everything_that_is_wrong_is_said(sent: Engine) -> None:
    with writing(sent) as session:
        run(session, *(statement for statement, _ in BREAKS.values()))
        assert len(violations(session)) == len(BREAKS) - 1  # a draft need not be settled
