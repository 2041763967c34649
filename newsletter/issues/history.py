"""What have readers been told before, and since? The panel's shares of a tool from issue to issue, and the last vote.

Only issues that readers have count: a draft tells nobody anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from newsletter.comparisons import comparison, votes
from newsletter.comparisons.comparison import ComparisonRow, SideRow, ToolRow
from newsletter.comparisons.record import LEFT, RIGHT
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison
from newsletter.issues.retrospect import MOST, LastVote, Result, Share, Shares
from newsletter.issues.week import Week


@dataclass(frozen=True)
class Verdict:
    """What one issue says of a tool, in a comparison with another one."""

    week: str
    comparison_id: int
    slug: str
    """The comparison's."""
    side: int
    """On which the tool stands: LEFT or RIGHT."""
    name: str
    """The tool's, as it was printed there."""
    tagline: str
    category: str
    entry_price: str
    opponent: str
    panel: int
    """Share of the panel that would ship it, 0 to 100."""
    published: int | None
    """The same of the community, as it was published."""


def earlier(session: Session, week: str, comparison_ids: Sequence[int]) -> list[Shares]:
    """What the latest issue before a week said of the same tools, for each of these comparisons in their order."""
    return _told(session, comparison_ids, col(Issue.week) < week)


def later(session: Session, week: str, comparison_ids: Sequence[int]) -> list[Shares]:
    """What the newest issue after a week says of the same tools, for each of these comparisons in their order."""
    return _told(session, comparison_ids, col(Issue.week) > week)


def tools_of(session: Session, comparison_ids: Sequence[int]) -> dict[tuple[int, int], str]:
    """(comparison, side) -> the slug of the tool there; without the tools that no issue has which readers have."""
    told = (
        select(SideRow.tool_id)
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(SideRow.comparison_id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(issues.readers_have_it())
    )
    query = (
        select(SideRow.comparison_id, SideRow.side, ToolRow.slug)
        .join(ToolRow, col(ToolRow.id) == col(SideRow.tool_id))
        .where(col(SideRow.comparison_id).in_(comparison_ids), col(SideRow.tool_id).in_(told))
    )
    return {(number, side): slug for number, side, slug in session.exec(query)}


def verdicts(session: Session, slugs: Collection[str]) -> dict[str, list[Verdict]]:
    """The slug of each of these tools -> all that was said of it, the oldest first; none for one that is not there."""
    here, there = aliased(SideRow), aliased(SideRow)
    query = (
        select(ToolRow.slug, Issue.week, ComparisonRow.slug, here)
        .add_columns(col(there.name))
        .join(here, col(here.tool_id) == col(ToolRow.id))
        .join(there, (col(there.comparison_id) == col(here.comparison_id)) & (col(there.side) != col(here.side)))
        .join(ComparisonRow, col(ComparisonRow.id) == col(here.comparison_id))
        .join(IssueComparison, col(IssueComparison.comparison_id) == col(here.comparison_id))
        .join(Issue, col(Issue.id) == col(IssueComparison.issue_id))
        .where(col(ToolRow.slug).in_(slugs), issues.readers_have_it())
        .order_by(col(Issue.week), col(IssueComparison.place))
    )
    found: dict[str, list[Verdict]] = {slug: [] for slug in slugs}
    for tool, week, slug, side, opponent in session.execute(query):
        found[tool].append(
            Verdict(
                week=week,
                comparison_id=side.comparison_id,
                slug=slug,
                side=side.side,
                name=side.name,
                tagline=side.tagline,
                category=side.category,
                entry_price=side.entry_price,
                opponent=opponent,
                panel=side.panel_ship,
                published=side.community_ship,
            )
        )
    return found


def results(session: Session, issue_ids: Collection[int], most: int) -> Mapping[int, list[tuple[str, int, str, int]]]:
    """Issue -> (left tool, its share of the panel, right tool, its share) of its first comparisons, so many at most."""
    left, right = aliased(SideRow), aliased(SideRow)
    query = (
        select(IssueComparison.issue_id, left, right)
        .join(left, (col(left.comparison_id) == col(IssueComparison.comparison_id)) & (col(left.side) == LEFT))
        .join(right, (col(right.comparison_id) == col(IssueComparison.comparison_id)) & (col(right.side) == RIGHT))
        .where(col(IssueComparison.issue_id).in_(issue_ids), IssueComparison.place < most)
        .order_by(col(IssueComparison.place))
    )
    found: dict[int, list[tuple[str, int, str, int]]] = {number: [] for number in issue_ids}
    for number, one, other in session.exec(query):
        found[number].append((one.name, one.panel_ship, other.name, other.panel_ship))
    return found


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
