"""What is told to an endpoint about accepted messages and changed suppressions?

One JSON object a POST, from a thread of its own, so that no answer waits for it. What the endpoint does not take is not
told again: the sandbox has no retry schedule.
"""

import logging
import queue
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import requests

from newsletter.sandbox import bounces
from newsletter.sandbox.checks import Json
from newsletter.sandbox.clock import zulu
from newsletter.sandbox.mailbox import Message, subject_of
from newsletter.sandbox.suppressions import Suppression

SERVER_ID = 1
TIMEOUT = 5  # seconds that the endpoint has to answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """An address came on a stream's list or off it. `cause`: the message whose bounce put it there."""

    stream: str
    suppression: Suppression
    suppressed: bool
    cause: Message | None


class Webhooks:
    """Tells an endpoint, in the order of events. `url` may carry a user and a password for basic authentication."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._queue: queue.SimpleQueue[list[Message] | SubscriptionChange | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def accepted(self, messages: list[Message]) -> None:
        """Tell what became of accepted messages."""
        self._queue.put(messages)

    def changed(self, change: SubscriptionChange) -> None:
        """Tell about a changed suppression."""
        self._queue.put(change)

    def close(self) -> None:
        """Stop at once; what has not been told yet is dropped. Idempotent."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(TIMEOUT + 1)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (item := self._queue.get()) is not None and not self._closing.is_set():
                for event in _events(item):
                    if self._closing.is_set():
                        return
                    self._post(session, event)

    def _post(self, session: requests.Session, event: Json) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Postmark",
            "X-PM-Webhook-Trace-Id": str(uuid.uuid4()),
            "X-PM-Retries-Remaining": "0",
        }
        try:
            answer = session.post(self._url, data=orjson.dumps(event), headers=headers, timeout=TIMEOUT)
            told = answer.status_code == 200
        except requests.RequestException as error:
            # The error's own text may hold the URL, and with it a password.
            _log.warning("the webhook was not told of a %s: %s", event["RecordType"], type(error).__name__)
        else:
            if not told:
                _log.warning("the webhook answered %d to a %s", answer.status_code, event["RecordType"])


def _events(item: list[Message] | SubscriptionChange) -> Iterator[Json]:
    if isinstance(item, SubscriptionChange):
        yield subscription_change(item)
        return
    for message in item:
        fields = message.fields()
        for index, recipient in enumerate(message.recipients):
            if bounces.goes_nowhere(recipient):
                continue
            bounce = bounces.bounce_of(recipient)
            yield bounced(message, fields, index, bounce) if bounce else delivered(message, fields, recipient)


def delivered(message: Message, fields: Json, recipient: str) -> Json:
    """A Delivery event."""
    return {
        "RecordType": "Delivery",
        "MessageStream": message.stream,
        "ServerID": SERVER_ID,
        "MessageID": message.id,
        "Recipient": recipient,
        "Tag": message.tag,
        "DeliveredAt": zulu(message.received_at),
        "Details": "250 2.0.0 OK, taken by the sandbox",
        "Metadata": fields.get("Metadata") or {},
    }


def bounced(message: Message, fields: Json, index: int, bounce: bounces.BounceType) -> Json:
    """A Bounce event for the recipient at `index`."""
    return {
        "RecordType": "Bounce",
        "MessageStream": message.stream,
        "ID": bounce_id(message, index),
        "Type": bounce.type,
        "TypeCode": bounce.code,
        "Name": bounce.name,
        "Tag": message.tag,
        "MessageID": message.id,
        "Metadata": fields.get("Metadata") or {},
        "ServerID": SERVER_ID,
        "Description": "The address bounces on purpose.",
        "Details": f"Test bounce: {bounce.name}",
        "Email": message.recipients[index],
        "From": fields["From"],
        "BouncedAt": zulu(message.received_at),
        "DumpAvailable": False,
        "Inactive": bounce.deactivates,
        "CanActivate": True,
        "Subject": subject_of(message, fields),
        "Content": "",
    }


def subscription_change(change: SubscriptionChange) -> Json:
    """A SubscriptionChange event; only a bounce's has a message."""
    cause = change.cause
    return {
        "RecordType": "SubscriptionChange",
        "MessageID": cause.id if cause else None,
        "ServerID": SERVER_ID,
        "MessageStream": change.stream,
        "ChangedAt": zulu(change.suppression.created_at),
        "Recipient": change.suppression.email,
        "Origin": change.suppression.origin,
        "SuppressSending": change.suppressed,
        "SuppressionReason": change.suppression.reason if change.suppressed else None,
        "Tag": cause.tag if cause else None,
        "Metadata": (cause.fields().get("Metadata") or {}) if cause else {},
    }


def bounce_id(message: Message, index: int) -> int:
    """The number of a bounce: one for each recipient of each message."""
    return 1_000_000 + message.number * 64 + index
