"""How did an issue do? What came back of it, who left after it, what was followed in it and how readers voted.

Promises: a figure that nobody records is None and never 0; the six of them that `issues status` has always had mean the
same here; whoever is counted as having left had a copy, and is counted for one issue only.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ScalarSelect, case, literal
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select
from sqlmodel.sql.sqltypes import UTCDateTime

from newsletter.comparisons import comparison, votes
from newsletter.comparisons.record import LEFT, RIGHT, Comparison
from newsletter.comparisons.votes import Tally
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting, Delivery, StoredLetter
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.tracking import bounces, stats
from newsletter.tracking.event import BOUNCED_HARD, BOUNCED_SOFT, FAILED
from newsletter.tracking.stats import Returns, Touched
from subscribers import consent
from subscribers.consent import Consent
from subscribers.unsubscribe import AT_PROVIDER, REASONS

KEEP_BELOW: Final = 0.10
"""Complaints in per cent of what was delivered. Gmail and Yahoo ask senders to keep below this ..."""
NEVER: Final = 0.30
"""... and never to come to this: from here on letters go to the spam folder, or nowhere."""

ALARMED_FOR: Final = timedelta(days=7)
"""How long a bounce that is a trouble of our own alarms the editors."""

NOT_SAID: Final = "not_said"
"""Beside `REASONS`: who left and did not say why."""


@dataclass(frozen=True)
class Leavers:
    """Who has left, of those who had had this issue last."""

    all: int
    reasons: Mapping[str, int]
    """Each of `REASONS` and `NOT_SAID` -> how many."""
    at_provider: int
    """How many of them left by the provider's own button or page."""


@dataclass(frozen=True)
class Opinion:
    """What readers think of one tool, and what the panel does; shares in whole per cent."""

    tool: str
    panel_ship: int
    community_ship: int | None
    """By our own readers' votes; None while nobody has voted."""
    difference: int | None
    """In points: above 0 where readers would ship it rather than the panel would."""


@dataclass(frozen=True)
class OnComparison:
    """How one comparison of an issue did."""

    slug: str
    title: str
    clicks: Touched | None
    """Of the link to its page; None where nobody counts clicks."""
    votes: Tally
    opinions: tuple[Opinion, Opinion]


@dataclass(frozen=True)
class Alarm:
    """A trouble of our own, by which letters come back; nothing is said of their readers."""

    detail: str
    """The provider's word for the bounce."""
    count: int
    what: str
    """What it is and what to do about it."""


@dataclass(frozen=True)
class Numbers:
    """One issue in figures."""

    week: str
    state: str
    began_at: datetime | None
    """When its list was drawn up, UTC; None of an issue that has not begun to go out, so that nothing came back."""
    books: Accounting
    returns: Returns | None
    """None where nobody tells us what comes back, and before the send."""
    left: Leavers | None
    comparisons: tuple[OnComparison, ...]
    opens: str
    clicks: str
    """What was to be noted of openings and clicks: one of `ledger.TRACKED`."""

    @property
    def complaint_rate(self) -> float | None:
        """Complaints in per cent of what was delivered; None while nothing was."""
        return rate(self.returns.complained, self.returns.delivered) if self.returns else None

    @property
    def votes(self) -> int:
        """How many votes its comparisons have."""
        return sum(one.votes.all for one in self.comparisons)

    def came_back(self) -> dict[str, Any]:
        """All but the accounting, as commands and programs print it in JSON."""
        returns, begun, each = self.returns, self.began_at is not None, self.comparisons
        opened, clicked = (returns.opened, returns.clicked) if returns else (None, None)
        return {
            "delivered": returns and returns.delivered,
            "bounced": returns and returns.bounced,
            "complained": returns and returns.complained,
            "opened": opened and opened.all,
            "clicked": clicked and clicked.all,
            "unsubscribed": self.left and self.left.all,
            "opened_by_people": opened and opened.people,
            "clicked_by_people": clicked and clicked.people,
            "machines": returns and returns.machines,
            "tracking": {"opens": self.opens, "clicks": self.clicks},
            "bounces": returns and {**_by_kind(returns), "by_type": returns.by_type},
            "complaint_rate": self.complaint_rate,
            "unsubscribes": self.left and {"reasons": self.left.reasons, "at_provider": self.left.at_provider},
            "clicks": [{"slug": one.slug, **asdict(one.clicks)} for one in each if one.clicks] if clicked else None,
            "votes": [{"slug": one.slug, **tally(one.votes)} for one in each] if begun else None,
            "alarms": [asdict(alarm) for alarm in alarms_of(returns.by_type if returns else {})],
        }


def of_issue(session: Session, issue: Issue, *, told: bool) -> Numbers:
    """Count an issue. `told`: whether its provider tells what becomes of letters; else only what did come is shown."""
    books = ledger.accounting(session, issue.letter_id)
    letter = session.get(StoredLetter, issue.letter_id) if issue.letter_id is not None else None
    returns = stats.of_letter(session, letter) if letter else None
    if returns and not told and not returns.told:
        returns = None
    return Numbers(
        week=issue.week,
        state=issue.state,
        began_at=letter.created_at if letter else None,
        books=books,
        returns=returns,
        left=_leavers(session, letter) if letter else None,
        comparisons=_comparisons(session, issue, returns),
        opens=letter.opens if letter else ledger.UNTRACKED,
        clicks=letter.clicks if letter else ledger.UNTRACKED,
    )


def as_it_stands(session: Session, issue: Issue, counted: Numbers) -> Numbers:
    """What was counted of an issue a while ago, with its state and with where its readers stand as of this moment."""
    return replace(counted, state=issue.state, books=ledger.accounting(session, issue.letter_id))


def over_time(session: Session, most: int, *, told: bool) -> list[Numbers]:
    """The newest issues that have begun to go out, the newest first."""
    return [of_issue(session, one, told=told) for one in issues.begun(session, most)]


def rate(complained: int, delivered: int) -> float | None:
    """Complaints in per cent of what was delivered, to a thousandth; None while nothing was."""
    return round(100 * complained / delivered, 3) if delivered else None


def alarms(session: Session, now: datetime) -> list[Alarm]:
    """The troubles of our own by which letters came back in the last `ALARMED_FOR`, the most frequent first."""
    return alarms_of(stats.alarming(session, now - ALARMED_FOR))


def alarms_of(by_type: Mapping[str, int]) -> list[Alarm]:
    """Those of the provider's words for bounces that are a trouble of our own."""
    what = bounces.alarms()
    return [Alarm(detail, count, what[detail]) for detail, count in by_type.items() if detail in what]


def complaints_alarm(session: Session) -> str | None:
    """What to say of the newest issue that has begun to go out, where too many called it spam; else None."""
    newest = next(iter(issues.begun(session, 1)), None)
    if newest is None:
        return None
    returns = stats.of_letter(session, session.get_one(StoredLetter, newest.letter_id))
    return too_many_complaints(newest.week, returns.complained, returns.delivered)


def too_many_complaints(week: str, complained: int, delivered: int) -> str | None:
    """What to say of so many complaints, on one line, where mailbox providers mind; None where they do not."""
    share = rate(complained, delivered)
    if share is None or share < KEEP_BELOW:
        return None
    so_many = f"{complained} of {delivered} readers ({share:.2f} %) called {week} spam"
    limit = f"never {NEVER:.2f} %" if share >= NEVER else f"keep below {KEEP_BELOW:.2f} %"
    return f"{so_many}; of what is delivered, mailbox providers say, {limit}"


def tally(votes_: Tally) -> dict[str, int]:
    """A tally as JSON has it."""
    return {**asdict(votes_), "all": votes_.all}


def _by_kind(returns: Returns) -> dict[str, int]:
    names = {"hard": BOUNCED_HARD, "soft": BOUNCED_SOFT, "failed": FAILED}
    return {name: returns.by_kind.get(kind, 0) for name, kind in names.items()}


def _leavers(session: Session, letter: StoredLetter) -> Leavers:
    """Who left and had had this issue last; who took it back at once has not left."""
    query = (
        select(Consent)
        .join(Delivery, col(Delivery.subscriber_id) == col(Consent.subscriber_id))
        .where(Consent.kind == consent.LEFT, Consent.at >= letter.created_at)
        .where(Delivery.letter_id == letter.id, col(Delivery.state).in_(ledger.HAVE_IT))
        .where(func.coalesce(_next_word(), "") != consent.RETURNED)
    )
    if later := _begun_after(session, letter):
        newer = aliased(Delivery)
        begun_at = case({number: literal(at, UTCDateTime()) for number, at in later}, value=newer.letter_id)
        had_one = select(newer.letter_id).where(
            newer.subscriber_id == Consent.subscriber_id,
            col(newer.letter_id).in_([number for number, _ in later]),
            col(newer.state).in_(ledger.HAVE_IT),
            begun_at <= Consent.at,
        )
        query = query.where(~had_one.exists())
    left = {step.subscriber_id: step for step in session.exec(query.order_by(col(Consent.id)))}
    said = _reasons(session, letter) if left else {}
    reasons = Counter(said.get(step.id, NOT_SAID) for step in left.values())
    return Leavers(
        all=len(left),
        reasons={name: reasons[name] for name in (*REASONS, NOT_SAID)},
        at_provider=sum(step.source == AT_PROVIDER for step in left.values()),
    )


def _begun_after(session: Session, letter: StoredLetter) -> list[tuple[int, datetime]]:
    """The letters of issues that began to go out after this one, and when."""
    query = select(StoredLetter.id, StoredLetter.created_at).join(Issue, col(Issue.letter_id) == col(StoredLetter.id))
    found = session.exec(query.where(StoredLetter.created_at >= letter.created_at))
    this = (letter.created_at, letter.id or 0)
    return [(number, at) for number, at in found if number and (at, number) > this]


def _next_word() -> ScalarSelect[str]:
    """What the same reader said next of staying or leaving."""
    after = aliased(Consent)
    words = select(after.kind).where(after.subscriber_id == Consent.subscriber_id, col(after.id) > col(Consent.id))
    said = words.where(col(after.kind).in_((consent.LEFT, *sorted(consent.AGREED))))
    return said.order_by(col(after.id)).limit(1).correlate(Consent).scalar_subquery()


def _reasons(session: Session, letter: StoredLetter) -> dict[int | None, str]:
    """Id of the step by which a reader left since a letter began to go out -> which of `REASONS` they gave for it."""
    named = {words: name for name, words in REASONS.items()}
    leave = aliased(Consent)
    of_what = select(func.max(leave.id)).where(
        leave.subscriber_id == Consent.subscriber_id, leave.kind == consent.LEFT, col(leave.id) < col(Consent.id)
    )
    query = select(of_what.correlate(Consent).scalar_subquery(), Consent.words)
    query = query.where(Consent.kind == consent.REASON, Consent.at >= letter.created_at)
    return {step: named[words] for step, words in session.exec(query) if words in named}


def _comparisons(session: Session, issue: Issue, returns: Returns | None) -> tuple[OnComparison, ...]:
    numbers = issues.comparison_ids(session, issue.id or 0)
    tallies = votes.tallies(session, numbers)
    counted = returns is not None and returns.clicked is not None
    links = returns.links if returns else {}
    return tuple(
        OnComparison(
            slug=record.slug or "",
            title=record.title,
            clicks=links.get(f"comparisons/{record.slug}", Touched()) if counted else None,
            votes=tallies[number],
            opinions=(_opinion(record, LEFT, tallies[number]), _opinion(record, RIGHT, tallies[number])),
        )
        for number, record in zip(numbers, comparison.load_many(session, numbers), strict=True)
    )


def _opinion(record: Comparison, side: int, tally_: Tally) -> Opinion:
    panel, readers = record.panel_ship(side), tally_.ship(side)
    return Opinion(record.tools[side].name, panel, readers, None if readers is None else readers - panel)
