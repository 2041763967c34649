from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import farewell, outgoing
from newsletter.db import reading, writing
from newsletter.invariants import INVARIANTS, violations
from subscribers import consent
from subscribers.subscriber import SUPPRESSED, Subscriber
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, post, publish, subscribe


@pytest.fixture
def sent(engine: Engine, tmp_path: Path) -> Engine:
    """A database with one issue that was sent to three readers; the fourth was erased, the fifth is suppressed."""
    publish(engine)
    publish(engine, "Second")
    draft(engine)
    approve(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(3)])
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, at(TUESDAY))
    subscribe(engine, ["gone@example.com"])
    subscribe(engine, ["complainer@example.com"], SUPPRESSED)
    with writing(engine) as session:
        consent.note(session, 4, consent.CONFIRMED, "a form", TUESDAY)
        session.flush()
        farewell.forget(session, session.get_one(Subscriber, 4), TUESDAY)
        session.commit()
    return engine


BREAKS = [
    ("_accounting_adds_up", "UPDATE letters SET audience = 4", "letter 1 (2026-W47): the audience is 4, but its rows"),
    (
        "_accounting_adds_up",
        "DELETE FROM deliveries WHERE subscriber_id = 3",
        "letter 1 (2026-W47): the audience is 3, but its rows",
    ),
    (
        "_frozen_letters_are_whole",
        "UPDATE letters SET text = text || '.'",
        "letter 1 (2026-W47): its content no longer has its digest",
    ),
    ("_what_was_approved_is_what_goes_out", "UPDATE issues SET digest = 'another'", "issue 2026-W47: approved another"),
    (
        "_sending_issues_have_letters",
        "UPDATE issues SET state = 'draft'",
        "issue 2026-W47 is draft, but its letter is 1",
    ),
    (
        "_sending_issues_have_letters",
        "UPDATE issues SET letter_id = NULL",
        "issue 2026-W47 is sent, but its letter is None",
    ),
    (
        "_sent_issues_are_settled",
        "UPDATE deliveries SET state = 'queued', message_id = NULL WHERE subscriber_id = 2",
        "issue 2026-W47 is sent, but 1 readers are not settled",
    ),
    ("_issues_have_comparisons", "DELETE FROM issue_comparisons", "issue 2026-W47 has no comparisons"),
    (
        "_variants_are_whole",
        "INSERT INTO letter_variants (letter_id, number, without, subject, preheader, html, text, digest)"
        " VALUES (1, 1, '[]', 's', 'p', 'h', 't', 'another')",
        "letter 1, variant 1: its content no longer has its digest another",
    ),
    (
        "_every_copy_is_of_a_variant_that_there_is",
        "UPDATE deliveries SET variant = 7 WHERE subscriber_id < 3",
        "letter 1: 2 readers are to have variant 7, which there is not",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE subscribers SET email = '' WHERE id = 2",
        "subscriber 2: erased by half, or nameless and not erased",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE subscribers SET muted = '[\"Code\"]' WHERE id = 4",
        "subscriber 4: erased by half, or nameless and not erased",
    ),
    (
        "_the_erased_hold_nothing",
        "UPDATE consents SET source = 'a file'",
        "consent 1: still says something of somebody who was erased",
    ),
    (
        "_the_erased_hold_nothing",
        "INSERT INTO address_changes (subscriber_id, email, address_key, asked_at)"
        " VALUES (4, 'a', 'a', '2026-11-24 09:00:00.000000')",
        "address change 1: is of somebody who was erased",
    ),
    (
        "_no_erased_address_is_left",
        "UPDATE issues SET held_because = 'ask mailto:Gone@Example.com first'",
        "issues 1, held_because: holds an address that was erased",
    ),
    (
        "_suppressions_hold",
        "UPDATE subscribers SET status = 'suppressed' WHERE id = 2",
        "subscriber 2: is suppressed, but the address is not among the suppressions",
    ),
    (
        "_suppressions_hold",
        "UPDATE subscribers SET status = 'paused' WHERE id = 5",
        "subscriber 5: is paused, but the address is among the suppressions",
    ),
    ("_message_ids_are_unique", "UPDATE deliveries SET message_id = 'one'", "message one stands in 3 rows"),
]
"""The invariant, what breaks it, and how it is named."""


def test_every_invariant_is_broken_by_a_test() -> None:
    assert {name for name, _, _ in BREAKS} == {invariant.__name__ for invariant in INVARIANTS}
    assert all(invariant.__doc__ for invariant in INVARIANTS)


def test_all_holds_after_a_send_and_each_break_is_named_and_nothing_else_is(sent: Engine) -> None:
    with reading(sent) as session:
        assert violations(session) == []
    for name, statement, said in BREAKS:
        with writing(sent) as session:  # and never committed
            session.connection().exec_driver_sql(statement)
            (line,) = violations(session)
            assert line.startswith(said), name
            assert "\n" not in line
    with reading(sent) as session:
        assert violations(session) == []


def test_all_holds_of_an_empty_database_and_of_a_draft(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        assert violations(session) == []
    publish(sqlite_engine)
    draft(sqlite_engine)
    with reading(sqlite_engine) as session:
        assert violations(session) == []


def test_everything_that_is_wrong_is_said_at_once(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        session.connection().exec_driver_sql("UPDATE issues SET state = 'sent'")
        session.connection().exec_driver_sql("DELETE FROM issue_comparisons")
        assert violations(session) == [
            "issue 2026-W47 is sent, but its letter is None",
            "issue 2026-W47 has no comparisons",
        ]
