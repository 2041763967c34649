"""What does an event mean that Postmark posts to us? What it says of an address, and which message it proves.

Pure. Whatever comes, it is read or passed over: a form, a type or a word that we do not know is no error, since
Postmark adds some now and then, and what would be answered with an error is not told again.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from newsletter.delivery.postmark_suppressions import moment, why
from newsletter.delivery.provider import Listed

SUBSCRIPTION_CHANGE: Final = "SubscriptionChange"

OF_A_MESSAGE: Final = frozenset({SUBSCRIPTION_CHANGE, "Bounce", "Click", "Delivery", "Open", "SpamComplaint"})
"""Record types that come of a message which Postmark has taken; a change of a subscription where it names one."""

TYPES: Final = frozenset({*OF_A_MESSAGE, "Inbound"})
"""Record types that Postmark is known to post. What is said of an address is read in changes of subscriptions alone.

A hard bounce and a complaint come twice, as events of their own and as such a change; so none is missed.
"""

UNKNOWN: Final = "of a type unknown to us"

TEST_MESSAGE: Final = "00000000-0000-0000-0000-000000000000"
"""The MessageID in what the button of Postmark's pages sends to try out an endpoint. Nothing has happened to anybody,
and the address in it may be a real one."""

_MESSAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"[0-9a-z-]{1,80}")
"""What our own keys are made of, and no longer than Postmark lets them be."""


@dataclass(frozen=True)
class LetGo:
    """An address came off the provider's list: it would write to it again."""

    email: str
    stream: str | None
    at: datetime


@dataclass(frozen=True)
class Taken:
    """A message of ours that Postmark has taken, or nothing could have become of it: by our own keys and its id."""

    row: str
    batch: str
    message_id: str


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


def taken(event: object) -> Taken | None:
    """Which message of ours an event proves to have been taken, whatever became of it then; None where it proves none.

    That is so for a test, and for whatever does not name both of our keys and an id, each in its form.
    """
    fields = _fields(event)
    metadata = _fields(fields.get("metadata"))
    row, batch, message_id = metadata.get("row"), metadata.get("batch"), fields.get("messageid")
    if not (isinstance(row, str) and isinstance(batch, str) and isinstance(message_id, str)):
        return None
    in_form = _KEY.fullmatch(row) and _KEY.fullmatch(batch) and _MESSAGE_ID.fullmatch(message_id)
    proves = record_type(event) in OF_A_MESSAGE and in_form and message_id != TEST_MESSAGE
    return Taken(row, batch, message_id) if proves else None


def _fields(written: object) -> dict[str, object]:
    """An object's fields by their names in lower case: `ServerID` was `ServerId` once."""
    return {name.lower(): value for name, value in written.items()} if isinstance(written, dict) else {}
