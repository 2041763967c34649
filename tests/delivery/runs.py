"""A letter is sent, and what came of it at the provider's."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Provider
from newsletter.delivery.send import Sent, send
from newsletter.delivery.sender_lock import enter
from newsletter.delivery.sending import Sending
from newsletter.sandbox.server import Sandbox
from tests.delivery.readers import ENVELOPE, recipient

SOON = timedelta(milliseconds=300)
NEVER = timedelta(days=1)


def clock() -> datetime:
    return datetime.now(UTC)


@contextmanager
def entered(engine: Engine, provider: Provider, **others: Any) -> Iterator[Sending]:
    """All that a send takes, by a sender that has entered the line; `others` are fields of Sending."""
    with enter(engine) as sender:
        assert sender
        usual: dict[str, Any] = {"recipient_of": recipient, "settle": SOON, "sender": sender, "clock": clock}
        yield Sending(engine=engine, provider=provider, envelope=ENVELOPE, **{**usual, **others})


def run(engine: Engine, provider: Provider, letter_id: int, **others: Any) -> Sent:
    """Enter the line, send, and leave it; `others` are fields of Sending."""
    with entered(engine, provider, **others) as sending:
        return send(sending, letter_id)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def small_batches(url: str, token: str, size: int = 10) -> PostmarkProvider:
    provider = PostmarkProvider(token, url, timeout=5)
    provider.max_batch = size
    return provider


def copies(sandbox: Sandbox) -> Counter[str]:
    """Address -> how many copies of the letter the sandbox has taken for it."""
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == ENVELOPE.tag)


def each_once(sandbox: Sandbox, readers: int) -> bool:
    return copies(sandbox) == Counter({f"reader{n}@example.com": 1 for n in range(readers)})
