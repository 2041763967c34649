"""The threads that send, and ask the provider, for somebody at the desk."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from newsletter import approving, steering, weekly
from newsletter.asking import Decision
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.sender_lock import enter
from newsletter.editors.log import newest
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.sandbox.server import Sandbox
from newsletter.web import carrier as under_test
from newsletter.web.carrier import Carrier, Question
from tests.delivery.faulty_line import ARRIVED, FaultyLine
from tests.forked import Forked
from tests.journeys.test_kill import WEEK, approved_issue, assert_everybody_has_it_once, copies, kill, settings
from tests.web import test_postman

ROOT = Path(__file__).parents[2]
W = str(WEEK)
READERS = 30
PATIENCE = 60.0  # seconds; what is waited for happens in one where nothing else is going on


def wait_for(condition: Callable[[], bool]) -> None:
    test_postman.wait_for(condition, PATIENCE)


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def running(assembly: Assembly) -> Iterator[Carrier]:
    carrier = Carrier(assembly, now)
    carrier.start()
    try:
        yield carrier
    finally:
        carrier.stop()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("carrier", "asker")]


def due(url: str, api_url: str, readers: int = READERS, **others: str) -> Assembly:
    """A newsletter with an issue that somebody at the desk has just sent."""
    assembly = approved_issue(url, readers, {"postmark_api_url": api_url, "max_lateness": "30d", **others})
    with writing(assembly.engine) as session:
        weekly.schedule(session, WEEK, now(), now() - timedelta(minutes=1))
        session.commit()
    return assembly


def issue_of(assembly: Assembly) -> Issue:
    with reading(assembly.engine) as session:
        return weekly.require(session, WEEK)


def told(assembly: Assembly) -> list[tuple[str, str | None]]:
    """What the desk's log has of the issue, the newest first."""
    with reading(assembly.engine) as session:
        return [(entry.act, entry.detail) for entry in newest(session, week=W)]


def in_state(assembly: Assembly, state: str) -> Callable[[], bool]:
    return lambda: issue_of(assembly).state == state


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_asked_for_is_sent_to_everybody_once(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str
) -> None:
    with closing(due(new_database(kind), sandbox.url)) as assembly:
        with running(assembly) as carrier:
            assert carrier.doing(W) is None
            begun = time.monotonic()
            carrier.send(W)
            carrier.send(W)
            assert time.monotonic() - begun < 0.1
            wait_for(lambda: carrier.doing(W) is None)
            assert carrier.word(W) is None
        assert told(assembly) == [("sent the issue", f"{READERS} of {READERS} were taken")]
        assert_everybody_has_it_once(assembly, sandbox, READERS)
    assert threads() == []


def test_one_that_is_killed_in_the_midst_is_gone_on_with_and_everybody_has_it_once(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    url = new_database("sqlite")
    with closing(due(url, sandbox.url, 200)) as assembly, FaultyLine(sandbox.url, delay=0.1) as line:
        given = settings(url, line.url)
        environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
        for _ in range(2):
            posts = line.posts
            process = Forked("tests.web.carrying", W, "10", env=environment, cwd=ROOT)
            wait_for(lambda posts=posts: line.posts >= posts + 5)  # type: ignore[misc]
            kill(process)
            assert sum(copies(sandbox).values()) < 200
        process = Forked("tests.web.carrying", W, "10", env=environment, cwd=ROOT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert_everybody_has_it_once(assembly, sandbox, 200)


def test_where_another_process_is_at_it_that_is_said_and_it_goes_on_after_it(
    new_database: Callable[[str], str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.1)
    with closing(due(new_database("sqlite"), sandbox.url)) as assembly, running(assembly) as carrier:
        with enter(assembly.engine) as other:
            assert other
            carrier.send(W)
            wait_for(lambda: "another process is sending" in getattr(carrier.word(W), "text", ""))
            assert copies(sandbox) == Counter()
        wait_for(in_state(assembly, issues.SENT))
        assert_everybody_has_it_once(assembly, sandbox, READERS)


def test_a_trouble_is_said_and_tried_again(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.1)
    with Sandbox() as sandbox:
        address = sandbox.url
    with closing(due(new_database("sqlite"), address)) as assembly, capture_logs() as logs:
        with running(assembly) as carrier:
            carrier.send(W)
            wait_for(lambda: carrier.word(W) is not None)
            word = carrier.word(W)
            assert word is not None
            assert word.wrong
            assert "stopped: " in word.text
            with Sandbox(port=int(address.rstrip("/").rpartition(":")[2])) as sandbox:
                wait_for(in_state(assembly, issues.SENT))
                assert_everybody_has_it_once(assembly, sandbox, READERS)
        assert not any("@example.com" in str(entry) or "sandbox-token" in str(entry) for entry in logs)


def test_one_that_it_holds_is_in_the_log_once(new_database: Callable[[str], str], sandbox: Sandbox) -> None:
    with closing(due(new_database("sqlite"), sandbox.url)) as assembly, running(assembly) as carrier:
        with writing(assembly.engine) as session:  # changed since it was approved
            weekly.require(session, WEEK).own_subject = "Another subject"
            session.commit()
        for _ in range(2):
            carrier.send(W)
            wait_for(lambda: carrier.doing(W) is None)
        assert issue_of(assembly).state == issues.HELD
        ((act, why),) = told(assembly)
        assert act == "held the issue"
        assert "has changed since it was approved" in (why or "")


@pytest.mark.parametrize("what", ["later", "unapproved", "called off", "nothing"])
def test_what_is_not_due_any_more_is_not_sent(new_database: Callable[[str], str], sandbox: Sandbox, what: str) -> None:
    with closing(due(new_database("sqlite"), sandbox.url)) as assembly, running(assembly) as carrier:
        with writing(assembly.engine) as session:
            if what == "later":
                weekly.schedule(session, WEEK, now() + timedelta(days=1), now())
            elif what == "unapproved":
                issue = weekly.require(session, WEEK)
                issue.digest, issue.state = None, issues.DRAFT
            elif what == "called off":
                steering.cancel(session, WEEK)
            session.commit()
        carrier.send("2026-W30" if what == "nothing" else W)
        wait_for(lambda: carrier.doing("2026-W30" if what == "nothing" else W) is None)
        assert copies(sandbox) == Counter()
        assert carrier.word("2026-W30" if what == "nothing" else W)


def test_where_nobody_has_to_approve_a_draft_is_not_approved_before_its_time(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    made = due(new_database("sqlite"), sandbox.url, approval="automatic")
    with closing(made) as assembly, running(assembly) as carrier:
        with writing(assembly.engine) as session:  # just when it was to be sent, it was taken back
            approving.unapprove(session, WEEK)
            weekly.schedule(session, WEEK, now() + timedelta(days=1), now())
            session.commit()
        carrier.send(W)
        wait_for(lambda: carrier.doing(W) is None)
        assert issue_of(assembly).state == issues.DRAFT


@pytest.mark.parametrize(
    ("decision", "copies_of_some", "state"), [(Decision.RESEND, 2, issues.SENT), (Decision.GIVE_UP, 1, issues.SENT)]
)
def test_what_asking_does_not_settle_is_done_as_a_publisher_says_of_the_batches_that_were_named(
    new_database: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
    copies_of_some: int,
    state: str,
) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.2)
    with (
        Sandbox(faults=["accept-then-drop:times=1,on=batches", "search-loss"]) as sandbox,
        closing(due(new_database("sqlite"), sandbox.url)) as assembly,
        running(assembly) as carrier,
    ):
        assembly.provider.max_batch = 10
        carrier.send(W)
        wait_for(in_state(assembly, issues.HELD))
        with reading(assembly.engine) as session:
            letter_id = issue_of(assembly).letter_id
            assert letter_id is not None
            found = doubts.open_doubts(session, letter_id)
            said = doubts.reasons(session, letter_id)
        doubtful = sum(len(each.subscriber_ids) for each in found)
        assert 0 < doubtful < READERS
        assert set(said) == {each.batch for each in found}

        carrier.ask(Question(W, decision, frozenset({"of another issue"})))
        wait_for(lambda: carrier.doing(W) is None)
        word = carrier.word(W)
        assert word is not None
        assert f"{doubtful} are still in doubt" in word.text
        assert issue_of(assembly).state == issues.HELD
        assert [act for act, _ in told(assembly)] == ["left them in doubt", "held the issue"]

        carrier.ask(Question(W, decision, frozenset(said)))
        wait_for(in_state(assembly, state))
        wait_for(lambda: any(act == "did what was decided" for act, _ in told(assembly)))
        assert Counter(copies(sandbox).values()) == Counter(
            {1: READERS - doubtful, copies_of_some: doubtful} if copies_of_some > 1 else {1: READERS}
        )
        with reading(assembly.engine) as session:
            books = ledger.accounting(session, letter_id)
        assert (books.in_doubt, books.refused) == (0, 0 if decision is Decision.RESEND else doubtful)


def test_it_stops_in_time_though_the_provider_does_not_answer(
    new_database: Callable[[str], str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "PATIENCE", 0.2)
    arrived, let_go = threading.Event(), threading.Event()

    def watch(path: str, moment: str) -> None:
        if path.startswith("/email") and moment == ARRIVED:
            arrived.set()
            let_go.wait(20)

    with (
        FaultyLine(sandbox.url, watch=watch) as line,
        closing(due(new_database("sqlite"), line.url)) as assembly,
    ):
        carrier = Carrier(assembly, now)
        carrier.start()
        carrier.send(W)
        assert arrived.wait(10)
        begun = time.monotonic()
        carrier.stop()
        carrier.stop()
        assert time.monotonic() - begun < 2
        let_go.set()
        wait_for(lambda: threads() == [])
        assert len(sandbox.messages) == READERS


def test_it_can_begin_again_and_without_having_begun_nothing_is_sent(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    with closing(due(new_database("sqlite"), sandbox.url)) as assembly:
        carrier = Carrier(assembly, now)
        carrier.send(W)
        carrier.stop()
        assert copies(sandbox) == Counter()
        carrier.start()
        wait_for(in_state(assembly, issues.SENT))
        carrier.stop()
        assert_everybody_has_it_once(assembly, sandbox, READERS)
