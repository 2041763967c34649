"""What SIGTERM and Ctrl-C do to long work."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from newsletter.cli.ending import until_signalled

HANGING = """
import sys, threading
from newsletter.cli.ending import until_signalled

with until_signalled(limit=0.3) as stop:
    print("ready", flush=True)
    stop.wait()
    threading.Event().wait()  # what is under way never ends
"""

IN_C = """
import time
from newsletter.cli.ending import until_signalled

with until_signalled(limit=0.3) as stop:
    print("ready", flush=True)
    sum(1 for _ in range(10**12))  # no call that a signal would cut short
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_for_an_end_and_the_handlers_before_are_put_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    said: list[str] = []
    with until_signalled(said.append) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    assert said == [
        "ending: what is under way is written down first, for 28 seconds at most (once more ends it at once)"
    ]
    assert "signals" not in [thread.name for thread in threading.enumerate()]


def test_work_that_nobody_ends_ends_as_ever() -> None:
    line = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(line)
    with pytest.raises(ZeroDivisionError), until_signalled() as stop:
        raise ZeroDivisionError
    assert not stop.is_set()
    assert signal.set_wakeup_fd(line) == line


def test_other_signals_are_none_of_its_business() -> None:
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with until_signalled() as stop:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not stop.wait(0.1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with until_signalled() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.wait(0.1)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_nobody_who_listens_to_what_is_said_does_no_harm() -> None:
    def closed(_: str) -> None:
        raise BrokenPipeError

    with until_signalled(closed) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)


@pytest.mark.parametrize("program", [HANGING, IN_C], ids=["waits", "computes"])
def test_what_does_not_end_in_time_is_ended(program: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 5
    assert said.splitlines()[1:] == [
        "ended after 0 seconds, with something still under way: the next run asks what became of it"
    ]


def test_a_second_signal_ends_it_at_once() -> None:
    program = HANGING.replace("limit=0.3", "limit=60")
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline().startswith("ending: ")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 128 + signal.SIGINT


def test_it_is_refused_outside_of_the_main_thread_and_leaves_nothing_behind() -> None:
    refused: list[Exception] = []

    def try_it() -> None:
        try:
            with until_signalled():
                pass
        except ValueError as error:
            refused.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join(5)
    assert refused
    assert "signals" not in [each.name for each in threading.enumerate()]
