"""The way out: at once, by a link that is good for ever, however often it is used."""

from datetime import datetime

from sqlmodel import Session

from subscribers import consent
from subscribers.subscriber import SUPPRESSED, UNSUBSCRIBED, Subscriber, move


def unsubscribe(session: Session, subscriber: Subscriber, source: str, now: datetime) -> bool:
    """Take a reader off the list; False where they had left before.

    A suppressed reader stays suppressed, which is stronger, and the wish is still written down once.
    """
    assert subscriber.id is not None  # it has been stored
    said_before = any(step.kind == consent.LEFT for step in consent.history(session, subscriber.id))
    if subscriber.status == UNSUBSCRIBED or (subscriber.status == SUPPRESSED and said_before):
        return False
    consent.note(session, subscriber.id, consent.LEFT, source, now)
    if subscriber.status != SUPPRESSED:
        move(subscriber, UNSUBSCRIBED, now)
    session.add(subscriber)
    return True
