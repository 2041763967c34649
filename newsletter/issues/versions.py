"""How did a draft come to be as it is? Its versions: what an editor may change, after each change, and who made it.

The history only grows: taking a change back is a version, too. Promise: `Issue.version` rises by one with each, so that
whoever changes a version which is no longer the newest can be told so.
"""

from datetime import datetime

from sqlmodel import Field, Session, col, select

from newsletter.db import Table
from newsletter.editors.editor import Editor


class Version(Table, table=True):
    """A draft after one change."""

    __tablename__ = "issue_versions"

    issue_id: int = Field(primary_key=True, foreign_key="issues.id")
    number: int = Field(primary_key=True)
    """0 is what stood there before the first change."""
    editor_id: int | None = Field(default=None, foreign_key="editors.id")
    """Null: the command line, or the clock."""
    at: datetime
    what: str
    """What was changed, in a few words: "moved Inkwell vs Gantry up"."""
    content: str
    """All that an editor may change, as JSON."""
    undo_to: int | None = None
    """The version whose content undo brings back; null where there is nothing to undo."""
    redo_to: int | None = None
    """The version whose content redo brings back; null of what is no undoing."""


def history(session: Session, issue_id: int, most: int = 50) -> list[tuple[Version, str | None]]:
    """The newest versions of an issue with the names of those who made them, the newest first."""
    query = select(Version, Editor.name).join(Editor, isouter=True).where(Version.issue_id == issue_id)
    return list(session.exec(query.order_by(col(Version.number).desc()).limit(most)))


def find(session: Session, issue_id: int, number: int) -> Version | None:
    """One version of an issue."""
    return session.get(Version, (issue_id, number))
