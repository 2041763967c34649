"""Who would like to read us? What the form was sent, until somebody looks at it; and the reader's word that confirms.

A form is answered before anybody asks whether the address is on the list: so neither the answer nor the time that it
takes can tell. What a sign-up leads to is said here, and done by whoever writes letters.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from sqlmodel import Field, Session, col, select

from newsletter.db import Table
from subscribers import consent, limits, suppression
from subscribers.address import Address
from subscribers.consent import Consent, Whence, Words
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, UNSUBSCRIBED, Subscriber, add, find_locked, move
from subscribers.whence import network_of

MOST_OF_A_NETWORK: Final = 20  # sign-ups in PER
MOST_FOR_A_MAILBOX: Final = 5  # sign-ups in PER; more are dropped, or ana+1, ana+2 … would fill one with letters
MOST_LETTERS: Final = 1  # of a kind to one address in PER, that anybody can make us write
MOST_LETTERS_TO_A_MAILBOX: Final = 3  # of all kinds together, in A_DAY; or ana+1, ana+2 … would fill one slowly
PER: Final = timedelta(hours=1)
A_DAY: Final = timedelta(days=1)
UNCONFIRMED_FOR: Final = timedelta(days=30)
"""How long we remember an address that nobody has confirmed, after it was last given to us."""


class SignUp(Table, table=True):
    """What a form was sent. Gone as soon as it was attended to."""

    __tablename__ = "sign_ups"

    id: int | None = Field(default=None, primary_key=True)
    email: str
    address_key: str = Field(index=True)
    source: str
    """Which form."""
    words: str
    words_version: str
    language: str | None = None
    """Of the page with the form, where it is not the newsletter's own: a new reader's letters speak it, too."""
    network: str | None = None
    user_agent: str | None = None
    at: datetime


class Asks(Enum):
    """What somebody who gave an address is to be sent."""

    CONFIRMATION = "the letter that asks whether they want to be a reader"
    LINK = "a link to their own page, since they are a reader"


@dataclass(frozen=True)
class Wish:
    """What a sign-up leads to."""

    subscriber_id: int
    asks: Asks


class Confirmed(Enum):
    """What came of pressing the button."""

    NOW = "they are a reader from now on"
    BEFORE = "they were a reader before, and nothing has changed"
    OUTDATED = "they have left since the letter was written, and nothing has changed"
    NOBODY = "the address was forgotten or must not be written to, and nothing has changed"


def ask(
    session: Session,
    address: Address,
    words: Words,
    whence: Whence,
    source: str,
    now: datetime,
    *,
    language: str | None = None,
) -> bool:
    """Take down what a form was sent; False where its network has sent too much within PER, and nothing is taken down.

    `words`: what the form showed; `source`: which form it was; `language`: that of its page (ISO 639). What goes beyond
    a mailbox's own limit is dropped and not told. The list is not looked at, so the same statements run whoever is on
    it. The caller commits, also after False, so that attempts count.
    """
    network = network_of(whence.network)
    if network and not limits.take(session, "sign-up network", network, MOST_OF_A_NETWORK, PER, now):
        return False
    if limits.take(session, "sign-up mailbox", address.mailbox, MOST_FOR_A_MAILBOX, PER, now):
        sign_up = SignUp(
            email=address.email,
            address_key=address.key,
            source=source,
            words=words.text,
            words_version=words.version,
            language=language,
            network=whence.network,
            user_agent=whence.user_agent,
            at=now,
        )
        session.add(sign_up)
        session.flush()
    return True


def waiting_ids(session: Session, after: int, limit: int) -> list[int]:
    """The sign-ups that nobody has attended to, oldest first, from behind the id `after`."""
    query = select(SignUp.id).where(col(SignUp.id) > after).order_by(col(SignUp.id)).limit(limit)
    return [number for number in session.exec(query) if number is not None]


def attend(session: Session, sign_up_id: int, now: datetime) -> Wish | None:
    """Do what a sign-up says, and remove it; None where nobody is to be written to.

    A new address becomes a pending reader. Of who is pending the newest form's language counts: the first may have been
    a stranger's. Nobody else's is changed, and whoever has left stays so until they confirm, for the same reason.
    Nothing is done for a suppressed address, nor where another process has attended to the sign-up or is at it. The
    caller commits. Raises IntegrityError where the address came on the list by another way at the same moment; then
    roll back and try again.
    """
    waiting = session.get(SignUp, sign_up_id)
    reader = find_locked(session, Address(waiting.email, waiting.address_key)) if waiting else None
    sign_up = session.get(SignUp, sign_up_id, with_for_update={"skip_locked": True}, populate_existing=True)
    if sign_up is None:
        return None
    session.delete(sign_up)
    address = Address(email=sign_up.email, key=sign_up.address_key)
    if suppression.in_force(session, address):
        return None
    reader = reader or add(session, address, PENDING, now)
    if reader.status == PENDING:
        reader.language = sign_up.language
    asks = wanted_letter(reader)
    if asks is None:
        return None
    assert reader.id is not None  # it has been stored
    if asks is Asks.CONFIRMATION:
        words = Words(sign_up.words_version, sign_up.words)
        whence = Whence(sign_up.network, sign_up.user_agent)
        consent.note(session, reader.id, consent.SIGNED_UP, sign_up.source, sign_up.at, words, whence)
    return Wish(reader.id, asks) if may_write(session, reader, asks, now) else None


def wanted_letter(reader: Subscriber) -> Asks | None:
    """What a subscriber is sent whose address somebody gives us; None where they must not be written to."""
    if reader.status in (PENDING, UNSUBSCRIBED):
        return Asks.CONFIRMATION
    return Asks.LINK if reader.status in (ACTIVE, PAUSED) else None


def may_write(session: Session, reader: Subscriber, asks: Asks, now: datetime) -> bool:
    """Whether a letter that anybody can make us write may go to an address now: one of a kind within PER, and
    few to its mailbox within A_DAY.

    Counts it. The caller has locked the reader's row.
    """
    if not limits.take(session, f"letter {asks.name.lower()}", reader.address_key, MOST_LETTERS, PER, now):
        return False
    mailbox = Address(reader.email, reader.address_key).mailbox
    return limits.take(session, "letters to a mailbox", mailbox, MOST_LETTERS_TO_A_MAILBOX, A_DAY, now)


def confirm(
    session: Session, subscriber_id: int, made_at: datetime, words: Words, whence: Whence, source: str, now: datetime
) -> Confirmed:
    """Make a reader of somebody who pressed the button; only NOW changes anything. The caller commits.

    `made_at`: when the link was made, as its token says it, cut to the minute. A link that is older than somebody's
    leaving does not bring them back.
    """
    reader = session.get(Subscriber, subscriber_id, with_for_update=True)
    if reader is None or (asks := wanted_letter(reader)) is None:
        return Confirmed.NOBODY
    if asks is Asks.LINK:
        return Confirmed.BEFORE
    if reader.status == UNSUBSCRIBED and made_at < reader.since.replace(second=0, microsecond=0):
        return Confirmed.OUTDATED
    if suppression.in_force(session, Address(reader.email, reader.address_key)):
        return Confirmed.NOBODY  # it came in at the moment in which the sign-up was attended to
    consent.note(session, subscriber_id, consent.CONFIRMED, source, now, words, whence)
    move(reader, ACTIVE, now)
    session.add(reader)
    session.flush()
    return Confirmed.NOW


def unconfirmed(session: Session, now: datetime, limit: int) -> list[Subscriber]:
    """Subscribers to be forgotten: those who were pending, and said nothing, for longer than UNCONFIRMED_FOR.

    Their rows are locked, so that nobody confirms meanwhile; those that somebody else has locked are left out.
    """
    before = now - UNCONFIRMED_FOR
    spoke = select(Consent.id).where(Consent.subscriber_id == Subscriber.id, col(Consent.at) > before).exists()
    query = (
        select(Subscriber)
        .where(Subscriber.status == PENDING, col(Subscriber.since) <= before, ~spoke)
        .order_by(col(Subscriber.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.exec(query))
