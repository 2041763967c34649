"""A process that sends an issue, or asks about it, and may die by SIGKILL at a point that was named to it.

It does what `newsletter issues send` and `reconcile` do, in small batches. It comes from a server of forks, which has
the program in memory already: else most of a short life would be its start.
"""

import http.client
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter import asking, outgoing, steering
from newsletter.assembly import assemble
from newsletter.db import reading
from newsletter.delivery import claiming, doubts, ledger
from newsletter.delivery.provider import Unknown
from newsletter.issues.week import Week
from newsletter.outgoing import Run
from tests.forked import forks

SEND, ASK = "send", "ask"
ASK_PAUSE = 0.2  # seconds between two rounds of asking
BATCHES = "/email/batch"

AT_WORK, ENDED = "at work", "ended"
DOUBTED, ORPHANED, FOUND, REQUEUED = "doubted", "orphaned", "found", "requeued"
"""What a process tells of itself, each with a number of readers (`ENDED`: with words)."""


@dataclass(frozen=True)
class Life:
    """What a process is to do, and how it dies: when it passes a point for the n-th time, or by another's hand."""

    week: str
    settings: dict[str, Any]
    batch: int
    log: str
    """Where its words go."""
    job: str = SEND
    wait: bool = True
    point: str | None = None
    passage: int = 1
    careless: bool = False
    """Whether what a dead sender left is sent again at once, as programs do that ask nobody: a flaw, to be found."""


Die = Callable[[], None]
"""Pass the point; the last time, nobody comes back from it."""
Install = Callable[[Die], None]
"""Have a point passed whenever the program comes by."""
Counts = Callable[[tuple[Any, ...], Any], bool]
"""(arguments, answer) of a call -> whether the point was passed by it."""


def _before(module: ModuleType, name: str, counts: Counts = lambda given, done: True) -> Install:
    def install(die: Die) -> None:
        do = getattr(module, name)

        def dying(*given: Any, **named: Any) -> Any:
            if counts(given, None):
                die()
            return do(*given, **named)

        setattr(module, name, dying)

    return install


def _after(module: ModuleType, name: str, counts: Counts = lambda given, done: True) -> Install:
    def install(die: Die) -> None:
        do = getattr(module, name)

        def dying(*given: Any, **named: Any) -> Any:
            done = do(*given, **named)
            if counts(given, done):
                die()
            return done

        setattr(module, name, dying)

    return install


def _before_commit(module: ModuleType, name: str) -> Install:
    """All is written, and not yet committed."""

    def install(die: Die) -> None:
        do, commit = getattr(module, name), Session.commit
        within = threading.local()

        def entered(*given: Any, **named: Any) -> Any:
            within.it = True
            try:
                return do(*given, **named)
            finally:
                within.it = False

        def committing(self: Session) -> None:
            if getattr(within, "it", False):
                self.flush()
                die()
            commit(self)

        setattr(module, name, entered)
        Session.commit = committing  # type: ignore[method-assign]

    return install


def _did_something(_: tuple[Any, ...], done: object) -> bool:
    return bool(done)


def _found_something(given: tuple[Any, ...], _: object) -> bool:
    return bool(given[3])


class _Post(http.client.HTTPConnection):
    """The two halves of a call in which a batch is posted."""

    @staticmethod
    def dies_in_the_midst(die: Die) -> None:
        put, send = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.send

        def putrequest(self: Any, method: str, url: str, *given: Any, **named: Any) -> None:
            self.posts_batch = method == "POST" and url.startswith(BATCHES)
            put(self, method, url, *given, **named)

        def sending(self: Any, data: Any) -> None:
            if self.posts_batch and data[:1] in (b"{", b"["):  # the body, not the headers
                half = len(data) // 2
                send(self, data[:half])
                die()
                data = data[half:]
            send(self, data)

        http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign]
        http.client.HTTPConnection.send = sending  # type: ignore[method-assign]

    @staticmethod
    def dies_once_it_is_taken(die: Die) -> None:
        put, get = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse

        def putrequest(self: Any, method: str, url: str, *given: Any, **named: Any) -> None:
            self.posts_batch = method == "POST" and url.startswith(BATCHES)
            put(self, method, url, *given, **named)

        def getresponse(self: Any) -> http.client.HTTPResponse:
            if self.posts_batch and _says_ok(self.sock):
                die()
            return get(self)

        http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]


def _says_ok(line: socket.socket) -> bool:
    """Whether an answer that begins with 200 lies in the socket, unread: the batch has been taken."""
    select.select([line], [], [], line.gettimeout())
    try:
        return line.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"HTTP/1.1 200"
    except OSError:
        return False


DRAWING_UP = "in the midst of drawing up the list"
POINTS: dict[str, Install] = {
    "before claim": _before(claiming, "claim"),
    "after claim": _after(claiming, "claim", _did_something),
    "mid-POST": _Post.dies_in_the_midst,
    "after accept, before answer": _Post.dies_once_it_is_taken,
    "after answer, before it is written": _before(claiming, "record"),
    "after answer, before commit": _before_commit(claiming, "record"),
    "after commit": _after(claiming, "record"),
}
"""The steps of a batch at which a sender may die, in their order."""
ASKING_POINTS: dict[str, Install] = {
    "found, before it is written": _before(doubts, "confirm", _found_something),
    "found, and written": _after(doubts, "confirm", _did_something),
    "before requeue": _before(doubts, "requeue"),
    "after requeue": _after(doubts, "requeue", _did_something),
    "before the books are closed": _before(steering, "close"),
}
"""The steps of asking at which whoever asks may die."""
_ALL_POINTS = {DRAWING_UP: _after(ledger, "draw_up"), **POINTS, **ASKING_POINTS}


def start(life: Life) -> tuple[BaseProcess, Connection]:
    """Start a life; the connection tells (word, number) as it goes on."""
    told, telling = forks().Pipe(duplex=False)
    process = forks().Process(target=live, args=(life, telling), daemon=True)
    process.start()
    telling.close()
    return process, told


def live(life: Life, telling: Connection) -> None:
    """Do what a life is for, in this process."""
    with Path(life.log).open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it sees to its end
    lock = threading.Lock()

    def tell(word: str, what: object) -> None:
        with lock:
            telling.send((word, what))

    if life.careless:
        _be_careless()
    _tell_of(tell)
    if life.point:
        _ALL_POINTS[life.point](_death(life.passage))
    with closing(assemble(**life.settings)) as assembly:
        assembly.provider.max_batch = life.batch
        week = Week.parse(life.week)
        if life.job == ASK:
            while True:
                asking.ask(assembly.engine, assembly.post, week, _now)
                time.sleep(ASK_PAUSE)
        run = Run(clock=_now, wait=life.wait)
        outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, week, run)
    tell(ENDED, outcome.note or (outcome.sent and outcome.sent.stopped) or outcome.state)
    sys.exit(0)


def _now() -> datetime:
    return datetime.now(UTC)


def _death(passage: int) -> Die:
    left, lock = [passage], threading.Lock()

    def die() -> None:
        with lock:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    return die


def _tell_of(tell: Callable[[str, object], None]) -> None:
    """Have what changes the ledger say so, once it is committed."""

    def telling(module: Any, name: str, word: str) -> None:
        do = getattr(module, name)

        def told(*given: Any, **named: Any) -> int:
            count: int = do(*given, **named)
            if count:
                tell(word, count)
            return count

        setattr(module, name, told)

    telling(doubts, "doubt_orphans", ORPHANED)
    telling(doubts, "confirm", FOUND)
    telling(doubts, "requeue", REQUEUED)
    claim, record = claiming.claim, claiming.record
    begun = threading.Event()

    def claimed(*given: Any, **named: Any) -> Any:
        batch = claim(*given, **named)
        if batch and not begun.is_set():
            begun.set()
            tell(AT_WORK, len(batch.readers))
        return batch

    def recorded(engine: Any, letter_id: int, batch: Any, outcomes: Any, now: datetime, uptime: Any = None) -> None:
        record(engine, letter_id, batch, outcomes, now, uptime)
        if unknown := sum(isinstance(outcome, Unknown) for outcome in outcomes):
            tell(DOUBTED, unknown)

    claiming.claim, claiming.record = claimed, recorded


def _be_careless() -> None:
    call_in_doubt = doubts.doubt_orphans

    def send_again(
        engine: Engine, letter_id: int, is_dead: Callable[[int], bool], now: datetime, uptime: Any = None
    ) -> int:
        count = call_in_doubt(engine, letter_id, is_dead, now, uptime)
        with reading(engine) as session:
            found = doubts.open_doubts(session, letter_id)
        for doubt in found:
            doubts.requeue(engine, letter_id, doubt.batch)
        return count

    doubts.doubt_orphans = send_again
