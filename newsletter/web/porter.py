"""Who brings readers in from a file that somebody uploads at the desk? A thread for each file, beside the pages.

Promises: nothing is written before somebody has seen what would happen, and then it is this very file that goes in, as
the command line would bring it; files have no name on the disk, are their editor's alone, and are gone with the process
or after `KEPT`; what stops an import leaves whole chunks, over which the next one passes.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import BinaryIO, Final

import structlog
from sqlalchemy import Engine

from newsletter.db import in_a_line, writing
from newsletter.editors import log as diary
from subscribers.csv_file import CsvFile, look_through
from subscribers.dialects import Reading, recognise
from subscribers.importing import BadRow, Foretold, Report, foretell, import_rows
from subscribers.rejects import Rejects

KEPT: Final = 60 * 60.0  # seconds that a file is kept
SOON: Final = 60.0  # seconds until it is looked again whether one can go that is being worked on
MOST: Final = 4  # files that are kept
FIRST: Final = 8  # rows that are shown as they are understood
NAMED: Final = 20  # bad rows that are named one by one
BREATH: Final = 0.01  # seconds after each chunk in which pages, and others who write, have their turn
PATIENCE: Final = 24.0  # seconds that `stop` waits for the chunk under way

LOOKING: Final = "looking"
LOOKED: Final = "looked"
IMPORTING: Final = "importing"
DONE: Final = "done"
STOPPED: Final = "stopped"
UNREADABLE: Final = "unreadable"

STATES: Final = {
    LOOKING: "it is being gone through",
    LOOKED: "it is known what would happen",
    IMPORTING: "its readers are being brought in",
    DONE: "its readers are in",
    STOPPED: "the import was stopped in its midst",
    UNREADABLE: "it cannot be read as it is",
}

BROUGHT: Final = "brought readers in"

log = structlog.get_logger()


@dataclass
class Parcel:
    """A file that somebody has uploaded. Its thread writes here, pages read."""

    key: str
    """What its pages are called."""
    editor_id: int
    name: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256 of what is in it, 64 hex digits."""
    handle: BinaryIO = field(repr=False)
    encoding: str | None = None
    """As an editor says; None: what it looks like."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """Column -> field, as an editor says."""
    source: str | None = None
    """Where they agreed, as an editor says."""
    state: str = LOOKING
    file: CsvFile | None = None
    reading: Reading | None = None
    first: list[Foretold] = field(default_factory=list, repr=False)
    rows: int = 0
    """How many rows have been gone through."""
    report: Report | None = None
    named: list[BadRow] = field(default_factory=list, repr=False)
    rejects: Rejects | None = None
    trouble: str | None = None
    """What is wrong with it, or why it was stopped."""
    settled: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set while nothing is being done with it."""

    @property
    def moves(self) -> bool:
        """Whether something is being done with it."""
        return self.state in (LOOKING, IMPORTING)

    def forget(self) -> None:
        """Let go of all that is on the disk."""
        self.handle.close()
        if self.rejects is not None:
            self.rejects.close()


class _Stopped(Exception):  # noqa: N818  the name says what happened
    """The process ends."""


class Porter:
    """Keeps uploaded files, and brings their readers in."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._guard = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._parcels: dict[str, Parcel] = {}
        self._threads: set[threading.Thread] = set()
        self._timers: dict[str, threading.Timer] = {}

    def take(self, editor_id: int, name: str, handle: BinaryIO, size: int, digest: str) -> Parcel | None:
        """Keep a file, and begin to look what would happen. None where `MOST` others are at work just now."""
        parcel = Parcel(token_urlsafe(16), editor_id, name, size, digest, handle)
        with self._guard:
            while len(self._parcels) >= MOST:
                oldest = next((each for each in self._parcels.values() if not each.moves), None)
                if oldest is None:
                    return None
                self._drop(oldest)
            self._parcels[parcel.key] = parcel
            self._set_timer(parcel, KEPT)
        self._begin(parcel, self._look)
        return parcel

    def find(self, key: str, editor_id: int) -> Parcel | None:
        """The file that an editor has uploaded; None for one that is gone, or that somebody else has."""
        with self._guard:
            parcel = self._parcels.get(key)
        return parcel if parcel is not None and parcel.editor_id == editor_id else None

    def look_again(self, parcel: Parcel, encoding: str | None, mapping: Mapping[str, str]) -> bool:
        """Read a file otherwise; False where it is being worked on, or its readers are in."""
        with self._guard:
            if parcel.state not in (LOOKED, UNREADABLE):
                return False
            parcel.encoding, parcel.mapping, parcel.state = encoding, mapping, LOOKING
        self._begin(parcel, self._look)
        return True

    def bring_in(self, parcel: Parcel, source: str | None) -> bool:
        """Bring the readers of a file in; False where nobody has seen yet what would happen, or they are in."""
        with self._guard:
            if parcel.state != LOOKED:
                return False
            parcel.source, parcel.state = source, IMPORTING
        self._begin(parcel, self._import)
        return True

    def drop(self, parcel: Parcel) -> bool:
        """Forget a file; False where it is being worked on."""
        with self._guard:
            if parcel.moves:
                return False
            self._drop(parcel)
        return True

    def stop(self) -> None:
        """End after the chunks under way, and forget all files. Idempotent."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(PATIENCE)
        with self._guard:
            for parcel in list(self._parcels.values()):
                if not parcel.moves:
                    self._drop(parcel)

    def _set_timer(self, parcel: Parcel, seconds: float) -> None:
        self._timers[parcel.key] = timer = threading.Timer(seconds, self._time_is_over, [parcel])
        timer.daemon = True
        timer.start()

    def _time_is_over(self, parcel: Parcel) -> None:
        with self._guard:
            if parcel.moves:
                self._set_timer(parcel, SOON)
            else:
                self._drop(parcel)

    def _drop(self, parcel: Parcel) -> None:
        if self._parcels.pop(parcel.key, None) is not None:
            self._timers.pop(parcel.key).cancel()
            parcel.forget()

    def _begin(self, parcel: Parcel, work: Callable[[Parcel], None]) -> None:
        parcel.settled.clear()

        def run() -> None:
            try:
                work(parcel)
            finally:
                self._threads.discard(threading.current_thread())
                parcel.settled.set()

        # A daemon: of what a process was killed over, whole chunks are in, and the same file brings the rest.
        thread = threading.Thread(target=run, name="porter", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _look(self, parcel: Parcel) -> None:
        """Go through a file without writing anything, and without holding up who does."""
        parcel.rows, parcel.report, parcel.trouble = 0, None, None
        parcel.file, parcel.reading, parcel.first = None, None, []
        try:
            parcel.file = file = look_through(Path(parcel.name), parcel.handle, parcel.encoding)
            parcel.reading = how = recognise(file.header, parcel.name, parcel.mapping)
            parcel.first = foretell(self._engine, file, how, FIRST)
            parcel.report = self._go_through(parcel, file, how, dry_run=True)
        except ValueError as error:  # what is wrong with it, in a line
            self._end(parcel, UNREADABLE, str(error))
        except Exception as error:  # noqa: BLE001  whatever it was, the pages go on
            self._end(parcel, UNREADABLE, self._trouble(error, "a file could not be looked through"))
        else:
            self._end(parcel, LOOKED)

    def _import(self, parcel: Parcel) -> None:
        assert parcel.file is not None  # it has been looked at
        assert parcel.reading is not None
        parcel.rows = 0
        try:
            with self._one_at_a_time:
                parcel.report = self._go_through(parcel, parcel.file, parcel.reading, dry_run=False)
            report = parcel.report
            added = report.added.total()
            self._note(parcel, BROUGHT, f"{added:,} new of {report.rows:,} rows, {report.bad:,} left out")
        except Exception as error:  # noqa: BLE001  whatever it was, the pages go on
            trouble = self._trouble(error, "an import was stopped")
            with suppress(Exception):  # the database may be what is away
                self._note(parcel, "an import was stopped in its midst", f"after {parcel.rows:,} rows")
            self._end(parcel, STOPPED, trouble)
        else:
            self._end(parcel, DONE)

    def _go_through(self, parcel: Parcel, file: CsvFile, how: Reading, *, dry_run: bool) -> Report:
        named: list[BadRow] = []
        before, rejects = parcel.rejects, Rejects(file.header)
        parcel.named, parcel.rejects = named, rejects
        if before is not None:
            before.close()

        def turn_away(row: BadRow) -> None:
            rejects.add(row)
            if len(named) < NAMED:
                named.append(row)

        def show(rows: int) -> None:
            parcel.rows = rows
            if self._stopping.wait(BREATH):
                raise _Stopped

        return import_rows(
            self._engine, file, how, parcel.source, self._clock(), dry_run=dry_run, turn_away=turn_away, show=show
        )

    def _note(self, parcel: Parcel, act: str, detail: str) -> None:
        with writing(self._engine) as session:
            diary.write(session, self._clock(), parcel.editor_id, act, detail=f"{detail}; file {parcel.digest[:12]}")
            session.commit()

    def _end(self, parcel: Parcel, state: str, trouble: str | None = None) -> None:
        with self._guard:
            parcel.trouble, parcel.state = trouble, state

    def _trouble(self, error: Exception, what: str) -> str:
        if isinstance(error, _Stopped):
            return "the program was ending"
        reason = in_a_line(error)
        log.error(what, reason=reason)
        return reason
