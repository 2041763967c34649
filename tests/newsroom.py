"""A newsletter in a test: its rules, a week's comparisons, its readers, and an outbox that carries letters."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter import approving, weekly
from newsletter.comparisons import comparison
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.db import reading, writing
from newsletter.delivery.outbox import OutboxProvider
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.links import Links
from newsletter.outgoing import Run
from newsletter.post import Post
from newsletter.rendering.edition import Masthead
from newsletter.weekly import Rules
from subscribers import subscriber
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, SUPPRESSED, Subscriber, muting
from subscribers.suppression import MANUAL, suppress
from subscribers.tokens import Tokens
from tests.comparisons.samples import record, tool

W46, W47, W48 = (Week(2026, number) for number in (46, 47, 48))
IN_W46 = datetime(2026, 11, 11, 9, tzinfo=UTC)
IN_W47 = datetime(2026, 11, 18, 9, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
"""W47 has ended and is to be drafted."""
TUESDAY = datetime(2026, 11, 24, 9, tzinfo=UTC)
"""The slot of W47."""

LINKS = Links("https://verdicts.example.com")
RULES = Rules(
    masthead=Masthead("Weekly AI Tool Verdicts", "1 Example Street, 00000 Exampletown", LINKS),
    zone=ZoneInfo("UTC"),
    draft_at=(0, 7, 0),
    send_at=(1, 9, 0),
    max_lateness=timedelta(hours=6),
    approval="required",
)


def publish(engine: Engine, left: str = "Haiku", right: str = "Codestral", at: datetime = IN_W47, **fields: Any) -> int:
    """Store a comparison, or store it again; `fields` are those of its left tool. Return its id."""
    made = record(left, right, tools=[tool(left, **fields), tool(right)], published_at=at)
    with writing(engine) as session:
        slug = comparison.save(session, made, at).slug
        session.commit()
        return session.exec(select(ComparisonRow.id).where(ComparisonRow.slug == slug)).one() or 0


def subscribe(engine: Engine, emails: Iterable[str], status: str = ACTIVE) -> list[int]:
    """Put addresses on the list; return their ids."""
    with writing(engine) as session:
        made = [subscriber.add(session, parse_address(email), status, IN_W46) for email in emails]
        if status == SUPPRESSED:
            for one in made:
                suppress(session, parse_address(one.email), MANUAL, "a test", IN_W46)
        session.commit()
        return [one.id or 0 for one in made]


def set_status(engine: Engine, status: str, *emails: str) -> None:
    with writing(engine) as session:
        for one in session.exec(select(Subscriber).where(col(Subscriber.email).in_(emails))):
            subscriber.move(one, status, MONDAY)
            session.add(one)
            if status == SUPPRESSED:
                suppress(session, parse_address(one.email), MANUAL, "a test", MONDAY)
        session.commit()


def mute(engine: Engine, email: str, *categories: str) -> None:
    with writing(engine) as session:
        one = session.exec(select(Subscriber).where(Subscriber.email == email)).one()
        one.muted = muting(categories)
        session.add(one)
        session.commit()


def draft(engine: Engine, week: Week = W47, rules: Rules = RULES) -> weekly.Drafted:
    with writing(engine) as session:
        drafted = weekly.draft(session, rules, week, MONDAY)
        session.commit()
        return drafted


def approve(engine: Engine, week: Week = W47, rules: Rules = RULES) -> str:
    """Preview and approve a draft; return the digest."""
    with writing(engine) as session:
        approving.preview(session, rules, week)
        issue = approving.approve(session, rules, week, MONDAY)
        session.commit()
        return issue.digest or ""


def issue_of(engine: Engine, week: Week = W47) -> Issue:
    with reading(engine) as session:
        return weekly.require(session, week)


def titles(engine: Engine, week: Week = W47) -> list[str]:
    """The comparisons of an issue, the lead first; none where there is no issue."""
    with reading(engine) as session:
        issue = issues.find(session, week)
        return [one.title for one in weekly.comparisons_of(session, issue)] if issue else []


def post(directory: Path) -> Post:
    """Letters become files below a directory."""
    return Post(
        provider=OutboxProvider(directory, lambda: TUESDAY),
        sender="Weekly AI Tool Verdicts <verdicts@example.com>",
        reply_to=None,
        stream="broadcast",
        personal_stream="outbound",
        list_id="<newsletter.example.com>",
        links=LINKS,
        tokens=Tokens(["a key for tests"]),
        own_unsubscribe=True,
        settle=timedelta(minutes=10),
    )


def at(moment: datetime) -> Run:
    """A run at a moment that does not pass."""
    return Run(clock=lambda: moment, wait=False)


def letters(directory: Path) -> list[bytes]:
    return [file.read_bytes() for file in directory.rglob("*.eml")]


def table(session: Session, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a statement in SQL."""
    return [tuple(row) for row in session.connection().exec_driver_sql(sql)]


def publish_what_cannot_lead(engine: Engine) -> None:
    """Two comparisons of week 47, one of training tools and one of voice tools, whose subject would be unfit."""
    with writing(engine) as session:
        trap = "%%A%% " + "x" * 12  # in a subject of sixty characters its marks take two more
        fine = [tool("Dot", category="Training", panel_ship=50), tool("Dan", category="Training", panel_ship=25)]
        comparison.save(session, record("Dot", "Dan", tools=fine, published_at=IN_W47), IN_W47)
        long = [tool(trap, category="Voice"), tool("y" * 17, category="Voice", panel_ship=25)]
        comparison.save(session, record(trap, "y" * 17, tools=long, published_at=IN_W47), IN_W47)
        session.commit()
