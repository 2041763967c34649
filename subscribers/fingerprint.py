"""How is an address remembered that we must not hold any more? As a keyed hash, the key of which is the database's own.

The key stays with the database and not among the settings: a secret that is changed or lost would silently let
everybody back in who had complained.
"""

import hmac
from hashlib import sha256

from sqlmodel import Field, Session

from newsletter.db import Table
from subscribers.address import Address

ONLY_ROW = 1


class Salt(Table, table=True):
    """The one key of a database; made by its migration."""

    __tablename__ = "salts"

    id: int = Field(default=ONLY_ROW, primary_key=True)
    key: str


class Fingerprints:
    """Makes the fingerprints of addresses; reads the key once."""

    def __init__(self, session: Session) -> None:
        self._key = session.get_one(Salt, ONLY_ROW).key.encode()

    def of(self, address: Address) -> str:
        """64 hex digits, the same for all spellings of an address."""
        return hmac.digest(self._key, address.key.encode(), sha256).hex()
