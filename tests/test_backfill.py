"""What was told and what is asked for end in the same rows."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import arrivals, backfill, outgoing
from newsletter.backfill import Backfilled
from newsletter.db import reading, writing
from newsletter.delivery.ledger import BY_READER
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.invariants import violations
from newsletter.post import Post
from newsletter.sandbox.server import Sandbox
from newsletter.tracking.polls import Poll
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent
from subscribers.subscriber import ACTIVE, SUPPRESSED, UNSUBSCRIBED, Subscriber
from tests.newsroom import LINKS, RULES, TUESDAY, W47, approve, at, draft, post, publish, subscribe
from tests.sandbox.test_webhooks import Endpoint

COMPARED = ("key", "kind", "detail", "at", "letter_id", "subscriber_id", "fingerprint", "message_id", "stream", "link")
TRACKED = replace(RULES, opens=BY_READER, clicks=BY_READER)
SOON = TUESDAY + timedelta(hours=3)

NAMES = ("reads", "complains", "leaves", "comes_back", "soft_later", "hard_later", "closed", "silent")
BOUNCING = ("HardBounce", "SoftBounce", "DMARCPolicy", "AutoResponder", "BadEmailAddress", "TemplateRenderingFailed")


@dataclass
class World:
    """An issue that went out through a sandbox, and all that came of it."""

    engine: Engine
    sandbox: Sandbox
    post: Post
    endpoint: Endpoint

    def told(self) -> list[tuple[bytes, str]]:
        """What the endpoint was told until nothing more comes: body and trace."""
        found: list[tuple[bytes, str]] = []
        while True:
            try:
                body, headers = self.endpoint.told.get(timeout=0.3)
            except queue.Empty:
                return found
            found.append((orjson.dumps(body), headers["X-PM-Webhook-Trace-Id"]))

    def hear(self, told: list[tuple[bytes, str]]) -> None:
        """Take what was told, as the page for it does."""
        events = [translate(body, trace, LINKS.base_url) for body, trace in told]
        arrivals.take(self.engine, events, self.post.stream, SOON)

    def ask(self, now: datetime = SOON, **options: Any) -> Backfilled:
        return backfill.run(self.engine, self.post, now, **options)

    def rows(self) -> list[tuple[Any, ...]]:
        """All events, in as far as both ways must agree; without what cannot be asked for."""
        with reading(self.engine) as session:
            events = session.exec(select(StoredEvent).order_by(col(StoredEvent.key))).all()
            return [tuple(getattr(event, name) for name in COMPARED) for event in events if event.kind != "subscribed"]

    def readers(self) -> dict[str, str]:
        with reading(self.engine) as session:
            return dict(session.exec(select(Subscriber.email, Subscriber.status)).all())

    def calls(self) -> list[str]:
        """The paths that the provider was called at."""
        return list(requests.get(f"{self.sandbox.url}wire.json", timeout=5).json()["by_path"])

    def forget(self) -> None:
        """As if nothing had come back yet."""
        with writing(self.engine) as session:
            for table in (StoredEvent, Poll):
                for row in session.exec(select(table)).all():
                    session.delete(row)
            session.commit()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


@contextmanager
def gone_out(engine: Engine, endpoint: Endpoint, tmp_path: Path) -> Iterator[World]:
    publish(engine)
    publish(engine, "Llama", "Mistral")
    draft(engine, rules=TRACKED)
    approve(engine, rules=TRACKED)
    people = [f"{name}@example.com" for name in NAMES]
    subscribe(engine, [*people, *(f"{way}@bounce-testing.postmarkapp.com" for way in BOUNCING)])
    passed = count()
    with Sandbox(
        webhook_url=endpoint.url, clock=lambda: TUESDAY + timedelta(milliseconds=1_700 * next(passed))
    ) as sandbox:
        provider = PostmarkProvider(sandbox.token, sandbox.url, 5)
        through = replace(post(tmp_path), provider=provider)
        outgoing.send_issue(engine, TRACKED, through, W47, at(TUESDAY))
        yield World(engine, sandbox, through, endpoint)
        provider.close()
    while not endpoint.told.empty():
        endpoint.told.get()


@pytest.fixture
def world(engine: Engine, endpoint: Endpoint, tmp_path: Path) -> Iterator[World]:
    with gone_out(engine, endpoint, tmp_path) as world:
        yield world


@pytest.fixture
def one_world(sqlite_engine: Engine, endpoint: Endpoint, tmp_path: Path) -> Iterator[World]:
    """Where the database makes no difference."""
    with gone_out(sqlite_engine, endpoint, tmp_path) as world:
        yield world


def live(world: World) -> dict[str, str]:
    """Let readers and machines do everything that they can do; return the ids of their messages."""
    sandbox = world.sandbox
    of = {message.recipients[0].partition("@")[0]: message.id for message in sandbox.messages}
    assert sandbox.open(of["reads"], "Mozilla/5.0 (reader)")
    assert sandbox.open(of["reads"], "GoogleImageProxy")
    links = [link for link, tracked in sandbox.links(of["reads"]).items() if tracked]
    assert sandbox.click(of["reads"], links[0])
    assert sandbox.scan(of["silent"]) == len(links) > 2
    sandbox.complain(of["complains"])
    sandbox.leave(of["leaves"])
    sandbox.leave(of["comes_back"])
    sandbox.come_back(of["comes_back"])
    sandbox.bounce(of["soft_later"], "SoftBounce")
    sandbox.bounce(of["hard_later"], "HardBounce")
    sandbox.bounce(of["closed"], "Blocked", inactive=True)
    return of


def assert_all_holds(world: World) -> None:
    with reading(world.engine) as session:
        assert violations(session) == []


def test_what_was_never_told_and_is_asked_for_ends_in_the_rows_that_telling_makes(world: World) -> None:
    live(world)
    told = world.told()

    result = world.ask()
    asked, statuses = world.rows(), world.readers()
    assert result.stopped is None
    assert (result.messages, result.unknown, result.more) == (len(NAMES) + len(BOUNCING), 0, False)
    assert result.bounces == len(BOUNCING) + 4
    assert sum(result.new.values()) == len(asked)
    assert statuses["leaves@example.com"] == UNSUBSCRIBED
    assert {statuses[f"{name}@example.com"] for name in ("complains", "hard_later", "closed")} == {SUPPRESSED}
    assert_all_holds(world)

    assert not world.ask().new
    world.hear(told)
    assert world.rows() == asked
    assert world.readers() == statuses

    world.forget()
    world.hear(told[::-1])
    assert world.rows() == asked
    assert not world.ask().new
    assert_all_holds(world)


def test_a_provider_that_wants_to_be_left_alone_ends_the_run_and_what_was_read_stays(world: World) -> None:
    live(world)
    world.told()
    world.sandbox.faults.set("429:on=search,after=2")
    first = world.ask()
    assert first.stopped is not None
    assert "429" in first.stopped
    assert (first.messages, first.bounces) == (2, len(BOUNCING) + 4)
    kept = world.rows()
    assert len(kept) == sum(first.new.values()) > first.bounces
    # What the list alone says waits for the message that led to it.
    assert world.readers()["leaves@example.com"] == ACTIVE

    world.sandbox.faults.clear()
    second = world.ask()
    # Not who is known to have bounced; but whose answering machine spoke, since that is no outcome.
    assert (second.stopped, second.messages) == (None, len({"leaves", "comes_back", "silent", "AutoResponder"}))
    assert set(kept) < set(world.rows())
    assert world.readers()["leaves@example.com"] == UNSUBSCRIBED
    assert not world.ask().new
    assert_all_holds(world)


def test_a_change_that_is_told_by_the_millisecond_and_shown_by_the_second_is_one(world: World) -> None:
    live(world)
    told = world.told()
    precise = [body.replace(b'00Z","Recipient":"leaves', b'07Z","Recipient":"leaves') for body, _ in told]
    assert sum(one != body for one, (body, _) in zip(precise, told, strict=True)) == 1
    world.hear([(body, trace) for body, (_, trace) in zip(precise, told, strict=True)])
    assert not world.ask().new
    assert world.readers()["leaves@example.com"] == UNSUBSCRIBED


def test_copies_of_which_nothing_is_ever_shown_are_asked_about_in_turn(one_world: World) -> None:
    one_world.sandbox.faults.set("search-loss")
    runs = [one_world.ask(most=6) for _ in range(2)]
    assert [(run.messages, run.unknown, run.more) for run in runs] == [(6, 6, True)] * 2
    asked = [path for path in one_world.calls() if path.endswith("/details")]
    # All but who is known to have bounced, and each before any was asked about again.
    assert len(asked) == len({*NAMES, "AutoResponder"})

    one_world.sandbox.faults.clear()
    assert one_world.ask().new["delivered"] == len(NAMES)


def test_only_what_is_ripe_and_not_yet_forgotten_by_the_provider_is_asked_about(one_world: World) -> None:
    early = one_world.ask(TUESDAY + timedelta(minutes=59))
    assert (early.messages, early.bounces) == (0, len(BOUNCING))
    late = one_world.ask(TUESDAY + timedelta(days=46))
    assert (late.messages, late.bounces) == (0, 0)
    assert one_world.ask(TUESDAY + timedelta(days=8), days=7).messages == 0
    assert one_world.ask(TUESDAY + timedelta(days=44)).messages > 0


def test_a_run_that_is_told_to_end_does_so_before_the_next_message(one_world: World) -> None:
    over = threading.Event()
    seen: list[int] = []

    def end(done: int, _: int) -> None:
        seen.append(done)
        if done == 3:
            over.set()

    first = one_world.ask(on_progress=end, stop=over)
    assert (first.stopped, first.messages, seen) == ("it was told to end", 3, [1, 2, 3])
    assert first.new["delivered"] == 3
    assert one_world.ask().new["delivered"] == len(NAMES) - 3


def test_a_provider_without_a_history_is_not_asked(one_world: World, tmp_path: Path) -> None:
    assert backfill.run(one_world.engine, post(tmp_path), SOON) == Backfilled(asked=False)
