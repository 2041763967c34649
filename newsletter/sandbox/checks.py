"""What does Postmark refuse, with which code and in which words?

Pure. A message that passes here is accepted, but for its recipients' suppressions and its template. Where Postmark's
own words are not documented the code is, and the words are ours.
"""

import base64
import binascii
import re
from collections.abc import Collection
from typing import Any

from newsletter.sandbox import addresses

MAX_BATCH = 500  # messages
MAX_PAYLOAD = 50 * 1024 * 1024  # bytes of a request
MAX_MESSAGE = 10 * 1024 * 1024  # bytes, attachments in base64 included
MAX_BODY = 5 * 1024 * 1024  # bytes of HtmlBody, and of TextBody
MAX_RECIPIENTS = 50  # To, Cc and Bcc together
MAX_LENGTH = {"From": 255, "Subject": 2000, "Tag": 1000}  # UTF-16 code units
MAX_METADATA = 10  # fields
MAX_METADATA_NAME = 20  # characters
MAX_METADATA_VALUE = 80  # characters

TRACK_LINKS = frozenset({"None", "HtmlAndText", "HtmlOnly", "TextOnly"})
FORBIDDEN_EXTENSIONS = frozenset(
    re.findall(
        r"\w+",
        "vbs exe bin bat chm com cpl crt hlp hta inf ins isp jse lnk mdb pcd pif reg scr sct shs vbe vba wsf wsh wsl"
        " msc msi msp mst",
    )
)
_HEADER_NAME = re.compile(r"[!-9;-~]+")

_SHARED_FIELDS: dict[str, type] = {
    "From": str,
    "To": str,
    "Cc": str,
    "Bcc": str,
    "ReplyTo": str,
    "Subject": str,
    "HtmlBody": str,
    "TextBody": str,
    "Tag": str,
    "Headers": list,
    "Metadata": dict,
    "Attachments": list,
    "TrackOpens": bool,
    "TrackLinks": str,
    "MessageStream": str,
}
PLAIN_FIELDS = _SHARED_FIELDS
TEMPLATE_FIELDS = _SHARED_FIELDS | {"TemplateId": int, "TemplateAlias": str, "TemplateModel": dict, "InlineCss": bool}

Json = dict[str, Any]
"""A JSON object."""


class RefusalError(Exception):
    """Postmark says no: an ErrorCode, its words, and the HTTP status when the whole request is refused."""

    def __init__(self, code: int, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def as_json(self) -> Json:
        """The body of the answer, or of the message's entry in a batch's answer."""
        return {"ErrorCode": self.code, "Message": self.message}


def check_types(message: object, fields: dict[str, type], path: str = "$") -> None:
    """Refuse (403, naming the field) what does not read as a message at all; fields that are unknown pass.

    `path` is where the message stands in the request's JSON.
    """
    if type(message) is not dict:
        raise RefusalError(403, f"Invalid request field(s): {path}")
    for name, value in message.items():
        if value is not None:
            expected = fields.get(name)
            if expected is not None and type(value) is not expected:
                raise RefusalError(403, f"Invalid request field(s): {path}.{name}")
    metadata = message.get("Metadata")
    if metadata and any(type(value) is not str for value in metadata.values()):
        raise RefusalError(403, f"Invalid request field(s): {path}.Metadata")
    for header in message.get("Headers") or ():
        if type(header) is not dict or type(header.get("Name")) is not str or type(header.get("Value")) is not str:
            raise RefusalError(403, f"Invalid request field(s): {path}.Headers")
    if (message.get("TrackLinks") or "None") not in TRACK_LINKS:
        raise RefusalError(403, f"Invalid request field(s): {path}.TrackLinks")
    for attachment in message.get("Attachments") or ():
        if type(attachment) is not dict or any(
            type(attachment.get(name)) is not str for name in ("Name", "Content", "ContentType")
        ):
            raise RefusalError(403, f"Invalid request field(s): {path}.Attachments")


def check_message(message: Json, streams: Collection[str]) -> list[str]:
    """Refuse what breaks a rule in a message of the right types; return its recipients, in lower case.

    `streams` are the streams that exist. In the order: stream, addresses, their number, lengths, metadata, headers,
    attachments. Raises RefusalError.
    """
    stream = message.get("MessageStream") or "outbound"
    if stream not in streams:
        raise RefusalError(1235, f"The stream provided: '{stream}' does not exist on this server.")
    recipients = check_addresses(message)
    for name, limit in MAX_LENGTH.items():
        value = message.get(name)
        if value and utf16_length(value, limit) > limit:
            raise RefusalError(300, f"Invalid '{name}': it may be {limit} characters long at most.")
    for name in ("HtmlBody", "TextBody"):
        body = message.get(name)
        if body and len(body) * 4 > MAX_BODY and len(body.encode()) > MAX_BODY:
            raise RefusalError(300, f"Invalid '{name}': it may be 5 MB at most.")
    if metadata := message.get("Metadata"):
        check_metadata(metadata)
    for header in message.get("Headers") or ():
        if not _HEADER_NAME.fullmatch(header["Name"]) or "\n" in header["Value"] or "\r" in header["Value"]:
            raise RefusalError(300, f"Invalid header: '{header['Name']}'.")
    for attachment in message.get("Attachments") or ():
        check_attachment(attachment)
    return recipients


def check_addresses(message: Json) -> list[str]:
    """The recipients in To, Cc and Bcc, in lower case; refuses (300) bad addresses, none, and too many."""
    try:
        addresses.sender(message.get("From") or "")
    except ValueError:
        raise RefusalError(300, f"Invalid 'From' address: '{message.get('From') or ''}'.") from None
    to = message.get("To") or ""
    reply_to = message.get("ReplyTo")
    if reply_to and not addresses.is_list(reply_to):
        raise RefusalError(300, f"Invalid 'ReplyTo' address: '{reply_to}'.")
    if addresses.is_address(to) and not message.get("Cc") and not message.get("Bcc"):
        return [to.lower()]
    recipients = []
    for name in ("To", "Cc", "Bcc"):
        value = message.get(name) or ""
        try:
            found = addresses.parse(value)
        except ValueError:
            raise RefusalError(300, f"Invalid '{name}' address: '{value}'.") from None
        if name == "To" and not found:
            raise RefusalError(300, f"Invalid 'To' address: '{value}'.")
        recipients += [mailbox.email.lower() for mailbox in found]
    if len(recipients) > MAX_RECIPIENTS:
        raise RefusalError(300, f"A message may have {MAX_RECIPIENTS} recipients at most (To, Cc and Bcc together).")
    return recipients


def check_metadata(metadata: dict[str, str]) -> None:
    """Refuse (300) metadata that is too long, has too many fields, or one name in two spellings."""
    for name, value in metadata.items():
        if len(name) > MAX_METADATA_NAME or len(value) > MAX_METADATA_VALUE:
            raise RefusalError(
                300,
                "Invalid metadata content. Field names are limited to 20 characters and field values are limited to 80"
                f" characters in length. The '{name}' field in your metadata content exceeds these limits.",
            )
    if len(metadata) > MAX_METADATA:
        raise RefusalError(300, f"Invalid metadata content. There may be {MAX_METADATA} fields at most.")
    if len({name.lower() for name in metadata}) < len(metadata):
        raise RefusalError(300, "Invalid metadata content. Field names may not differ in upper and lower case only.")


def check_attachment(attachment: Json) -> None:
    """Refuse a forbidden kind of file (411) and content that is not base64 (300)."""
    if attachment["Name"].rpartition(".")[2].lower() in FORBIDDEN_EXTENSIONS:
        raise RefusalError(411, "Attachment file type not allowed.")
    try:
        base64.b64decode(attachment["Content"], validate=True)
    except binascii.Error:
        raise RefusalError(300, f"The attachment '{attachment['Name']}' is not valid base64.") from None


def check_plain(message: Json) -> None:
    """Refuse (300) a message without a body."""
    if not message.get("HtmlBody") and not message.get("TextBody"):
        raise RefusalError(300, "Provide either email TextBody or HtmlBody or both.")


def check_templated(message: Json) -> None:
    """Refuse a message that names no template (1101), brings its own words (1123) or no model (1120)."""
    if message.get("TemplateId") is None and not message.get("TemplateAlias"):
        raise RefusalError(1101, "The 'TemplateId' or the 'TemplateAlias' associated with this request is missing.")
    for name in ("Subject", "HtmlBody", "TextBody"):
        if message.get(name):
            raise RefusalError(1123, f"A message that is sent with a template may not have a '{name}' of its own.")
    if message.get("TemplateModel") is None:
        raise RefusalError(1120, "The 'TemplateModel' is required to send with a template.")


def utf16_length(text: str, limit: int) -> int:
    """The text's length in UTF-16 code units; merely at most `limit` where that can be seen without counting."""
    if len(text) * 2 <= limit:
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def inactive(emails: list[str], *, batch: bool) -> RefusalError:
    """The refusal (406) of a message to suppressed addresses only."""
    found = f"Found inactive addresses: {', '.join(emails)}. "
    reasons = (
        "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
    )
    if batch:
        # The trailing space is Postmark's.
        return RefusalError(
            406, f"You tried to send to a recipient that has been marked as inactive. {found}{reasons} "
        )
    return RefusalError(406, f"You tried to send to recipient(s) that have been marked as inactive. {found}{reasons}")


REFUSED = {
    10: "Request does not contain a valid Server token.",
    300: "Invalid 'To' address: '{To}'.",
    400: "The 'From' address you supplied ({From}) is not a Sender Signature on your account.",
    401: "The Sender Signature for the 'From' address you supplied ({From}) has not been confirmed.",
    405: "This account is not allowed to send: it has run out of credits.",
    406: "You tried to send to a recipient that has been marked as inactive.",
    412: "While your account is pending approval, all recipient addresses must share the domain of the 'From' address.",
    413: "This account may not send.",
    422: "The server or the account is not valid.",
    1101: "The Template's 'Alias' associated with this request is not valid or was not found.",
    1235: "The stream provided: '{MessageStream}' does not exist on this server.",
    1236: "The stream provided: '{MessageStream}' does not support sending.",
    1480: "The IP address that this request came from is not allowed to use this server.",
}
"""What can be refused without a reason of the message's own -> the words."""


def refusal(code: int, message: Json, *, batch: bool = True) -> RefusalError:
    """Refuse a message with a code of `REFUSED`, whatever the message is like. `batch`: it is one of a batch."""
    if code == 406:
        return inactive([str(message.get("To")).lower()], batch=batch)
    said = {"MessageStream": "outbound"} | {name: value for name, value in message.items() if value}
    named = {name: str(said.get(name, "")) for name in ("To", "From", "MessageStream")}
    return RefusalError(code, REFUSED[code].format(**named), status=401 if code == 10 else 422)
