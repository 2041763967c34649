"""How far has the provider been asked what came back? A row for each thing that it is asked about.

So the next run goes on where the last one ended, and whoever is asked about in vain keeps nobody else from their turn.
"""

from datetime import datetime

from sqlmodel import Field, Session

from newsletter.db import Table, upsert


class Poll(Table, table=True):
    """How far one list, or the messages one by one, have been asked about."""

    __tablename__ = "polls"

    what: str = Field(primary_key=True)
    until: datetime
    """All that the provider showed up to this moment has been read."""
    letter: int = 0
    reader: int = 0
    """Whose copy was the last that was asked about; 0: none, so that the oldest is the next."""


def known(session: Session, what: str) -> Poll | None:
    """How far it was asked about; None where it never was."""
    return session.get(Poll, what)


def reached(session: Session, what: str, until: datetime, copy: tuple[int, int] = (0, 0)) -> None:
    """Write down how far it has been asked about. The caller commits."""
    values = {"until": until, "letter": copy[0], "reader": copy[1]}
    made = upsert(session, Poll).values(what=what, **values)
    session.connection().execute(made.on_conflict_do_update(index_elements=["what"], set_=values))
