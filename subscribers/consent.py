"""Who agreed to what, when and how; also who left. Append-only: rows are added, never changed.

Two things alone take something away from a row: after 90 days network and user agent are shortened, and erasing a
reader empties what could name them. What happened, when and to which words stays.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import CheckConstraint, func, or_
from sqlmodel import Field, Session, col, select

from newsletter.db import Table, one_of
from subscribers.whence import shortened_agent, shortened_network

SIGNED_UP: Final = "signed_up"
CONFIRMED: Final = "confirmed"
IMPORTED: Final = "imported"
ADDED: Final = "added"
MOVED: Final = "moved"
LEFT: Final = "left"
REASON: Final = "reason"
RETURNED: Final = "returned"

KINDS = {
    SIGNED_UP: "asked for the letter in a form",
    CONFIRMED: "pressed the button of the confirmation letter's page",
    IMPORTED: "agreed elsewhere, and was brought over in a file",
    ADDED: "was added by an editor",
    MOVED: "gave another address, and confirmed it there",
    LEFT: "unsubscribed",
    REASON: "said why they left",
    RETURNED: "took the unsubscription back at once",
}

AGREED = frozenset({CONFIRMED, IMPORTED, ADDED, RETURNED})
"""The steps by which somebody agrees to get letters."""

OWN_WORD = frozenset({CONFIRMED, RETURNED, MOVED})
"""The steps by which a reader says, at this very address, that they want letters: what an import or an editor says of
them is dated when we were told, and an old list brought over today must not undo what its readers did elsewhere."""

WHOLE_FOR: Final = timedelta(days=90)
"""How long it is kept in full from where something was said."""
CHUNK = 500  # rows that are shortened at once; SQLite may be built with a limit of 999 values


@dataclass(frozen=True)
class Words:
    """What a reader was shown when they said it: the text, and the name of its version."""

    version: str
    text: str


@dataclass(frozen=True)
class Whence:
    """From where something was said: a network address and a user agent, as far as they are known."""

    network: str | None = None
    user_agent: str | None = None


NOWHERE: Final = Whence()


class Consent(Table, table=True):
    """One step of a reader's consent."""

    __tablename__ = "consents"
    __table_args__ = (CheckConstraint(one_of("kind", KINDS), name="kind"),)

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscribers.id", index=True)
    kind: str
    source: str
    """Where it was said: a file's name, a form, a link in a letter."""
    at: datetime = Field(index=True)
    """When it was said, as far as we know; otherwise when we were told. UTC."""
    words: str | None = None
    """What they were shown; of REASON: what they chose."""
    words_version: str | None = None
    network: str | None = None
    """An IP address; after 90 days the network that it is in."""
    user_agent: str | None = None
    """The browser's name for itself; after 90 days without its versions."""


def note(
    session: Session,
    subscriber_id: int,
    kind: str,
    source: str,
    at: datetime,
    words: Words | None = None,
    whence: Whence = NOWHERE,
) -> None:
    """Write down one step of a reader's consent."""
    session.add(
        Consent(
            subscriber_id=subscriber_id,
            kind=kind,
            source=source,
            at=at,
            words=words.text if words else None,
            words_version=words.version if words else None,
            network=whence.network,
            user_agent=whence.user_agent,
        )
    )


def history(session: Session, subscriber_id: int) -> list[Consent]:
    """A reader's consent, oldest step first."""
    query = select(Consent).where(Consent.subscriber_id == subscriber_id).order_by(col(Consent.id))
    return list(session.exec(query))


def own_words(session: Session, subscribers: Collection[int]) -> dict[int, datetime]:
    """Those of at most 900 readers who have said themselves that they want letters -> when they last did."""
    query = select(Consent.subscriber_id, func.max(col(Consent.at))).group_by(col(Consent.subscriber_id))
    theirs = col(Consent.subscriber_id).in_(subscribers), col(Consent.kind).in_(OWN_WORD)
    return dict(session.exec(query.where(*theirs)).all())


def to_shorten(session: Session, now: datetime, after: int) -> list[int]:
    """The next CHUNK steps, from behind the id `after`, of which network or user agent are to be shortened."""
    # What was shortened has none of these signs any more. Ever further on, because most steps were shortened long ago
    # and all of them would be passed over for each chunk anew.
    whole = or_(
        col(Consent.network).is_not(None) & col(Consent.network).not_like("%/%"),
        col(Consent.user_agent).contains("/"),
        col(Consent.user_agent).contains("("),
        col(Consent.user_agent).contains(")"),
    )
    query = select(Consent.id).where(col(Consent.id) > after, col(Consent.at) < now - WHOLE_FOR, whole)
    return [number for number in session.exec(query.order_by(col(Consent.id)).limit(CHUNK)) if number is not None]


def shorten(session: Session, numbers: Sequence[int]) -> int:
    """Keep of these steps' network and user agent only what leads to no single person. The caller commits.

    Return how many; one that somebody has locked, who may be erasing it, is left to the next time.
    """
    query = select(Consent).where(col(Consent.id).in_(numbers)).with_for_update(skip_locked=True)
    steps = session.exec(query).all()
    for step in steps:
        step.network = shortened_network(step.network)
        step.user_agent = shortened_agent(step.user_agent)
        session.add(step)
    session.flush()
    return len(steps)
