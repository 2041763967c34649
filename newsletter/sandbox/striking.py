"""Which fault strikes now, and how often has each struck?

The faults that are on, drawn from one seed: the same seed and the same calls in the same order meet the same faults.
Nothing here is asked while no fault is on.
"""

import hashlib
import math
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from newsletter.sandbox.checks import Json
from newsletter.sandbox.faults import Fault, Strikes, parse
from newsletter.sandbox.mailbox import Message

FOR_GOOD: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Strike:
    """A fault that has struck a call."""

    fault: Fault
    chance: random.Random

    def refused_code(self) -> int | None:
        """The code with which the next message of a mixed batch is refused; None where it is not."""
        if self.fault.name != "mixed" or self.chance.random() >= self.fault.refuse:
            return None
        return self.chance.choice(self.fault.codes)

    def is_delayed(self) -> bool:
        """Whether an accepted message is answered as one that may be delayed, without an ErrorCode."""
        if self.fault.name == "mixed":
            # Asked of those only that were not refused.
            return self.chance.random() * (1 - self.fault.refuse) < self.fault.delay
        return self.fault.name == "delayed"

    def taken(self, count: int) -> int:
        """How many of a call's `count` accepted messages are taken, the first of them."""
        return math.ceil(count * self.fault.part)


@dataclass(frozen=True)
class Telling:
    """How an event is told: so many times, so many seconds late, out of its place."""

    times: int = 1
    late: float = 0.0
    reordered: bool = False


class _Active:
    """A fault that is on, and what it has done. Not safe to use from several threads."""

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault = fault
        self.chance = random.Random(seed)  # noqa: S311 - nothing to guess
        self.struck = 0
        self._seen = 0
        self._salt = self.chance.randbytes(8)

    def strikes(self) -> bool:
        """Whether it strikes what comes now, which is counted."""
        fault = self.fault
        self._seen += 1
        if self._seen <= fault.after or (fault.times is not None and self.struck >= fault.times):
            return False
        if fault.share < 1 and self.chance.random() >= fault.share:
            return False
        self.struck += 1
        return True

    def strikes_message(self, message: Message) -> bool:
        """Whether it strikes a message: always the same for one message, whoever asks and when."""
        if self.fault.share >= 1:
            return True
        drawn = hashlib.blake2b(b"%d" % message.number, digest_size=6, salt=self._salt).digest()
        return int.from_bytes(drawn) < self.fault.share * 2**48


class Faults:
    """The faults of one sandbox. Safe to use from several threads.

    `on` says whether there are any; ask nothing else while it is False. `seed` is drawn where none is given. Each `set`
    draws on from where the last one was, so that a test that sets its faults again does not meet the same chances.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(32) if seed is None else seed
        self.on = False
        self._chance = random.Random(self.seed)  # noqa: S311 - nothing to guess
        self._lock = threading.Lock()
        self._active: list[_Active] = []
        self._last: list[_Active] = []

    def set(self, *texts: str) -> None:
        """Put these faults in the place of those that are on, and count anew; see `faults.parse`. Raises ValueError."""
        faults = [parse(text) for text in texts]
        with self._lock:
            self._active = [_Active(fault, self._chance.getrandbits(64)) for fault in faults]
            self._last = self._active
            self.on = bool(faults)

    def clear(self) -> None:
        """Let no fault be on. What they have done can still be read, until others are set."""
        with self._lock:
            self._active = []
            self.on = False

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on, as they were written."""
        return tuple(each.fault.text for each in self._active)

    @property
    def struck(self) -> Counter[str]:
        """How often each fault, by its name, has struck since they were set: calls, messages, searches or events."""
        found: Counter[str] = Counter()
        with self._lock:
            for each in self._last:
                found[each.fault.name] += each.struck
        return found

    def as_json(self) -> Json:
        """As `GET /faults` shows it."""
        with self._lock:
            return {
                "seed": self.seed,
                "faults": [{"fault": each.fault.text, "struck": each.struck} for each in self._active],
            }

    def strike(self, path: str) -> Strike | None:
        """The first fault that strikes a call to this path (without a slash at its end), which is counted."""
        with self._lock:
            for each in self._active:
                fault = each.fault
                if fault.strikes in (Strikes.CALL, Strikes.ANSWER) and fault.concerns(path) and each.strikes():
                    return Strike(fault, each.chance)
        return None

    def visible(self, now: datetime) -> Callable[[list[Message]], list[Message]]:
        """What narrows found messages to those that the search shows at a moment."""
        lags, losses = self._named("search-lag"), self._named("search-loss")

        latest = [(each, now - timedelta(seconds=each.fault.seconds or 0)) for each in lags]

        def shows(message: Message) -> bool:
            return not any(each.strikes_message(message) for each in losses) and not any(
                message.received_at > moment and each.strikes_message(message) for each, moment in latest
            )

        def narrowed(messages: list[Message]) -> list[Message]:
            shown = [message for message in messages if shows(message)]
            if len(shown) < len(messages):
                self._count(losses or lags)
            return shown

        return narrowed if lags or losses else lambda messages: messages

    def held_until(self, message: Message) -> datetime | None:
        """When a paused account lets go of a message; FOR_GOOD: not by itself; None: it is not paused."""
        for each in self._named("paused"):
            if each.strikes_message(message):
                self._count([each])
                if each.fault.seconds is None:
                    return FOR_GOOD
                return message.received_at + timedelta(seconds=each.fault.seconds)
        return None

    def counts_already(self, suppressed_at: datetime, now: datetime) -> bool:
        """Whether a suppression is old enough to count."""
        age = (now - suppressed_at).total_seconds()
        late = [each for each in self._named("suppression-lag") if age < (each.fault.seconds or 0)]
        self._count(late[:1])
        return not late

    def telling(self) -> Telling:
        """How the next event is told."""
        with self._lock:
            struck = {
                each.fault.name: each.fault
                for each in self._active
                if each.fault.strikes is Strikes.EVENT and each.strikes()
            }
        if "webhook-lost" in struck:
            return Telling(times=0)
        late = struck.get("webhook-late")
        return Telling(
            times=2 if "webhook-duplicated" in struck else 1,
            late=(late.seconds or 0.0) if late else 0.0,
            reordered="webhook-reordered" in struck,
        )

    def disorder(self, count: int) -> list[int]:
        """The numbers from 0 to `count` - 1 in another order than theirs, where there is one."""
        order = list(range(count))
        with self._lock:
            self._chance.shuffle(order)
        if order == sorted(order):
            order.reverse()
        return order

    def _named(self, name: str) -> list[_Active]:
        return [each for each in self._active if each.fault.name == name]

    def _count(self, entries: list[_Active]) -> None:
        with self._lock:
            for each in entries[:1]:
                each.struck += 1
