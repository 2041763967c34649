"""Which issues stand in the archive, and which stand beside each other? What lists of issues show, page by page.

Promise: as many queries for a thousand issues as for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.issues import history
from newsletter.issues.issue import Issue, IssueComparison, readers_have_it
from newsletter.issues.week import Week
from newsletter.language import Speech
from newsletter.rendering.page import when
from newsletter.web.site import Site

RESULTS = 3  # comparisons of an issue whose result a list tells


@dataclass(frozen=True)
class Entry:
    """An issue, as a list names it."""

    week: str
    when: str
    """"Week 47 · 16–22 November 2026"."""
    subject: str
    sent: date | None
    """In the newsletter's time zone; None while it is going out."""
    comparisons: int
    results: tuple[tuple[str, int, str, int], ...]
    """Of the first comparisons: left tool and its share of the panel, right tool and its share."""

    @property
    def year(self) -> str:
        """The one to which its week is counted."""
        return self.week[:4]


def newest(session: Session, site: Site, most: int, before: str | None = None) -> list[Entry]:
    """So many issues, the newest first: of those before a week, or of all."""
    query = select(Issue).where(readers_have_it()).order_by(col(Issue.week).desc()).limit(most)
    found = list(session.exec(query if before is None else query.where(Issue.week < before)))
    ids = [issue.id or 0 for issue in found]
    counting = select(IssueComparison.issue_id, func.count()).where(col(IssueComparison.issue_id).in_(ids))
    counts = dict(session.exec(counting.group_by(col(IssueComparison.issue_id))).all())
    results = history.results(session, ids, RESULTS)
    zone = site.assembly.settings.zone
    return [
        Entry(
            week=issue.week,
            when=week_and_days(site.say_of_issues, issue.week),
            subject=issue.subject_line,
            sent=issue.sent_at.astimezone(zone).date() if issue.sent_at else None,
            comparisons=counts.get(number, 0),
            results=tuple(results[number]),
        )
        for number, issue in zip(ids, found, strict=True)
    ]


def by_year(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Entries in their order, below the year of each."""
    return [(year, list(some)) for year, some in groupby(entries, lambda entry: entry.year)]


def page_above(session: Session, before: str, most: int) -> tuple[bool, str | None]:
    """Whether a list of so many issues before a week has one above it, and before which week that is: None is the top.

    Lists are counted from where one is, so that a new issue moves none of them.
    """
    query = select(Issue.week).where(readers_have_it(), Issue.week >= before).order_by(col(Issue.week)).limit(most + 1)
    weeks = list(session.exec(query))
    return bool(weeks), weeks[most] if len(weeks) > most else None


def beside(session: Session, week: str) -> tuple[str | None, str | None]:
    """The weeks of the issue before and of the one after; None where there is none that may show."""
    shown = select(Issue.week).where(readers_have_it()).limit(1)
    older = session.exec(shown.where(Issue.week < week).order_by(col(Issue.week).desc())).first()
    newer = session.exec(shown.where(Issue.week > week).order_by(col(Issue.week))).first()
    return older, newer


def week_and_days(say: Speech, week: str) -> str:
    """ "Week 47 · 16–22 November 2026". `say`: in the words of issues."""
    return when(say, week, Week.parse(week).first_day())
