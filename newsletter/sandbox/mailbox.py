"""What was accepted, and what did it say?

A message is kept as the bytes that were asked to be sent, and the version of the template that it names. It is rendered
only when somebody looks, and then always to the same letter.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson

from newsletter.sandbox import mustachio
from newsletter.sandbox.checks import Json
from newsletter.sandbox.templates import Template


class Message(NamedTuple):
    """One accepted message.

    `number` counts from 1 in the order of acceptance; `recipients` are those it goes to, in lower case, suppressed ones
    left out; `wire` is the message's JSON, with what the stream adds to its headers; `received_at` is aware.
    """

    number: int
    id: str
    received_at: datetime
    stream: str
    tag: str | None
    recipients: tuple[str, ...]
    template: Template | None
    wire: bytes

    def fields(self) -> Json:
        """The message as it was asked to be sent, a new object every time."""
        fields: Json = orjson.loads(self.wire)
        return fields


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader sees. `failure` says why a template could not be filled; the rest is empty then."""

    subject: str
    html: str
    text: str
    failure: str | None = None


class Mailbox:
    """All accepted messages, oldest first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}
        self._accepted = 0

    def reserve(self, count: int) -> int:
        """The first of `count` numbers that nobody else gets."""
        with self._lock:
            first = self._accepted + 1
            self._accepted += count
        return first

    def add(self, messages: list[Message]) -> None:
        """Keep messages."""
        with self._lock:
            self._messages.update((message.id, message) for message in messages)

    def get(self, message_id: str) -> Message | None:
        """The message with this id."""
        return self._messages.get(message_id)

    def newest_first(self) -> list[Message]:
        """All messages."""
        with self._lock:
            return list(reversed(self._messages.values()))

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()

    def __len__(self) -> int:
        return len(self._messages)


def with_metadata(messages: list[Message], name: str, value: str) -> Iterator[Message]:
    """Those of the messages that carry this metadata; the name's case is ignored."""
    # Looking for the value's bytes first spares reading the JSON of a hundred thousand messages for a few.
    needle = orjson.dumps(value)
    for message in messages:
        if needle in message.wire:
            metadata = message.fields().get("Metadata") or {}
            if any(key.lower() == name and found == value for key, found in metadata.items()):
                yield message


def content_of(message: Message) -> Content:
    """What the message says, its template filled."""
    fields = message.fields()
    template = message.template
    if template is None:
        return Content(fields.get("Subject") or "", fields.get("HtmlBody") or "", fields.get("TextBody") or "")
    model = fields["TemplateModel"]
    try:
        return Content(
            mustachio.render(template.subject.nodes, model, escape=False),
            mustachio.render(template.html.nodes, model, escape=True) if template.html else "",
            mustachio.render(template.text.nodes, model, escape=False) if template.text else "",
        )
    except mustachio.ModelMismatchError as refused:
        return Content("", "", "", str(refused))


def subject_of(message: Message, fields: Json) -> str:
    """The subject alone, given the message's fields: what lists need, without rendering the bodies."""
    if message.template is None:
        return str(fields.get("Subject") or "")
    try:
        return mustachio.render(message.template.subject.nodes, fields["TemplateModel"], escape=False)
    except mustachio.ModelMismatchError:
        return ""
