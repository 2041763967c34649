"""How does Postmark put what has happened: as it posts it, in a message's details, in the list of bounces?

Pure. Three forms of the same facts, which do not say the same: only what is posted bears metadata, and only the details
lack the type of a bounce and the reason of a suppression.
"""

from typing import Any

from newsletter.sandbox.aftermath import Bounced, Clicked, Delivered, Happening, Opened, SubscriptionChange
from newsletter.sandbox.bounces import COMPLAINT
from newsletter.sandbox.checks import Json
from newsletter.sandbox.clock import eastern, zulu
from newsletter.sandbox.mailbox import subject_of

SERVER_ID = 1
TAKEN = "250 2.0.0 OK, taken by the sandbox"


def posted(happening: Happening, fields: Json) -> Json:
    """As it is told to an endpoint. `fields` are those of the message that it is about; {} where there is none."""
    match happening:
        case Delivered():
            return _delivered(happening, fields)
        case Bounced():
            told = {"RecordType": "SpamComplaint" if happening.way is COMPLAINT else "Bounce"}
            return {**told, **bounce(happening, fields), **_metadata(fields), "Content": ""}
        case SubscriptionChange():
            return _changed(happening, fields)
        case Opened():
            return {"RecordType": "Open", "FirstOpen": happening.first, "ReadSeconds": 0, **_touch(happening, fields)}
        case Clicked():
            told = {"RecordType": "Click", "ClickLocation": "HTML", "OriginalLink": happening.link}
            return {**told, **_touch(happening, fields)}


def in_details(happening: Happening) -> Json:
    """As it stands among the MessageEvents of its message."""
    match happening:
        case Delivered():
            where = {"DestinationServer": "sandbox.invalid", "DestinationIP": "127.0.0.1"}
            return _detail("Delivered", happening.email, happening, {"DeliveryMessage": TAKEN, **where})
        case Bounced():
            said = {"Summary": happening.way.name, "BounceID": str(happening.number)}
            return _detail("Bounced", happening.email, happening, said)
        case SubscriptionChange():
            # A truth in words, as in Postmark's own, and without its reason.
            said = {"Origin": happening.suppression.origin, "SuppressSending": str(happening.suppressed)}
            return _detail("SubscriptionChanged", happening.suppression.email, happening, said)
        case Opened():
            return _detail("Opened", happening.email, happening, {"Summary": f"Opened with {happening.agent}"})
        case Clicked():
            said = {"Summary": f"Followed with {happening.agent}", "Link": happening.link, "ClickLocation": "HTML"}
            return _detail("LinkClicked", happening.email, happening, said)


def bounce(happening: Bounced, fields: Json) -> Json:
    """As it stands in the list of bounces."""
    message, way = happening.message, happening.way
    return {
        "MessageStream": message.stream,
        "ID": happening.number,
        "Type": way.type,
        "TypeCode": way.code,
        "Name": way.name,
        "Tag": message.tag,
        "MessageID": message.id,
        "ServerID": SERVER_ID,
        "Description": "It came back on purpose.",
        "Details": f"Test bounce: {way.name}",
        "Email": happening.email,
        "From": fields["From"],
        "BouncedAt": zulu(happening.at),
        "DumpAvailable": False,
        "Inactive": happening.inactive,
        "CanActivate": way is not COMPLAINT,
        "Subject": subject_of(message, fields),
    }


def _delivered(happening: Delivered, fields: Json) -> Json:
    message = happening.message
    return {
        "RecordType": "Delivery",
        "MessageStream": message.stream,
        "ServerID": SERVER_ID,
        "MessageID": message.id,
        "Recipient": happening.email,
        "Tag": message.tag,
        "DeliveredAt": zulu(happening.at),
        "Details": TAKEN,
        **_metadata(fields),
    }


def _changed(happening: SubscriptionChange, fields: Json) -> Json:
    cause, entry = happening.cause, happening.suppression
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": cause.id if cause else None,
        "ServerID": SERVER_ID,
        "MessageStream": happening.stream,
        "ChangedAt": zulu(happening.at),
        "Recipient": entry.email,
        "Origin": entry.origin,
        "SuppressSending": happening.suppressed,
        "SuppressionReason": entry.reason if happening.suppressed else None,
        "Tag": cause.tag if cause else None,
        **_metadata(fields),
    }


def _touch(happening: Opened | Clicked, fields: Json) -> Json:
    """What openings and clicks have alike; unlike all others they name no server."""
    message = happening.message
    return {
        "MessageStream": message.stream,
        "Client": {"Name": "", "Company": "", "Family": ""},
        "OS": {"Name": "", "Company": "", "Family": ""},
        "Platform": "Unknown",
        "UserAgent": happening.agent,
        "Geo": {},
        "MessageID": message.id,
        "ReceivedAt": zulu(happening.at),
        "Tag": message.tag,
        "Recipient": happening.email,
        **_metadata(fields),
    }


def _metadata(fields: Json) -> Json:
    return {"Metadata": fields.get("Metadata") or {}}


def _detail(kind: str, email: str, happening: Happening, said: dict[str, Any]) -> Json:
    return {"Recipient": email, "Type": kind, "ReceivedAt": eastern(happening.at), "Details": said}
