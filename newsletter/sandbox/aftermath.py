"""What became of a message: at once, by the address that it went to, and later, by what somebody brings about?

What comes at once is worked out whenever somebody asks, and costs a send nothing; what comes later is kept.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from newsletter.sandbox import bounces
from newsletter.sandbox.bounces import BounceType
from newsletter.sandbox.mailbox import Message
from newsletter.sandbox.suppressions import Suppression

MOST_RECIPIENTS: Final = 64  # a message has 50 at most
AT_ONCE: Final = 1_000_000  # where the numbers of bounces begin that come at once, one for each recipient there may be
LATER: Final = 2**40  # and of those that come later


@dataclass(frozen=True, slots=True)
class Delivered:
    """A reader's mail server took it."""

    message: Message
    email: str

    @property
    def at(self) -> datetime:
        """When: there is no way that takes time."""
        return self.message.received_at


@dataclass(frozen=True, slots=True)
class Bounced:
    """It came back, or its reader called it spam. `inactive`: its address is written to no more."""

    number: int
    message: Message
    email: str
    way: BounceType
    at: datetime
    inactive: bool


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """An address came on a stream's list or off it. `cause`: the message that brought it there."""

    stream: str
    suppression: Suppression
    suppressed: bool
    cause: Message | None

    @property
    def at(self) -> datetime:
        """When."""
        return self.suppression.created_at


@dataclass(frozen=True, slots=True)
class Opened:
    """Its counting picture was fetched."""

    message: Message
    email: str
    at: datetime
    agent: str
    first: bool


@dataclass(frozen=True, slots=True)
class Clicked:
    """One of its links was followed."""

    message: Message
    email: str
    at: datetime
    agent: str
    link: str


Happening = Delivered | Bounced | SubscriptionChange | Opened | Clicked


@dataclass
class Aftermath:
    """What was brought about later, oldest first. Safe to use from several threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _by_message: dict[str, list[Happening]] = field(default_factory=dict)
    _bounces: list[Bounced] = field(default_factory=list)
    _given: int = 0

    def number(self) -> int:
        """A bounce's number that no other gets."""
        with self._lock:
            self._given += 1
            return LATER + self._given

    def add(self, message: Message, happening: Happening) -> None:
        """Keep what came of a message."""
        with self._lock:
            self._by_message.setdefault(message.id, []).append(happening)
            if isinstance(happening, Bounced):
                self._bounces.append(happening)

    def of(self, message: Message) -> list[Happening]:
        """What came of a message later."""
        with self._lock:
            return list(self._by_message.get(message.id, ()))

    def bounces(self) -> list[Bounced]:
        """Everything that came back later."""
        with self._lock:
            return list(self._bounces)

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._by_message.clear()
            self._bounces.clear()


def at_once(message: Message) -> Iterator[Delivered | Bounced]:
    """What becomes of a message the moment that it goes out, for each of its recipients."""
    for index, email in enumerate(message.recipients):
        way = bounces.bounce_of(email)
        if way is not None:
            number = AT_ONCE + message.number * MOST_RECIPIENTS + index
            yield Bounced(number, message, email, way, message.received_at, way.deactivates)
        elif not bounces.goes_nowhere(email):
            yield Delivered(message, email)
