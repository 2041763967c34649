"""What does one message look like on Postmark's wire? Pure: a batch's messages as bytes, cut into calls.

Promises: a reader's message in a stored letter holds what is that reader's and no more; a message that cannot be
written is its own reader's trouble alone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from newsletter.delivery import wire
from newsletter.delivery.mime import display, unfolded
from newsletter.delivery.postmark_template import alias_of, model_name
from newsletter.delivery.provider import Envelope
from newsletter.message import Filler, Letter, Recipient

MAX_BATCH = 500  # messages, Postmark's limit for one call
MAX_CALL = 45_000_000  # bytes of one call's body; Postmark's limit is 50 MB
PROBE = "probe"
BLACKHOLE = "test@blackhole.postmarkapp.com"  # Postmark's own address for mail that nobody reads
_WRAPPING = 32  # bytes around the messages of a call, at most

Writer = Callable[[Recipient], bytes]
"""Writes a reader's message. Raises KeyError (a value is missing), ValueError or TypeError (cannot be written)."""


@dataclass(frozen=True)
class Common:
    """What all messages of a batch have alike: fields as they go on the wire, and two that go inside others."""

    fields: dict[str, object]
    list_id: str | None
    batch: str

    def message(self, recipient: Recipient) -> dict[str, object]:
        """One reader's message, without content."""
        headers = [{"Name": "List-Id", "Value": self.list_id}] if self.list_id else []
        if recipient.unsubscribe_url is not None:
            headers.append({"Name": "List-Unsubscribe", "Value": f"<{wire.link(recipient.unsubscribe_url)}>"})
            headers.append({"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"})
        return {
            **self.fields,
            "To": wire.address(recipient.email),
            "Metadata": {"batch": self.batch, "row": wire.key("the row", recipient.row)},
            "Headers": headers,
        }


def common(letter: Letter, envelope: Envelope, batch: str) -> Common:
    """Check and write what a batch's messages share. Raises ValueError where it cannot be written."""
    fields: dict[str, object] = {
        "From": display(wire.mailbox(envelope.sender)),
        "MessageStream": envelope.stream,
        "Tag": envelope.tag,
        # Said each time, a no as well: a Postmark server may have tracking switched on. Only in the HTML: in plain text
        # a reader would see the long address that takes a link's place.
        "TrackOpens": envelope.track_opens,
        "TrackLinks": "HtmlOnly" if envelope.track_clicks else "None",
    }
    if envelope.reply_to is not None:
        fields["ReplyTo"] = display(wire.mailbox(envelope.reply_to))
    wire.one_line("the subject", letter.subject)
    for text in (*fields.values(), letter.subject, letter.html, letter.text):
        str(text).encode()  # half a surrogate is a ValueError here, and a TypeError in the midst of a call
    list_id = unfolded("List-Id", envelope.list_id) if envelope.list_id is not None else None
    return Common(fields, list_id, wire.key("the batch", batch))


def template_writer(letter: Letter, shared: Common) -> Writer:
    """Messages that name the stored letter and carry the reader's own values."""
    # InlineCss: our HTML has been through its compiler, and Postmark would put the styles in once more.
    stored = {"TemplateAlias": alias_of(letter), "InlineCss": False}
    names = [(field, model_name(field)) for field in sorted(letter.merge_fields)]

    def write(recipient: Recipient) -> bytes:
        model = {name: recipient.values[field] for field, name in names}
        return orjson.dumps({**shared.message(recipient), **stored, "TemplateModel": model})

    return write


def body_writer(letter: Letter, shared: Common) -> Writer:
    """Messages that carry the whole letter, filled in."""
    filler = Filler(letter)

    def write(recipient: Recipient) -> bytes:
        html, text = filler.fill(recipient.values)
        content = {"Subject": letter.subject, "HtmlBody": html, "TextBody": text}
        return orjson.dumps({**shared.message(recipient), **content})

    return write


def probe(envelope: Envelope, batch: str) -> dict[str, object]:
    """A message to nobody. Raises ValueError for a sender that is no mailbox."""
    return {
        "From": display(wire.mailbox(envelope.sender)),
        "To": BLACKHOLE,
        "Subject": "Is our mail visible?",
        "TextBody": "Sent to nobody, to see whether Postmark's search shows it.",
        "MessageStream": envelope.stream,
        "Tag": PROBE,
        "Metadata": {"batch": batch, "row": PROBE},
        "TrackOpens": False,
        "TrackLinks": "None",
    }


def cut(
    messages: Iterable[tuple[int, bytes]], max_batch: int = MAX_BATCH, max_call: int = MAX_CALL
) -> Iterator[list[tuple[int, bytes]]]:
    """Cut numbered messages into calls, by their count and by the bytes that will be sent."""
    part: list[tuple[int, bytes]] = []
    size = _WRAPPING
    for number, message in messages:
        if part and (len(part) == max_batch or size + len(message) + 1 > max_call):
            yield part
            part, size = [], _WRAPPING
        part.append((number, message))
        size += len(message) + 1  # and a comma
    if part:
        yield part
