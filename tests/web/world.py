"""What the tests of the pages are about: comparisons, issues and readers, made through the project's own doors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from sqlmodel import col, select

from newsletter import approving, weekly
from newsletter.assembly import Assembly
from newsletter.comparisons import comparison
from newsletter.comparisons.record import SEATS, Comparison
from newsletter.db import Table, reading, writing
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.outgoing import Run, send_issue
from subscribers import audience, consent, subscriber, suppression
from subscribers.address import parse_address
from subscribers.signup import SignUp
from subscribers.subscriber import Subscriber
from subscribers.tokens import UNSUBSCRIBE

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
W46, W47 = Week(2026, 46), Week(2026, 47)


def a_comparison(left: str = "Inkwell", right: str = "Gantry", **changes: Any) -> Comparison:
    """Published in week 47: the panel would ship all of the left and half of the right tool."""
    tools = [
        {
            "name": name,
            "tagline": f"What {name} promises",
            "category": "Agents",
            "entry_price": price,
            "description": f"{name} at length.",
        }
        for name, price in ((left, "$12/mo"), (right, "Free"))
    ]
    reviews = [
        {
            "seat": seat,
            "tool": name,
            "verdict": "ship" if name == left or place % 2 else "skip",
            "quote": f"The {seat} speaks of {name}.",
        }
        for place, seat in enumerate(SEATS)
        for name in (left, right)
    ]
    record = {
        "title": f"{left} vs {right}",
        "published_at": "2026-11-17T12:00:00Z",
        "tools": tools,
        "reviews": reviews,
    }
    return Comparison.model_validate(record | changes)


def keep(assembly: Assembly, *records: Comparison) -> None:
    """Put comparisons into the store."""
    with writing(assembly.engine) as session:
        for record in records:
            comparison.save(session, record, NOW)
        session.commit()


def draft(assembly: Assembly, week: Week = W47) -> None:
    """Collect what there is into a week's draft."""
    with writing(assembly.engine) as session:
        weekly.draft(session, assembly.rules, week, NOW)
        session.commit()


def approve(assembly: Assembly, week: Week = W47) -> None:
    """Approve a week's draft."""
    with writing(assembly.engine) as session:
        approving.approve(session, assembly.rules, week, NOW)
        session.commit()


def send(assembly: Assembly, *records: Comparison, week: Week = W47) -> None:
    """Send an issue with these comparisons, if need be to one reader who is there for it."""
    with reading(assembly.engine) as session:
        nobody = audience.size(session) == 0
    if nobody:
        a_reader(assembly, email="only@example.com")
    keep(assembly, *records)
    draft(assembly, week)
    approve(assembly, week)
    assert send_issue(assembly.engine, assembly.rules, assembly.post, week, Run(clock=lambda: NOW)).state == issues.SENT


def a_reader(assembly: Assembly, status: str = subscriber.ACTIVE, email: str = "ada@example.com") -> int:
    """A reader's id."""
    address = parse_address(email)
    with writing(assembly.engine) as session:
        added = subscriber.add(session, address, status, NOW)
        if status == subscriber.SUPPRESSED:
            suppression.suppress(session, address, suppression.COMPLAINT, "a test", NOW)
        session.commit()
    assert added.id is not None
    return added.id


def way_out(assembly: Assembly, reader: int) -> str:
    """The path of a reader's unsubscribe link."""
    return f"/unsubscribe/{assembly.tokens.make(UNSUBSCRIBE, reader)}"


def key_to(assembly: Assembly, purpose: str, number: int, ago: timedelta = timedelta(0)) -> str:
    """The path of a link that ends, made so long ago: to `confirm`, to `preferences`, to an `address` change."""
    return f"/{purpose}/{assembly.tokens.make_passing(purpose, number, NOW - ago)}"


def status_of(assembly: Assembly, reader: int) -> str:
    """A reader's status."""
    with reading(assembly.engine) as session:
        return session.exec(select(Subscriber.status).where(Subscriber.id == reader)).one()


def everything(assembly: Assembly) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with reading(assembly.engine) as session:
        tables = Table.metadata.sorted_tables
        return {table.name: sorted(map(tuple, session.execute(table.select())), key=repr) for table in tables}


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of every tag with one of these names."""
        return [attributes for tag, attributes in self.tags if tag in tags]


def queued(assembly: Assembly) -> list[tuple[str, int]]:
    """(kind, reader) of every letter to one person, the oldest first."""
    with reading(assembly.engine) as session:
        query = select(StoredLetter.tag, Delivery.subscriber_id).join(Delivery).order_by(col(StoredLetter.id))
        return [(tag, reader) for tag, reader in session.exec(query) if not tag.startswith("20")]


def wishes(assembly: Assembly, reader: int) -> list[tuple[str, str]]:
    """(kind, source) of every step of a reader's consent."""
    with reading(assembly.engine) as session:
        return [(step.kind, step.source) for step in consent.history(session, reader)]


def sign_ups(assembly: Assembly) -> list[SignUp]:
    """What forms have sent and nobody has attended to, the oldest first."""
    with reading(assembly.engine) as session:
        return list(session.exec(select(SignUp).order_by(col(SignUp.id))))


MakeAssembly = Callable[..., Assembly]
