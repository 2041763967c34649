"""What the other side may do to a line instead of answering, and an SMTP server that does it at any step."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Behaviour = Callable[[socket.socket, bytes], None]
"""Does something to a connection; the bytes are how a proper answer would begin."""

STEPS = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
GOOD = {"greeting": b"220 hello", "DATA": b"354 go on"}


def hang_up(line: socket.socket, _beginning: bytes) -> None:
    line.close()


def say_garbage(line: socket.socket, _beginning: bytes) -> None:
    line.sendall(b"\x00\x1b[31m<html>\xff\xfe no such\r\n\r\n")
    line.close()


def trickle(line: socket.socket, beginning: bytes) -> None:
    """One byte every 20 ms: no read ever runs out of time."""
    for byte in beginning + b"x" * 10_000:
        line.sendall(bytes([byte]))
        time.sleep(0.02)


def go_on_for_ever(line: socket.socket, beginning: bytes) -> None:
    while True:
        line.sendall(beginning)


BEHAVIOURS: dict[str, Behaviour] = {
    "hangs up": hang_up,
    "says garbage": say_garbage,
    "trickles": trickle,
    "goes on for ever": go_on_for_ever,
}


class HostileSmtp:
    """An SMTP server that keeps to the protocol up to one of STEPS. Takes nothing."""

    def __init__(self, step: str, behave: Behaviour) -> None:
        self._step = step
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with suppress(OSError), line, line.makefile("rb") as lines:
            step = "greeting"
            while step != self._step:
                line.sendall(GOOD.get(step, b"250 OK") + b"\r\n")
                if step == "DATA":
                    step = "dot"
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                else:
                    step = lines.readline()[:4].strip().decode().upper()
                    if not step:
                        return
            self._behave(line, b"250-more\r\n")
