"""How often may one do something? Counted in the database, so that it holds for all processes together."""

from sqlmodel import Field

from newsletter.db import Table


class Attempt(Table, table=True):
    """How often something was done in one window of time."""

    __tablename__ = "attempts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    what: str = Field(primary_key=True)
    """What is limited, and for whom as a fingerprint: no address stands here."""
    window: int = Field(primary_key=True)
    """Seconds since 1970 at which the window begins."""
    count: int
    ends_at: int = Field(index=True)
    """Seconds since 1970 after which the row says nothing any more."""
