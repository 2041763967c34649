"""Who carries the letters that the pages cause? A thread beside them, so that no page waits for a provider.

Promises: a letter leaves a moment after the page that caused it; what could not be carried is tried again; no trouble
of the post becomes one of the pages. Any number of processes may have one: they share the work through the database.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from random import SystemRandom
from typing import Final

import structlog

from newsletter import welcome
from newsletter.assembly import Assembly
from newsletter.db import in_a_line

ROUND: Final = 15.0  # seconds between two rounds that nobody has asked for
A_MOMENT: Final = 1.5  # seconds at most between a nudge and its round, by chance
SOON: Final = 1.0  # seconds until the next round, where another process was at it
PATIENCE: Final = 24.0  # seconds that `stop` waits for what is under way: a provider may take its time to answer

log = structlog.get_logger()


class Postman:
    """Carries letters to single readers from `start` to `stop`."""

    def __init__(self, assembly: Assembly, clock: Callable[[], datetime]) -> None:
        self._assembly = assembly
        self._clock = clock
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin, with a round at once: letters may wait from before."""
        # A daemon, because a provider that does not answer must not keep the process from ending: what was under way
        # then is found in the ledger, like that of any process that was killed.
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
        self._wanted.set()
        self._thread.start()

    def nudge(self) -> None:
        """A letter waits. Returns at once; without `start` it does nothing."""
        self._wanted.set()

    def stop(self) -> None:
        """End after the batch under way, but do not wait for it beyond PATIENCE. Idempotent."""
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        rest = ROUND
        while True:
            if self._wanted.wait(rest):
                # What a sign-up leads to is work of this process, and how busy it is can be felt by who asks for pages
                # right after it. So nobody is to know when.
                self._stopping.wait(SystemRandom().uniform(0, A_MOMENT))
            self._wanted.clear()
            if self._stopping.is_set():
                return
            rest = SOON if self._round() else ROUND

    def _round(self) -> bool:
        """Carry once; return whether another process was at it, and letters may be left."""
        try:
            # Pages neither make nor change tables, and nor does their postman.
            assembly = self._assembly
            carried = welcome.carry(assembly.bare_engine, assembly.welcome_desk, self._clock, self._stopping)
        except Exception as error:  # noqa: BLE001  whatever it was, the next round tries again
            self._tell(in_a_line(error))
            return False
        if carried.sign_ups or carried.letters:
            log.info("letters carried", sign_ups=carried.sign_ups, letters=carried.letters)
        self._tell(None if self._stopping.is_set() else carried.stopped)
        return carried.busy

    def _tell(self, trouble: str | None) -> None:
        """Log a trouble when it comes, and not in every round until it goes."""
        if trouble and trouble != self._trouble:
            log.error("letters could not be carried", reason=trouble)
        self._trouble = trouble
