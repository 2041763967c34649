"""How does a request to send become accepted messages?

Every message of a batch gets its own answer, in the order of the request: accepted, with an id, or refused, with a
code.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sys import intern
from typing import Any

import orjson

from newsletter.sandbox import bounces, checks
from newsletter.sandbox.aftermath import Aftermath, SubscriptionChange
from newsletter.sandbox.checks import Json, RefusalError
from newsletter.sandbox.clock import eastern
from newsletter.sandbox.mailbox import Mailbox, Message
from newsletter.sandbox.striking import FOR_GOOD, Faults, Strike
from newsletter.sandbox.suppressions import Suppression, SuppressionLists
from newsletter.sandbox.templates import Template, TemplateShelf
from newsletter.sandbox.webhooks import Webhooks

STREAMS = {"outbound": "Transactional", "broadcast": "Broadcasts"}
"""The streams that exist, and their types."""


@dataclass
class Office:
    """Everything that one sandbox remembers."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    templates: TemplateShelf = field(default_factory=TemplateShelf)
    suppressions: SuppressionLists = field(default_factory=lambda: SuppressionLists(STREAMS))
    aftermath: Aftermath = field(default_factory=Aftermath)
    faults: Faults = field(default_factory=Faults)
    webhooks: Webhooks | None = None
    way_out: str | None = None
    """What the links begin with by which readers leave here; None where the sender sees to that."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def owns_way_out(self, stream: str) -> bool:
        """Whether the messages of a stream get a List-Unsubscribe from here."""
        return self.way_out is not None and STREAMS[stream] == "Broadcasts"


@dataclass(frozen=True)
class _Call:
    """What the messages of one request share."""

    office: Office
    templated: bool
    test: bool
    batch: bool
    now: datetime
    submitted_at: str
    number: int
    strike: Strike | None


def send_one(
    office: Office, body: object, now: datetime, strike: Strike | None = None, *, templated: bool, test: bool
) -> Json:
    """Answer `POST /email` or `/email/withTemplate`. Raises RefusalError."""
    fields = checks.TEMPLATE_FIELDS if templated else checks.PLAIN_FIELDS
    checks.check_types(body, fields)
    assert isinstance(body, dict)
    _refuse_large([body])
    call = _Call(office, templated, test, False, now, eastern(now), office.mailbox.reserve(1), strike)
    message, answer = _take(body, 0, call)
    if message is not None:
        _accept(call, [message])
    return answer


def send_batch(
    office: Office,
    messages: object,
    now: datetime,
    path: str,
    strike: Strike | None = None,
    *,
    templated: bool,
    test: bool,
) -> list[Json]:
    """Answer `POST /email/batch` or `/email/batchWithTemplates`: one entry per message, in order.

    `path` is where the list stands in the request's JSON. Raises RefusalError where the request is refused as a whole.
    """
    if type(messages) is not list:
        raise RefusalError(403, f"Invalid request field(s): {path}")
    if len(messages) > checks.MAX_BATCH:
        raise RefusalError(410, "You may only send up to 500 messages in a single batched request.")
    fields = checks.TEMPLATE_FIELDS if templated else checks.PLAIN_FIELDS
    for index, message in enumerate(messages):
        checks.check_types(message, fields, f"{path}[{index}]")
    _refuse_large(messages)
    number = office.mailbox.reserve(len(messages))
    call = _Call(office, templated, test, True, now, eastern(now), number, strike)
    answers: list[Json] = []
    accepted: list[Message] = []
    for index, body in enumerate(messages):
        try:
            message, answer = _take(body, index, call)
        except RefusalError as refusal:
            answers.append(refusal.as_json())
        else:
            answers.append(answer)
            if message is not None:
                accepted.append(message)
    _accept(call, accepted)
    return answers


def _take(body: Json, index: int, call: _Call) -> tuple[Message | None, Json]:
    recipients = checks.check_message(body, STREAMS)
    template: Template | None = None
    if call.templated:
        checks.check_templated(body)
        template = call.office.templates.for_message(body)
    else:
        checks.check_plain(body)
    if call.strike is not None and (code := call.strike.refused_code()) is not None:
        raise checks.refusal(code, body, batch=call.batch)
    message_id = str(uuid.uuid4())
    answer = {
        "To": body["To"],
        "SubmittedAt": call.submitted_at,
        "MessageID": message_id,
        "ErrorCode": 0,
        "Message": "Test job accepted" if call.test else "OK",
    }
    if call.test:
        return None, answer
    stream = intern(body.get("MessageStream") or "outbound")
    listed = call.office.suppressions.inactive(stream, recipients)
    if listed and (inactive := _counting(call, listed)):
        recipients = [email for email in recipients if email not in inactive]
        if not recipients:
            raise checks.inactive(inactive, batch=call.batch)
        answer["Message"] = f"Message OK, but will not deliver to these inactive addresses: {', '.join(inactive)}."
    if call.office.owns_way_out(stream):
        body = _with_way_out(body, f"{call.office.way_out}{message_id}")
    tag = body.get("Tag")
    message = Message(
        number=call.number + index,
        id=message_id,
        received_at=call.now,
        stream=stream,
        tag=intern(tag) if tag else None,
        recipients=tuple(recipients),
        template=template,
        # What orjson returns holds on to its writing buffer (4 KB were seen for 700 bytes); a copy does not.
        wire=bytes(memoryview(orjson.dumps(body))),
    )
    return message, answer


def _with_way_out(body: Json, url: str) -> Json:
    """A message with a List-Unsubscribe, unless it has its own."""
    headers = list(body.get("Headers") or ())
    if any(header["Name"].lower() == "list-unsubscribe" for header in headers):
        return body
    headers.append({"Name": "List-Unsubscribe", "Value": f"<{url}>"})
    headers.append({"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"})
    return {**body, "Headers": headers}


def _counting(call: _Call, listed: list[Suppression]) -> list[str]:
    """The addresses whose suppressions count already."""
    faults = call.office.faults
    return [each.email for each in listed if not faults.on or faults.counts_already(each.created_at, call.now)]


def _accept(call: _Call, messages: list[Message]) -> None:
    office = call.office
    if call.strike is not None:
        messages = messages[: call.strike.taken(len(messages))]
    held: dict[str, datetime] = {}
    if office.faults.on:
        held = {message.id: until for message in messages if (until := office.faults.held_until(message))}
    office.mailbox.add(messages, held)
    if held:
        messages = [message for message in messages if message.id not in held]
        if office.webhooks:
            # Also where nobody looks by then.
            for moment in sorted({*held.values()} - {FOR_GOOD}):
                office.webhooks.at(moment, lambda: release_due(office))
    _deliver(office, messages)


def release(office: Office, now: datetime | None = None) -> int:
    """Let what a paused account holds go out, as far as it is due; None: all of it. Returns how many messages went."""
    released = office.mailbox.let_go(now)
    _deliver(office, released)
    return len(released)


def release_due(office: Office) -> None:
    """Let what is due go out, where anything is held; to be called before anybody looks."""
    if office.mailbox.held:
        release(office, office.clock())


def _deliver(office: Office, messages: list[Message]) -> None:
    if office.webhooks:
        office.webhooks.accepted(messages)
    for message in messages:
        for email in message.recipients:
            bounce = bounces.bounce_of(email)
            if bounce and bounce.deactivates:
                suppression = Suppression(email, "HardBounce", "Recipient", message.received_at)
                suppress(office, message.stream, suppression, message)


def suppress(office: Office, stream: str, suppression: Suppression, cause: Message | None = None) -> None:
    """Put an address on a stream's list and, where it was not there yet, tell; `cause`: the message that led to it."""
    if office.suppressions.add(stream, suppression):
        change = SubscriptionChange(stream, suppression, suppressed=True, cause=cause)
        if cause is not None:
            office.aftermath.add(cause, change)
        if office.webhooks:
            office.webhooks.happened(change)


def reactivate(office: Office, stream: str, email: str, now: datetime, origin: str = "Customer") -> None:
    """Take an address off a stream's list and, where it was there, tell the webhook; `origin`: who wanted it."""
    if office.suppressions.remove(stream, email) and office.webhooks:
        lifted = Suppression(email, "ManualSuppression", origin, now)
        office.webhooks.happened(SubscriptionChange(stream, lifted, suppressed=False, cause=None))


def _refuse_large(messages: Sequence[Any]) -> None:
    for message in messages:
        # Nothing but bodies and attachments makes a message large, so that most need no measuring.
        if any(message.get(name) for name in ("HtmlBody", "TextBody", "Attachments")):
            size = len(orjson.dumps(message))
            if size > checks.MAX_MESSAGE:
                raise RefusalError(300, "A message may be 10 MB at most, attachments included.", status=413)
