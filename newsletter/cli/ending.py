"""How does long work end when it is told to? In order if it can, and in any case.

The first SIGTERM or Ctrl-C asks it to end: it takes on nothing more, and writes down what is under way. A second one
ends it at once, and so does LIMIT, whatever it may be waiting for: a provider, a database, a lock. Nothing is lost by
either: what must last is in transactions, and a message whose answer was not awaited is asked about by the next run.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from newsletter.cli.console import tell

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LIMIT = 28.0  # seconds from the first signal to the end; beyond `sending.GRACE`, within the 30 that we promise

ASKED = "ending: what is under way is written down first, for {limit:.0f} seconds at most (once more ends it at once)"
TOO_LONG = "ended after {limit:.0f} seconds, with something still under way: the next run asks what became of it"


@contextmanager
def until_signalled(say: Callable[[str], None] = tell, limit: float = LIMIT) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM or Ctrl-C sets while the block runs; the handlers before are put back after it.

    `say` is told, in a thread of its own, that the work is ending. Ends the process with status 128 + the signal's
    number at a second signal, and `limit` seconds after the first one if the block has not ended by then. Works in the
    main thread only (ValueError), as all that Python does about signals.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("signals can be waited for in the main thread only")
    stop = threading.Event()
    reads, writes = socket.socketpair()
    writes.setblocking(False)
    # A handler of Python's would run in the main thread, and only when that is not in the midst of a call into C, such
    # as waiting for a database. And it must not set an event that the main thread may be just waiting for. So C code
    # writes the signal's number to this line, wherever the main thread is, and a thread reads it.
    line_before = signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reads, stop, say, limit), name="signals", daemon=True)
    watcher.start()
    # What is ignored stays so: whoever starts a program in the background of a shell means it.
    heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _is_read_by_the_watcher) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(line_before)
        writes.close()  # the watcher reads the end of it
        watcher.join()
        reads.close()


def end_at_once(number: int) -> None:
    """End the process without waiting for its threads, with the status of one that the signal has ended."""
    os._exit(128 + number)


def _is_read_by_the_watcher(_: int, __: object) -> None:
    pass


def _watch(line: socket.socket, stop: threading.Event, say: Callable[[str], None], limit: float) -> None:
    first: int | None = None
    until = 0.0
    while True:
        line.settimeout(None if first is None else max(until - time.monotonic(), 0.001))
        try:
            said = line.recv(1)
        except TimeoutError:
            _try_to(say, TOO_LONG.format(limit=limit))
            end_at_once(first or signal.SIGTERM)
            return
        if not said:
            return
        if said[0] not in SIGNALS:
            continue
        if first is not None:
            end_at_once(said[0])
        first, until = said[0], time.monotonic() + limit
        stop.set()
        _try_to(say, ASKED.format(limit=limit))


def _try_to(say: Callable[[str], None], text: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads what we say any more
        say(text)
