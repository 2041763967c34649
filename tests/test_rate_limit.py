"""RATE_LIMIT holds at the provider's end of the line, however many send at once."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import outgoing
from newsletter.db import is_sqlite
from newsletter.delivery import throttle
from newsletter.delivery.pacing import Limit
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.issues import issue as issues
from newsletter.outgoing import Run
from newsletter.post import Post
from newsletter.sandbox.server import Sandbox
from tests.newsroom import RULES, W47, approve, draft, issue_of, post, publish, subscribe

READERS = [f"reader{number}@example.com" for number in range(60)]
RATE = 40  # messages a second
BATCH = 5
ANY_TIME = replace(RULES, max_lateness=timedelta(days=99_999))


@pytest.fixture
def posts(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> Iterator[list[Post]]:
    """Who sends: one on SQLite, two at once on PostgreSQL."""
    with ExitStack() as stack:
        made = []
        for _ in range(1 if is_sqlite(engine) else 2):
            provider = PostmarkProvider(sandbox.token, sandbox.url, timeout=5)
            stack.callback(provider.close)
            provider.max_batch = BATCH
            made.append(replace(post(tmp_path), provider=provider, limit=Limit(float(RATE))))
        yield made


def test_all_senders_together_are_never_ahead_of_the_limit(engine: Engine, sandbox: Sandbox, posts: list[Post]) -> None:
    publish(engine)
    draft(engine)
    subscribe(engine, READERS)
    approve(engine)

    def send(carried: Post) -> None:
        outgoing.send_issue(engine, ANY_TIME, carried, W47, Run(clock=lambda: datetime.now(UTC)))

    began = datetime.now(UTC)
    with ThreadPoolExecutor(len(posts)) as threads:
        list(threads.map(send, posts))

    assert issue_of(engine).state == issues.SENT
    arrived = [message for message in sandbox.messages if message.tag == str(W47)]
    assert Counter(message.recipients[0] for message in arrived) == Counter(READERS)
    # However late a batch may be on a busy machine, none is early: so many have had their time before it begins.
    for place, moment in enumerate(sorted(message.received_at for message in arrived)):
        had_their_time = place // BATCH * BATCH
        assert (moment - began).total_seconds() >= had_their_time / RATE
    assert (len(READERS) - BATCH) / RATE > 1.3  # the last one, above


def test_no_two_senders_take_the_same_slot_not_even_the_first_time(engine: Engine) -> None:
    together = threading.Barrier(8)
    at_once = datetime.now(UTC)

    def take(_: int) -> float:
        together.wait()
        return throttle.take(engine, count=10, rate=10.0, now=at_once)

    with ThreadPoolExecutor(8) as threads:
        waits = sorted(threads.map(take, range(8)))
    assert waits == [float(place) for place in range(8)]
