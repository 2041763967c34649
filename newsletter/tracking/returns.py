"""Does letter after letter to a reader come back? The rule by which soft bounces add up to something.

Promises: one bounce says nothing, nor do many of one letter; a letter of which nothing is known, or that came back for
a trouble of our own, is no sign against its reader; and the order in which the events came in does not matter.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from newsletter.delivery.ledger import ACCEPTED, Delivery
from newsletter.tracking.bounces import alarms
from newsletter.tracking.event import ANSWERED, BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED, OPENED
from newsletter.tracking.store import StoredEvent

LETTERS: Final = 3
"""How many letters have to come back, one after another."""

APART: Final = timedelta(days=14)
"""How far apart the first and the last of their bounces have to be: a full mailbox is emptied after a holiday."""

ARRIVED: Final = (DELIVERED, OPENED, CLICKED, COMPLAINED, ANSWERED)
"""Kinds that show that a letter was not lost, whatever came back before or afterwards."""


def kept_coming_back(session: Session, subscriber_id: int, since: datetime | None = None) -> datetime | None:
    """When the last bounce was of a reader whose last `LETTERS` letters all came back softly, over `APART`; else None.

    Letters are those that the provider took, to one person as well as to all. Bounces at or before `since` say nothing.
    """
    taken = (
        select(Delivery.letter_id)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.state == ACCEPTED)
        .order_by(col(Delivery.letter_id).desc())
        .limit(LETTERS)
    )
    letters = list(session.exec(taken))
    if len(letters) < LETTERS:
        return None
    told = select(StoredEvent.letter_id, StoredEvent.kind, StoredEvent.detail, StoredEvent.at).where(
        StoredEvent.subscriber_id == subscriber_id,
        col(StoredEvent.letter_id).in_(letters),
        col(StoredEvent.kind).in_((BOUNCED_SOFT, *ARRIVED)),
    )
    our_own = alarms()
    bounces: dict[int | None, list[datetime]] = {}
    for letter_id, kind, detail, at in session.exec(told):
        if kind in ARRIVED:
            return None
        if detail not in our_own and (since is None or at > since):
            bounces.setdefault(letter_id, []).append(at)
    moments = sorted(at for each in bounces.values() for at in each)
    # Of a letter without a bounce nothing was heard, or nothing that counts: it may well have been read.
    if len(bounces) < LETTERS or moments[-1] - moments[0] < APART:
        return None
    return moments[-1]
