"""What was accepted, and what did it say?

A message is kept as the bytes that were asked to be sent, and the version of the template that it names. It is rendered
only when somebody looks, and then always to the same letter. While an account is paused its messages are held: they
are accepted, and have not gone out.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import orjson

from newsletter.sandbox import mustachio
from newsletter.sandbox.bounces import bounce_of
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


@dataclass
class _Index:
    """Messages by what they carry under one name of metadata: made for a name that is asked for, and kept up.

    Without it each of the searches after a lost answer would go through a hundred thousand messages.
    """

    by_value: dict[str, list[Message]] = field(default_factory=dict)
    read_so_far: int = 0

    def read(self, messages: Iterable[Message], name: str) -> None:
        """Take in messages that have come since."""
        for message in messages:
            self.read_so_far += 1
            for key, value in (message.fields().get("Metadata") or {}).items():
                if key.lower() == name:
                    self.by_value.setdefault(value, []).append(message)


class Mailbox:
    """All accepted messages, oldest first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}
        self._held: dict[str, datetime] = {}
        self._by_metadata: dict[str, _Index] = {}
        self._bouncing: list[Message] = []
        self._looked_at = 0
        self._accepted = 0

    def reserve(self, count: int) -> int:
        """The first of `count` numbers that nobody else gets."""
        with self._lock:
            first = self._accepted + 1
            self._accepted += count
        return first

    def add(self, messages: list[Message], held: Mapping[str, datetime] | None = None) -> None:
        """Keep messages; `held`: the ids of those that are held, and until when."""
        with self._lock:
            if held:
                self._held.update(held)
            self._messages.update((message.id, message) for message in messages)

    def let_go(self, now: datetime | None = None) -> list[Message]:
        """Let those of the held messages go out whose moment has come; None: all. Each comes out of here once."""
        with self._lock:
            due = [message_id for message_id, moment in self._held.items() if now is None or moment <= now]
            for message_id in due:
                del self._held[message_id]
            return [self._messages[message_id] for message_id in due]

    @property
    def held(self) -> int:
        """How many messages are held."""
        return len(self._held)

    def is_held(self, message: Message) -> bool:
        """Whether a message has not gone out."""
        return message.id in self._held

    def get(self, message_id: str) -> Message | None:
        """The message with this id, held or not."""
        return self._messages.get(message_id)

    def newest_first(self, *, held: bool = False) -> list[Message]:
        """All messages that have gone out, or all that are held."""
        with self._lock:
            if self._held or held:
                return [message for message in reversed(self._messages.values()) if (message.id in self._held) is held]
            return list(reversed(self._messages.values()))

    def with_metadata(self, name: str, value: str, *, held: bool = False) -> list[Message]:
        """The same, of those that carry this metadata; the name is in lower case, its own case does not matter."""
        with self._lock:
            index = self._by_metadata.setdefault(name, _Index())
            index.read(islice(self._messages.values(), index.read_so_far, None), name)
            found = index.by_value.get(value, [])
            return [message for message in reversed(found) if (message.id in self._held) is held]

    def bouncing(self) -> list[Message]:
        """Those that bounce the moment they go out, held ones left out; oldest first."""
        with self._lock:
            for message in islice(self._messages.values(), self._looked_at, None):
                self._looked_at += 1
                if any(map(bounce_of, message.recipients)):
                    self._bouncing.append(message)
            return [message for message in self._bouncing if message.id not in self._held]

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()
            self._held.clear()
            self._by_metadata.clear()
            self._bouncing.clear()
            self._looked_at = 0

    def __len__(self) -> int:
        return len(self._messages)


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
