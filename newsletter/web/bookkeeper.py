"""Who counts what takes too long to be counted on a page? A thread beside the pages.

Promises: no page waits for it; what somebody looks at is counted before what nobody looks at; no trouble of counting
becomes one of the pages. Any number of processes may have one: what one of them has counted is fresh for all.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

import structlog

from newsletter import counting
from newsletter.assembly import Assembly
from newsletter.counting import Ways
from newsletter.db import in_a_line, reading

ROUND: Final = 60.0  # seconds between two looks at what has become old, where nobody has asked for anything
REST: Final = 5.0  # seconds at most between two things that nobody waits for: counting may not keep a core busy
PATIENCE: Final = 2.0  # seconds that `stop` waits; what is being counted is counted anew some other time

log = structlog.get_logger()


class Bookkeeper:
    """Counts from `start` to `stop`."""

    def __init__(self, assembly: Assembly, clock: Callable[[], datetime]) -> None:
        self._assembly = assembly
        self._clock = clock
        self._wanted: set[str] = set()
        self._lock = threading.Lock()
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin, with a look at once."""
        # A daemon: what it has not finished is lost without harm.
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="bookkeeper", daemon=True)
        self._nudged.set()
        self._thread.start()

    def want(self, names: Iterable[str]) -> None:
        """Somebody looks at these figures. Returns at once; without `start` it does nothing."""
        with self._lock:
            self._wanted.update(names)
        self._nudged.set()

    def stop(self) -> None:
        """End after what is being counted, but do not wait for it beyond PATIENCE. Idempotent."""
        self._stopping.set()
        self._nudged.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._nudged.wait(ROUND)
            self._nudged.clear()
            try:
                if not self._round():
                    self._trouble = None
            except Exception as error:  # noqa: BLE001  whatever it was, the next round tries again
                self._tell(error)

    def _round(self) -> set[str]:
        """Count until nothing is old; what cannot be counted does not keep the rest from it, and is returned."""
        failed: set[str] = set()
        while not self._stopping.is_set():
            with self._lock:
                wanted = set(self._wanted)
            # Pages neither make nor change tables, and nor does their bookkeeper.
            with reading(self._assembly.bare_engine) as session:
                old = counting.due(session, self._clock(), wanted)
            name = next((each for each in old if each not in failed), None)
            if name is None:
                self._done(wanted)
                break
            begun = time.monotonic()
            try:
                counting.count(self._assembly.bare_engine, name, self._ways(), self._clock())
            except Exception as error:  # noqa: BLE001  the others can be counted all the same
                failed.add(name)
                self._tell(error)
            self._done({name})
            if name not in wanted:
                self._rest(time.monotonic() - begun)
        return failed

    def _rest(self, as_long: float) -> None:
        """As long as the last count took, or until somebody wants something."""
        if not self._stopping.is_set() and self._nudged.wait(min(as_long, REST)):
            self._nudged.clear()

    def _done(self, names: set[str]) -> None:
        with self._lock:
            self._wanted -= names

    def _ways(self) -> Ways:
        return Ways(self._assembly.settings.zone, self._assembly.provider.keeps_history)

    def _tell(self, error: Exception) -> None:
        """Log a trouble when it comes, and not in every round until it goes."""
        trouble = in_a_line(error)
        if trouble != self._trouble:
            log.error("figures could not be counted", reason=trouble)
        self._trouble = trouble
