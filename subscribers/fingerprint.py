"""How is an address remembered that we must not hold any more? As a keyed hash, the key of which is the database's own.

The key stays with the database and not among the settings: a secret that is changed or lost would silently let
everybody back in who had complained.
"""

import hmac
from collections.abc import Collection
from datetime import datetime
from hashlib import sha256

import sqlalchemy
from sqlalchemy import ColumnElement, SQLColumnExpression, String
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, given
from subscribers.address import Address

ONLY_ROW = 1


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
        # What depends on the key alone is done once: a letter asks for each of its readers.
        self._keyed = hmac.new(session.get_one(Salt, ONLY_ROW).key.encode(), digestmod=sha256)

    def of(self, address: Address) -> str:
        """64 hex digits, the same for all spellings of an address."""
        mac = self._keyed.copy()
        mac.update(address.key.encode())
        return mac.hexdigest()


def among(column: SQLColumnExpression[str], fingerprints: Collection[str]) -> ColumnElement[bool]:
    """The condition that a column holds one of these fingerprints, however many they are."""
    (one,) = given([(each,) for each in fingerprints], String())
    return column.in_(sqlalchemy.select(one))


def kept_from_files(session: Session, fingerprints: Collection[str]) -> set[str]:
    """Those of many fingerprints that were erased, and that no file and no editor brings back."""
    erased = among(col(Erasure.fingerprint), fingerprints)
    return set(session.exec(select(Erasure.fingerprint).where(erased, Erasure.by_files_never)))
