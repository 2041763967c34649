"""What do readers think of a comparison? The votes, and what they add up to.

Promises: one vote a reader and comparison, the last one counts; a reader who is forgotten leaves the count as it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func
from sqlmodel import Field, Session, col, select

from newsletter.comparisons.record import LEFT, RIGHT, whole_percent
from newsletter.db import Table, one_of, upsert

BOTH: Final = "both"
NEITHER: Final = "neither"
SIDES: Final = ("left", "right")
"""The choice of one tool alone, by its side."""

CHOICES: Final[Mapping[str, tuple[bool, bool]]] = {
    SIDES[LEFT]: (True, False),
    SIDES[RIGHT]: (False, True),
    BOTH: (True, True),
    NEITHER: (False, False),
}
"""Every choice -> whether it would ship the left and the right tool."""


class Vote(Table, table=True):
    """What one reader thinks of one comparison."""

    __tablename__ = "votes"
    __table_args__ = (
        UniqueConstraint("comparison_id", "subscriber_id"),
        CheckConstraint(one_of("choice", CHOICES), name="choice"),
        Index("ix_votes_tally", "comparison_id", "choice"),  # pages count them
    )

    id: int | None = Field(default=None, primary_key=True)
    comparison_id: int = Field(foreign_key="comparisons.id")
    subscriber_id: int | None = Field(default=None, foreign_key="subscribers.id", index=True)
    """Whose; none of a reader who was forgotten."""
    choice: str
    voted_at: datetime
    changed_at: datetime
    """When it last became another choice."""


@dataclass(frozen=True)
class Tally:
    """How many readers have made which choice on one comparison."""

    left: int = 0
    right: int = 0
    both: int = 0
    neither: int = 0

    @property
    def all(self) -> int:
        """How many have voted."""
        return self.left + self.right + self.both + self.neither

    def would_ship(self, side: int) -> int:
        """How many would ship a side's tool, alone or with the other one."""
        return (self.left if side == LEFT else self.right) + self.both

    def ship(self, side: int) -> int | None:
        """The community ship of a side, 0 to 100: (that tool + both) / all, halves up; None while nobody has voted."""
        return whole_percent(self.would_ship(side), self.all) if self.all else None


def cast(session: Session, comparison_id: int, subscriber_id: int, choice: str, now: datetime) -> bool:
    """Write a reader's vote down, in place of an earlier one; False where it was the same. The caller commits."""
    assert choice in CHOICES
    made = upsert(session, Vote).values(
        comparison_id=comparison_id, subscriber_id=subscriber_id, choice=choice, voted_at=now, changed_at=now
    )
    changed = made.on_conflict_do_update(
        index_elements=[col(Vote.comparison_id), col(Vote.subscriber_id)],
        set_={"choice": choice, "changed_at": now},
        where=col(Vote.choice) != choice,
    ).returning(col(Vote.id))
    return session.connection().execute(changed).first() is not None


def of_reader(session: Session, comparison_id: int, subscriber_id: int) -> str | None:
    """What a reader has voted; None where they have not."""
    query = select(Vote.choice).where(Vote.comparison_id == comparison_id, Vote.subscriber_id == subscriber_id)
    return session.exec(query).one_or_none()


def community(tally: Tally, side: int, published: int | None) -> int | None:
    """The community ship of a side, 0 to 100: of our own votes where there are any, else as published, if at all."""
    voted = tally.ship(side)
    return published if voted is None else voted


def tallies(session: Session, comparison_ids: Iterable[int]) -> dict[int, Tally]:
    """Comparison id -> its tally, one of zeros where nobody has voted."""
    wanted = list(comparison_ids)
    counted: dict[int, dict[str, int]] = {number: {} for number in wanted}
    query = select(Vote.comparison_id, Vote.choice, func.count()).where(col(Vote.comparison_id).in_(wanted))
    for number, choice, count in session.exec(query.group_by(col(Vote.comparison_id), col(Vote.choice))):
        counted[number][choice] = count
    return {number: Tally(**counts) for number, counts in counted.items()}
