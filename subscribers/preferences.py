"""What may a reader choose? Categories, a rest, another address."""

from datetime import datetime

from sqlmodel import Field

from newsletter.db import Table


class AddressChange(Table, table=True):
    """Another address that a reader gave and has not confirmed there yet. A later one takes the place of an earlier."""

    __tablename__ = "address_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    """What the link in the letter to the new address names. Never used again."""
    subscriber_id: int = Field(foreign_key="subscribers.id", unique=True)
    email: str
    address_key: str
    asked_at: datetime
