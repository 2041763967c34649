"""What happened, by what Postmark tells us? Each thing that it posts or shows, as one `Event` in our words.

Pure, and raises nothing. Whatever comes is an event that can be kept: a form, a type or a word that we do not know is
no error, since Postmark adds some now and then, and what would be answered with an error is not told again.

Promises: the same happening has the same key, however often it is told, in a post or when we ask; the same text read
again says the same of the address and proves the same; and what the dashboard's test button sends means nothing.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from newsletter.delivery.postmark_suppressions import why
from newsletter.delivery.provider import Why
from newsletter.tracking.bounces import meaning_of, named
from newsletter.tracking.destination import destination
from newsletter.tracking.event import (
    BOUNCED_HARD,
    CLICKED,
    COMPLAINED,
    DELIVERED,
    OPENED,
    OTHER,
    SUBSCRIBED,
    UNSUBSCRIBED,
    WEBHOOK,
    Event,
    LetGo,
    key_of,
)
from newsletter.tracking.reading import fields_of, kept, number, text_of, when, words, yes_or_no
from newsletter.tracking.told import (
    BOUNCE,
    CLICK,
    COMPLAINT,
    DELIVERY,
    OPEN,
    READ,
    SUBSCRIPTION_CHANGE,
    Told,
    event_of,
    gathered,
    record_of,
)

CHANGES: Final[Mapping[Why, str]] = {
    "bounced": BOUNCED_HARD,
    "complained": COMPLAINED,
    "left": UNSUBSCRIBED,
    "closed": UNSUBSCRIBED,
}
"""Why an address came on Postmark's list -> what that is called here."""


def translate(body: bytes, trace: str | None, base_url: str) -> Event:
    """What one post means.

    `trace` is what Postmark calls this telling of it (X-PM-Webhook-Trace-Id), if it says so: it tells apart what does
    not say enough of itself for that. `base_url` is the public address of our pages, below which links are ours.
    """
    text = text_of(body)
    fields = fields_of(text)
    record = record_of(fields)
    fallback = key_of("trace", trace) if trace else key_of("body", sha256(body).hexdigest())
    told = Told(record, fields, WEBHOOK, kept(text, fields, READ), base_url, fallback)
    return READERS.get(record, _unknown)(told)


def delivered(fields: Mapping[str, Any], source: str) -> Event:
    """A delivery, by the fields that a post of it has: MessageID, Recipient, DeliveredAt.

    As with all of these, Metadata and MessageStream where they are known, and `source` says who gathered the fields.
    """
    return _delivered(gathered(DELIVERY, fields, source))


def bounce(fields: Mapping[str, Any], source: str) -> Event:
    """A bounce or a complaint, with the fields of the list of bounces.

    ID, Type or TypeCode, MessageID, Email, BouncedAt, Inactive.
    """
    told = gathered(BOUNCE, fields, source)
    complained = named(told.fields.get("type"), told.fields.get("typecode")) == COMPLAINT
    return _bounce(gathered(COMPLAINT, fields, source) if complained else told)


def opened(fields: Mapping[str, Any], source: str) -> Event:
    """An open: MessageID, Recipient, ReceivedAt; UserAgent where it is known."""
    return _opened(gathered(OPEN, fields, source))


def clicked(fields: Mapping[str, Any], source: str, base_url: str) -> Event:
    """A click: MessageID, Recipient, ReceivedAt, OriginalLink; UserAgent where it is known."""
    return _clicked(gathered(CLICK, fields, source, base_url))


def changed(fields: Mapping[str, Any], source: str) -> Event:
    """A change of a subscription: Recipient, MessageStream, ChangedAt, SuppressSending, SuppressionReason, Origin.

    The details of a message do not give the reason: without it nothing comes of an address that was put on the list.
    """
    return _changed(gathered(SUBSCRIPTION_CHANGE, fields, source))


def _delivered(told: Told) -> Event:
    return event_of(told, DELIVERED, told.message_key(DELIVERED), "deliveredat")


def _opened(told: Told) -> Event:
    at = when(told.fields.get("receivedat"))
    return event_of(told, OPENED, told.message_key(OPENED, at), "receivedat", agent=told.agent)


def _clicked(told: Told) -> Event:
    link = told.fields.get("originallink")
    link = link if isinstance(link, str) else None
    key = told.message_key(CLICKED, when(told.fields.get("receivedat")), link)
    leads_to = destination(link, told.base_url)
    return event_of(told, CLICKED, key, "receivedat", agent=told.agent, link=leads_to)


def _bounce(told: Told) -> Event:
    """Who complained may have done so by a bounce's type or by a record's: either says it."""
    name = COMPLAINT if told.record_type == COMPLAINT else named(told.fields.get("type"), told.fields.get("typecode"))
    meaning = meaning_of(name, inactive=yes_or_no(told.fields.get("inactive")) is True)
    identity, at = number(told.fields.get("id")), when(told.fields.get("bouncedat"))
    message_id, email = told.text("messageid") or "", told.email and told.email.lower()
    # Also of no message that it names: what says something of an address has a key of its own.
    key = told.key(BOUNCE, identity) if identity else told.key(BOUNCE, message_id.lower(), email, at)
    return event_of(told, meaning.kind, key, "bouncedat", detail=words(name), said=told.listed(meaning.why, at))


def _changed(told: Told) -> Event:
    """MessageID, Tag and Metadata are empty where no message was the cause; who it is about is in the address alone."""
    email, stream, at = told.email, told.text("messagestream"), when(told.fields.get("changedat"))
    suppressed, reason = yes_or_no(told.fields.get("suppresssending")), words(told.fields.get("suppressionreason"))
    # Older events name no stream.
    parts = [SUBSCRIPTION_CHANGE, email and email.lower(), stream or "", at, suppressed]
    if suppressed is False:
        said = LetGo(email, stream, at) if email and at else None
        return event_of(told, SUBSCRIBED, told.key(*parts), "changedat", detail=reason, said=said)
    meaning = why(reason, told.fields.get("origin")) if suppressed else None
    if meaning is None:
        # Told without its reason first, it must not keep out what comes with it.
        return event_of(told, OTHER, told.key(*parts, reason or ""), "changedat", detail=reason)
    # For another reason it is another happening, even in the same moment: nobody's complaint is lost behind a wish.
    listed, key = told.listed(meaning, at), told.key(*parts, meaning)
    return event_of(told, CHANGES[meaning], key, "changedat", detail=reason, said=listed)


def _unknown(told: Told) -> Event:
    return event_of(told, OTHER, told.fallback, "receivedat")


READERS: Final[Mapping[str, Callable[[Told], Event]]] = {
    DELIVERY: _delivered,
    BOUNCE: _bounce,
    COMPLAINT: _bounce,
    OPEN: _opened,
    CLICK: _clicked,
    SUBSCRIPTION_CHANGE: _changed,
}
"""Record type -> what it means. A type that is not in it is kept, and read as nothing."""
