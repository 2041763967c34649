"""How do posts and the pages' own events come into the database? Through one thread, which writes them in groups.

Promises: whoever waits for an event hears of it only once it is on the disk, or that it could not be written; nobody
waits for a group to fill: what is there is written, and what comes meanwhile is the next group; memory has an end: what
is too much is refused at once; and what was taken is written before the process ends. Any number of processes may each
have one.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from newsletter import arrivals
from newsletter.arrivals import Arrived
from newsletter.tracking.event import Event

GROUP: Final = 500  # events that one commit takes at most
MOST: Final = 10_000  # events that may wait
MOST_BYTES: Final = 64 * 1024 * 1024  # of bodies that may wait
LINGER: Final = 1.0  # seconds that the thread waits for more before it ends; the next event starts another
EVERY: Final = 10.0  # seconds between two lines in the log of how many came, or tries at what was left undone
PATIENCE: Final = 20.0  # seconds that `stop` waits for what is under way

log = structlog.get_logger()


class NotWritten(Exception):  # noqa: N818  the name says what happened
    """An event is not in the database; it may be told again."""


@dataclass(frozen=True)
class _Waiting:
    event: Event
    size: int
    heard: "asyncio.Future[Arrived] | None" = None
    """Where somebody waits for what comes of it."""


class Intake:
    """Writes events in groups. Its thread is there as long as there is something to write."""

    def __init__(self, engine: Engine, issues_stream: str, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._issues_stream = issues_stream
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._left_since: float | None = None
        """When something was left undone, by the machine's own count."""
        self._trouble: str | None = None
        self._new, self._known, self._told_at = 0, 0, -EVERY

    def start(self) -> None:
        """Begin with what a process that died has left undone. Without it, it begins with the first event."""
        with self._changed:
            self._stopping = False
            self._left_since = time.monotonic() - EVERY
            self._awake()

    def stop(self) -> None:
        """Write what waits, and take nothing more. It is not waited for beyond PATIENCE. Idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(PATIENCE)

    async def take(self, event: Event) -> Arrived:
        """Write an event; return what came of it once it is on the disk. Raises NotWritten."""
        heard: asyncio.Future[Arrived] = asyncio.get_running_loop().create_future()
        if not self._put(event, heard):
            raise NotWritten("too many wait")
        return await heard

    def note(self, event: Event) -> None:
        """Write an event some time soon, for which nobody waits. Where too many wait already, it is dropped."""
        if not self._put(event, None):
            log.warning("event was dropped: too many wait", type=event.record_type)

    def _put(self, event: Event, heard: "asyncio.Future[Arrived] | None") -> bool:
        size = len(event.body or "")
        with self._changed:
            if self._stopping or len(self._queue) >= MOST or self._bytes + size > MOST_BYTES:
                return False
            self._queue.append(_Waiting(event, size, heard))
            self._bytes += size
            self._awake()
        return True

    def _awake(self) -> None:
        """See to it that the thread is at work. The lock is held."""
        if self._thread is None:
            # A daemon, because a database that does not answer must not keep the process from ending: what was not
            # written was not answered either.
            thread = threading.Thread(target=self._run, name="intake", daemon=True)
            thread.start()
            self._thread = thread  # not before: where none can be started now, the next event tries again
        else:
            self._changed.notify()

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            try:
                goes_on = self._once()
            except Exception as error:  # noqa: BLE001  whatever it was: without this thread every post would hang
                with suppress(Exception):  # it may have been the log itself, on a disk that is full
                    log.error("intake stumbled, and goes on", error=type(error).__name__)  # noqa: TRY400

    def _once(self) -> bool:
        """Write one group, and what is due beside it; False where the thread is to end."""
        group = self._next()
        if group:
            self._write(group)
        if group is not None:
            self._finish()
        return group is not None

    def _next(self) -> list[_Waiting] | None:
        """What is to be written next; None where nothing comes any more, and the thread is to end."""
        with self._changed:
            if not self._queue and not self._is_due() and not self._stopping:
                self._changed.wait(LINGER)
            group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP))]
            self._bytes -= sum(each.size for each in group)
            if not group and (self._stopping or not self._is_due()):
                self._tell_of_counts()
                self._thread = None
                return None
        return group

    def _write(self, group: Sequence[_Waiting]) -> None:
        results: Sequence[Arrived | None] = [None] * len(group)
        try:
            results = arrivals.take(self._engine, [each.event for each in group], self._issues_stream, self._clock())
            self._tell(group, results)
        except Exception as error:  # noqa: BLE001  whatever it was, it is told again
            # Of what is not the database's nothing but its name: there may be an address in it.
            said = str(error.orig) if isinstance(error, DBAPIError) else ""
            self._tell_of_trouble(f"{type(error).__name__}: {said}".partition("\n")[0].removesuffix(": "))
        finally:
            _answer(group, results)

    def _tell(self, group: Sequence[_Waiting], results: Sequence[Arrived]) -> None:
        """A line for each of which something came, and now and then one of how many came."""
        self._tell_of_trouble(None)
        for waiting, arrived in zip(group, results, strict=True):
            self._new += arrived.fresh
            self._known += not arrived.fresh
            if arrived.settled or arrived.heard or arrived.silenced:
                _tell_of(waiting.event, arrived)
            if not arrived.done and self._left_since is None:
                self._left_since = time.monotonic()
        if time.monotonic() - self._told_at >= EVERY:
            self._tell_of_counts()

    def _is_due(self) -> bool:
        """Whether it is time to try again what was left undone."""
        return self._left_since is not None and time.monotonic() - self._left_since >= EVERY

    def _finish(self) -> None:
        """Do what was left undone. Where that does not go, the scheduler does it, or the next group."""
        if not self._is_due():
            return
        self._left_since = None
        try:
            if count := arrivals.finish(self._engine, self._issues_stream, self._clock()):
                log.info("what was left undone of events is done", events=count)
        except Exception as error:  # noqa: BLE001  whatever it was, the next one tries again
            self._left_since = time.monotonic()
            log.warning("what was left undone of events waits", error=type(error).__name__)

    def _tell_of_counts(self) -> None:
        new, known = self._new, self._known
        self._new, self._known, self._told_at = 0, 0, time.monotonic()  # before it is told, which may not go
        if new or known:
            log.info("events written", new=new, known=known)

    def _tell_of_trouble(self, trouble: str | None) -> None:
        """Log a trouble when it comes and when it goes, and not for every group."""
        before, self._trouble = self._trouble, trouble
        if trouble and trouble != before:
            log.error("events cannot be written", reason=trouble)
        elif before and not trouble:
            log.info("events are written again")


def _answer(group: Sequence[_Waiting], results: Sequence[Arrived | None]) -> None:
    """Let hear who waits: what came of it, None where it was not written.

    One call for all of a loop, since to wake it costs more than to write an event.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Arrived], Arrived | None]]] = {}
    for waiting, arrived in zip(group, results, strict=True):
        if waiting.heard is not None:
            by_loop.setdefault(waiting.heard.get_loop(), []).append((waiting.heard, arrived))
    for loop, all_of_it in by_loop.items():
        with suppress(RuntimeError):  # it is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, all_of_it)


def _resolve(results: Sequence[tuple["asyncio.Future[Arrived]", Arrived | None]]) -> None:
    for heard, arrived in results:
        if heard.done():
            continue  # whoever waited has gone
        if arrived is None:
            heard.set_exception(NotWritten("the database did not take it"))
        else:
            heard.set_result(arrived)


def _tell_of(event: Event, arrived: Arrived) -> None:
    """A line for an event of which something has come. No address is in it."""
    details: dict[str, object] = {}
    if arrived.heard:
        details |= {"outcome": arrived.heard.outcome, "subscriber": arrived.heard.subscriber}
    if arrived.silenced:
        details |= {"silenced": arrived.silenced}
    if arrived.settled:
        settled = arrived.settled
        details |= {"settled": f"a row of letter {settled.letter_id}", "issue": settled.week, "state": settled.state}
    log.info("event", type=event.record_type, **details)
