"""Workers: they go on with what is going out, as many as there are, whatever goes wrong meanwhile."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from newsletter import outgoing, steering, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.cli import work
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.sender_lock import enter
from newsletter.sandbox.server import Sandbox
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from tests.cli.conftest import Newsletter, bare_newsletter  # noqa: F401  a fixture
from tests.delivery.faulty_line import LOSE_REQUEST, FaultyLine
from tests.forked import Forked
from tests.newsroom import MONDAY, TUESDAY, W47, approve, at, draft, issue_of, publish, set_status, subscribe

READERS = [f"reader{number}@example.com" for number in range(40)]

Assemble = Callable[..., Assembly]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assemble]:
    """Make a running newsletter; those with the same URL are as in different processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(work, "LOOK", 0.02)
    with ExitStack() as stack:

        def make(database_url: str, api_url: str, **settings: Any) -> Assembly:
            carrier = {"provider": "postmark", "postmark_api_url": api_url, "postmark_server_token": "sandbox-token"}
            assembly = assemble(database_url=database_url, **{"settle": "1s", **carrier, **settings})
            stack.callback(assembly.close)
            assembly.provider.max_batch = 5
            return assembly

        yield make
    structlog.reset_defaults()


@contextmanager
def working(*assemblies: Assembly) -> Iterator[None]:
    """A worker for each of them."""
    stop = threading.Event()
    workers = [threading.Thread(target=work.work, args=(each, lambda: TUESDAY, stop)) for each in assemblies]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join(10)
            assert not worker.is_alive()


def going_out(assembly: Assembly, readers: list[str] = READERS, *, begun: bool = True) -> None:
    """The issue of W47 on its way, of which nobody has had anything yet; only approved where it has not `begun`."""
    publish(assembly.engine)
    subscribe(assembly.engine, readers)
    draft(assembly.engine, rules=assembly.rules)
    approve(assembly.engine, rules=assembly.rules)
    if begun:
        began(assembly)


def began(assembly: Assembly) -> None:
    """The sender was told to end before its first batch."""
    run = at(TUESDAY)
    run.stop.set()
    outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, W47, run)
    assert books(assembly).queued


def books(assembly: Assembly) -> Accounting:
    with reading(assembly.engine) as session:
        return ledger.accounting(session, weekly.require(session, W47).letter_id)


def copies(sandbox: Sandbox, tag: str = str(W47)) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == tag)


def sign_up(assembly: Assembly, email: str) -> None:
    with writing(assembly.engine) as session:
        signup.ask(session, parse_address(email), Words("1", "Yes."), Whence(), "form", MONDAY)
        session.commit()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def said(logs: list[Any], event: str) -> list[Any]:
    return [log for log in logs if log["event"] == event]


def test_a_worker_finishes_what_is_going_out_and_carries_letters_to_one_person(
    opened: Assemble, database_url: str, sandbox: Sandbox
) -> None:
    assembly = opened(database_url, sandbox.url)
    going_out(assembly)
    sign_up(assembly, "ana@example.com")
    with working(assembly):
        wait_for(lambda: issue_of(assembly.engine).state == "sent" and bool(copies(sandbox, "confirm")))
        sign_up(assembly, "bo@example.com")
        wait_for(lambda: len(copies(sandbox, "confirm")) == 2)

    assert copies(sandbox) == dict.fromkeys(READERS, 1)
    assert copies(sandbox, "confirm") == {"ana@example.com": 1, "bo@example.com": 1}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_side_by_side_send_to_everybody_once(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox, kind: str
) -> None:
    url = new_database(kind)
    with FaultyLine(sandbox.url, delay=0.05) as line:
        workers = [opened(url, line.url) for _ in range(3)]
        going_out(workers[0])
        sign_up(workers[0], "ana@example.com")
        with capture_logs() as logs, working(*workers):
            wait_for(lambda: issue_of(workers[0].engine).state == "sent" and bool(copies(sandbox, "confirm")))

    assert copies(sandbox) == dict.fromkeys(READERS, 1)
    assert copies(sandbox, "confirm") == {"ana@example.com": 1}
    assert books(workers[0]) == Accounting(audience=len(READERS), accepted=len(READERS))
    assert not said(logs, "could not go on, and tries again")


def test_on_sqlite_a_second_one_waits_its_turn_and_says_so_once(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    assembly = opened(new_database("sqlite"), sandbox.url)
    going_out(assembly)
    with ExitStack() as first, capture_logs() as logs:
        assert first.enter_context(enter(assembly.engine))
        with working(assembly):
            wait_for(lambda: bool(said(logs, "sent")))
            time.sleep(0.3)  # some fifteen looks
            assert books(assembly).queued == len(READERS)
            first.close()
            wait_for(lambda: issue_of(assembly.engine).state == "sent")

    waiting, done = said(logs, "sent")
    assert waiting["note"] == "another process is sending just now; nothing to do here"
    assert done["state"] == "sent"


@pytest.mark.parametrize("state", ["draft", "approved", "held before", "held", "paused", "cancelled"])
def test_a_worker_touches_nothing_that_is_not_going_out(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox, state: str
) -> None:
    assembly = opened(new_database("sqlite"), sandbox.url)
    publish(assembly.engine)
    subscribe(assembly.engine, READERS)
    draft(assembly.engine, rules=assembly.rules)
    if state != "draft":
        approve(assembly.engine, rules=assembly.rules)
    if state in ("held", "paused", "cancelled"):
        began(assembly)
    with writing(assembly.engine) as session:
        if state.startswith("held"):
            steering.hold(session, W47, "a test")
        elif state == "paused":
            steering.pause(session, W47)
        elif state == "cancelled":
            steering.cancel(session, W47)
        session.commit()
    before = issue_of(assembly.engine)
    sign_up(assembly, "ana@example.com")
    with working(assembly):
        wait_for(lambda: bool(copies(sandbox, "confirm")))
        time.sleep(0.1)

    assert issue_of(assembly.engine) == before
    assert copies(sandbox) == {}


@pytest.mark.parametrize("stopped", ["held before", "held", "paused", "cancelled"])
def test_an_issue_that_is_stopped_between_two_looks_stays_so(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox, stopped: str
) -> None:
    assembly = opened(new_database("sqlite"), sandbox.url)
    going_out(assembly, begun=stopped != "held before")
    with writing(assembly.engine) as session:
        if stopped.startswith("held"):
            steering.hold(session, W47, "the token was refused")
        elif stopped == "paused":
            steering.pause(session, W47)
        else:
            steering.cancel(session, W47)
        session.commit()
    unasked = replace(at(TUESDAY), asked=False)  # an alarm's or a worker's, which saw it due, or going out, before
    outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, W47, unasked)

    assert (outcome.state, outcome.note) == (stopped.split()[0], "it has just been stopped; nothing to do")
    assert issue_of(assembly.engine).state == outcome.state
    assert copies(sandbox) == {}


def test_a_paused_issue_goes_on_when_an_editor_lets_it(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    assembly = opened(new_database("sqlite"), sandbox.url)
    going_out(assembly)
    with writing(assembly.engine) as session:
        steering.pause(session, W47)
        session.commit()
    with working(assembly):
        time.sleep(0.1)
        with writing(assembly.engine) as session:
            steering.resume(session, W47)
            session.commit()
        wait_for(lambda: issue_of(assembly.engine).state == "sent")
    assert copies(sandbox) == dict.fromkeys(READERS, 1)


def test_a_provider_that_is_away_is_said_once_and_tried_less_and_less_often(
    opened: Assemble, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.url.rstrip("/").rpartition(":")[2])
    assembly = opened(new_database("sqlite"), sandbox.url)
    going_out(assembly)
    tries: list[float] = []
    really_send = outgoing.send_issue

    def counted(*arguments: Any) -> Any:
        tries.append(time.monotonic())
        return really_send(*arguments)

    monkeypatch.setattr(outgoing, "send_issue", counted)
    with capture_logs() as logs, working(assembly):
        wait_for(lambda: len(tries) == 6)
        pauses = [later - earlier for earlier, later in pairwise(tries)]
        assert pauses[-1] > 0.02 * 2**4 > pauses[0]
        with Sandbox(port=port) as back:
            wait_for(lambda: issue_of(assembly.engine).state == "sent")
            assert copies(back) == dict.fromkeys(READERS, 1)

    away, done = said(logs, "sent")
    assert "cannot be reached" in away["outcome"].stopped or "refused" in away["outcome"].stopped
    assert (away["state"], done["state"]) == ("sending", "sent")


def test_more_in_doubt_is_no_progress_so_that_each_round_of_silence_is_followed_by_a_longer_pause(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    with FaultyLine(sandbox.url, *[LOSE_REQUEST] * 100) as line:
        assembly = opened(new_database("sqlite"), line.url, settle="10m")
        going_out(assembly, [f"reader{number}@example.com" for number in range(100)])
        hand, turn = work._Issues(assembly, lambda: TUESDAY, threading.Event()), work._Turn()
        seen = []
        for _ in range(3):
            hand._go_on(str(W47), turn)
            seen.append((turn.troubles, books(assembly).in_doubt))

    assert [troubles for troubles, _ in seen] == [1, 2, 3]
    assert 0 < seen[0][1] < seen[1][1] < seen[2][1] < 100


def test_pauses_double_up_to_a_minute() -> None:
    assert [work.pause_after(troubles) for troubles in (0, 1, 2, 3, 6, 7, 8, 10_000)] == [1, 1, 2, 4, 32, 60, 60, 60]


def test_who_left_meanwhile_is_not_written_to(
    opened: Assemble, new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    assembly = opened(new_database("sqlite"), sandbox.url)
    going_out(assembly)
    set_status(assembly.engine, "unsubscribed", READERS[0])
    with working(assembly):
        wait_for(lambda: issue_of(assembly.engine).state == "sent")
    assert copies(sandbox) == dict.fromkeys(READERS[1:], 1)


def test_wrong_settings_end_it_with_a_line(
    bare_newsletter: Newsletter,  # noqa: F811  a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWSLETTER_PROVIDER", "pigeon")
    assert bare_newsletter("worker").refused().startswith("newsletter: NEWSLETTER_PROVIDER")


def test_a_database_that_is_not_there_yet_is_waited_for(opened: Assemble, sandbox: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "not yet"
    assembly = opened(f"sqlite:///{folder / 'newsletter.db'}", sandbox.url)
    with capture_logs() as logs, working(assembly):
        wait_for(lambda: bool(logs))
        folder.mkdir()
        wait_for(lambda: any(log["event"].startswith("started") for log in logs))
        sign_up(assembly, "ana@example.com")
        wait_for(lambda: bool(copies(sandbox, "confirm")))

    trouble, *rest = said(logs, "could not go on, and tries again")
    assert (trouble["what"], trouble["reason"]) == ("the database", "OperationalError: unable to open database file")
    assert not rest


def test_the_command_says_what_it_does_and_ends_with_status_0_when_it_is_told_to(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    environment = os.environ | {"NEWSLETTER_DATABASE_URL": new_database("sqlite")}
    process = Forked("newsletter", "worker", env=environment, cwd=tmp_path, errors_apart=True)
    wait_for(lambda: "\n" in process.said)
    process.terminate()
    out, err = process.communicate(timeout=20)
    first = err.splitlines()[0]
    assert "started: goes on with issues that are going out, and carries letters to one person" in first
    assert process.returncode == 0, err
    assert "ended" in err
    assert out == ""
