"""May this reader vote on that comparison, and what have they said? (use case)

Promises: a vote is good from the moment in which its issue begins to go out until the next one does, of a reader who
has a copy with that comparison in it. One vote a reader and comparison, however many are sent at once; the last one
counts. Whoever may not vote learns nothing of a comparison that readers have not been sent.

Nothing that a vote reads is changed by one, and nothing that begins an issue reads votes: one that is made beside the
beginning of the next issue counts whole, as made before it, or is refused.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from sqlalchemy.orm import load_only
from sqlmodel import Session, col, select

from newsletter.comparisons import comparison, votes
from newsletter.comparisons.record import Comparison
from newsletter.comparisons.votes import Tally
from newsletter.db import only_reads
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.variants import Variant
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison
from subscribers import limits
from subscribers.subscriber import ERASED, SUPPRESSED, Subscriber
from subscribers.whence import network_of

PER: Final = timedelta(hours=1)
MOST_CHANGES: Final = 30  # of one reader in PER
MOST_OF_A_NETWORK: Final = 1000  # votes in PER: a company whose readers all vote on everything stays below it

_NO_WORDS: Final = load_only(StoredLetter.key, StoredLetter.clicks)  # type: ignore[arg-type]  # a letter has 90 KB

_BESIDE_REFERENCES: Final = {"key_share": True}


class NoBallot(Enum):
    """Why somebody has no vote."""

    NOBODY = auto()
    """The reader is unknown, erased or suppressed."""
    NOT_YOURS = auto()
    """They have no copy with this comparison in it, or there is no such comparison."""


class Outcome(Enum):
    """What came of a vote."""

    COUNTED = auto()
    ALREADY = auto()
    """They had said so before."""
    OVER = auto()
    """The next issue has begun to go out; nothing has changed."""
    TOO_OFTEN = auto()
    """Too many within PER; nothing has changed."""


@dataclass(frozen=True)
class Ballot:
    """A comparison on which a reader may vote, or might have voted."""

    comparison_id: int
    comparison: Comparison
    week: str
    """Of the issue that it is in."""
    is_open: bool
    own: str | None
    """What the reader has said, one of `votes.CHOICES`; None where nothing yet."""
    tally: Tally
    row: str
    """The key of the reader's copy."""
    clicks: str
    """What may be noted of who follows the links of that copy: one of `ledger.TRACKED`."""

    def community(self, side: int) -> int | None:
        """The community ship of a side, as it shows everywhere: see `votes.community`."""
        return votes.community(self.tally, side, self.comparison.tools[side].community_ship)


def standing(session: Session, subscriber_id: int, slug: str) -> Ballot | NoBallot:
    """How things are with a reader's vote on a comparison. Where the session may write, nobody changes it meanwhile."""
    # Locked where something is written, so that nobody is forgotten beside their vote; not against what only refers to
    # the reader, as the drawing up of a list does, for minutes.
    reader = session.get(Subscriber, subscriber_id, with_for_update=None if only_reads(session) else _BESIDE_REFERENCES)
    if reader is None or reader.status in (ERASED, SUPPRESSED):
        return NoBallot.NOBODY
    stored = comparison.by_slug(session, slug)
    place = session.get(IssueComparison, stored.id) if stored else None
    issue = session.get(Issue, place.issue_id) if place else None
    copy = session.get(Delivery, (issue.letter_id, subscriber_id)) if issue and issue.letter_id else None
    if not (stored and issue and copy and copy.state in ledger.HAVE_IT) or slug in _left_out(session, copy):
        return NoBallot.NOT_YOURS
    letter = session.get_one(StoredLetter, copy.letter_id, options=[_NO_WORDS])
    return Ballot(
        comparison_id=stored.id,
        comparison=stored.record,
        week=issue.week,
        is_open=issue.id == issues.begun(session, 1)[0].id,
        own=votes.of_reader(session, stored.id, subscriber_id),
        tally=votes.tallies(session, [stored.id])[stored.id],
        row=letter.row_key(subscriber_id),
        clicks=letter.clicks,
    )


def vote(
    session: Session, subscriber_id: int, slug: str, choice: str, network: str | None, now: datetime
) -> tuple[Outcome, Ballot] | NoBallot:
    """Take a reader's vote, one of `votes.CHOICES`; the ballot is as it is after it. The caller commits.

    `network`: the IP address that it came from, where that is known.
    """
    ballot = standing(session, subscriber_id, slug)
    if isinstance(ballot, NoBallot):
        return ballot
    if not ballot.is_open:
        return Outcome.OVER, ballot
    if ballot.own == choice:
        return Outcome.ALREADY, ballot
    if not _within_limits(session, subscriber_id, network, now):
        return Outcome.TOO_OFTEN, ballot
    votes.cast(session, ballot.comparison_id, subscriber_id, choice, now)
    tally = votes.tallies(session, [ballot.comparison_id])[ballot.comparison_id]
    return Outcome.COUNTED, replace(ballot, own=choice, tally=tally)


def newest_copy(session: Session, subscriber_id: int) -> tuple[str, str] | None:
    """Key of a reader's newest issue, and what may be noted of its links; None of who has none, or was erased."""
    query = (
        select(StoredLetter)
        .options(_NO_WORDS)
        .join(Issue, col(Issue.letter_id) == col(StoredLetter.id))
        .join(Delivery, col(Delivery.letter_id) == col(StoredLetter.id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(Subscriber.id == subscriber_id, Subscriber.status != ERASED, col(Delivery.state).in_(ledger.HAVE_IT))
        .order_by(col(Issue.week).desc())
    )
    letter = session.exec(query.limit(1)).first()
    return (letter.row_key(subscriber_id), letter.clicks) if letter else None


def _within_limits(session: Session, subscriber_id: int, network: str | None, now: datetime) -> bool:
    # The reader's own first: what they may not do does not count against those who share a network with them.
    if not limits.take(session, "votes", str(subscriber_id), MOST_CHANGES, PER, now):
        return False
    counted_for = network_of(network)
    return not counted_for or limits.take(session, "votes of a network", counted_for, MOST_OF_A_NETWORK, PER, now)


def _left_out(session: Session, copy: Delivery) -> frozenset[str]:
    """The slugs that are not in a copy, since its reader has muted their categories."""
    if not copy.variant:
        return frozenset()
    query = select(Variant.without).where(Variant.letter_id == copy.letter_id, Variant.number == copy.variant)
    return frozenset(json.loads(session.exec(query).one()))
