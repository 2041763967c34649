"""What may a reader choose? Categories, a language, a rest, another address.

None of it is a step of consent, but for the address: who reads us at another one has said so there. Each choice made
twice is made once.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, select

from newsletter.db import Table
from subscribers import consent, limits, suppression
from subscribers.address import Address
from subscribers.consent import Consent, Whence
from subscribers.subscriber import ACTIVE, ERASED, LANGUAGE, PAUSED, SUPPRESSED, Subscriber, find, move, muting

MOST_WEEKS: Final = 12
"""The longest rest, in weeks."""

CHANGES_OF_A_READER: Final = 3
CHANGES_TO_A_MAILBOX: Final = 5
"""How often an hour a reader may name another address, and one may be named by all readers together."""

HOUR: Final = timedelta(hours=1)


class Asked(Enum):
    """What follows when a reader has named another address. Only the first is a letter; the reader cannot tell."""

    WRITE = "a letter to the new address asks whether it is theirs"
    SILENT = "nothing: no letter may go to that address, or enough have"
    TOO_OFTEN = "nothing: this reader has named too many addresses in an hour"


class Moved(Enum):
    """What came of confirming a new address."""

    MOVED = "letters go to the new address from now on"
    TAKEN = "somebody else reads us there, or it must not be written to"
    GONE = "there is no such change any more: it was made, replaced or erased"


class AddressChange(Table, table=True):
    """Another address that a reader gave and has not confirmed there yet. A later one takes the place of an earlier."""

    __tablename__ = "address_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    """What the link in the letter to the new address names. Never used again."""
    subscriber_id: int = Field(foreign_key="subscribers.id", unique=True)
    email: str
    address_key: str
    asked_at: datetime


def mute(session: Session, subscriber: Subscriber, categories: Iterable[str]) -> bool:
    """Leave out these categories from now on, and no others; False where that was so before."""
    muted = muting(categories)
    if subscriber.muted == muted:
        return False
    subscriber.muted = muted
    session.add(subscriber)
    return True


def choose_language(session: Session, subscriber: Subscriber, language: str | None) -> bool:
    """Read letters in this language from now on; False where that was so before.

    `language`: an ISO 639 code of one that there is, which the caller has seen to; None: whatever is the newsletter's
    own. Raises ValueError for what can be no such code.
    """
    if language is not None and not LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is no code of a language")
    if subscriber.language == language:
        return False
    subscriber.language = language
    session.add(subscriber)
    return True


def pause(session: Session, subscriber: Subscriber, weeks: int, now: datetime) -> bool:
    """Write to a member again in `weeks` weeks (1 to MOST_WEEKS); False for somebody who gets nothing anyway."""
    if not 1 <= weeks <= MOST_WEEKS:
        raise ValueError(f"a rest lasts 1 to {MOST_WEEKS} weeks")
    if subscriber.status not in (ACTIVE, PAUSED):
        return False
    move(subscriber, PAUSED, now, paused_until=now + timedelta(weeks=weeks))
    session.add(subscriber)
    return True


def resume(session: Session, subscriber: Subscriber, now: datetime) -> bool:
    """End a rest; False where there is none."""
    if subscriber.status != PAUSED:
        return False
    move(subscriber, ACTIVE, now)
    session.add(subscriber)
    return True


def wake(session: Session, now: datetime) -> int:
    """End all rests whose time is over; return how many. The caller commits."""
    over = (col(Subscriber.status) == PAUSED) & (col(Subscriber.paused_until) <= now)
    woken = update(Subscriber).where(over).values(status=ACTIVE, paused_until=None, since=now)
    return session.connection().execute(woken).rowcount


def asked_change(session: Session, subscriber: Subscriber) -> AddressChange | None:
    """The address that a reader has named and not confirmed yet."""
    return session.exec(select(AddressChange).where(AddressChange.subscriber_id == subscriber.id)).one_or_none()


def ask_address(session: Session, subscriber: Subscriber, address: Address, now: datetime) -> Asked:
    """Write down that a reader wants to be written to at another address, in place of one named before.

    Whether somebody reads us at that address already is not looked at: the one who asks must not learn it, and who
    confirms there will.
    """
    assert subscriber.id is not None  # it has been stored
    if not limits.take(session, "address of a reader", str(subscriber.id), CHANGES_OF_A_READER, HOUR, now):
        return Asked.TOO_OFTEN
    named = AddressChange(subscriber_id=subscriber.id, email=address.email, address_key=address.key, asked_at=now)
    before = asked_change(session, subscriber)
    if before:
        session.delete(before)  # and with it what the link in the earlier letter names
        session.flush()
    session.add(named)
    session.flush()
    within = limits.take(session, "mailbox to move to", address.mailbox, CHANGES_TO_A_MAILBOX, HOUR, now)
    return Asked.WRITE if within and not suppression.in_force(session, address) else Asked.SILENT


def drop_change(session: Session, subscriber: Subscriber) -> bool:
    """Keep the address that we have: forget the one that was named; False where none was. The caller commits.

    The letter to it is not sent any more, and the link in one that was leads to nothing.
    """
    change = asked_change(session, subscriber)
    if change is None:
        return False
    session.delete(change)
    session.flush()
    return True


def move_address(
    session: Session, change_id: int, whence: Whence, source: str, now: datetime
) -> tuple[Moved, int | None]:
    """Bring a reader to the address that they confirmed, and say who it is: an id, None where the change is gone.

    Links in letters to the old address name the reader: the way out stays good, keys do not (`moved_since`). The caller
    commits.
    """
    change = session.get(AddressChange, change_id)
    subscriber = session.get(Subscriber, change.subscriber_id, with_for_update=True) if change else None
    # Once more: while we waited for the reader's row, it may have been made or dropped.
    change = session.get(AddressChange, change_id, with_for_update=True, populate_existing=True)
    if change is None or subscriber is None or subscriber.status in (SUPPRESSED, ERASED):
        return Moved.GONE, None
    address = Address(change.email, change.address_key)
    there = find(session, address)
    if (there and there.id != subscriber.id) or suppression.in_force(session, address):
        return Moved.TAKEN, subscriber.id
    try:
        with session.begin_nested():
            subscriber.email, subscriber.address_key = address.email, address.key
            session.add(subscriber)
            session.delete(change)
    except IntegrityError:  # since we looked, somebody else has come to that address
        return Moved.TAKEN, change.subscriber_id
    assert subscriber.id is not None  # it was read from the database
    consent.note(session, subscriber.id, consent.MOVED, source, now, whence=whence)
    return Moved.MOVED, subscriber.id


def moved_since(session: Session, subscriber_id: int, made_at: datetime) -> bool:
    """Whether a key to the own page went to a mailbox that a reader has moved away from.

    `made_at`: when it was made, as its token says it, cut to the minute; so one of the minute of the move is good.
    """
    theirs = Consent.subscriber_id == subscriber_id, Consent.kind == consent.MOVED
    moved_at = session.exec(select(Consent.at).where(*theirs).order_by(col(Consent.at).desc()).limit(1)).first()
    return moved_at is not None and made_at < moved_at.replace(second=0, microsecond=0)
