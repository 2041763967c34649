"""What came back of one letter, in figures? Counted from the events, in a few statements over their index.

Promises: readers are counted, not messages: a copy that was told of twice is one; openings and clicks are counted twice
over, all of them and those that no rule took for a machine's (`scanners.LABELS`), and neither is ever hidden.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy
from sqlalchemy import ColumnElement, case, func
from sqlmodel import Session, col, select

from newsletter.delivery.ledger import UNTRACKED, StoredLetter
from newsletter.tracking.bounces import alarms
from newsletter.tracking.event import (
    BOUNCES,
    CLICKED,
    COMPLAINED,
    DELIVERED,
    ENGAGEMENT,
    KINDS,
    OPENED,
)
from newsletter.tracking.store import StoredEvent


@dataclass(frozen=True)
class Touched:
    """Of how many copies something was told: of all, and of those of which a person may have done it.

    Where only totals are kept it is told of no copy, and each time counts for itself.
    """

    all: int = 0
    people: int = 0


@dataclass(frozen=True)
class Returns:
    """What came back of one letter."""

    told: bool
    """Whether anything came back at all."""
    delivered: int = 0
    """Copies that a mail server took."""
    bounced: int = 0
    """Copies that came back, in whichever of the ways in `by_kind`, or were never made; some of them were delivered at
    a second try."""
    by_kind: Mapping[str, int] = field(default_factory=dict)
    """Each of `BOUNCES` -> copies."""
    by_type: Mapping[str, int] = field(default_factory=dict)
    """The provider's own word for a bounce -> copies; the most frequent first."""
    complained: int = 0
    """Copies that were called spam."""
    opened: Touched | None = None
    """None where nothing is noted of them, nor came."""
    clicked: Touched | None = None
    links: Mapping[str, Touched] = field(default_factory=dict)
    """Where clicks led (`event.Event.link`) -> copies; the most followed first."""
    machines: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """`event.OPENED` or `event.CLICKED` -> label -> how many events have it."""


def of_letter(session: Session, letter: StoredLetter) -> Returns:
    """Count what came back of a letter."""
    copies = _copies(session, letter)
    touched = [kind for kind in ENGAGEMENT if kind in copies]
    bounces = {kind: copies.get(kind, Touched()).all for kind in BOUNCES}
    bounced = [count for count in bounces.values() if count]
    return Returns(
        told=bool(copies),
        delivered=copies.get(DELIVERED, Touched()).all,
        bounced=_bounced(session, letter) if len(bounced) > 1 else sum(bounced),
        by_kind=bounces,
        by_type=_by_type(session, letter) if bounced else {},
        complained=copies.get(COMPLAINED, Touched()).all,
        opened=copies.get(OPENED, None if letter.opens == UNTRACKED else Touched()),
        clicked=copies.get(CLICKED, None if letter.clicks == UNTRACKED else Touched()),
        links=_links(session, letter) if CLICKED in touched else {},
        machines=_machines(session, letter) if touched else {},
    )


def alarming(session: Session, since: datetime) -> dict[str, int]:
    """The bounces heard of since then that are a trouble of our own (`bounces.alarms`) -> how many."""
    query = (
        select(StoredEvent.detail, func.count())
        .where(col(StoredEvent.received_at) >= since, col(StoredEvent.kind).in_(BOUNCES))
        .where(col(StoredEvent.detail).in_(alarms()))
        .group_by(col(StoredEvent.detail))
    )
    return _frequent({detail or "": count for detail, count in session.exec(query)})


def _copies(session: Session, letter: StoredLetter) -> dict[str, Touched]:
    """Kind of event -> the copies of which it was told, from the index alone; only of kinds that there are."""
    found = {}
    for kind in KINDS:
        # Kind by kind, and not COUNT(DISTINCT …): either would sort a million rows that the index has in order.
        each = (
            sqlalchemy.select(
                col(StoredEvent.subscriber_id).label("reader"),
                func.count().label("times"),
                func.count(case((col(StoredEvent.machine).is_(None), 1))).label("by_people"),
            )
            .where(col(StoredEvent.letter_id) == letter.id, col(StoredEvent.kind) == kind)
            .group_by(col(StoredEvent.subscriber_id))
            .subquery()
        )
        named, once = each.c.reader.is_not(None), case((each.c.by_people > 0, 1), else_=0)
        every = func.sum(case((named, 1), else_=each.c.times))
        people = func.sum(case((named, once), else_=each.c.by_people))
        counted, of_people = session.connection().execute(sqlalchemy.select(every, people)).one()
        if counted:
            found[kind] = Touched(int(counted), int(of_people))
    return found


def _bounced(session: Session, letter: StoredLetter) -> int:
    some = select(StoredEvent.subscriber_id).where(StoredEvent.letter_id == letter.id, _is(*BOUNCES)).distinct()
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def _by_type(session: Session, letter: StoredLetter) -> dict[str, int]:
    query = select(StoredEvent.detail, func.count(func.distinct(col(StoredEvent.subscriber_id))))
    found = session.exec(
        query.where(StoredEvent.letter_id == letter.id, _is(*BOUNCES)).group_by(col(StoredEvent.detail))
    )
    return _frequent({detail or "": count for detail, count in found})


def _links(session: Session, letter: StoredLetter) -> dict[str, Touched]:
    query = select(StoredEvent.link, *_ALL_AND_PEOPLE).where(StoredEvent.letter_id == letter.id, _is(CLICKED))
    found = session.exec(query.group_by(col(StoredEvent.link)))
    links = {link: Touched(every, people) for link, every, people in found if link}
    return dict(sorted(links.items(), key=lambda each: (-each[1].all, each[0])))


def _machines(session: Session, letter: StoredLetter) -> dict[str, dict[str, int]]:
    query = (
        select(StoredEvent.kind, StoredEvent.machine, func.count())
        .where(StoredEvent.letter_id == letter.id, _is(*ENGAGEMENT), col(StoredEvent.machine).is_not(None))
        .group_by(col(StoredEvent.kind), col(StoredEvent.machine))
    )
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in ENGAGEMENT}
    for kind, machine, count in session.exec(query):
        counts[kind][machine or ""] = count
    return {kind: _frequent(each) for kind, each in counts.items()}


def _is(*kinds: str) -> ColumnElement[bool]:
    return col(StoredEvent.kind).in_(kinds)


def _counted(which: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    """The copies that events are about, and of those that are about none each one; only such events as `which` says."""
    reader = col(StoredEvent.subscriber_id)
    nobodys = reader.is_(None) if which is None else reader.is_(None) & which
    copies = func.count(func.distinct(reader if which is None else case((which, reader))))
    return copies + func.count(case((nobodys, 1)))


_ALL_AND_PEOPLE: Final = (_counted(), _counted(col(StoredEvent.machine).is_(None)))


def _frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, and those that are as frequent by name."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
