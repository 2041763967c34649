"""What does a message look like in a reader's mailbox, before any program has shown it?

Pure. An RFC 5322 source: headers, then quoted-printable parts. Metadata and Bcc never reach a reader, so they are not
in it.
"""

import base64
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from newsletter.sandbox.checks import Json
from newsletter.sandbox.clock import EASTERN
from newsletter.sandbox.mailbox import Content, Message

# Python folds a header that is longer than a line by encoding it, which breaks long URLs such as List-Unsubscribe's; so
# only what RFC 5322 forbids (more than 998 characters) is folded.
_LONG_LINES = SMTP.clone(max_line_length=998)


def rfc5322(message: Message, content: Content) -> bytes:
    """The message's source, with CRLF line ends."""
    fields = message.fields()
    mail = EmailMessage(policy=SMTP)
    own = {header["Name"].lower(): header for header in fields.get("Headers") or ()}
    mail["Date"] = format_datetime(message.received_at.astimezone(EASTERN))
    for name, field in (("From", "From"), ("To", "To"), ("Cc", "Cc"), ("Reply-To", "ReplyTo")):
        if fields.get(field):
            mail[name] = fields[field]
    # A line end in a subject would start another header; in a subject of a template it can come from the model.
    mail["Subject"] = " ".join(content.subject.split())
    if "message-id" not in own:
        mail["Message-ID"] = f"<{message.id}@sandbox.invalid>"
    mail["X-PM-Message-Id"] = message.id
    if message.tag:
        mail["X-PM-Tag"] = " ".join(message.tag.split())
    for header in own.values():
        if header["Name"] not in mail:
            mail[header["Name"]] = header["Value"]
    _add_bodies(mail, content)
    for attachment in fields.get("Attachments") or ():
        _attach(mail, attachment)
    return mail.as_bytes(policy=_LONG_LINES)


def _add_bodies(mail: EmailMessage, content: Content) -> None:
    if content.text or not content.html:
        mail.set_content(content.text, cte="quoted-printable")
        if content.html:
            mail.add_alternative(content.html, subtype="html", cte="quoted-printable")
    else:
        mail.set_content(content.html, subtype="html", cte="quoted-printable")


def _attach(mail: EmailMessage, attachment: Json) -> None:
    kind, _, subkind = attachment["ContentType"].partition("/")
    mail.add_attachment(
        base64.b64decode(attachment["Content"]),
        maintype=kind or "application",
        subtype=subkind or "octet-stream",
        filename=attachment["Name"],
    )
