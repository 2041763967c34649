"""How is a reader forgotten everywhere? In every table of every package, and the counts stay.

Promises: whoever was erased is found by no address and written to by no letter; what a letter's books say adds up as
before. `newsletter.db.leave_no_copies` is for the caller, after the commit: until then the old bytes lie in the file.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, or_
from sqlmodel import Session, col

from newsletter.comparisons.votes import Vote
from newsletter.db import leave_no_copies, reading
from newsletter.delivery.ledger import Delivery
from newsletter.tracking.fading import NAMELESS
from newsletter.tracking.store import StoredEvent
from subscribers import erasure
from subscribers.erasure import Trace
from subscribers.subscriber import Subscriber

LATELY = timedelta(days=2)  # more than a day, so that a daily run that was late or hindered leaves nothing out

TRACES: Final = (
    Trace(
        Delivery,
        lambda person: col(Delivery.subscriber_id) == person.subscriber_id,
        {"reason": None},
        {
            "state": "one of a few words, by which the letter's books add up",
            "batch": "chance digits",
            "message_id": "the provider's name for a message; without it a message could stand for two readers",
        },
    ),
    Trace(
        StoredEvent,
        lambda person: or_(
            col(StoredEvent.subscriber_id) == person.subscriber_id, col(StoredEvent.fingerprint) == person.fingerprint
        ),
        {"key": NAMELESS, "body": None, "agent": None, "fingerprint": None},
        {
            "source": "one of a few words",
            "record_type": "one of a few words",
            "kind": "one of a few words, by which it is counted",
            "detail": "one of the provider's few words",
            "message_id": "the provider's name for a message",
            "stream": "the provider's name for a channel",
            "link": "a page that is in every copy; keys are taken out of it",
            "machine": "one of a few words",
        },
    ),
    Trace(
        Vote,
        lambda person: col(Vote.subscriber_id) == person.subscriber_id,
        {"subscriber_id": None},
        {"choice": "one of a few words, by which it is counted"},
    ),
    *erasure.TRACES,
)
"""Every table that holds something of a reader."""

NOBODYS: Final = {
    "api_keys": "of programs; the hashes of chance digits, under an editor's names for them",
    "attempts": "counts, under hashes, that are gone within days",
    "claims": "random keys, and times by the clock and by the machine's own count",
    "comparisons": "about tools",
    "desk_log": "what editors did, to a reader's number at most; no address, and nothing that was typed",
    "desk_sessions": "of editors",
    "editors": "of editors; one who also reads us is forgotten as a reader, and stays an editor",
    "erasures": "keyed hashes of the addresses that were erased",
    "figures": "counts",
    "issue_comparisons": "numbers",
    "issue_versions": "about comparisons, in an editor's words",
    "issues": "about comparisons; subjects are made from them or by an editor",
    "jobs": "what the clock did, in counts",
    "letter_variants": "the same text for many readers, with merge fields in place of what is a reader's own",
    "letters": "the same text for many readers, with merge fields in place of what is a reader's own",
    "pace": "a time",
    "polls": "how far something was read: moments and numbers",
    "postponed": "numbers, and weeks",
    "reviews": "about tools; a seat on the panel is not a reader",
    "salts": "the key of the hashes",
    "sides": "about tools",
    "tools": "about tools",
}
"""Every other table, and why nothing of a reader can be in it."""


def forget(session: Session, subscriber: Subscriber, now: datetime) -> frozenset[str]:
    """Erase a reader. Again changes nothing. The caller commits, and then gives `db.leave_no_copies` what is returned.

    A copy of a letter that is queued is put aside when its turn comes; one that is under way may still arrive.
    """
    return erasure.erase(session, subscriber, TRACES, now)


def tidy(engine: Engine, now: datetime) -> bool:
    """Once a day, write the database's file anew if somebody was erased since: for the times when it was hindered.

    False where it is hindered again.
    """
    with reading(engine) as session:
        lately = erasure.any_since(session, now - LATELY)
    return leave_no_copies(engine, rewrite=lately)
