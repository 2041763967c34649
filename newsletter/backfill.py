"""What came back and was never told to us? The provider is asked for it, and it ends in the same rows.

Promises: what is read is stored as if it had been told, each once, whatever was told before or is told later; a
provider that wants to be left alone ends the run at once, and what was read by then stays; the next run goes on from
there, so that a copy of which nothing is ever shown keeps no other from being asked about.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter import arrivals
from newsletter.db import reading, writing
from newsletter.delivery.provider import CannotAsk
from newsletter.post import Post
from newsletter.tracking import polls, postmark_polled
from newsletter.tracking.event import SUBSCRIBED, Event
from newsletter.tracking.postmark_polled import Change
from newsletter.tracking.store import KEPT, StoredEvent
from newsletter.tracking.told import SUBSCRIPTION_CHANGE
from newsletter.tracking.unheard import Place, unheard_of
from subscribers.address import readable
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import Subscriber

OVERLAP: Final = timedelta(days=1)
"""How far before the end of the last run the next one begins: what a provider shows may come late."""

RIPE: Final = timedelta(hours=1)
"""How long after it was sent a copy is asked about: by then it has been told what became of nearly all."""

MOST: Final = 1_000
"""How many messages are asked about in a run: one call each, and each answer holds the whole letter."""

GROUP: Final = 200  # events that are stored at a time
NOTED: Final = 20  # messages after which it is written down how far they were asked about

MESSAGES: Final = "messages"
BOUNCES: Final = "bounces of "
"""How far the messages, and each stream, were asked about is known by these."""

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""(messages asked about, of how many)."""


@dataclass
class Backfilled:
    """What a run asked about and what came of it."""

    asked: bool = True
    """False where the provider keeps no history that could be asked for."""
    bounces: int = 0
    """Entries of the list of bounces."""
    suppressions: int = 0
    """Entries of the lists of those whom the provider does not write to any more."""
    messages: int = 0
    """Messages that were asked about one by one."""
    unknown: int = 0
    """Of these, those that the provider does not show."""
    more: bool = False
    """Whether there are copies of which nothing is known yet, and that were not asked about in this run."""
    new: Counter[str] = field(default_factory=Counter)
    """Events that we had not been told, by their kind."""
    stopped: str | None = None
    """Why the run ended before its end, in one line; None where it did not."""


@dataclass(frozen=True)
class _Run:
    """What all parts of a run share."""

    engine: Engine
    post: Post
    now: datetime
    result: Backfilled

    def take(self, events: Sequence[Event]) -> None:
        """Store events as if they had been told, and do what they say."""
        arrived = arrivals.take(self.engine, events, self.post.stream, self.now)
        self.result.new.update(event.kind for event, each in zip(events, arrived, strict=True) if each.fresh)

    def reached(self, what: str, place: Place = (0, 0)) -> None:
        """Write down how far it was asked about."""
        with writing(self.engine) as session:
            polls.reached(session, what, self.now, place)
            session.commit()


def run(
    engine: Engine,
    post: Post,
    now: datetime,
    *,
    days: int | None = None,
    most: int = MOST,
    on_progress: Progress = lambda _, __: None,
    stop: threading.Event | None = None,
) -> Backfilled:
    """Ask about everything since the last run; `days`: since so many days, `most`: so many messages one by one.

    Never further back than the provider keeps what it knows (`KEPT`). `stop` ends it between two messages. Raises what
    the database raises.
    """
    result = Backfilled(asked=post.provider.keeps_history)
    if not result.asked:
        return result
    at_most = KEPT if days is None else min(KEPT, timedelta(days=days))
    this = _Run(engine, post, now, result)
    # Before anything is read: of a copy that came back unheard of, it is not known either whether it arrived before.
    with reading(engine) as session:
        poll = polls.known(session, MESSAGES)
        last = (poll.letter, poll.reader) if poll else (0, 0)
        copies = unheard_of(session, now - at_most, now - RIPE, most + 1, last)
    result.more, copies = len(copies) > most, copies[:most]
    listed: list[Change] = []
    bounces: list[Event] = []
    shown: list[Change] = []
    try:
        streams = dict.fromkeys([post.stream, post.personal_stream])
        since = {stream: _since(engine, stream, now - at_most, days) for stream in streams}
        for stream in since:
            listed += _put_on_list(this, stream, since[stream])
        for stream in since:
            for bounce in _came_back(this, stream, since[stream]):
                bounces.append(bounce)  # at once: what comes after it may be refused
        for change in _became(this, copies, on_progress, stop):
            shown.append(change)
    except CannotAsk as error:
        result.stopped = str(error)
    # What the list alone shows of a change waits for the next run, which may show the message that led to it.
    whole = postmark_polled.put_together(shown, () if result.stopped else listed, bounces)
    for group in _in_groups(iter(whole)):
        with reading(engine) as session:
            news = _not_told(session, group)
        this.take([change.event() for change in news])
    if not result.stopped and days is None:  # else there may be some that are older, and younger than the last run
        for stream in since:
            this.reached(BOUNCES + stream)
    return result


def _since(engine: Engine, stream: str, oldest: datetime, days: int | None) -> datetime:
    """From when on a stream is asked about."""
    with reading(engine) as session:
        poll = polls.known(session, BOUNCES + stream)
    return max(oldest, poll.until - OVERLAP) if poll and days is None else oldest


def _put_on_list(this: _Run, stream: str, since: datetime) -> list[Change]:
    """Whom the provider has put on a stream's list."""
    entries = list(this.post.provider.kept_out(stream, since))
    this.result.suppressions += len(entries)
    return [change for entry in entries if (change := postmark_polled.of_list(entry))]


def _came_back(this: _Run, stream: str, since: datetime) -> Iterator[Event]:
    """What came back on a stream, stored; those events that say something of an address."""
    for group in _in_groups(this.post.provider.returned(stream, since, this.now)):
        this.result.bounces += len(group)
        events = [postmark_polled.of_bounce(bounce) for bounce in group]
        this.take(events)
        yield from (event for event in events if event.said)


def _became(
    this: _Run, copies: Sequence[tuple[Place, str]], on_progress: Progress, stop: threading.Event | None
) -> Iterator[Change]:
    """What became of copies, stored; the changes that they have led to."""
    for done, (place, message_id) in enumerate(copies, 1):
        if stop and stop.is_set():
            raise CannotAsk("it was told to end")
        try:
            details = this.post.provider.history(message_id)
        except CannotAsk:
            # The next run begins with the one after it: it may be this one that cannot be shown.
            this.reached(MESSAGES, place)
            raise
        this.result.messages += 1
        if details is None:
            this.result.unknown += 1
        else:
            this.take(postmark_polled.of_message(details, this.post.links.base_url))
            yield from postmark_polled.changes_in(details)
        if done % NOTED == 0 or done == len(copies):
            this.reached(MESSAGES, place)
        on_progress(done, len(copies))


def _not_told(session: Session, changes: Sequence[Change]) -> list[Change]:
    """Those of which nothing is stored yet, at about their moment: not all that tells of one writes the same moment."""
    addresses = {change.email: address for change in changes if (address := readable(change.email))}
    keys = {address.key for address in addresses.values()}
    by_key = select(Subscriber.address_key, Subscriber.id).where(col(Subscriber.address_key).in_(keys))
    readers = dict(session.exec(by_key).all())
    fingerprints = Fingerprints(session)
    prints = {email: fingerprints.of(address) for email, address in addresses.items()}
    told = select(StoredEvent).where(StoredEvent.record_type == SUBSCRIPTION_CHANGE)
    numbers = [number for number in readers.values() if number]
    by_whom = col(StoredEvent.subscriber_id).in_(numbers) | col(StoredEvent.fingerprint).in_(prints.values())
    known: dict[int | str | None, list[StoredEvent]] = {}
    for event in session.exec(told.where(by_whom)):
        known.setdefault(event.subscriber_id or event.fingerprint, []).append(event)

    def is_known(change: Change) -> bool:
        address = addresses.get(change.email)
        whom = (readers.get(address.key), prints[change.email]) if address else ()
        return any(
            change.is_of(change.email, event.stream, event.at) and change.suppressed == (event.kind != SUBSCRIBED)
            for each in whom
            if each is not None
            for event in known.get(each, ())
        )

    return [change for change in changes if not is_known(change)]


def _in_groups(shown: Iterator[T]) -> Iterator[list[T]]:
    """What is shown, some at a time; what was shown before the provider could not be asked any more is not lost."""
    group: list[T] = []
    try:
        for each in shown:
            group.append(each)
            if len(group) == GROUP:
                yield group
                group = []
    except CannotAsk:
        if group:
            yield group
        raise
    if group:
        yield group
