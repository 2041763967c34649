"""What has happened with one reader, from the first word to the last? One line of time out of all tables, page by page.

Promises: the newest first, and nothing twice or left out while one goes from page to page; of somebody who was erased
there is no story. What is held word for word is in the `dossier`; here is what an editor wants to know of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, SQLColumnExpression, func, or_, tuple_
from sqlmodel import Session, col, select

from newsletter.comparisons.comparison import ComparisonRow
from newsletter.comparisons.votes import Vote
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.variants import NOTHING, Variant
from newsletter.editors.editor import Editor
from newsletter.editors.log import Entry
from newsletter.tracking.event import KINDS
from newsletter.tracking.store import StoredEvent
from subscribers import consent, suppression
from subscribers.address import Address
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import ERASED, Subscriber

PAGE: Final = 50  # moments

CONSENT: Final = "consent"
LETTER: Final = "letter"
EVENT: Final = "event"
VOTE: Final = "vote"
SUPPRESSED: Final = "suppressed"
LIFTED: Final = "lifted"
DONE: Final = "done"

KINDS_OF_MOMENTS: Final = {
    CONSENT: "what the reader agreed to, or took back",
    LETTER: "a letter",
    EVENT: "what came back of a letter",
    VOTE: "a vote",
    SUPPRESSED: "from then on nobody was to write to the address",
    LIFTED: "from then on it might be written to again",
    DONE: "what an editor did at the desk",
}
"""In the order in which they follow from each other, where they are of the same moment."""

_RANKS: Final = {kind: rank for rank, kind in enumerate(KINDS_OF_MOMENTS)}


@dataclass(frozen=True, order=True)
class Place:
    """Where a moment stands in the line of time. Its text leads from one page to the next, and names nobody."""

    at: datetime
    rank: int
    number: int

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{self.rank}-{self.number}"

    @classmethod
    def read(cls, written: str) -> "Place":
        """The place that a text names. Raises ValueError."""
        at, rank, number = written.split("-")
        return cls(datetime.strptime(at, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), int(rank), int(number[:18]))


@dataclass(frozen=True)
class Moment:
    """One thing that happened."""

    place: Place
    kind: str
    """One of `KINDS_OF_MOMENTS`."""
    what: str
    """In few words."""
    more: tuple[str, ...] = ()
    """What else is known of it, each in a few words."""
    letter: str | None = None
    """The letter's tag that it is about: a week, or a kind of letter to one person."""
    machine: bool = False
    """Whether it was no person's doing."""
    words: str | None = field(default=None, repr=False)
    """The words that the reader was shown."""

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.place.at


@dataclass(frozen=True)
class Story:
    """A page of a reader's story, the newest moment first."""

    moments: list[Moment]
    next: Place | None = None
    """Where it goes on; None where this is the beginning."""


def story(session: Session, reader: Subscriber, before: Place | None = None, most: int = PAGE) -> Story:
    """A page of what has happened with a reader, from before a place on. Of somebody who was erased: nothing."""
    if reader.id is None or reader.status == ERASED:
        return Story([])
    address = Address(reader.email, reader.address_key)
    few = [*_steps(session, reader.id), *_suppressions(session, address)]
    many = [
        *_letters(session, reader.id, before, most + 1),
        *_events(session, reader.id, Fingerprints(session).of(address), before, most + 1),
        *_votes(session, reader.id, before, most + 1),
        *_acts(session, reader.id, before, most + 1),
    ]
    found = [*(one for one in few if before is None or one.place < before), *many]
    found.sort(key=lambda one: one.place, reverse=True)
    return Story(found[:most], found[most - 1].place if len(found) > most else None)


def _moment(kind: str, at: datetime, number: int | None, what: str, *more: str | None, **rest: Any) -> Moment:
    return Moment(Place(at, _RANKS[kind], number or 0), kind, what, tuple(filter(None, more)), **rest)


def _before(
    kind: str, at: SQLColumnExpression[datetime], number: SQLColumnExpression[Any], before: Place | None
) -> Iterator[ColumnElement[bool]]:
    """The condition of standing before a place, for rows of a kind."""
    if before is None:
        return
    rank = _RANKS[kind]
    if rank == before.rank:
        yield or_(at < before.at, (at == before.at) & (number < before.number))
    else:
        yield at <= before.at if rank < before.rank else at < before.at


def _steps(session: Session, subscriber_id: int) -> Iterator[Moment]:
    for step in consent.history(session, subscriber_id):
        network = f"from {step.network}" if step.network else None
        agent = f"by {step.user_agent}" if step.user_agent else None
        version = f"words {step.words_version}" if step.words_version else None
        source = f"source: {step.source}" if step.source else None
        what = consent.KINDS[step.kind]
        yield _moment(CONSENT, step.at, step.id, what, source, version, network, agent, words=step.words)


def _suppressions(session: Session, address: Address) -> Iterator[Moment]:
    for one in suppression.of_address(session, address):
        says = f"says: {one.source}" if one.source else None
        yield _moment(SUPPRESSED, one.at, one.id, suppression.REASONS[one.reason], says)
        if one.lifted_at is not None:
            yield _moment(LIFTED, one.lifted_at, one.id, "may be written to again", one.lifted_because or None)


def _letters(session: Session, subscriber_id: int, before: Place | None, most: int) -> Iterator[Moment]:
    at = func.coalesce(col(Claim.claimed_at), col(Delivery.settled_at), col(StoredLetter.created_at))
    query = (
        select(Delivery, StoredLetter.tag, StoredLetter.subject, at)
        .join(StoredLetter, col(StoredLetter.id) == col(Delivery.letter_id))
        .outerjoin(Claim, col(Claim.key) == col(Delivery.batch))
        .where(Delivery.subscriber_id == subscriber_id, *_before(LETTER, at, col(Delivery.letter_id), before))
        .order_by(at.desc(), col(Delivery.letter_id).desc())
        .limit(most)
    )
    copies = session.exec(query).all()
    variants = _variants(session, [copy for copy, *_ in copies if copy.variant])
    for copy, tag, subject, sent_at in copies:
        reason = f"the provider: {copy.reason}" if copy.reason else None
        what = f"{copy.state.replace('_', ' ')}: {subject}"
        variant = variants.get((copy.letter_id, copy.variant))
        yield _moment(LETTER, sent_at, copy.letter_id, what, variant, reason, letter=tag)


def _variants(session: Session, copies: list[Delivery]) -> dict[tuple[int, int], str]:
    """(letter, number) -> in words how that variant differs from the letter itself."""
    some = tuple_(col(Variant.letter_id), col(Variant.number)).in_([(one.letter_id, one.variant) for one in copies])
    query = select(Variant.letter_id, Variant.number, Variant.without, Variant.language).where(some)
    words = {}
    for letter, number, without, language in session.exec(query) if copies else []:
        less = f", without {', '.join(json.loads(without))}" if without != NOTHING else ""
        words[letter, number] = f"variant {number}" + (f", in {language}" if language else "") + less
    return words


def _events(
    session: Session, subscriber_id: int, fingerprint: str, before: Place | None, most: int
) -> Iterator[Moment]:
    theirs = or_(col(StoredEvent.subscriber_id) == subscriber_id, col(StoredEvent.fingerprint) == fingerprint)
    query = (
        select(StoredEvent, StoredLetter.tag)
        .outerjoin(StoredLetter, col(StoredLetter.id) == col(StoredEvent.letter_id))
        .where(theirs, *_before(EVENT, col(StoredEvent.at), col(StoredEvent.id), before))
        .order_by(col(StoredEvent.at).desc(), col(StoredEvent.id).desc())
        .limit(most)
    )
    for event, tag in session.exec(query):
        yield _moment(
            EVENT,
            event.at,
            event.id,
            KINDS[event.kind],
            event.detail,
            f"link: {event.link}" if event.link else None,
            f"by a machine: {event.machine}" if event.machine else None,
            event.agent,
            letter=tag,
            machine=event.machine is not None,
        )


def _votes(session: Session, subscriber_id: int, before: Place | None, most: int) -> Iterator[Moment]:
    query = (
        select(Vote, ComparisonRow.title)
        .join(ComparisonRow, col(ComparisonRow.id) == col(Vote.comparison_id))
        .where(Vote.subscriber_id == subscriber_id, *_before(VOTE, col(Vote.changed_at), col(Vote.id), before))
        .order_by(col(Vote.changed_at).desc(), col(Vote.id).desc())
        .limit(most)
    )
    for vote, title in session.exec(query):
        changed = f"for the first time {vote.voted_at:%Y-%m-%d}" if vote.changed_at != vote.voted_at else None
        yield _moment(VOTE, vote.changed_at, vote.id, f"voted “{vote.choice}” on {title}", changed)


def _acts(session: Session, subscriber_id: int, before: Place | None, most: int) -> Iterator[Moment]:
    query = (
        select(Entry, Editor.name)
        .outerjoin(Editor, col(Editor.id) == col(Entry.editor_id))
        .where(Entry.subscriber_id == subscriber_id, *_before(DONE, col(Entry.at), col(Entry.id), before))
        .order_by(col(Entry.at).desc(), col(Entry.id).desc())
        .limit(most)
    )
    for entry, name in session.exec(query):
        yield _moment(DONE, entry.at, entry.id, f"{name or 'a command'} {entry.act}", entry.detail)
