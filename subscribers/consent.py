"""Who agreed to what, when and how; also who left. Append-only: rows are added, never changed."""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of

IMPORTED: Final = "imported"
ADDED: Final = "added"
LEFT: Final = "left"

KINDS = {
    IMPORTED: "agreed elsewhere, and was brought over in a file",
    ADDED: "was added by an editor",
    LEFT: "unsubscribed",
}


class Consent(Table, table=True):
    """One step of a reader's consent."""

    __tablename__ = "consents"
    __table_args__ = (CheckConstraint(one_of("kind", KINDS), name="kind"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscribers.id", index=True)
    kind: str
    source: str
    """Where it was said: a file's name, a form, a link in a letter."""
    at: datetime
    """When it was said, as far as we know; otherwise when we were told. UTC."""


def note(session: Session, subscriber_id: int, kind: str, source: str, at: datetime) -> None:
    """Write down one step of a reader's consent."""
    session.add(Consent(subscriber_id=subscriber_id, kind=kind, source=source, at=at))


def history(session: Session, subscriber_id: int) -> list[Consent]:
    """A reader's consent, oldest step first."""
    query = select(Consent).where(Consent.subscriber_id == subscriber_id).order_by(col(Consent.id))
    return list(session.exec(query))
