"""Which issues are there, in which state, and what is in them? The Issue table and the queries on it.

One comparison belongs to one issue by a unique row (`issue_comparisons`, keyed by the comparison), not by a window of
time: a late page rolls into the next issue, never into two and never into none.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ColumnElement, Index
from sqlmodel import Field, Session, col, delete, select

from newsletter.comparisons.comparison import ComparisonRow, SideRow
from newsletter.db import Table, one_of, only_reads
from newsletter.issues.week import Week

DRAFT: Final = "draft"
APPROVED: Final = "approved"
SCHEDULED: Final = "scheduled"
SENDING: Final = "sending"
PAUSED: Final = "paused"
HELD: Final = "held"
SENT: Final = "sent"
CANCELLED: Final = "cancelled"

MOVES = {
    DRAFT: {
        APPROVED: "an editor approved what was previewed",
        CANCELLED: "an editor called it off; what it tells waits for the next issue",
    },
    APPROVED: {
        DRAFT: "an editor took the approval back",
        SCHEDULED: "an editor gave it a time of its own, in place of the weekly slot",
        HELD: "its time had passed by more than MAX_LATENESS, or it had changed since it was approved",
        SENDING: "the audience was drawn up",
        CANCELLED: "an editor called it off",
    },
    SCHEDULED: {
        DRAFT: "an editor took the approval back",
        HELD: "its time had passed by more than MAX_LATENESS, or it had changed since it was approved",
        SENDING: "the audience was drawn up",
        CANCELLED: "an editor called it off",
    },
    SENDING: {
        PAUSED: "an editor stopped it for a while",
        HELD: "what is in doubt cannot be settled by asking, or the provider refuses us altogether",
        SENT: "nothing is queued, under way or in doubt any more",
        CANCELLED: "an editor called the rest off",
    },
    PAUSED: {
        SENDING: "an editor let it go on",
        SENT: "what was under way or in doubt when it was paused was all that was left",
        CANCELLED: "an editor called the rest off",
    },
    HELD: {
        DRAFT: "not begun yet: an editor took the approval back",
        APPROVED: "not begun yet: an editor approved it as it stands now",
        SCHEDULED: "not begun yet: an editor gave it another time",
        SENDING: "an editor sent it all the same, or decided what was in doubt",
        SENT: "an event, the provider or an editor settled all that was in doubt",
        CANCELLED: "an editor called it, or the rest of it, off",
    },
    SENT: {SENDING: "an editor asked for another try for those who were refused for a passing reason"},
    CANCELLED: {DRAFT: "never begun: an editor drafted the week anew"},
}
"""Every state, and what may follow it and why."""

READERS_HAVE_IT: Final = (SENDING, PAUSED, HELD, SENT)
"""States of an issue whose list has been drawn up and that nobody has called off."""


class IllegalMove(ValueError):  # noqa: N818  the name says what happened
    """An issue cannot go from its state into another one; the text says so to an editor."""


class Issue(Table, table=True):
    """One week's issue."""

    __tablename__ = "issues"
    __table_args__ = (CheckConstraint(one_of("state", MOVES), name="state"),)

    id: int | None = Field(default=None, primary_key=True)
    week: str = Field(unique=True)
    state: str = DRAFT
    subject: str
    """Made from the lead comparison."""
    preheader: str
    own_subject: str | None = None
    """An editor's; it overrules the made one."""
    own_preheader: str | None = None
    note: str | None = None
    """What the editor says above the comparisons, in Markdown."""
    send_at: datetime
    """When it is to go out, UTC."""
    previewed_digest: str | None = None
    """Digest of the letter that was last previewed."""
    digest: str | None = None
    """Digest of the letter that was approved."""
    approved_of: str | None = None
    """What the approved letter was made of, as JSON: what it is called -> its own digest. To name what has changed."""
    letter_id: int | None = Field(default=None, foreign_key="letters.id")
    """The letter that goes out, frozen when the audience is drawn up."""
    last_vote: str | None = None
    """How readers had voted on the issue before when this one was drafted, as JSON. Frozen: an editor approves it."""
    held_because: str | None = None
    """Why it waits for an editor; of a held issue only."""
    created_at: datetime
    """When it was drafted; anew, where it was called off meanwhile. The links of its letter begin to live then."""
    approved_at: datetime | None = None
    sent_at: datetime | None = None
    version: int = 0
    """The newest of its versions (`issues.versions`); 0 while nobody has changed what was drafted."""

    @property
    def subject_line(self) -> str:
        """The subject that goes out."""
        return self.own_subject or self.subject

    @property
    def preheader_line(self) -> str:
        """The preheader that goes out."""
        return self.own_preheader or self.preheader


class IssueComparison(Table, table=True):
    """A comparison's one place in one issue."""

    __tablename__ = "issue_comparisons"
    __table_args__ = (Index("ix_issue_comparisons_place", "issue_id", "place", unique=True),)

    comparison_id: int = Field(primary_key=True, foreign_key="comparisons.id")
    issue_id: int = Field(foreign_key="issues.id")
    place: int
    """0 leads."""
    quoted: str | None = None
    """The reviewers (seats) whose words the letter shows, as a JSON array; null: the most telling ones."""


class Postponed(Table, table=True):
    """A comparison that an editor has put off: no issue up to that week takes it up by itself."""

    __tablename__ = "postponed"

    comparison_id: int = Field(primary_key=True, foreign_key="comparisons.id")
    week: str
    """The newest week whose issue is to do without it."""


def move(issue: Issue, state: str) -> None:
    """Bring an issue into a state. Raises IllegalMove where its state does not allow it."""
    if state not in MOVES[issue.state]:
        raise IllegalMove(f"issue {issue.week} is {issue.state}; it cannot become {state}")
    issue.state = state


def find(session: Session, week: Week) -> Issue | None:
    """The issue of a week, or None. Where the session may write, nobody else changes the issue until it ends."""
    query = select(Issue).where(Issue.week == str(week))
    return session.exec(query if only_reads(session) else query.with_for_update()).one_or_none()


def of_letter(session: Session, letter_id: int) -> Issue | None:
    """The issue whose letter this is; None for a letter to one person. Locked as by `find`."""
    query = select(Issue).where(Issue.letter_id == letter_id)
    return session.exec(query if only_reads(session) else query.with_for_update()).one_or_none()


def every(session: Session) -> list[Issue]:
    """All issues, the newest week first."""
    return list(session.exec(select(Issue).order_by(col(Issue.week).desc())))


def in_state(session: Session, *states: str) -> list[Issue]:
    """The issues in these states, the oldest week first."""
    return list(session.exec(select(Issue).where(col(Issue.state).in_(states)).order_by(Issue.week)))


def sent(session: Session) -> list[Issue]:
    """The issues that readers have (or are just getting), the newest week first: all that the archive shows."""
    query = select(Issue).where(readers_have_it()).order_by(col(Issue.week).desc())
    return list(session.exec(query))


def begun(session: Session, most: int, before: Week | None = None) -> list[Issue]:
    """At most so many issues that have begun to go out, the newest week first: of those before a week, or of all.

    Also those that were called off in their midst.
    """
    query = select(Issue).where(col(Issue.letter_id).is_not(None)).order_by(col(Issue.week).desc()).limit(most)
    return list(session.exec(query if before is None else query.where(Issue.week < str(before))))


def find_sent(session: Session, week: Week) -> Issue | None:
    """The issue of a week that some readers have, so that its links work; None for any other.

    Also one that was called off in its midst: the archive does not show it, but those who have it may look at it.
    """
    begun = (Issue.week == str(week), col(Issue.letter_id).is_not(None))
    return session.exec(select(Issue).where(*begun)).one_or_none()


def before(session: Session, week: Week) -> Issue | None:
    """The issue of the latest week before this one."""
    return session.exec(select(Issue).where(Issue.week < str(week)).order_by(col(Issue.week).desc())).first()


def comparison_ids(session: Session, issue_id: int) -> list[int]:
    """The comparisons of an issue in their order; the first one leads."""
    places = select(IssueComparison).where(IssueComparison.issue_id == issue_id).order_by(col(IssueComparison.place))
    return [place.comparison_id for place in session.exec(places)]


def places(session: Session, issue_id: int) -> list[IssueComparison]:
    """The comparisons of an issue with what the letter shows of each, in their order."""
    query = select(IssueComparison).where(IssueComparison.issue_id == issue_id).order_by(col(IssueComparison.place))
    return list(session.exec(query))


def seats(quoted: str | None) -> tuple[str, ...] | None:
    """The reviewers in `IssueComparison.quoted`; None: the most telling ones."""
    return None if quoted is None else tuple(json.loads(quoted))


def available(
    session: Session, until: datetime, issue_id: int | None, week: Week | None = None
) -> list[tuple[int, datetime]]:
    """(comparison id, published at) of all published before `until` that no issue has, or that this one has.

    Of a week's issue, without those that it is to do without (`Postponed`).
    """
    taken = select(IssueComparison.comparison_id)
    if issue_id is not None:
        taken = taken.where(IssueComparison.issue_id != issue_id)
    query = select(ComparisonRow.id, ComparisonRow.published_at).where(
        ComparisonRow.published_at < until, col(ComparisonRow.id).not_in(taken)
    )
    if week is not None:
        put_off = select(Postponed.comparison_id).where(Postponed.week >= str(week))
        query = query.where(col(ComparisonRow.id).not_in(put_off))
    return [(number, at) for number, at in session.exec(query) if number is not None]


def assign(session: Session, issue_id: int, comparison_ids: Sequence[int]) -> None:
    """Give an issue exactly these comparisons, in this order; those that stay keep whose words show.

    A comparison of another issue breaks the unique row.
    """
    before = select(IssueComparison.comparison_id, IssueComparison.quoted).where(IssueComparison.issue_id == issue_id)
    quoted = dict(session.exec(before).all())
    session.exec(delete(IssueComparison).where(col(IssueComparison.issue_id) == issue_id))
    session.add_all(
        IssueComparison(comparison_id=number, issue_id=issue_id, place=place, quoted=quoted.get(number))
        for place, number in enumerate(comparison_ids)
    )
    session.flush()


def week_of_each_comparison(session: Session) -> dict[int, str]:
    """Comparison id -> the week of the issue that has it."""
    query = select(IssueComparison.comparison_id, Issue.week).join(Issue)
    return dict(session.exec(query).all())


def sent_categories(session: Session) -> list[str]:
    """The categories, as they are spelled, of all comparisons that readers have or are just getting; sorted."""
    query = (
        select(SideRow.category)
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(SideRow.comparison_id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(readers_have_it())
        .distinct()
        .order_by(col(SideRow.category))
    )
    return list(session.exec(query))


def readers_have_it() -> ColumnElement[bool]:
    """A condition of a query: that readers have an issue, or are just getting it."""
    return col(Issue.letter_id).is_not(None) & col(Issue.state).in_(READERS_HAVE_IT)
