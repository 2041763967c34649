"""The thread that carries letters beside the pages."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.delivery.sender_lock import Line, enter
from newsletter.sandbox.server import Sandbox
from newsletter.web import postman as under_test
from newsletter.web.postman import Postman
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from tests.delivery.faulty_line import ARRIVED, FaultyLine
from tests.newsroom import letters
from tests.web.world import NOW, MakeAssembly

ANA, BO = "ana@example.com", "bo@example.com"


def sign_up(assembly: Assembly, email: str = ANA) -> None:
    with writing(assembly.bare_engine) as session:
        signup.ask(session, parse_address(email), Words("1", "Yes."), Whence(), "form", NOW)
        session.commit()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextmanager
def running(assembly: Assembly) -> Iterator[Postman]:
    postman = Postman(assembly, lambda: NOW)
    postman.start()
    try:
        yield postman
    finally:
        postman.stop()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "postman"]


def test_what_waits_from_before_is_carried_at_once(assembly: Assembly, tmp_path: Path) -> None:
    sign_up(assembly)
    with running(assembly):
        wait_for(lambda: len(letters(tmp_path)) == 1)
    assert threads() == []


def test_a_nudge_carries_a_letter_a_moment_later_and_returns_at_once(assembly: Assembly, tmp_path: Path) -> None:
    with running(assembly) as postman:
        for number, email in enumerate((ANA, BO)):
            sign_up(assembly, email)
            begun = time.monotonic()
            postman.nudge()
            assert time.monotonic() - begun < 0.1
            wait_for(lambda number=number: len(letters(tmp_path)) == number + 1)  # type: ignore[misc]


def test_without_a_nudge_it_looks_now_and_then(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.05)
    with running(assembly):
        time.sleep(0.1)
        sign_up(assembly)
        wait_for(lambda: len(letters(tmp_path)) == 1)


def test_where_another_process_was_at_it_it_looks_again_soon(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "SOON", 0.05)
    sign_up(assembly)
    with running(assembly) as postman:
        with enter(assembly.bare_engine, Line.PERSONAL) as alone:
            if alone:  # else the postman has been faster, which is as good
                postman.nudge()
                time.sleep(0.2)
        wait_for(lambda: len(letters(tmp_path)) == 1)


def test_trouble_is_logged_once_names_nobody_and_is_tried_again(
    make_assembly: MakeAssembly, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.02)
    with Sandbox() as sandbox:
        port = sandbox.url.rstrip("/").rpartition(":")[2]
    assembly = make_assembly(
        database_url=new_database("sqlite"),
        provider="postmark",
        postmark_server_token="sandbox-token",
        postmark_api_url=sandbox.url,
    )
    sign_up(assembly)
    with capture_logs() as logs, running(assembly):
        wait_for(lambda: any(log["log_level"] == "error" for log in logs))
        time.sleep(0.3)
        with Sandbox(port=int(port)) as sandbox:
            wait_for(lambda: len(sandbox.messages) == 1)
    assert [log["event"] for log in logs].count("letters could not be carried") == 1
    assert not any(ANA in str(log) or "sandbox-token" in str(log) for log in logs)


def test_a_database_without_tables_harms_nobody_and_gets_none(
    make_assembly: MakeAssembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "ROUND", 0.02)
    assembly = make_assembly(database_url=f"sqlite:///{tmp_path / 'new.db'}")
    with capture_logs() as logs, running(assembly):
        wait_for(lambda: bool(logs))
        assert len(threads()) == 1
    assert logs[0]["reason"] == "OperationalError: (sqlite3.OperationalError) no such table: sign_ups"


def test_it_stops_in_time_though_the_provider_does_not_answer(
    make_assembly: MakeAssembly, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "PATIENCE", 0.2)
    arrived, let_go = threading.Event(), threading.Event()

    def watch(path: str, moment: str) -> None:
        if path.startswith("/email") and moment == ARRIVED:
            arrived.set()
            let_go.wait(20)

    with Sandbox() as sandbox, FaultyLine(sandbox.url, watch=watch) as line:
        assembly = make_assembly(
            database_url=new_database("sqlite"),
            provider="postmark",
            postmark_server_token="sandbox-token",
            postmark_api_url=line.url,
        )
        sign_up(assembly)
        postman = Postman(assembly, lambda: NOW)
        postman.start()
        assert arrived.wait(10)
        begun = time.monotonic()
        postman.stop()
        assert time.monotonic() - begun < 2
        let_go.set()
        wait_for(lambda: threads() == [])
        assert len(sandbox.messages) == 1


def test_stopping_twice_or_without_having_begun_is_nothing(assembly: Assembly) -> None:
    postman = Postman(assembly, lambda: NOW)
    postman.nudge()
    postman.stop()
    postman.stop()
    assert threads() == []


def test_it_can_begin_again(assembly: Assembly, tmp_path: Path) -> None:
    postman = Postman(assembly, lambda: NOW)
    postman.start()
    postman.stop()
    sign_up(assembly)
    postman.start()
    wait_for(lambda: len(letters(tmp_path)) == 1)
    postman.stop()
