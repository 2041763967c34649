"""How did the list grow? Week by week: who joined, who left, who was suppressed or forgotten, and how many were left.

Told from what readers have said (`subscribers.consent`), whose rows nothing takes away: so the figures of a week that
has ended stay, but for who was suppressed and has since been let back in, been erased or left. Readers here are the
active and those who take a rest; who never confirmed is none.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy
from sqlalchemy import ColumnElement, case, false, func
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from newsletter.issues.week import Week
from subscribers.consent import AGREED, LEFT, Consent
from subscribers.subscriber import ERASED, SUPPRESSED, Subscriber

_WORDS: Final = (*sorted(AGREED), LEFT)
"""The steps that make somebody a reader, or end that."""


@dataclass(frozen=True)
class Grown:
    """One week of the list."""

    week: str
    joined: int
    """Who agreed and was no reader; also who came back."""
    left: int
    """Who unsubscribed."""
    suppressed: int
    """Whose mail bounced, who called it spam, or of whom an editor or the provider said so."""
    erased: int
    """Who was forgotten at their wish, and had not left before."""
    readers: int
    """How many there were at the week's end; of the week that has not ended, how many there are."""


def by_week(session: Session, zone: ZoneInfo, now: datetime, weeks: int) -> list[Grown]:
    """The last `weeks` weeks (at least one) with the one that has not ended, the oldest first."""
    names = [Week.of(now, zone)]
    while len(names) < weeks:
        names.insert(0, names[0].before())
    edges = [names[0].start(zone), *(week.end(zone) for week in names)]
    moved = _moved(session, edges)
    ended = _ended(session, edges)
    readers, grown = 0, []
    for place, week in enumerate((None, *names)):  # what was before the first of them comes first
        joined, left = moved[place, True], moved[place, False]
        suppressed, erased = ended[place, SUPPRESSED], ended[place, ERASED]
        readers += joined - left - suppressed - erased
        if week:
            grown.append(Grown(str(week), joined, left, suppressed, erased, readers))
    return grown


def _moved(session: Session, edges: list[datetime]) -> Counter[tuple[int, bool]]:
    """(place of the week, whether they became a reader) -> how many became one, or ceased to be."""
    agrees = col(Consent.kind).in_(AGREED)
    before = func.lag(agrees, 1, false()).over(partition_by=col(Consent.subscriber_id), order_by=col(Consent.id))
    steps = (
        sqlalchemy.select(
            _place(col(Consent.at), edges).label("place"),
            agrees.label("now"),
            before.label("before"),
        )
        .where(col(Consent.kind).in_(_WORDS))
        .subquery()
    )
    counts = sqlalchemy.select(steps.c.place, steps.c.now, func.count()).where(steps.c.now != steps.c.before)
    found = session.connection().execute(counts.group_by(steps.c.place, steps.c.now))
    return Counter({(place, bool(became)): count for place, became, count in found})


def _ended(session: Session, edges: list[datetime]) -> Counter[tuple[int, str]]:
    """(place of the week, status) -> how many came into it without having left by their own word."""
    last = (
        select(Consent.kind)
        .where(Consent.subscriber_id == Subscriber.id, col(Consent.kind).in_(_WORDS))
        .order_by(col(Consent.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    place = _place(col(Subscriber.since), edges)
    counts = sqlalchemy.select(place, col(Subscriber.status), func.count()).where(
        col(Subscriber.status).in_((SUPPRESSED, ERASED)), last.in_(AGREED)
    )
    found = session.connection().execute(counts.group_by(place, col(Subscriber.status)))
    return Counter({(number, status): count for number, status, count in found})


def _place(moment: Mapped[datetime], edges: list[datetime]) -> ColumnElement[int]:
    """Which of the weeks between these edges a moment lies in, from 1; 0 before the first."""
    return case(*((moment < edge, number) for number, edge in enumerate(edges)), else_=len(edges))
