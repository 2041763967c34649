"""Who is signed in at the desk? A session is a secret in a cookie, of which the database keeps a hash.

Promises: it is made anew by each signing in, so that one that somebody planted is worth nothing; it ends by itself
after `IDLE` without use and after `LONGEST` in any case, and at once where its account is disabled.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from sqlalchemy import ColumnElement, and_
from sqlmodel import Field, Session, col, delete, select, update

from newsletter.db import Table
from newsletter.editors.editor import Editor

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
NOTED: Final = timedelta(minutes=5)
"""How old the note of the last use may be: so most requests write nothing."""
CHANCE: Final = 32  # bytes


class SignedIn(Table, table=True):
    """One browser in which somebody is signed in."""

    __tablename__ = "desk_sessions"

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(unique=True, repr=False)
    """SHA-256 of the cookie's secret, 64 hex digits."""
    editor_id: int = Field(foreign_key="editors.id", index=True)
    created_at: datetime
    seen_at: datetime
    """When it was last used, to within `NOTED`."""
    network: str | None = None
    user_agent: str | None = None


def begin(
    session: Session, editor: Editor, now: datetime, network: str | None = None, user_agent: str | None = None
) -> str:
    """Sign somebody in; return the secret for the cookie, which is kept nowhere. The caller commits."""
    assert editor.id is not None  # it was read from the database
    secret = token_urlsafe(CHANCE)
    session.add(
        SignedIn(
            digest=_digest(secret),
            editor_id=editor.id,
            created_at=now,
            seen_at=now,
            network=network,
            user_agent=user_agent,
        )
    )
    return secret


def find(session: Session, secret: str, now: datetime) -> tuple[SignedIn, Editor] | None:
    """Who is signed in by this secret; None where it is none of ours, is over, or its account is disabled."""
    query = select(SignedIn, Editor).join(Editor).where(SignedIn.digest == _digest(secret))
    found = session.exec(query).one_or_none()
    if found is None or found[1].disabled_at is not None:
        return None
    signed_in = found[0]
    return None if now - signed_in.seen_at >= IDLE or now - signed_in.created_at >= LONGEST else found


def note_use(session: Session, number: int, now: datetime) -> None:
    """Write down that a session is in use, if it has not ended meanwhile. The caller commits."""
    session.exec(update(SignedIn).where(col(SignedIn.id) == number).values(seen_at=now))


def end(session: Session, number: int) -> None:
    """Sign one browser out. The caller commits."""
    session.exec(delete(SignedIn).where(col(SignedIn.id) == number))


def end_all(session: Session, editor_id: int, *, but: int | None = None) -> None:
    """Sign somebody out everywhere, or everywhere but here. The caller commits."""
    gone = delete(SignedIn).where(col(SignedIn.editor_id) == editor_id)
    session.exec(gone if but is None else gone.where(col(SignedIn.id) != but))


def end_by(session: Session, secret: str) -> None:
    """Sign out the browser that has this secret, if any has. The caller commits."""
    session.exec(delete(SignedIn).where(col(SignedIn.digest) == _digest(secret)))


def of(session: Session, editor_id: int, now: datetime) -> list[SignedIn]:
    """The browsers in which somebody is signed in, the one that was used last first."""
    mine = select(SignedIn).where(SignedIn.editor_id == editor_id, *_not_over(now))
    return list(session.exec(mine.order_by(col(SignedIn.seen_at).desc(), col(SignedIn.id).desc())))


def tidy(session: Session, now: datetime) -> int:
    """Remove those that are over, with the networks and browsers in them; return how many. The caller commits."""
    over = delete(SignedIn).where(~and_(*_not_over(now)))
    return session.connection().execute(over).rowcount


def _not_over(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(SignedIn.seen_at) > now - IDLE, col(SignedIn.created_at) > now - LONGEST


def _digest(secret: str) -> str:
    return sha256(secret.encode(errors="replace")).hexdigest()
