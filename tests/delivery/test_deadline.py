"""A conversation that takes too long in all is cut off, wherever it just is."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from newsletter.delivery.deadline import Deadline

Lines = tuple[socket.socket, socket.socket]


@pytest.fixture
def lines() -> Iterator[Lines]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    theirs.settimeout(5)
    yield ours, theirs
    ours.close()
    theirs.close()


def wait_until_passed(deadline: Deadline) -> None:
    until = time.monotonic() + 5
    while not deadline.passed:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_line_is_cut_when_the_time_is_over_and_not_before(lines: Lines) -> None:
    ours, theirs = lines
    began = time.monotonic()
    with Deadline(0.1, lambda: ours) as deadline:
        assert ours.recv(1) == b""  # whoever waits on it wakes up
        assert time.monotonic() - began >= 0.1
    assert deadline.passed
    assert theirs.recv(1) == b""


def test_what_ends_in_time_leaves_the_line_alone_and_no_watcher_behind(lines: Lines) -> None:
    ours, theirs = lines
    before = set(threading.enumerate())
    with Deadline(30, lambda: ours) as deadline:
        (watcher,) = (thread for thread in threading.enumerate() if thread not in before)
        theirs.sendall(b"a")
        assert ours.recv(1) == b"a"
    watcher.join(5)
    assert not watcher.is_alive()
    assert not deadline.passed
    theirs.sendall(b"b")
    assert ours.recv(1) == b"b"


def test_each_step_has_the_whole_time_anew(lines: Lines) -> None:
    ours, _ = lines
    began = time.monotonic()
    with Deadline(0.15, lambda: ours) as deadline:
        for _ in range(4):
            time.sleep(0.05)
            deadline.again()
        assert ours.recv(1) == b""
    assert deadline.passed
    assert time.monotonic() - began >= 0.35


def test_a_line_that_is_only_made_after_the_time_is_over_is_cut_as_well(lines: Lines) -> None:
    ours, _ = lines
    made: list[socket.socket] = []
    with Deadline(0.05, lambda: made[0] if made else None) as deadline:
        wait_until_passed(deadline)
        made.append(ours)
        assert ours.recv(1) == b""


def test_a_line_that_has_broken_by_itself_is_no_trouble(lines: Lines) -> None:
    ours, _ = lines
    ours.close()
    with Deadline(0.02, lambda: ours) as deadline:
        wait_until_passed(deadline)
