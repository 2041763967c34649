"""What came back? One event in our words, whoever told it and however.

Pure. A post, a poll and a page's own door all end in the same `Event`, and the same happening always has the same key,
so that whatever is told twice is stored once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from newsletter.delivery.provider import Listed

DELIVERED: Final = "delivered"
BOUNCED_HARD: Final = "bounced_hard"
BOUNCED_SOFT: Final = "bounced_soft"
FAILED: Final = "failed"
COMPLAINED: Final = "complained"
UNSUBSCRIBED: Final = "unsubscribed"
SUBSCRIBED: Final = "subscribed"
OPENED: Final = "opened"
CLICKED: Final = "clicked"
ANSWERED: Final = "answered"
OTHER: Final = "other"

KINDS: Final[Mapping[str, str]] = {
    DELIVERED: "the reader's mail server took it",
    BOUNCED_HARD: "the address does not exist, or refuses us for good",
    BOUNCED_SOFT: "it came back for a reason that may pass",
    FAILED: "the provider took it and could not make a message of it",
    COMPLAINED: "the reader called it spam",
    UNSUBSCRIBED: "the address came on the provider's list because somebody said no more",
    SUBSCRIBED: "the address came off the provider's list; nobody's consent",
    OPENED: "its counting picture was fetched",
    CLICKED: "one of its links was followed",
    ANSWERED: "a program at the other end wrote back",
    OTHER: "kept, and read as nothing",
}
"""Every kind of event, and what has happened."""

BOUNCES: Final = (BOUNCED_HARD, BOUNCED_SOFT, FAILED)
"""Kinds by which a copy that the provider took did not reach its reader, for now or for good."""

ENGAGEMENT: Final = (OPENED, CLICKED)
"""Kinds that machines bring about as well as readers, and that are recorded only where that is switched on."""

WEBHOOK: Final = "webhook"
POLL: Final = "poll"
DOOR: Final = "door"
SOURCES: Final[Mapping[str, str]] = {
    WEBHOOK: "the provider posted it",
    POLL: "we asked the provider",
    DOOR: "one of our own pages was asked for",
}


@dataclass(frozen=True)
class LetGo:
    """An address came off the provider's list: it would write to it again."""

    email: str = field(repr=False)
    stream: str | None
    at: datetime


@dataclass(frozen=True)
class Taken:
    """A message of ours that the provider has taken, or nothing could have become of it: by our own keys and its id."""

    row: str
    batch: str
    message_id: str


@dataclass(frozen=True)
class Event:
    """One happening, as it was told. All texts are fit to be stored: no controls, and not without end."""

    key: str
    """32 hex digits, the same however often and by whichever way it is told."""
    record_type: str
    """What it calls itself, where that is known to us; else `event.OTHER`."""
    kind: str
    """One of `KINDS`."""
    at: datetime | None
    """When it happened, UTC; None where it does not say so in a way that we can read."""
    source: str = WEBHOOK
    detail: str | None = None
    """The bounce's type, the reason of a suppression: the provider's own word."""
    email: str | None = field(default=None, repr=False)
    stream: str | None = None
    message_id: str | None = None
    row: str | None = None
    """Our own key of the copy that it is about, where it names one (`ledger.StoredLetter.row_key`)."""
    taken: Taken | None = None
    """Which message of ours it proves to have been taken."""
    said: Listed | LetGo | None = None
    """What it says of the address: whether it may be written to."""
    link: str | None = None
    """Of a click: where it led, without keys: a path of ours (`comparisons/ruff-vs-flake8`), or a whole address."""
    agent: str | None = field(default=None, repr=False)
    """What fetched the picture or followed the link, as it calls itself."""
    body: str | None = field(default=None, repr=False)
    """As it came, word for word."""


def key_of(*parts: object) -> str:
    """The key of what these parts tell apart from all else."""
    return sha256("\0".join(map(str, parts)).encode(errors="backslashreplace")).hexdigest()[:32]
