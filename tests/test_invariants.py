import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect

from newsletter import farewell, outgoing, steering, structure, welcome
from newsletter.db import Table, is_sqlite, open_engine, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.audit import FLAWS
from newsletter.invariants import INVARIANTS, violations
from newsletter.keys import ApiKey
from newsletter.message import Letter
from newsletter.outgoing import Run
from newsletter.tracking.store import StoredEvent
from newsletter.welcome import WelcomeDesk
from subscribers import consent
from subscribers.subscriber import SUPPRESSED, Subscriber
from tests.breaks import BREAKS
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
    publish(engine, "Not yet in an issue")
    with writing(engine) as session:
        for hours in (0, 2):
            session.add(
                StoredEvent(
                    key=f"event {hours}", source="webhook", record_type="Delivery", kind="delivered", at=TUESDAY,
                    received_at=TUESDAY + timedelta(hours=hours), letter_id=1, subscriber_id=3,
                    message_id="m", body="{}",
                )
            )  # fmt: skip
        session.add(ApiKey(name="the site", digest="0" * 64, created_at=TUESDAY))
        session.commit()
    with writing(engine) as session:  # one letter that is no issue's
        ledger.store(session, Letter("Welcome", "", "<p>", "."), "welcome", TUESDAY).audience = 0
        consent.note(session, 4, consent.CONFIRMED, "a form", TUESDAY)
        session.flush()
        farewell.forget(session, session.get_one(Subscriber, 4), TUESDAY)
        session.commit()
    return engine


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
    with writing(sent) as session, unchecked(session.connection()):
        without_checks = violations(session)
    for name, statements, said in BREAKS:
        with writing(sent) as session, unchecked(session.connection()):  # and never committed
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
            "INSERT INTO letters (key, tag, subject, preheader, html, text, digest, left_out, open, opens, clicks,"
            " created_at) VALUES ('a', 'b', '', '', '', '', 'c', 0, 1, 'no', 'no', 'ask ada@example.com')"
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
