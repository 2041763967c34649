"""Which issues are there, page by page? The newest week first, with what an editor wants to see of each in a list."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.issues.issue import Issue, IssueComparison
from newsletter.issues.week import Week

PAGE = 50  # issues


@dataclass(frozen=True)
class Listed:
    """One issue in a list."""

    week: str
    state: str
    subject: str
    at: datetime
    """When it was sent, or is to go out."""
    is_sent: bool
    comparisons: int


@dataclass(frozen=True)
class Catalogue:
    """One page of all issues."""

    listed: tuple[Listed, ...]
    next: Week | None
    """Where the next page begins: before this week; None of the last page."""


def browse(session: Session, before: Week | None = None, most: int = PAGE) -> Catalogue:
    """The issues of the weeks before one, or of all, the newest first."""
    query = select(Issue).order_by(col(Issue.week).desc()).limit(most + 1)
    if before is not None:
        query = query.where(Issue.week < str(before))
    found = list(session.exec(query))
    shown = found[:most]
    counted = (
        select(IssueComparison.issue_id, func.count())
        .where(col(IssueComparison.issue_id).in_([issue.id for issue in shown]))
        .group_by(col(IssueComparison.issue_id))
    )
    numbers = dict(session.exec(counted).all())
    listed = tuple(
        Listed(
            week=issue.week,
            state=issue.state,
            subject=issue.subject_line,
            at=issue.sent_at or issue.send_at,
            is_sent=issue.sent_at is not None,
            comparisons=numbers.get(issue.id or 0, 0),
        )
        for issue in shown
    )
    return Catalogue(listed, Week.parse(shown[-1].week) if len(found) > most else None)
