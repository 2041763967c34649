"""Who has left at the provider, or must not be written to any more? What it tells us, and what it shows when asked.

Promises: an event and the list that we ask for end in the same rows, in any order and however often they come; what is
older than the reader's own word that they want letters again, or than an editor's, changes nothing; a provider that
would write to somebody again is no consent, and changes nothing either; and who has moved since, and has no more of a
letter to the address of before, has no more anywhere, where the event names that letter (the list never does).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.db import committed, reading
from newsletter.delivery.provider import Listed, Why
from newsletter.post import Post
from newsletter.tracking import returns
from newsletter.tracking.event import LetGo
from subscribers import consent, subscriber, suppression
from subscribers.address import Address, readable
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import ERASED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.unsubscribe import AT_PROVIDER, unsubscribe

SOURCE: Final = AT_PROVIDER
"""How a reader's consent history names this way out."""

SUPPRESSED_BY: Final = "Postmark"

BY_RULE: Final = "letters came back"
"""Who says so of an address that is suppressed by our own rule of soft bounces."""

NO_ISSUES: Final = (PENDING, UNSUBSCRIBED, ERASED)
"""Who has nothing to leave: before they get an issue they have to say, later than this, that they want it."""

WISHES: Final[tuple[Why, ...]] = ("left", "complained")
"""What a reader has said, and not their mail server: it holds also where they have moved to."""

CHUNK = 200  # entries of the list that one transaction takes; all new, it keeps other writers waiting for 0.4 s

LEFT: Final = "left"
KEPT_OUT: Final = "suppressed"
KNOWN: Final = "known"
CAME_BACK: Final = "came_back"
STRANGER: Final = "stranger"
LET_GO: Final = "let_go"
ELSEWHERE: Final = "elsewhere"
UNREADABLE: Final = "unreadable"

OUTCOMES: Final = {
    LEFT: "left the list",
    KEPT_OUT: "suppressed from now on",
    KNOWN: "known before; nothing changed",
    CAME_BACK: "want letters again, or an editor let them back in; the provider still refuses them",
    STRANGER: "not on our list",
    LET_GO: "the provider would write to them again; nothing changed, since that is nobody's consent",
    ELSEWHERE: "about other mail than ours; nothing changed",
    UNREADABLE: "no address that we can read",
}
"""What may come of one entry or event."""

REASONS: Final[dict[Why, str]] = {
    "bounced": suppression.HARD_BOUNCE,
    "complained": suppression.COMPLAINT,
    "closed": suppression.PROVIDER,
}
"""Why the provider does not write to an address -> why we do not. Who has left is not suppressed, and may come back."""


@dataclass(frozen=True)
class Heard:
    """What came of one entry or event, and for which reader, if there is one."""

    outcome: str
    subscriber: int | None = None


@dataclass
class Polled:
    """What came of the provider's list."""

    listed: int = 0
    """Entries on it."""
    outcomes: Counter[str] = field(default_factory=Counter)
    came_back: list[str] = field(default_factory=list, repr=False)
    """The addresses that we would write to and the provider refuses; an editor may mend that over there."""


def hear(session: Session, said: Listed | LetGo, issues: str, now: datetime, copy_of: int | None = None) -> Heard:
    """Do what one entry of the provider's list, or one event, says. The caller commits.

    `issues` is the provider's channel for issues: who says that they want no more of another channel's mail, or is
    said to, has not left this list. A dead address and a complaint count wherever they come from. `copy_of` is the
    reader whose copy an event is about, where it names one: they may have another address by now.
    """
    address = readable(said.email)
    if address is None:
        return Heard(UNREADABLE)
    reader = subscriber.find_locked(session, address)  # two may say the same at once
    number = reader.id if reader else None
    if isinstance(said, LetGo):
        return Heard(LET_GO, number)
    moved = copy_of if copy_of != number else None
    if moved and said.why in WISHES and not _passed_over(said, issues, known=True):
        # As with the way out in a letter to an address of before: it was about their letters that this was said.
        them = session.get_one(Subscriber, moved, with_for_update=True, populate_existing=True)
        outcome = _take_off(session, them, said, now)
        if said.why == "left" and reader is None:
            return Heard(outcome, moved)
    if passed_over := _passed_over(said, issues, known=reader is not None):
        return Heard(passed_over, number)
    if said.why != "left":
        return Heard(_keep_out(session, address, reader, said, now), number)
    assert reader is not None  # or it would have been passed over
    return Heard(_take_off(session, reader, said, now), number)


def bounced_softly(session: Session, subscriber_id: int, now: datetime) -> bool:
    """Suppress a reader's address if letter after letter to them came back (`returns`). The caller commits.

    To be asked after each soft bounce of a copy of theirs; True where they were suppressed by it. What came back before
    an editor lifted a suppression, or before the reader's own word that they want letters there, says nothing any more.
    """
    # Most readers of whom a letter came back have others that did not: nobody is locked for them.
    if returns.kept_coming_back(session, subscriber_id) is None:
        return False
    reader = session.get_one(Subscriber, subscriber_id, with_for_update=True, populate_existing=True)
    if reader.status in (*NO_ISSUES, SUPPRESSED):
        return False
    address = Address(reader.email, reader.address_key)
    lifted = [each.lifted_at for each in suppression.of_address(session, address) if each.lifted_at is not None]
    said = [*lifted, *consent.own_words(session, [subscriber_id]).values()]
    last = returns.kept_coming_back(session, subscriber_id, max(said, default=None))
    if last is None:
        return False
    return suppression.suppress(session, address, suppression.SOFT_BOUNCE, BY_RULE, min(last, now))


def poll(engine: Engine, post: Post, now: datetime) -> Polled:
    """Ask the provider for its lists, whole, and do what they say, in transactions of their own.

    Whole, because a reader who was imported today may stand there since last year. Raises CannotAsk; what was read
    before stays done.
    """
    polled = Polled()
    for stream in dict.fromkeys([post.stream, post.personal_stream]):
        entries = post.provider.listed(stream)
        while chunk := list(islice(entries, CHUNK)):
            polled.listed += len(chunk)
            with reading(engine) as session:
                news, outcomes = _sift(session, chunk, post.stream)
            polled.outcomes += outcomes
            if not news:
                continue  # as on most days, and so nobody waits for this writer
            heard = _hear_all(engine, news, post.stream, now)
            polled.outcomes.update(each.outcome for each in heard)
            polled.came_back += [
                said.email for said, each in zip(news, heard, strict=True) if each.outcome == CAME_BACK
            ]
    return polled


def _hear_all(engine: Engine, news: Sequence[Listed], issues: str, now: datetime) -> list[Heard]:
    """Do what a chunk says, in one transaction."""

    def hear_each(session: Session) -> list[Heard]:
        _lock_readers(session, news)
        return [hear(session, said, issues, now) for said in news]

    return committed(engine, hear_each)


def _lock_readers(session: Session, news: Sequence[Listed]) -> None:
    """Lock a chunk's readers in the one order in which all lock many, so that no two wait for each other."""
    keys = {address.key for said in news if (address := readable(said.email))}
    readers = select(Subscriber.id).where(col(Subscriber.address_key).in_(keys)).order_by(col(Subscriber.id))
    session.exec(readers.with_for_update()).all()


def _passed_over(said: Listed, issues: str, *, known: bool) -> str | None:
    """Why an entry is none of ours, as far as the entry itself tells; `known`: whether it is about a reader."""
    if said.why not in ("left", "closed"):
        return None
    if said.stream not in (issues, None):
        return ELSEWHERE
    return None if known else STRANGER


def _take_off(session: Session, reader: Subscriber, said: Listed, now: datetime) -> str:
    """Do as a reader who has left wishes, unless they have changed their mind since."""
    if reader.status in NO_ISSUES:
        return KNOWN
    assert reader.id is not None  # it was read from the database
    own_word = consent.own_words(session, [reader.id]).get(reader.id)
    if own_word and own_word >= said.at:
        return CAME_BACK
    return LEFT if unsubscribe(session, reader, SOURCE, min(said.at, now)) else KNOWN


def _keep_out(session: Session, address: Address, reader: Subscriber | None, said: Listed, now: datetime) -> str:
    """Suppress an address, unless an editor has lifted that since: the provider's list goes on naming it."""
    known = suppression.of_address(session, address)
    if any(each.lifted_at is not None and each.lifted_at >= said.at for each in known):
        return CAME_BACK if reader and reader.status not in (*NO_ISSUES, SUPPRESSED) else KNOWN
    added = suppression.suppress(session, address, REASONS[said.why], SUPPRESSED_BY, min(said.at, now))
    return KEPT_OUT if added else KNOWN


def _sift(session: Session, chunk: Sequence[Listed], issues: str) -> tuple[list[Listed], Counter[str]]:
    """Those entries of which something may come, and what became of the others; a few queries for a whole chunk."""
    addresses = {said.email: address for said in chunk if (address := readable(said.email))}
    keys = {address.key for address in addresses.values()}
    readers = select(Subscriber.address_key, Subscriber.status).where(col(Subscriber.address_key).in_(keys))
    statuses = dict(session.exec(readers).all())
    fingerprints = Fingerprints(session)
    kept_out = suppression.suppressed_among(session, [fingerprints.of(address) for address in addresses.values()])
    news: list[Listed] = []
    outcomes: Counter[str] = Counter()
    for said in chunk:
        address = addresses.get(said.email)
        if address is None:
            outcomes[UNREADABLE] += 1
            continue
        status = statuses.get(address.key)
        if passed_over := _passed_over(said, issues, known=status is not None):
            outcomes[passed_over] += 1
        elif _is_done(said, status, kept_out=fingerprints.of(address) in kept_out):
            outcomes[KNOWN] += 1
        else:
            news.append(said)
    return news, outcomes


def _is_done(said: Listed, status: str | None, *, kept_out: bool) -> bool:
    """Whether all that an entry could bring about is so; `kept_out`: whether the address is suppressed."""
    if said.why == "left":
        return status in NO_ISSUES
    # A complaint is looked at each time: it takes the place of another reason.
    return said.why != "complained" and kept_out and status in (None, SUPPRESSED)
