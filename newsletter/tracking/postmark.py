"""What does an event mean that Postmark posts to us?

Pure. Whatever comes, it is read or passed over: a form, a type or a word that we do not know is no error, since
Postmark adds some now and then, and what would be answered with an error is not told again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from newsletter.delivery.postmark_suppressions import moment, why
from newsletter.delivery.provider import Listed

SUBSCRIPTION_CHANGE: Final = "SubscriptionChange"

TYPES: Final = frozenset({SUBSCRIPTION_CHANGE, "Bounce", "Click", "Delivery", "Inbound", "Open", "SpamComplaint"})
"""Record types that Postmark is known to post. Only changes of subscriptions are read yet.

A hard bounce and a complaint come twice, as events of their own and as such a change; so none is missed.
"""

UNKNOWN: Final = "of a type unknown to us"

TEST_MESSAGE: Final = "00000000-0000-0000-0000-000000000000"
"""The MessageID in what the button of Postmark's pages sends to try out an endpoint. Nothing has happened to anybody,
and the address in it may be a real one."""


@dataclass(frozen=True)
class LetGo:
    """An address came off the provider's list: it would write to it again."""

    email: str
    stream: str | None
    at: datetime


def record_type(event: object) -> str:
    """What an event calls itself, where that is a type that Postmark is known to post: fit for a log."""
    named = _fields(event).get("recordtype")
    return named if isinstance(named, str) and named in TYPES else UNKNOWN


def read(event: object) -> Listed | LetGo | None:
    """What an event's JSON says of an address; None for a test, another type, or what cannot be read."""
    if record_type(event) != SUBSCRIPTION_CHANGE:
        return None
    fields = _fields(event)
    email, stream = fields.get("recipient"), fields.get("messagestream")
    # MessageID, Tag and Metadata are empty where no message was the cause; who it is about is in the address alone.
    if not isinstance(email, str) or fields.get("messageid") == TEST_MESSAGE:
        return None
    try:
        at = moment(fields.get("changedat"))
    except ValueError:
        return None
    # Older events name no stream.
    stream = stream if isinstance(stream, str) and stream else None
    # A yes or no; in the details of messages Postmark writes it as a word.
    suppressed = str(fields.get("suppresssending")).lower()
    if suppressed == "false":
        return LetGo(email, stream, at)
    if suppressed != "true":
        return None
    meaning = why(fields.get("suppressionreason"), fields.get("origin"))
    return Listed(email, stream, meaning, at) if meaning else None


def _fields(event: object) -> dict[str, object]:
    """An event's fields by their names in lower case: `ServerID` was `ServerId` once."""
    return {name.lower(): value for name, value in event.items()} if isinstance(event, dict) else {}
