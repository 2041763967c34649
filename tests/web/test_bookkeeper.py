"""The thread that counts beside the pages."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlmodel import col, delete
from structlog.testing import capture_logs

from newsletter.assembly import Assembly
from newsletter.comparisons.comparison import SideRow
from newsletter.counting import GROWTH, of_issue
from newsletter.db import reading, writing
from newsletter.figures import moments
from newsletter.web.bookkeeper import Bookkeeper
from tests.web.world import NOW, W46, W47, a_comparison, a_reader, send


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextmanager
def running(assembly: Assembly, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[Bookkeeper]:
    bookkeeper = Bookkeeper(assembly, clock)
    bookkeeper.start()
    try:
        yield bookkeeper
    finally:
        bookkeeper.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "bookkeeper"]


def counted(assembly: Assembly) -> dict[str, datetime]:
    with reading(assembly.engine) as session:
        return moments(session)


def test_whatever_there_is_is_counted_at_once_and_kept(assembly: Assembly) -> None:
    send(assembly, a_comparison())
    with running(assembly):
        wait_for(lambda: set(counted(assembly)) == {GROWTH, of_issue(str(W47))})


def test_what_somebody_wants_is_counted_anew_and_the_rest_is_left(assembly: Assembly) -> None:
    a_reader(assembly)
    clock = [NOW]
    with running(assembly, lambda: clock[0]) as bookkeeper:
        wait_for(lambda: counted(assembly) == {GROWTH: NOW})
        clock[0] = NOW + timedelta(hours=1)
        bookkeeper.want([GROWTH, "nothing that there is"])
        wait_for(lambda: counted(assembly) == {GROWTH: NOW + timedelta(hours=1)})


def test_what_cannot_be_counted_is_said_once_and_keeps_nothing_else_from_it(assembly: Assembly) -> None:
    send(assembly, a_comparison("Inkwell", "Gantry", published_at="2026-11-10T12:00:00Z"), week=W46)
    send(assembly, a_comparison("Haiku", "Codestral"))
    with writing(assembly.engine) as session:  # as no program of ours would
        session.exec(delete(SideRow).where(col(SideRow.name) == "Haiku"))
        session.commit()
    with capture_logs() as logs, running(assembly) as bookkeeper:
        wait_for(lambda: of_issue(str(W46)) in counted(assembly))
        bookkeeper.want([of_issue(str(W47))])
        wait_for(lambda: not bookkeeper._wanted)
    assert [entry["event"] for entry in logs] == ["figures could not be counted"]
    assert set(counted(assembly)) == {GROWTH, of_issue(str(W46))}
