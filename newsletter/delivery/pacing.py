"""How fast may it go, and how long is to be waited? Pure.

Two things slow a send down. A provider that is overloaded, or silent: then batches get smaller and pauses longer, and
both recover slowly. And an editor's limit, in messages a second, which all senders of a database keep together: each
takes the next free slot of time (`throttle`), and its batches hold no more than a second's messages.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST_PAUSE = 1.0  # seconds, after the first answer that says "not now"; doubled at each further one
LONGEST_PAUSE = 120.0  # seconds, where the provider names none
LONGEST_REST = 15 * 60.0  # seconds that a provider is believed when it names how long it wants to be left alone
JITTER = 0.5  # a pause is longer by up to this share of it, so that many who were sent away do not come back at once
LEAST = 10  # readers in the smallest batch that a slow-down leads to
COLDEST = 0.01  # share of the limit that a warm-up begins with
ONE_SLOT = timedelta(seconds=1)  # a batch under a limit holds what may go out in this time, and at least one message
MOST_AHEAD = 64  # slots; whoever finds more of them taken looks at what a clock wrote down that was wrong


@dataclass(frozen=True)
class Limit:
    """An editor's limit. `rate`: messages a second, None for none. `warm_up`: how long a letter takes to reach it."""

    rate: float | None = None
    warm_up: timedelta = timedelta(0)

    def at(self, age: timedelta) -> float | None:
        """The rate at this age of a letter: in the warm-up it climbs evenly from a hundredth to the whole."""
        if self.rate is None or not self.warm_up or age >= self.warm_up:  # a clock set back makes an age less than 0
            return self.rate
        return float(self.rate * max(COLDEST, age / self.warm_up))


@dataclass(frozen=True)
class Pace:
    """How a send gets on with its provider. `most`: readers in a batch; `size`: readers in the next one."""

    most: int
    size: int
    troubles: int = 0
    """Batches in a row that led to nothing."""

    @classmethod
    def full(cls, most: int) -> "Pace":
        """Nothing has gone wrong yet."""
        return cls(most, most)

    def slower(self) -> "Pace":
        """After a batch that led to nothing: half the size, so that less is in doubt if the next one fares alike."""
        return replace(self, size=max(min(LEAST, self.most), self.size // 2), troubles=self.troubles + 1)

    def faster(self) -> "Pace":
        """After a batch that was answered: half as large again, up to what the provider takes."""
        return replace(self, size=min(self.most, self.size + self.size // 2 + 1), troubles=0)

    def pause(self, rest: float, chance: float) -> float:
        """Seconds to leave the provider alone; `rest` is what it asked for, `chance` is between 0 and 1."""
        own: float = min(FIRST_PAUSE * 2 ** max(self.troubles - 1, 0), LONGEST_PAUSE)
        return max(own, min(rest, LONGEST_REST)) * (1 + JITTER * chance)


def batch_under(rate: float, size: int) -> int:
    """The largest batch under a limit: what may go out in one slot, at least one message."""
    return max(1, min(size, math.floor(rate * ONE_SLOT.total_seconds())))


def next_slot(free_at: datetime | None, now: datetime, count: int, rate: float) -> tuple[float, datetime]:
    """Take the next slot for so many messages: (seconds to wait for it, when the one after it begins).

    `free_at` is when the slot is free that nobody has taken yet. One that lies further ahead than there can be senders
    was written by a clock that was wrong: it is not waited for.
    """
    length = timedelta(seconds=count / rate)
    if free_at is None or free_at <= now or free_at > now + MOST_AHEAD * max(length, ONE_SLOT):
        return 0.0, now + length
    return (free_at - now).total_seconds(), free_at + length
