"""A stranger who carries letters as a test wants it: answers, keeps silent, hangs, shows what it took or hides it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from newsletter.delivery.provider import Accepted, CannotAsk, Envelope, Listed, Outcome, Shown
from newsletter.message import Letter, Recipient


@dataclass(frozen=True)
class Call:
    """Which call it is (from 1), its batch key, its rows, and when it came in, in seconds of the monotonic clock."""

    number: int
    batch: str
    rows: tuple[str, ...]
    at: float


Answer = Callable[[Call], Sequence[Outcome]]


def take_all(call: Call) -> list[Outcome]:
    return [Accepted(f"id-{call.number}-{row}") for row in call.rows]


class Moody:
    """Answers as `answer` says; what it accepts it has, and shows unless its batch or row is in `hidden`.

    `under_way`: calls just now; `most`: at once, so far. `shows_probes`: whether its search shows them; `cannot_ask`:
    what asking raises.
    """

    name = "moody"
    account = "its own"
    keeps_list = False
    keeps_history = False

    def __init__(self, answer: Answer = take_all, max_batch: int = 10) -> None:
        self.max_batch = max_batch
        self.calls: list[Call] = []
        self.most = 0
        self.has: dict[str, dict[str, str]] = {}
        self.hidden: set[str] = set()
        self.shows_probes = True
        self.probes: list[str] = []
        self.asked: list[str] = []
        self.cannot_ask: CannotAsk | None = None
        self._answer = answer
        self.under_way = 0
        self._lock = threading.Lock()

    @property
    def sizes(self) -> list[int]:
        """Of its calls, in their order."""
        return [len(call.rows) for call in self.calls]

    @property
    def pauses(self) -> list[float]:
        """Seconds between each call and the next."""
        moments = [call.at for call in self.calls]
        return [after - before for before, after in pairwise(moments)]

    @property
    def copies(self) -> dict[str, int]:
        """Row -> how many times it was taken."""
        rows = [row for batch in self.has.values() for row in batch]
        return {row: rows.count(row) for row in rows}

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        with self._lock:
            call = Call(len(self.calls) + 1, batch, tuple(one.row for one in recipients), time.monotonic())
            self.calls.append(call)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            outcomes = list(self._answer(call))
        finally:
            with self._lock:
                self.under_way -= 1
        self.take(call, outcomes)
        return outcomes

    def take(self, call: Call, outcomes: Sequence[Outcome] | None = None) -> None:
        """Have of a call what its outcomes say was accepted; all of it, where none are given."""
        outcomes = take_all(call) if outcomes is None else outcomes
        taken = {row: one.message_id for row, one in zip(call.rows, outcomes, strict=True) if isinstance(one, Accepted)}
        with self._lock:
            self.has.setdefault(call.batch, {}).update(taken)

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:
        self.asked.append(batch)
        if self.cannot_ask:
            raise self.cannot_ask
        shown = {} if batch in self.hidden else self.has.get(batch, {})
        return {row: message_id for row, message_id in shown.items() if row not in self.hidden}

    def probe(self, envelope: Envelope, batch: str) -> None:
        self.probes.append(batch)

    def probe_is_visible(self, envelope: Envelope, batch: str) -> bool:
        return self.shows_probes and batch in self.probes

    def listed(self, stream: str) -> Iterator[Listed]:
        return iter(())

    def returned(self, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:
        return iter(())

    def kept_out(self, stream: str, since: datetime) -> Iterator[Shown]:
        return iter(())

    def history(self, message_id: str) -> Shown | None:
        return None

    def tidy(self, before: date) -> int:
        return 0

    def close(self) -> None:
        pass
