"""What have readers been told before, and since? The panel's shares of a tool from issue to issue, and the last vote.

Only issues that readers have count: a draft tells nobody anything.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from newsletter.comparisons import comparison, votes
from newsletter.comparisons.comparison import SideRow
from newsletter.comparisons.record import LEFT, RIGHT
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison
from newsletter.issues.retrospect import MOST, LastVote, Result, Share, Shares
from newsletter.issues.week import Week


def earlier(session: Session, week: str, comparison_ids: Sequence[int]) -> list[Shares]:
    """What the latest issue before a week said of the same tools, for each of these comparisons in their order."""
    return _told(session, comparison_ids, col(Issue.week) < week)


def later(session: Session, week: str, comparison_ids: Sequence[int]) -> list[Shares]:
    """What the newest issue after a week says of the same tools, for each of these comparisons in their order."""
    return _told(session, comparison_ids, col(Issue.week) > week)


def vote_before(session: Session, week: Week) -> LastVote | None:
    """How readers have voted by now on the latest issue before a week that has begun to go out.

    Also on one that was called off in its midst: those who have it have voted. None where nobody has.
    """
    issue = next(iter(issues.begun(session, 1, week)), None)
    if issue is None or issue.id is None:
        return None
    ids = issues.comparison_ids(session, issue.id)
    tallies = votes.tallies(session, ids)
    voted = sorted((number for number in ids if tallies[number].all), key=lambda number: -tallies[number].all)[:MOST]
    results = []
    for number, record in zip(voted, comparison.load_many(session, voted), strict=True):
        tally = tallies[number]
        left, right = tally.ship(LEFT), tally.ship(RIGHT)
        assert record.slug is not None  # the store's promise
        assert left is not None  # somebody has voted
        assert right is not None
        results.append(
            Result(
                slug=record.slug,
                title=record.title,
                tools=(record.tools[LEFT].name, record.tools[RIGHT].name),
                panel=(record.panel_ship(LEFT), record.panel_ship(RIGHT)),
                readers=(left, right),
                votes=tally.all,
            )
        )
    return LastVote(issue.week, tuple(results)) if results else None


def _told(session: Session, comparison_ids: Sequence[int], when: ColumnElement[bool]) -> list[Shares]:
    """Of each tool the share in the newest of these issues; where that has it twice, in its first comparison."""
    here, there = aliased(SideRow), aliased(SideRow)
    query = (
        select(here.comparison_id, here.side, Issue.week, there.panel_ship)
        .join(there, col(there.tool_id) == col(here.tool_id))
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(there.comparison_id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(col(here.comparison_id).in_(comparison_ids), issues.readers_have_it(), when)
        .order_by(col(Issue.week).desc(), col(IssueComparison.place))
    )
    found: dict[tuple[int, int], Share] = {}
    for number, side, week, percent in session.exec(query):
        found.setdefault((number, side), Share(week, percent))
    return [(found.get((number, LEFT)), found.get((number, RIGHT))) for number in comparison_ids]
