"""Which of the openings and clicks that came back were machines'? What was told is judged, copy by copy.

Promises: whatever came since a copy was last judged has all of it judged again, and so has a change of the rules; no
row goes, and no figure but those of people changes; a label that was given on the strength of an agent's name stays
when that name has had its time. Many may do it at once: they come to the same.
"""

from collections import defaultdict
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Engine, Integer, Row, String
from sqlmodel import Session, col, select

from newsletter.db import given, reading, writing
from newsletter.tracking.event import DOOR, ENGAGEMENT
from newsletter.tracking.scanners import RULES, Touch, label
from newsletter.tracking.store import TOUCHES, StoredEvent

CHUNK: Final = 500
"""Copies that are judged at once, and whose labels are written in one short transaction."""

_READ: Final[tuple[Any, ...]] = (
    StoredEvent.id,
    StoredEvent.letter_id,
    StoredEvent.subscriber_id,
    StoredEvent.at,
    StoredEvent.kind,
    StoredEvent.link,
    StoredEvent.agent,
    StoredEvent.source,
    StoredEvent.detail,
    StoredEvent.machine,
)
"""Not the body, which is most of a row."""

_Copy = tuple[int, int]
"""Letter id, subscriber id."""


def run(engine: Engine, most: int | None = None) -> int:
    """Judge every copy of which something was not judged by these rules; return how many. In transactions of its own.

    Where there is none, that is seen from an index, however many events there are. `most`: stop once so many are done.
    """
    judged = 0
    while True:
        if most is not None and judged >= most:
            return judged
        with reading(engine) as session:
            copies = _unjudged(session)
            labels = _labels(session, copies)
        if not copies:
            return judged
        with writing(engine) as session:
            _write(session, labels)
            session.commit()
        judged += len(copies)


def _unjudged(session: Session) -> list[_Copy]:
    """The next copies of which something was never judged, or by older rules."""
    # In the order of the index, of which only the beginning is then read: a DISTINCT by itself goes through all.
    order = (col(StoredEvent.rules), col(StoredEvent.letter_id), col(StoredEvent.subscriber_id))
    copies = select(*order).distinct().where(TOUCHES).order_by(*order).limit(CHUNK)
    new = session.exec(copies.where(order[0].is_(None))).all()
    found = new or session.exec(copies.where(order[0] < RULES)).all()
    return list({(letter, reader) for _, letter, reader in found if letter is not None and reader is not None})


def _labels(session: Session, copies: list[_Copy]) -> list[tuple[int, str | None]]:
    """(event id, label) of all openings and clicks of these copies."""
    if not copies:
        return []
    letter, reader = given(copies, Integer(), Integer())
    query = sqlalchemy.select(*_READ).where(
        col(StoredEvent.letter_id) == letter,
        col(StoredEvent.subscriber_id) == reader,
        col(StoredEvent.kind).in_(ENGAGEMENT),
    )
    by_copy: dict[_Copy, list[Row[Any]]] = defaultdict(list)
    for row in session.connection().execute(query.order_by(col(StoredEvent.id))):
        by_copy[row.letter_id, row.subscriber_id].append(row)
    return [
        # Without the name the rules see less than they once did.
        (row.id, name or (None if row.agent else row.machine))
        for rows in by_copy.values()
        for row, name in zip(rows, label([_touch(row) for row in rows]), strict=True)
    ]


def _write(session: Session, labels: list[tuple[int, str | None]]) -> None:
    number, name = given(labels, Integer(), String())
    judged = sqlalchemy.update(StoredEvent).where(col(StoredEvent.id) == number)
    session.connection().execute(judged.values(machine=name, rules=RULES))


def _touch(row: Row[Any]) -> Touch:
    return Touch(row.at, row.kind, row.link, row.agent, row.detail if row.source == DOOR else None)
