"""What was told of one happening, by Postmark's names of fields? And what stands in every event alike.

Pure. Whom it is about, which message of ours it proves to have been taken, and the key by which it is known again.
Promise: of what the dashboard's test button sends nothing is believed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from newsletter.delivery.provider import Listed, Why
from newsletter.tracking.event import OTHER, Event, LetGo, Taken, key_of
from newsletter.tracking.reading import Fields, address, as_json, kept, lowered, when, words

DELIVERY: Final = "Delivery"
BOUNCE: Final = "Bounce"
COMPLAINT: Final = "SpamComplaint"
OPEN: Final = "Open"
CLICK: Final = "Click"
SUBSCRIPTION_CHANGE: Final = "SubscriptionChange"

OF_A_MESSAGE: Final = frozenset({SUBSCRIPTION_CHANGE, BOUNCE, CLICK, DELIVERY, OPEN, COMPLAINT})
"""Record types that come of a message which Postmark has taken; a change of a subscription where it names one."""

TYPES: Final = frozenset({*OF_A_MESSAGE, "Inbound"})
"""Record types that Postmark is known to post.

A hard bounce and a complaint come twice, as events of their own and as a change of a subscription: both rows are kept,
and what is counted is readers.
"""

TEST_MESSAGE: Final = "00000000-0000-0000-0000-000000000000"
"""The MessageID in what the button of Postmark's pages sends to try out an endpoint. Nothing has happened to anybody,
and the address in it may be a real one."""

AGENT: Final = 300  # characters of a user agent

READ: Final[Mapping[str, object]] = {
    **dict.fromkeys(["recordtype", "messagestream", "messageid", "recipient", "email", "id", "type", "typecode"]),
    **dict.fromkeys(["deliveredat", "bouncedat", "receivedat", "changedat", "inactive", "suppresssending"]),
    **dict.fromkeys(["suppressionreason", "origin", "originallink", "useragent"]),
    "metadata": dict.fromkeys(["row", "batch"]),
}
"""The fields that mean something here. Of a body that is too long to be kept, these are."""

_MESSAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"[0-9a-z-]{1,80}")
"""What our own keys are made of, and no longer than Postmark lets them be."""


@dataclass(frozen=True)
class Told:
    """What was told: the fields by their names in lower case, by whom, and the whole as it is kept."""

    record_type: str
    fields: Fields
    source: str
    body: str
    base_url: str
    fallback: str
    """The key, where it says too little of itself to have one of its own."""

    def text(self, name: str) -> str | None:
        """A field's text, fit to be kept."""
        return words(self.fields.get(name))

    @property
    def email(self) -> str | None:
        """Whom it is about."""
        return address(self.fields.get("recipient")) or address(self.fields.get("email"))

    @property
    def is_test(self) -> bool:
        """Whether it is about no message at all, but was sent to try us out."""
        return self.fields.get("messageid") == TEST_MESSAGE

    @property
    def agent(self) -> str | None:
        """What fetched or followed something, as it calls itself."""
        return words(self.fields.get("useragent"), AGENT)

    def listed(self, why: Why | None, at: datetime | None) -> Listed | None:
        """That its address is not to be written to, if there is a reason why.

        Not without a moment: it could not be weighed against what the reader or an editor has said since.
        """
        return Listed(self.email, self.text("messagestream"), why, at) if why and self.email and at else None

    def key(self, *parts: object) -> str:
        """Its key, made of these parts, of which none may be missing."""
        if any(part is None for part in parts):
            return self.fallback
        # A test is nobody's happening, and must not take its place.
        return key_of("test" if self.is_test else "postmark", *parts)

    def message_key(self, kind: str, *parts: object) -> str:
        """The key of what has happened to one reader's message."""
        message_id = self.text("messageid")
        return self.key(kind, message_id and message_id.lower(), self.email and self.email.lower(), *parts)


def record_of(fields: Fields) -> str:
    """What an event calls itself, where that is a type that Postmark is known to post; else `event.OTHER`."""
    name = fields.get("recordtype")
    return name if isinstance(name, str) and name in TYPES else OTHER


def gathered(record: str, fields: Mapping[str, Any], source: str, base_url: str = "") -> Told:
    """Fields that somebody has gathered, as if they had been posted."""
    whole = {**fields, "RecordType": record}  # so that it says what it is when it is read again
    small, text = lowered(whole), as_json(whole) or ""
    return Told(record, small, source, kept(text, small, READ), base_url, key_of("body", text))


def event_of(
    told: Told,
    kind: str,
    key: str,
    dated: str,
    *,
    detail: str | None = None,
    said: Listed | LetGo | None = None,
    agent: str | None = None,
    link: str | None = None,
) -> Event:
    """An event of what was told; `dated`: the field that says when.

    Of a test nothing but that it came, and the address: by that it is found if its owner wants to be forgotten.
    """
    real = not told.is_test
    return Event(
        key=key,
        record_type=told.record_type,
        kind=kind if real else OTHER,
        at=when(told.fields.get(dated)),
        source=told.source,
        detail=detail if real else None,
        email=told.email,
        stream=told.text("messagestream"),
        message_id=told.text("messageid"),
        row=_own_key(told, "row") if real else None,
        taken=_taken(told) if real else None,
        said=said if real else None,
        link=link,
        agent=agent,
        body=told.body,
    )


def _taken(told: Told) -> Taken | None:
    """Which message of ours it proves to have been taken, whatever became of it then.

    None for whatever does not name both of our keys and an id, each in its form.
    """
    row, batch, message_id = _own_key(told, "row"), _own_key(told, "batch"), told.fields.get("messageid")
    if not row or not batch or not isinstance(message_id, str) or not _MESSAGE_ID.fullmatch(message_id):
        return None
    return Taken(row, batch, message_id) if told.record_type in OF_A_MESSAGE else None


def _own_key(told: Told, name: str) -> str | None:
    """A key that we have given the message, if it has the form of one."""
    key = lowered(told.fields.get("metadata")).get(name)
    return key if isinstance(key, str) and _KEY.fullmatch(key) else None
