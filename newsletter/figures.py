"""Which figures take too long to count while somebody waits for a page? They are kept, with the moment of counting.

A row is a name and JSON; who shows it says how old it is. Nothing here is the truth: all of it can be counted anew.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Field, Session, col, select

from newsletter.db import Table, upsert


class KeptFigures(Table, table=True):
    """What was counted under one name."""

    __tablename__ = "figures"

    name: str = Field(primary_key=True)
    at: datetime
    """When it was counted, UTC."""
    content: str
    """As JSON."""


@dataclass(frozen=True)
class Counted:
    """Figures, and when they were true."""

    at: datetime
    content: Any


def find(session: Session, name: str) -> Counted | None:
    """What was counted last under a name; None where nobody has counted yet."""
    kept = session.get(KeptFigures, name)
    return Counted(kept.at, json.loads(kept.content)) if kept else None


def find_all(session: Session, names: Collection[str]) -> dict[str, Counted]:
    """What was counted last under each of at most 900 names; nothing of a name under which nobody has."""
    kept = session.exec(select(KeptFigures).where(col(KeptFigures.name).in_(names)))
    return {one.name: Counted(one.at, json.loads(one.content)) for one in kept}


def moments(session: Session, names: Collection[str] | None = None) -> dict[str, datetime]:
    """Each name (of at most 900, or of all that there are) -> when it was counted last."""
    query = select(KeptFigures.name, KeptFigures.at)
    return dict(session.exec(query if names is None else query.where(col(KeptFigures.name).in_(names))).all())


def keep(session: Session, name: str, content: Any, now: datetime) -> None:
    """Keep what has been counted. The caller commits; of two that count at once the last one stays."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    row = upsert(session, KeptFigures).values(name=name, at=now, content=text)
    session.connection().execute(
        row.on_conflict_do_update(index_elements=[col(KeptFigures.name)], set_={"at": now, "content": text})
    )
