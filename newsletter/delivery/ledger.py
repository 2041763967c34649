"""Who has had a letter, who is yet to get it, and whom do we not know of? One row per reader and letter.

The row is there before anything is sent. `claiming` takes rows out of the queue and writes down what came of them,
`doubts` settles what is unknown; both change a row's state by `moving` alone, so that no row makes a move that is not
in `MOVES`.
"""

import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Index,
    Integer,
    Update,
    bindparam,
    func,
    insert,
    literal,
    or_,
    update,
)
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, given, is_sqlite, one_of
from newsletter.message import Letter
from subscribers.audience import member_ids
from subscribers.subscriber import NOTHING_MUTED, Subscriber

QUEUED: Final = "queued"
SENDING: Final = "sending"
ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
SUPPRESSED: Final = "suppressed"
LEFT: Final = "left"
IN_DOUBT: Final = "in_doubt"

MOVES = {
    QUEUED: {
        SENDING: "claimed: the provider is about to be called",
        SUPPRESSED: "suppressed since the list was drawn up",
        LEFT: "unsubscribed or paused since the list was drawn up",
        ACCEPTED: "thought not to have been sent, and an event or a late answer shows that it was",
    },
    SENDING: {
        ACCEPTED: "the provider gave it an id, in its answer or in an event that was faster",
        REFUSED: "the provider said no to this reader",
        IN_DOUBT: "the provider's answer was lost, or the sender died before it wrote the answer down",
        QUEUED: "certainly not sent: the provider was not reached, refused the batch, or the batch stopped before it",
    },
    IN_DOUBT: {
        ACCEPTED: "the provider was asked, and has it; or an event or a late answer shows it",
        REFUSED: "a late answer says no; or an editor gave it up",
        QUEUED: "the provider was asked, long enough after, and does not have it though it shows later ones; "
        "or a late answer says that it was not sent; or an editor wants it sent again",
    },
    ACCEPTED: {},
    REFUSED: {
        QUEUED: "an editor asked for another try, the reason being a passing one",
        ACCEPTED: "given up while in doubt, and an event shows that it was taken",
    },
    SUPPRESSED: {ACCEPTED: "put aside when its turn came again, and an event shows that the first try was taken"},
    LEFT: {ACCEPTED: "put aside when its turn came again, and an event shows that the first try was taken"},
}
"""Every state of a row, and what may follow it and why. What was taken is never sent again: nothing follows that."""

ADDRESS: Final = re.compile(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+")
"""What may be an address in a provider's words."""

ROW_KEY: Final = re.compile(r"([0-9a-z]+)-([0-9]{1,10})")
"""How `StoredLetter.row_key` writes it."""

LARGEST_ID: Final = 2**31 - 1

OPENING: Final = 0x4E4C4F50  # "NLOP"; with a letter's number, PostgreSQL's lock on whether it may be claimed

NOT_TAKEN: Final = tuple(state for state in MOVES if state != ACCEPTED)
"""States in which nobody knows of a row that the provider took it: word that it did settles it in each of them."""

UNSETTLED = (QUEUED, SENDING, IN_DOUBT)
"""States of which something is yet to come. Without them, a letter is done."""

HAVE_IT: Final = (ACCEPTED, SENDING, IN_DOUBT)
"""States of a copy that may be in its reader's hands."""

UNTRACKED: Final = "no"
TOTALS: Final = "totals"
BY_READER: Final = "readers"
TRACKED: Final[Mapping[str, str]] = {
    UNTRACKED: "nothing is noted",
    TOTALS: "how often, and of nobody who it was",
    BY_READER: "who and when",
}
"""What may be noted of openings and clicks."""

Choice = tuple[str, str | None]
"""What a reader has muted, and the language that they have chosen, as `Subscriber` has both."""

ALL_ALIKE: Final[Mapping[Choice, int | None]] = {}
"""Of a letter without variants."""


class StoredLetter(Table, table=True):
    """A letter as it goes out, frozen. `audience` is null until the list is drawn up."""

    __tablename__ = "letters"
    __table_args__ = (
        CheckConstraint(one_of("opens", TRACKED), name="opens"),
        CheckConstraint(one_of("clicks", TRACKED), name="clicks"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    """16 random hex digits: part of every row's key, so that two databases never mean the same message."""
    tag: str
    subject: str
    preheader: str
    html: str
    text: str
    digest: str
    audience: int | None = None
    left_out: int = 0
    """Members for whom nothing was left of the letter that they had not muted; they are not in the audience."""
    open: bool = True
    """Whether rows of it may be claimed; not while an editor has stopped it, or it waits for one."""
    opens: str = UNTRACKED
    clicks: str = UNTRACKED
    """Whether it is noted who opens it, and who follows its links: one of `TRACKED`."""
    created_at: datetime = Field(index=True)

    def letter(self) -> Letter:
        """The letter as a value."""
        return Letter(subject=self.subject, preheader=self.preheader, html=self.html, text=self.text)

    def row_key(self, subscriber_id: int) -> str:
        """What identifies one reader's copy at the provider, however often it is tried."""
        return f"{self.key}-{subscriber_id}"

    def subscriber_of(self, row_key: str) -> int | None:
        """The reader whose copy of this letter a row key names; None for any other key."""
        copy = copy_of(row_key)
        return copy[1] if copy and copy[0] == self.key else None


class Delivery(Table, table=True):
    """One reader's copy of one letter."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(one_of("state", MOVES), name="state"),
        CheckConstraint("state <> 'accepted' OR message_id IS NOT NULL", name="evidence"),
        CheckConstraint("state NOT IN ('sending', 'in_doubt') OR batch IS NOT NULL", name="claimed"),
        Index("ix_deliveries_state", "letter_id", "state", "variant", "subscriber_id"),
        Index("ix_deliveries_subscriber", "subscriber_id"),
        {"sqlite_with_rowid": False},
    )

    letter_id: int = Field(primary_key=True, foreign_key="letters.id")
    subscriber_id: int = Field(primary_key=True, foreign_key="subscribers.id")
    variant: int = 0
    """Which variant of the letter this copy is; 0 is the letter itself."""
    state: str = QUEUED
    batch: str | None = None
    """The key of the claim (`claiming.Claim`) that it was last sent under; none while it is queued."""
    settled_at: datetime | None = None
    """When the row came into a state that is the end of it."""
    message_id: str | None = None
    reason: str | None = None
    """The provider's words, where it refused or we do not know."""
    passing: bool = False
    """Of a refusal: whether its reason may go away."""


@dataclass(frozen=True)
class Accounting:
    """Where the readers of a letter stand. `adds_up` holds at every moment."""

    audience: int = 0
    queued: int = 0
    sending: int = 0
    accepted: int = 0
    refused: int = 0
    suppressed: int = 0
    left: int = 0
    in_doubt: int = 0
    left_out: int = 0
    """Members for whom nothing was left of the letter; they are not in the audience."""

    @property
    def adds_up(self) -> bool:
        """Whether every reader of the audience is in exactly one state."""
        return bool(self.audience == sum(getattr(self, state) for state in MOVES))

    @property
    def unsettled(self) -> int:
        """How many readers something is yet to come of."""
        return sum(getattr(self, state) for state in UNSETTLED)


def copy_of(row_key: str) -> tuple[str, int] | None:
    """(key of the letter, subscriber id) of the copy that a row key names; None for what is none of ours.

    Also for a number that PostgreSQL would not compare with its own.
    """
    named = ROW_KEY.fullmatch(row_key)
    return (named[1], int(named[2])) if named and int(named[2]) <= LARGEST_ID else None


def store(session: Session, letter: Letter, tag: str, now: datetime) -> StoredLetter:
    """Freeze a letter. The caller commits."""
    stored = StoredLetter(
        key=secrets.token_hex(8),
        tag=tag,
        subject=letter.subject,
        preheader=letter.preheader,
        html=letter.html,
        text=letter.text,
        digest=letter.digest,
        created_at=now,
    )
    session.add(stored)
    session.flush()
    return stored


def draw_up(session: Session, stored: StoredLetter, variant_of: Mapping[Choice, int | None] = ALL_ALIKE) -> int:
    """Fix the audience: one row per reader, in one statement. The caller commits. Return how many.

    `variant_of`: what is chosen -> the variant's number, None for those who get nothing. Everybody else gets all of the
    letter, also who mutes something while the list is being drawn up: in their language, where anybody gets that.
    """
    assert stored.id is not None  # store() has flushed it
    assert stored.audience is None  # a list is drawn up once
    nothing_left = _muted_one_of({muted for (muted, _), number in variant_of.items() if number is None})
    members = member_ids().where(~nothing_left)
    # In one order, as whoever else locks many readers does: each row refers to its reader, and so locks them a little.
    members = members.order_by(col(Subscriber.id))
    members = members.add_columns(literal(stored.id), _variant(variant_of), literal(QUEUED), literal(False))
    columns = ["subscriber_id", "letter_id", "variant", "state", "passing"]
    session.connection().execute(insert(Delivery).from_select(columns, members))
    if not is_sqlite(session.connection()):
        # PostgreSQL thinks that hardly any row is queued, and would go through all of them for each batch.
        session.connection().exec_driver_sql("ANALYZE deliveries")
    count = select(func.count()).select_from(Delivery).where(Delivery.letter_id == stored.id)
    stored.audience = session.exec(count).one()
    session.add(stored)
    return stored.audience


def add(session: Session, stored: StoredLetter, subscriber_id: int) -> None:
    """Put one reader on the list of a letter that goes to one at a time. The caller commits."""
    assert stored.id is not None  # store() has flushed it
    session.add(Delivery(letter_id=stored.id, subscriber_id=subscriber_id))
    stored.audience = (stored.audience or 0) + 1
    session.add(stored)
    session.flush()


def waiting(session: Session, letter_id: int, most: int) -> int:
    """How many readers of a letter are in the queue; it counts no further than `most`."""
    some = select(Delivery.subscriber_id).where(Delivery.letter_id == letter_id, Delivery.state == QUEUED).limit(most)
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def accounting(session: Session, letter_id: int | None) -> Accounting:
    """Where the readers of a letter stand; all zero for an issue whose list is not drawn up."""
    stored = session.get(StoredLetter, letter_id) if letter_id is not None else None
    if stored is None:
        return Accounting()
    query = select(Delivery.state, func.count()).where(Delivery.letter_id == letter_id).group_by(col(Delivery.state))
    counts = {state: count for state, count in session.exec(query) if state in MOVES}  # else it does not add up
    return Accounting(audience=stored.audience or 0, left_out=stored.left_out, **counts)


def refusals(session: Session, letter_id: int, *, passing: bool = False) -> dict[str, int]:
    """The provider's words -> how many readers it said them of; `passing`: only of whom another try may go better."""
    found: dict[str, int] = {}
    for (words, may_pass), count in refused_for(session, letter_id).items():
        if may_pass or not passing:
            found[words] = found.get(words, 0) + count
    return found


def refused_for(session: Session, letter_id: int) -> dict[tuple[str, bool], int]:
    """(the provider's words, whether another try may go better) -> how many readers were refused so."""
    of_refused = (Delivery.letter_id == letter_id, Delivery.state == REFUSED)
    query = select(Delivery.reason, Delivery.passing, func.count()).where(*of_refused)
    rows = session.exec(query.group_by(col(Delivery.reason), col(Delivery.passing)))
    return {(reason or "", passing): count for reason, passing, count in rows}


def unnamed(reason: str, email: str = "") -> str:
    """A provider's words without addresses: they stand in one place only, so that they can be erased there.

    Without any reader's: what is said of a batch may name one, and is written down for all of them.
    """
    if email:
        reason = re.sub(re.escape(email), "(the address)", reason, flags=re.IGNORECASE)
    return ADDRESS.sub("(the address)", reason)


def moving(sources: str | Collection[str], target: str, letter_id: int | ColumnElement[int]) -> Update:
    """The one way in which a row's state is changed: an UPDATE from states to another that may follow each of them.

    `letter_id` may be a column beside which the readers stand (`db.given`).
    Raises ValueError for a move that is not in MOVES.
    """
    sources = (sources,) if isinstance(sources, str) else tuple(sources)
    for source in sources:
        if target not in MOVES[source]:
            raise ValueError(f"a row cannot go from {source} to {target}")
    # Not IN: it could not be used for many rows at once, each with values of its own.
    in_source = sqlalchemy.or_(*(col(Delivery.state) == source for source in sources))
    return update(Delivery).where(col(Delivery.letter_id) == letter_id, in_source).values(state=target)


def moving_readers(
    sources: str | Collection[str], target: str, letter_id: int, subscriber_ids: Iterable[int]
) -> Update:
    """The same UPDATE, of these readers' rows only."""
    # The letter beside each of them: SQLite then looks up each row by its key. With the letter known by itself it would
    # go through all that are queued, for each batch anew.
    letter, reader = given([(letter_id, number) for number in subscriber_ids], Integer(), Integer())
    return moving(sources, target, letter).where(col(Delivery.subscriber_id) == reader)


def retry_refused(session: Session, letter_id: int) -> int:
    """Queue again whoever was refused for a passing reason. The caller commits. Return how many."""
    again = moving(REFUSED, QUEUED, letter_id).where(col(Delivery.passing))
    nothing = {"batch": None, "reason": None, "passing": False, "settled_at": None}
    return session.connection().execute(again.values(nothing)).rowcount


def keep_open(session: Session, letter_id: int) -> None:
    """Let nobody close a letter, or open it, while this transaction lasts; many may hold it so at once."""
    # Not a lock on the letter's row: many who share that, one after another, never let in who wants to change it.
    if not is_sqlite(session.connection()):  # where who writes is alone
        session.connection().execute(select(func.pg_advisory_xact_lock_shared(OPENING, letter_id)))


def set_open(session: Session, letter_id: int, is_open: bool) -> None:
    """Let rows of a letter be claimed, or not any more. The caller commits; from then on no sender claims another."""
    if not is_sqlite(session.connection()):
        session.connection().execute(select(func.pg_advisory_xact_lock(OPENING, letter_id)))
    of_letter = col(StoredLetter.id) == letter_id
    session.connection().execute(update(StoredLetter).where(of_letter).values(open=is_open))


def _variant(variant_of: Mapping[Choice, int | None]) -> ColumnElement[int]:
    """The number of each reader's variant."""
    whole: dict[str, int] = {}
    chosen: dict[int, dict[str | None, list[str]]] = {}
    for (muted, language), number in variant_of.items():
        if number is None:
            continue
        chosen.setdefault(number, {}).setdefault(language, []).append(muted)
        if muted == NOTHING_MUTED and language is not None:
            whole[language] = number
    # The languages are few, and most readers have muted nothing: they are asked first, and their ways of muting never.
    all_of_it = sqlalchemy.case(whole, value=col(Subscriber.language), else_=0) if whole else literal(0)
    return sqlalchemy.case(
        (col(Subscriber.muted) == NOTHING_MUTED, all_of_it),
        *((or_(*(_chose(*each) for each in by_language.items())), number) for number, by_language in chosen.items()),
        else_=all_of_it,
    )


def _chose(language: str | None, mutings: Collection[str]) -> ColumnElement[bool]:
    return col(Subscriber.language).is_not_distinct_from(language) & _muted_one_of(mutings)


def _muted_one_of(texts: Collection[str]) -> ColumnElement[bool]:
    # Written out, not bound: SQLite binds at most 32,766 values, and there may be more ways of muting.
    return col(Subscriber.muted).in_(bindparam(None, sorted(texts), expanding=True, literal_execute=True))
