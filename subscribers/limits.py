"""How often may one do something? Counted in the database, so that it holds for all processes together.

A window begins with the first attempt and not with a full hour, so that "once an hour" never means twice in a minute.
Who tried stands in the table as a keyed hash alone.
"""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import case, delete
from sqlmodel import Field, Session, col

from newsletter.db import Table, upsert
from subscribers.fingerprint import ONLY_ROW, Salt


class Attempt(Table, table=True):
    """How often something was done in the window of time that began with the first attempt."""

    __tablename__ = "attempts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    what: str = Field(primary_key=True)
    """What is limited, and for whom as a keyed hash: no address stands here."""
    count: int
    ends_at: int = Field(index=True)
    """Seconds since 1970 at which the window ends; from then on the row says nothing any more."""


def take(session: Session, what: str, who: str, most: int, per: timedelta, now: datetime) -> bool:
    """Count one attempt, and say whether it is within the limit: at most `most` in `per`.

    One statement, and until the caller's transaction ends others wait who try the same for the same `who`. What
    is rolled back does not count. An attempt beyond the limit does not make the window longer.
    """
    second = int(now.timestamp())
    ends_at = second + max(1, round(per.total_seconds()))
    over = col(Attempt.ends_at) <= second
    counted = (
        upsert(session, Attempt)
        .values(what=f"{what}: {_unnamed(session, what, who)}", count=1, ends_at=ends_at)
        .on_conflict_do_update(
            index_elements=[col(Attempt.what)],
            set_={
                "count": case((over, 1), else_=col(Attempt.count) + 1),
                "ends_at": case((over, ends_at), else_=col(Attempt.ends_at)),
            },
        )
        .returning(col(Attempt.count))
    )
    return bool(session.connection().execute(counted).scalar_one() <= most)


def tidy(session: Session, now: datetime) -> int:
    """Remove what says nothing any more; return how many rows. The caller commits."""
    return session.connection().execute(delete(Attempt).where(col(Attempt.ends_at) <= int(now.timestamp()))).rowcount


def _unnamed(session: Session, what: str, who: str) -> str:
    """A keyed hash, since a plain one of an IPv4 address is found by trying all of them."""
    key = session.get_one(Salt, ONLY_ROW).key.encode()
    return hmac.digest(key, f"{what}\0{who}".encode(), sha256).hex()[:32]
