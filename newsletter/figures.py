"""Which figures take too long to count while somebody waits for a page? They are kept, with the moment of counting.

A row is a name and JSON; who shows it says how old it is. Nothing here is the truth: all of it can be counted anew.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Field, Session, col

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


def keep(session: Session, name: str, content: Any, now: datetime) -> None:
    """Keep what has been counted. The caller commits; of two that count at once the last one stays."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    row = upsert(session, KeptFigures).values(name=name, at=now, content=text)
    session.connection().execute(
        row.on_conflict_do_update(index_elements=[col(KeptFigures.name)], set_={"at": now, "content": text})
    )
