"""Who may work at the desk, and what may each of them do? Accounts and their rights.

Promise: what an account may do is asked here, by a right's name, and nowhere decided by a role's.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of

EDITOR: Final = "editor"
PUBLISHER: Final = "publisher"

WRITE: Final = "write"
"""Make the week's issue: change drafts, bring comparisons in, look at previews, send tests."""
STOP: Final = "stop"
"""Let an issue that goes out rest. Anybody may who sees that something is wrong."""
READ: Final = "read"
"""Look at readers, numbers, health and the log."""
SUPPRESS: Final = "suppress"
"""See to it that an address is never written to."""
APPROVE: Final = "approve"
"""Say that an issue goes out as it is, or take that back."""
SEND: Final = "send"
"""Give an issue its time, send it, let it go on, call it off, and decide what is in doubt."""
LIFT: Final = "lift"
"""Let an address be written to again."""
MANAGE: Final = "manage"
"""Bring readers in, take the list out, and forget somebody."""

RIGHTS: Final = {
    EDITOR: frozenset({WRITE, STOP, READ, SUPPRESS}),
    PUBLISHER: frozenset({WRITE, STOP, READ, SUPPRESS, APPROVE, SEND, LIFT, MANAGE}),
}
"""Role -> what it may do."""


class Editor(Table, table=True):
    """An account of the desk. The row stays when it is disabled: what was done is done by somebody."""

    __tablename__ = "editors"
    __table_args__ = (CheckConstraint(one_of("role", RIGHTS), name="role"),)

    id: int | None = Field(default=None, primary_key=True)
    email: str
    """As it was written."""
    address_key: str = Field(unique=True)
    """As addresses are compared."""
    name: str
    """How the others see who did something."""
    role: str
    password: str | None = Field(default=None, repr=False)
    """Argon2's hash; null until the invitation is taken up."""
    totp: str | None = Field(default=None, repr=False)
    """The secret that the codes of the second step come from (base 32); null until the invitation is taken up."""
    totp_used: int | None = None
    """The newest half minute whose code was used: none is good for twice, nor one before it."""
    invitation: str | None = Field(default=None, unique=True, repr=False)
    """SHA-256 of the invitation that is open, 64 hex digits."""
    invited_until: datetime | None = None
    created_at: datetime
    disabled_at: datetime | None = None

    def may(self, right: str) -> bool:
        """Whether this account may do something, as long as it is not disabled."""
        return self.disabled_at is None and right in RIGHTS[self.role]


def every(session: Session) -> list[Editor]:
    """All accounts by their addresses, the disabled ones among them."""
    return list(session.exec(select(Editor).order_by(col(Editor.address_key))))
