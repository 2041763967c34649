import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect

from newsletter import farewell, outgoing, steering, structure, welcome
from newsletter.db import Table, is_sqlite, open_engine, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.audit import FLAWS
from newsletter.invariants import INVARIANTS, violations
from newsletter.message import Letter
from newsletter.outgoing import Run
from newsletter.welcome import WelcomeDesk
from subscribers import consent
from subscribers.subscriber import SUPPRESSED, Subscriber
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, issue_of, post, publish, subscribe
from tests.postgres import Cluster


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
    with writing(engine) as session:  # one letter that is no issue's
        ledger.store(session, Letter("Welcome", "", "<p>", "."), "welcome", TUESDAY).audience = 0
        consent.note(session, 4, consent.CONFIRMED, "a form", TUESDAY)
        session.flush()
        farewell.forget(session, session.get_one(Subscriber, 4), TUESDAY)
        session.commit()
    return engine


NO_CLAIM = f"UPDATE deliveries SET batch = '{'0' * 32}' WHERE subscriber_id < 3"
QUEUED_AGAIN = "state = 'queued', message_id = NULL, batch = NULL, settled_at = NULL"
SENT_AT_ONCE = "letter 1 (2026-W47): "

BREAKS = [
    (
        "_accounting_adds_up",
        "UPDATE letters SET audience = 4 WHERE id = 1",
        "letter 1 (2026-W47): the audience is 4, but its rows",
    ),
    (
        "_accounting_adds_up",
        "DELETE FROM deliveries WHERE subscriber_id = 3",
        "letter 1 (2026-W47): the audience is 3, but its rows",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'sent' WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are in a state that there is not",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are accepted without the provider's id",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET message_id = '' WHERE subscriber_id < 2",
        SENT_AT_ONCE + "1 readers are accepted without the provider's id",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'suppressed' WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers have a provider's id, but are not accepted",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused'; UPDATE deliveries"
        " SET state = 'in_doubt', message_id = NULL, settled_at = NULL, batch = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are under way or in doubt without a batch",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused';"
        " UPDATE deliveries SET state = 'queued', message_id = NULL, settled_at = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are queued, but in a batch",
    ),
    ("_rows_are_sound", NO_CLAIM, SENT_AT_ONCE + "2 readers are in a batch that was never claimed"),
    (
        "_rows_are_sound",
        "UPDATE claims SET letter_id = 2, taken = 0",
        SENT_AT_ONCE + "3 readers are in a batch that was never claimed",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET state = 'refused', message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are refused without a reason",
    ),
    (
        "_rows_are_sound",
        "UPDATE deliveries SET settled_at = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are settled, but it is not known since when",
    ),
    (
        "_rows_are_sound",
        "UPDATE issues SET state = 'paused';"
        " UPDATE deliveries SET state = 'in_doubt', message_id = NULL WHERE subscriber_id < 3",
        SENT_AT_ONCE + "2 readers are not settled, but it says since when",
    ),
    ("_claims_are_sound", "UPDATE claims SET taken = 4", "claim 1: of letter 1, which has 3 readers, 4 are said to be"),
    (
        "_claims_are_sound",
        "UPDATE claims SET taken = -1",
        "claim 1: of letter 1, which has 3 readers, -1 are said to be",
    ),
    (
        "_frozen_letters_are_whole",
        "UPDATE letters SET text = text || '.' WHERE id = 1",
        "letter 1 (2026-W47): its content no longer has its digest",
    ),
    ("_what_was_approved_is_what_goes_out", "UPDATE issues SET digest = 'another'", "issue 2026-W47: approved another"),
    (
        "_what_was_approved_is_what_goes_out",
        "UPDATE issues SET state = 'approved', digest = NULL, letter_id = NULL; UPDATE letters SET open = true",
        "issue 2026-W47 is approved, but it does not say which letter was approved",
    ),
    ("_issues_are_in_known_states", "UPDATE issues SET state = 'gone'", "issue 2026-W47 is in the state 'gone', which"),
    (
        "_issues_under_way_have_letters",
        "UPDATE issues SET state = 'draft'",
        "issue 2026-W47 is draft, but its letter is 1",
    ),
    (
        "_issues_under_way_have_letters",
        "UPDATE issues SET letter_id = NULL; UPDATE letters SET open = true",
        "issue 2026-W47 is sent, but its letter is None",
    ),
    (
        "_issues_under_way_have_letters",
        "INSERT INTO issues (week, state, subject, preheader, send_at, created_at, digest, letter_id)"
        " SELECT '2026-W48', 'sent', '', '', send_at, created_at, digest, letter_id FROM issues;"
        " UPDATE issue_comparisons SET issue_id = (SELECT id FROM issues WHERE week = '2026-W48') WHERE place = 1",
        "issue 2026-W48 has letter 1, which is that of issue 2026-W47",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE letters SET open = true WHERE id = 1",
        "letter 1 (2026-W47) is open, but is that of issue 2026-W47, which is sent",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE issues SET state = 'sending'",
        "letter 1 (2026-W47) is closed, but is that of issue 2026-W47, which is sending",
    ),
    (
        "_letters_are_open_while_they_go_out",
        "UPDATE letters SET open = false WHERE id = 2",
        "letter 2 (welcome) is closed, but is no issue's",
    ),
    (
        "_sent_issues_are_settled",
        f"UPDATE deliveries SET {QUEUED_AGAIN} WHERE subscriber_id = 2",
        "issue 2026-W47 is sent, but 1 readers are not settled",
    ),
    ("_held_issues_say_why", "UPDATE issues SET state = 'held'", "issue 2026-W47 is held, but does not say why"),
    (
        "_held_issues_say_why",
        "UPDATE issues SET held_because = 'late'",
        "issue 2026-W47 is sent, but says why it is held",
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
        "UPDATE issues SET own_preheader = 'ask mailto:Gone@Example.com first'",
        "issues 1, own_preheader: holds an address that was erased",
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


@contextmanager
def unchecked(connection: Connection) -> Iterator[None]:
    """No check keeps anything out that a hand in the database, a disk or another program may have put there."""
    if is_sqlite(connection):
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        try:
            yield
        finally:
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
        return
    for table in ("deliveries", "issues", "letter_variants", "claims"):
        for check in inspect(connection).get_check_constraints(table):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {check['name']}")
    yield


def test_every_invariant_is_broken_by_a_test() -> None:
    ours = set(INVARIANTS) - set(structure.INVARIANTS)
    assert {name for name, _, _ in BREAKS} == {invariant.__name__ for invariant in ours}
    assert all(invariant.__doc__ for invariant in INVARIANTS)
    for words in FLAWS:
        assert any(said.endswith(words) for _, _, said in BREAKS), words


def test_all_holds_after_a_send_and_each_break_is_named_and_nothing_else_is(sent: Engine) -> None:
    with reading(sent) as session:
        assert violations(session) == []
    for name, statements, said in BREAKS:
        with writing(sent) as session, unchecked(session.connection()):  # and never committed
            without_checks = violations(session)
            for statement in statements.split(";"):
                session.connection().exec_driver_sql(statement)
            lines = [line for line in violations(session) if line not in without_checks]
        assert len(lines) == 1, (name, statements, lines)
        assert lines[0].startswith(said), (name, lines)
        assert "\n" not in lines[0]
    with reading(sent) as session:
        assert violations(session) == []


def test_all_holds_of_an_empty_database_and_of_a_draft(engine: Engine) -> None:
    with reading(engine) as session:
        assert violations(session) == []
    publish(engine)
    draft(engine)
    with reading(engine) as session:
        assert violations(session) == []


def test_an_issue_may_be_called_off_before_and_after_it_has_begun(engine: Engine, tmp_path: Path) -> None:
    publish(engine)
    draft(engine)
    with writing(engine) as session:
        steering.cancel(session, W47)
        session.commit()
        assert violations(session) == []
    draft(engine)
    approve(engine)
    subscribe(engine, ["ada@example.com"])
    over = threading.Event()
    over.set()
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, Run(clock=lambda: TUESDAY, stop=over))
    for state in ("sending", "paused", "sending", "cancelled"):
        with writing(engine) as session:
            {"sending": steering.resume, "paused": steering.pause, "cancelled": steering.cancel}[state](session, W47)
            session.commit()
            assert issue_of(engine).state == state
            assert violations(session) == []


def test_a_refusal_of_somebody_who_was_erased_has_no_reason_any_more(sent: Engine) -> None:
    with writing(sent) as session:
        session.connection().exec_driver_sql(
            "UPDATE deliveries SET state = 'refused', message_id = NULL, reason = 'no mailbox' WHERE subscriber_id = 1"
        )
        assert violations(session) == []
        farewell.forget(session, session.get_one(Subscriber, 1), TUESDAY)
        session.flush()
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


def test_what_cannot_be_read_is_a_line_and_the_rest_is_looked_at_all_the_same(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        session.connection().exec_driver_sql(
            "INSERT INTO letters (key, tag, subject, preheader, html, text, digest, left_out, open, created_at)"
            " VALUES ('a', 'b', '', '', '', '', 'c', 0, 1, 'ask ada@example.com')"
        )
        session.connection().exec_driver_sql("UPDATE issues SET held_because = 'late'")
        unreadable, held = violations(session)
    assert unreadable.startswith("something cannot be read (")
    assert unreadable.endswith("this holds: A stored letter still has the digest that it was stored with")
    assert "ada@" not in unreadable
    assert held == "issue 2026-W47 is draft, but says why it is held"


def test_one_line_that_cannot_be_read_hides_nothing_on_postgresql(cluster: Cluster) -> None:
    engine = open_engine(cluster.create(template="template_newsletter"))
    publish(engine)
    draft(engine)
    with writing(engine) as session:
        session.connection().exec_driver_sql("ALTER TABLE letters ALTER audience TYPE text USING 'many'")
        session.connection().exec_driver_sql("UPDATE issues SET held_because = 'late'")
        lines = violations(session)
        session.rollback()
    engine.dispose()
    assert "issue 2026-W47 is draft, but says why it is held" in lines
    assert [line for line in lines if line.startswith("something cannot be read (")]
    assert not any("\n" in line for line in lines)


def test_what_is_looked_at_is_one_moment_also_while_letters_are_queued(engine: Engine, tmp_path: Path) -> None:
    subscribe(engine, [f"reader{number}@example.com" for number in range(60)])
    desk = WelcomeDesk(RULES.masthead, post(tmp_path))
    seen: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            with reading(engine) as session:
                seen.extend(violations(session))

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(1, 61):
        with writing(engine) as session:
            welcome.greet(session, desk, number, TUESDAY)
            session.commit()
    over.set()
    looking.join()
    assert seen == []


def test_every_table_is_looked_at_in_a_fresh_process() -> None:
    names = "import newsletter.invariants; from newsletter.db import Table; print(*sorted(Table.metadata.tables))"
    done = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(Table.metadata.tables)
