"""How fast does a letter go out, and when will it be through? By what the provider took of its newest batches.

Never goes through a letter's rows: claims are few, and only the last of them are looked at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, func, select

from newsletter.delivery.claiming import Claim

WINDOW: Final = timedelta(minutes=1)
"""How far back counts: so that a send that has just got slower, or faster, says so."""
MOST: Final = 2_000  # batches that are looked at


@dataclass(frozen=True)
class Speed:
    """How a letter gets on at a moment."""

    a_minute: float = 0.0
    """Messages that the provider took, a minute."""
    last_at: datetime | None = None
    """When a batch of it was last begun; None before the first."""

    def done_at(self, left: int, now: datetime) -> datetime | None:
        """When so many more will have been sent at this rate; None where nothing moves."""
        if not self.a_minute:
            return None
        try:
            return now + timedelta(minutes=left / self.a_minute)
        except OverflowError:
            return None


def of_letter(session: Session, letter_id: int, now: datetime) -> Speed:
    """How fast a letter went out in the minute before now."""
    of_it = select(Claim.number, Claim.claimed_at).where(Claim.letter_id == letter_id)
    newest = session.exec(of_it.order_by(col(Claim.number).desc())).first()
    if newest is None:
        return Speed()
    number, last_at = newest
    recent = select(func.sum(Claim.taken), func.min(Claim.claimed_at)).where(
        Claim.letter_id == letter_id, col(Claim.number) > (number or 0) - MOST, Claim.claimed_at > now - WINDOW
    )
    taken, begun = session.exec(recent).one()
    if not taken:
        return Speed(0.0, last_at)
    seconds = max((now - begun).total_seconds(), 1.0)
    return Speed(60.0 * taken / seconds, last_at)
