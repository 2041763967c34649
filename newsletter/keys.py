"""Which programs may use the interface for machines? Their keys, of which only a hash is kept.

Promise: a key is shown once, when it is made; neither the database nor a log can give it back.
"""

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, select, update

from newsletter.db import Table

PREFIX: Final = "watv_"
"""Of every key, so that people and secret scanners know one where they see it."""

CHANCE: Final = 32  # bytes
MOST_NAME: Final = 100  # characters


class ApiKey(Table, table=True):
    """The key of one program."""

    __tablename__ = "api_keys"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    """Whose it is, as an editor calls it."""
    digest: str = Field(unique=True)
    """SHA-256 of the key, 64 hex digits. A key is chance enough that no slow hash is needed."""
    created_at: datetime
    used_at: datetime | None = None
    """When it was last good for something, to the day."""
    revoked_at: datetime | None = None


def make(session: Session, name: str, now: datetime) -> str:
    """Make a program's key and return it: nobody can ever be told it again. The caller commits.

    Raises ValueError for a name that another key has, revoked or not, and for one that cannot be shown on a line.
    """
    called = " ".join(name.split())
    if not called or not called.isprintable() or len(called) > MOST_NAME:
        raise ValueError(f"a key is called by 1 to {MOST_NAME} letters that can be seen, not {name[:MOST_NAME]!r}")
    secret = PREFIX + token_urlsafe(CHANCE)
    try:
        with session.begin_nested():
            session.add(ApiKey(name=called, digest=_digest(secret), created_at=now))
    except IntegrityError:
        known = session.exec(select(ApiKey).where(ApiKey.name == called)).one()
        since = f"revoked on {known.revoked_at:%Y-%m-%d}" if known.revoked_at else f"of {known.created_at:%Y-%m-%d}"
        raise ValueError(f"there is a key called {called!r} ({since}): choose another name") from None
    return secret


def revoke(session: Session, name: str, now: datetime) -> bool | None:
    """Let a key be good for nothing any more; False where it was so before, None where no key is called so.

    The caller commits; from then on no request is let in by it. The row stays, so that its name is not given anew.
    """
    key = session.exec(select(ApiKey).where(ApiKey.name == " ".join(name.split()))).one_or_none()
    if key is None or key.revoked_at is not None:
        return None if key is None else False
    key.revoked_at = now
    session.add(key)
    return True


def every(session: Session) -> list[ApiKey]:
    """All keys, the oldest first, those that were revoked among them."""
    return list(session.exec(select(ApiKey).order_by(col(ApiKey.created_at), col(ApiKey.id))))


def known(session: Session, secret: str) -> ApiKey | None:
    """Whose key this is; None for one that we did not make, or that was revoked. Reads only.

    It is looked for by its hash. How long that takes may tell something of the hash, but whoever guesses cannot steer
    the hash of a guess, so nothing is learnt of the key.
    """
    found = select(ApiKey).where(ApiKey.digest == _digest(secret), col(ApiKey.revoked_at).is_(None))
    return session.exec(found).one_or_none()


def to_be_noted(key: ApiKey, now: datetime) -> bool:
    """Whether it is not written down yet that a key was used on this day (UTC): so most uses write nothing."""
    return key.used_at is None or key.used_at.date() < now.date()


def note_use(session: Session, key: ApiKey, now: datetime) -> None:
    """Write down that a key was used on this day. The caller commits."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    session.exec(update(ApiKey).where(col(ApiKey.id) == key.id).values(used_at=today))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
