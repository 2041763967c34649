"""What has to be gone after its time? Looked at once a day, by whichever clock; twice does no harm.

Each thing is done in short transactions of its own, so that no page and no sender waits for it. One that is interrupted
is finished by the next run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import farewell
from newsletter.db import reading, writing
from newsletter.editors import sessions
from newsletter.tracking import fading
from subscribers import consent, limits, preferences, signup

CHUNK = 100  # readers forgotten in one transaction


@dataclass(frozen=True)
class Tidied:
    """What one run did."""

    forgotten: int
    """Addresses that nobody has confirmed in time."""
    woken: int
    """Readers whose rest is over."""
    shortened: int
    """Steps of consent of which it is no longer kept from where exactly they came."""
    faded: int
    """Events that are no longer kept as they came, or, being nobody's, no longer known by a hash of the address."""
    counts: int
    """Counts of attempts that say nothing any more."""
    sessions: int
    """Sessions of the desk that are over, with the networks and browsers in them."""
    clean: bool
    """Whether no old bytes of whoever was erased lie about; where they may, the next run tries again."""


def tidy(engine: Engine, now: datetime) -> Tidied:
    """Do what is due now, and return what was."""
    return Tidied(
        forgotten=_until_none_is_left(engine, lambda session: _forget_unconfirmed(session, now)),
        woken=_once(engine, lambda session: preferences.wake(session, now)),
        shortened=_shorten(engine, now),
        faded=_until_none_is_left(engine, lambda session: fading.fade(session, now))
        + _until_none_is_left(engine, lambda session: fading.unname(session, now)),
        counts=_once(engine, lambda session: limits.tidy(session, now)),
        sessions=_once(engine, lambda session: sessions.tidy(session, now)),
        clean=farewell.tidy(engine, now),  # the last, so that it takes away what the others have left
    )


def _forget_unconfirmed(session: Session, now: datetime) -> int:
    readers = signup.unconfirmed(session, now, CHUNK)
    for reader in readers:
        farewell.forget(session, reader, now)
    return len(readers)


def _shorten(engine: Engine, now: datetime) -> int:
    total = after = 0
    while True:
        with reading(engine) as session:  # a million steps are passed over, and nobody waits for it
            numbers = consent.to_shorten(session, now, after)
        if not numbers:
            return total
        total += _once(engine, partial(consent.shorten, numbers=numbers))
        after = numbers[-1]


def _once(engine: Engine, act: Callable[[Session], int]) -> int:
    with writing(engine) as session:
        count = act(session)
        session.commit()
    return count


def _until_none_is_left(engine: Engine, act: Callable[[Session], int]) -> int:
    total = 0
    while count := _once(engine, act):
        total += count
    return total
