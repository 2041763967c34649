"""Which addresses must we not write to, and why?

By fingerprint, not by reader: it holds for the address also when its reader was erased and comes back in a file. Only
an editor lifts a suppression, and says why.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from newsletter.db import Table, one_of

HARD_BOUNCE: Final = "hard_bounce"
COMPLAINT: Final = "complaint"
MANUAL: Final = "manual"
PROVIDER: Final = "provider"

REASONS = {
    HARD_BOUNCE: "the address does not exist",
    COMPLAINT: "the reader called a letter spam",
    MANUAL: "an editor said so",
    PROVIDER: "the provider will not write to it",
}


class Suppression(Table, table=True):
    """One address that must not be written to, or must not have been until it was lifted."""

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint(one_of("reason", REASONS), name="reason"),
        CheckConstraint("(lifted_at IS NULL) = (lifted_because IS NULL)", name="lifted"),
        Index(
            "ix_suppressions_in_force",
            "fingerprint",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str
    """Of the address, see `fingerprint`."""
    reason: str
    source: str
    """Who says so: a provider's name, an editor's words, a file's name."""
    at: datetime
    lifted_at: datetime | None = None
    lifted_because: str | None = None
