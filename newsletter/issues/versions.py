"""How did a draft come to be as it is? Its versions: what an editor may change, after each change, and who made it.

The history only grows: taking a change back is a version, too. Promise: `Issue.version` rises by one with each, so that
whoever changes a version which is no longer the newest can be told so.
"""

import json
from datetime import datetime

from sqlmodel import Field, Session, col, delete, select

from newsletter.db import Table
from newsletter.editors.editor import Editor
from newsletter.issues.issue import Issue


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
    copy_of: int | None = None
    """The version whose content this one brought back; null of a change."""


def history(
    session: Session, issue_id: int, most: int = 50, before: int | None = None
) -> list[tuple[Version, str | None]]:
    """The newest versions of an issue (before one) with the names of those who made them, the newest first."""
    query = select(Version, Editor.name).join(Editor, isouter=True).where(Version.issue_id == issue_id)
    if before is not None:
        query = query.where(Version.number < before)
    return list(session.exec(query.order_by(col(Version.number).desc()).limit(most)))


def wrote(session: Session, issue_id: int, part: str) -> tuple[Version, str | None] | None:
    """The version in which a part of the content (a name in its JSON) came to be as it is now, and who made it.

    None where it is as it was drafted, or that is longer ago than anybody remembers.
    """
    newest_first = history(session, issue_id)
    parts = [json.loads(version.content).get(part) for version, _ in newest_first]
    for place, older in enumerate(parts[1:]):
        if older != parts[place]:
            return newest_first[place]
    return None


def find(session: Session, issue_id: int, number: int) -> Version | None:
    """One version of an issue."""
    return session.get(Version, (issue_id, number))


def newest(session: Session, issue: Issue) -> Version | None:
    """The version that an issue is at; None of one that nobody has changed."""
    assert issue.id is not None  # it was read from the database
    return find(session, issue.id, issue.version)


def made(session: Session, version: Version) -> Version:
    """The version in which the content of this one came to be: itself, or the one that it brought back."""
    while version.copy_of is not None:
        version = session.get_one(Version, (version.issue_id, version.copy_of))
    return version


def forget(session: Session, issue_id: int) -> None:
    """Let the history of an issue go with it. The caller commits."""
    session.exec(delete(Version).where(col(Version.issue_id) == issue_id))
