"""What does Postmark say about accepted messages: in a search, in detail, as a dump?

A message can be found the moment it was accepted, unless a fault says otherwise. Postmark promises no such thing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from newsletter.sandbox import addresses, clock
from newsletter.sandbox.aftermath import at_once
from newsletter.sandbox.checks import Json, RefusalError
from newsletter.sandbox.events import in_details
from newsletter.sandbox.mailbox import Mailbox, Message, content_of, subject_of
from newsletter.sandbox.sending import Office
from newsletter.sandbox.source import rfc5322

MAX_COUNT = 500  # messages an answer
MAX_WINDOW = 10_000  # the newest messages of a search that can be reached at all


def search(office: Office, query: Mapping[str, str], now: datetime) -> Json:
    """Answer `GET /messages/outbound`, newest first; the query's names are in lower case.

    Only one stream is searched: `outbound`, unless `messagestream` says otherwise. Raises RefusalError: 700.
    """
    count = _number(query, "count", lowest=1, highest=MAX_COUNT)
    offset = _number(query, "offset", lowest=0)
    if count + offset > MAX_WINDOW:
        raise RefusalError(700, f"The sum of 'count' and 'offset' may be {MAX_WINDOW} at most.")
    found = _filtered(office.mailbox, query)
    if office.faults.on:
        found = office.faults.visible(now)(found)
    page = found[offset : offset + count]
    return {"TotalCount": len(found), "Messages": [_row(office, message) for message in page]}


def details(office: Office, message_id: str, now: datetime) -> Json:
    """Answer `GET /messages/outbound/{id}/details`. Raises RefusalError: 701."""
    message = _find(office, message_id, now)
    content = content_of(message)
    return {
        "TextBody": content.text,
        "HtmlBody": content.html,
        "Body": rfc5322(message, content).decode(),
        **_row(office, message),
        "MessageEvents": [] if office.mailbox.is_held(message) else events(office, message),
    }


def dump(office: Office, message_id: str, now: datetime) -> Json:
    """Answer `GET /messages/outbound/{id}/dump`. Raises RefusalError: 701."""
    message = _find(office, message_id, now)
    return {"Body": rfc5322(message, content_of(message)).decode()}


def events(office: Office, message: Message) -> list[Json]:
    """What became of a message, oldest first."""
    return [in_details(happening) for happening in (*at_once(message), *office.aftermath.of(message))]


def _filtered(mailbox: Mailbox, query: Mapping[str, str]) -> list[Message]:
    metadata = [
        (name.removeprefix("metadata_"), value) for name, value in query.items() if name.startswith("metadata_")
    ]
    if len(metadata) > 1:
        raise RefusalError(700, "A search may ask for one metadata field at most.")
    status = query.get("status", "sent").lower()
    if status not in ("queued", "sent", "processed"):
        raise RefusalError(700, "Parameter 'status' should be 'queued', 'sent' or 'processed'.")
    stream = query.get("messagestream") or "outbound"
    since = _moment(query, "fromdate")
    until = _moment(query, "todate")
    tag = query.get("tag")
    recipient = query.get("recipient", "").lower()
    held = status == "queued"
    found = [
        message
        for message in (mailbox.with_metadata(*metadata[0], held=held) if metadata else mailbox.newest_first(held=held))
        if message.stream == stream
        and (tag is None or message.tag == tag)
        and (not recipient or recipient in message.recipients)
        and (since is None or message.received_at >= since)
        and (until is None or message.received_at <= until)
    ]
    if sender := query.get("fromemail", "").lower():
        found = [message for message in found if _sender(message.fields()) == sender]
    if subject := query.get("subject"):
        found = [message for message in found if subject.lower() in subject_of(message, message.fields()).lower()]
    return found


def _row(office: Office, message: Message) -> Json:
    fields = message.fields()
    return {
        "Tag": message.tag,
        "MessageID": message.id,
        "MessageStream": message.stream,
        "To": _mailboxes(fields.get("To")),
        "Cc": _mailboxes(fields.get("Cc")),
        "Bcc": _mailboxes(fields.get("Bcc")),
        "Recipients": list(message.recipients),
        "ReceivedAt": clock.eastern(message.received_at),
        "From": fields["From"],
        "Subject": subject_of(message, fields),
        "Attachments": [attachment["Name"] for attachment in fields.get("Attachments") or ()],
        "Status": "Queued" if office.mailbox.is_held(message) else "Sent",
        "TrackOpens": bool(fields.get("TrackOpens")),
        "TrackLinks": fields.get("TrackLinks") or "None",
        "Metadata": fields.get("Metadata") or {},
        "Sandboxed": True,
    }


def _mailboxes(field: str | None) -> list[dict[str, Any]]:
    return [{"Email": mailbox.email.lower(), "Name": mailbox.name} for mailbox in addresses.parse(field or "")]


def _sender(fields: Json) -> str:
    return addresses.sender(fields["From"]).email.lower()


def _find(office: Office, message_id: str, now: datetime) -> Message:
    message = office.mailbox.get(message_id.lower())
    if message is None or (office.faults.on and not office.faults.visible(now)([message])):
        raise RefusalError(701, "This message was not found.")
    return message


def _number(query: Mapping[str, str], name: str, lowest: int, highest: int = 10**9) -> int:
    text = query.get(name)
    if text is None:
        raise RefusalError(700, f"Parameter '{name}' is required but was left out.")
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise RefusalError(700, f"Parameter '{name}' should be an integer from {lowest} to {highest}.")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return clock.read(text, end_of_day=name == "todate")
    except ValueError:
        raise RefusalError(700, f"Parameter '{name}' should be a date or a moment.") from None
