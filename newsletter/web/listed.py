"""Which issues, comparisons and tools may machines find, and when did what they show last change?

Only what readers have or are just getting, as in the archive. A change is a new issue, or a correction of what the
panel said: readers' votes come every minute, and would make news of nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.comparisons.comparison import ComparisonRow, SideRow, ToolRow
from newsletter.delivery.ledger import StoredLetter
from newsletter.issues.issue import Issue, IssueComparison, readers_have_it

_QUERY: Final = select(Issue, StoredLetter.created_at).join(StoredLetter, col(StoredLetter.id) == col(Issue.letter_id))
"""Every issue that has begun to go out, and when it did."""


@dataclass(frozen=True)
class Listed:
    """An issue that readers have. Times are aware, UTC."""

    issue: Issue
    began: datetime
    """When its letter was frozen, to go out: nothing moves that any more."""
    changed: datetime
    """When it began, or one of its comparisons was last corrected."""
    comparisons: tuple[int, ...]
    """Ids, in their order."""
    corrected: tuple[datetime, ...]
    """When each of them was last imported otherwise, in their order."""


def issues(session: Session, most: int | None = None) -> list[Listed]:
    """So many issues (or all), the newest week first."""
    query = _QUERY.where(readers_have_it()).order_by(col(Issue.week).desc()).limit(most)
    return _listed(session, list(session.exec(query)))


def issue(session: Session, week: str) -> Listed | None:
    """The issue of a week that some readers have, as `issues.find_sent` finds it."""
    return next(iter(_listed(session, list(session.exec(_QUERY.where(Issue.week == week))))), None)


def comparisons(session: Session, most: int) -> list[tuple[str, datetime]]:
    """(slug, when it was last imported otherwise) of so many comparisons, the newest issue's first."""
    query = (
        select(ComparisonRow.slug, ComparisonRow.updated_at)
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(ComparisonRow.id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(readers_have_it())
        .order_by(col(Issue.week).desc(), col(IssueComparison.place))
        .limit(most)
    )
    return list(session.exec(query))


def tools(session: Session, most: int) -> list[tuple[str, datetime]]:
    """(slug, when one of its comparisons was last imported otherwise) of so many tools, by their slugs."""
    query = (
        select(ToolRow.slug, func.max(ComparisonRow.updated_at))
        .join(SideRow, col(SideRow.tool_id) == col(ToolRow.id))
        .join(ComparisonRow, col(ComparisonRow.id) == col(SideRow.comparison_id))
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(ComparisonRow.id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(readers_have_it())
        .group_by(col(ToolRow.slug))
        .order_by(col(ToolRow.slug))
        .limit(most)
    )
    return list(session.exec(query))


def last_import(session: Session) -> datetime | None:
    """When any comparison was last imported otherwise, whether readers have it or not; None while there is none."""
    return session.exec(select(func.max(ComparisonRow.updated_at))).one()


def _listed(session: Session, found: list[tuple[Issue, datetime]]) -> list[Listed]:
    within = _within(session, [issue.id or 0 for issue, _ in found])
    return [
        Listed(
            issue,
            began,
            max([began, *(changed for _, changed in within[issue.id or 0])]),
            tuple(number for number, _ in within[issue.id or 0]),
            tuple(changed for _, changed in within[issue.id or 0]),
        )
        for issue, began in found
    ]


def _within(session: Session, ids: list[int]) -> dict[int, list[tuple[int, datetime]]]:
    """Issue id -> (id, when it was last imported otherwise) of each comparison in it, in their order."""
    found: dict[int, list[tuple[int, datetime]]] = {number: [] for number in ids}
    query = (
        select(IssueComparison.issue_id, ComparisonRow.id, ComparisonRow.updated_at)
        .join(ComparisonRow, col(ComparisonRow.id) == col(IssueComparison.comparison_id))
        .where(col(IssueComparison.issue_id).in_(ids))
        .order_by(col(IssueComparison.place))
    )
    for issue, number, changed in session.exec(query):
        found[issue].append((number or 0, changed))
    return found
