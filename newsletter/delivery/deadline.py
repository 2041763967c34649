"""How is a conversation ended that takes too long in all? A time-out bounds each read; this bounds the whole.

A server that says one byte a minute never lets a read run out of time, and a call that is still under way when its rows
count as rested might be sent a second time. So a thread of its own watches the clock and cuts the line, wherever the
conversation just is: whoever waits on it meets an error like that of any other cut line.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_LOOK_AGAIN = 0.05  # seconds; when its time was over a line may have been just in the making


class Deadline:
    """Cuts a line `seconds` after it began, or after the last `again`; a context manager.

    `line` is asked for the socket when the time is over, since it may be made, and made anew, meanwhile.
    """

    def __init__(self, seconds: float, line: Callable[[], socket.socket | None]) -> None:
        self._seconds = seconds
        self._line = line
        self._changed = threading.Condition()
        self._over = False
        self.passed = False
        """Whether the time ran out and the line was cut."""

    def __enter__(self) -> Self:
        self._until = time.monotonic() + self._seconds
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()

    def again(self) -> None:
        """Begin to count anew: the next step of the conversation."""
        with self._changed:  # the watcher need not be woken: when it wakes at the old time, it sees the new one
            self._until = time.monotonic() + self._seconds

    def _watch(self) -> None:
        # Under the lock, so that a line is never cut when the conversation has ended and another has begun on it.
        with self._changed:
            while not self._over:
                left = self._until - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                self.passed = True
                line = self._line()
                if line is not None:
                    with suppress(OSError):  # it has broken by itself
                        # The plain socket's, also under TLS: another thread may be reading through the TLS layer.
                        socket.socket.shutdown(line, socket.SHUT_RDWR)
                self._changed.wait(_LOOK_AGAIN)
