"""How is an address remembered that we must not hold any more? As a keyed hash, the key of which is the database's own.

The key stays with the database and not among the settings: a secret that is changed or lost would silently let
everybody back in who had complained.
"""

import hmac
from collections.abc import Collection, Iterator
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, SQLColumnExpression
from sqlmodel import Field, Session, col, select

from newsletter.db import Table
from subscribers.address import Address

ONLY_ROW = 1

AT_ONCE = 500  # fingerprints that one query asks for; SQLite may be built with a limit of 999 values


class Salt(Table, table=True):
    """The one key of a database; made by its migration."""

    __tablename__ = "salts"

    id: int = Field(default=ONLY_ROW, primary_key=True)
    key: str


class Erasure(Table, table=True):
    """The fingerprint of an address that was erased: by it we can tell whether a trace of it is left anywhere."""

    __tablename__ = "erasures"

    fingerprint: str = Field(primary_key=True)
    at: datetime
    by_files_never: bool
    """Whether its reader had been more than an address that nobody confirmed. Then only they themselves come back."""


class Fingerprints:
    """Makes the fingerprints of addresses; reads the key once."""

    def __init__(self, session: Session) -> None:
        self._key = session.get_one(Salt, ONLY_ROW).key.encode()

    def of(self, address: Address) -> str:
        """64 hex digits, the same for all spellings of an address."""
        return hmac.digest(self._key, address.key.encode(), sha256).hex()


def among(column: SQLColumnExpression[str], fingerprints: Collection[str]) -> Iterator[ColumnElement[bool]]:
    """Conditions that a column holds one of many fingerprints, each for as many as one query may ask for."""
    asked = list(fingerprints)
    for start in range(0, len(asked), AT_ONCE):
        yield column.in_(asked[start : start + AT_ONCE])


def kept_from_files(session: Session, fingerprints: Collection[str]) -> set[str]:
    """Those of many fingerprints that were erased, and that no file and no editor brings back."""
    found: set[str] = set()
    for some in among(col(Erasure.fingerprint), fingerprints):
        found.update(session.exec(select(Erasure.fingerprint).where(some, Erasure.by_files_never)))
    return found
