"""How do letters reach one person: confirm, welcome, your own page, an address that is to change or has?

A letter is queued in the transaction of what caused it, so that none is lost, and carried a moment later over the same
ledger as an issue, by one process at a time and beside issues. Safe to run anywhere, twice, at once, and to be killed
at any line: what is queued is sent, what may have been sent is asked about and never blindly sent again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.db import committed, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.send import send
from newsletter.delivery.sender_lock import Line, Sender, enter
from newsletter.delivery.sending import Sending
from newsletter.issues import issue as issues
from newsletter.language import available
from newsletter.message import Recipient
from newsletter.post import SAMPLE_READER, Post
from newsletter.rendering.edition import Masthead
from newsletter.rendering.note import ADDRESS, CHANGED, CONFIRM, LINK, NOTICE, WELCOME, Latest
from newsletter.rendering.personal import render_personal
from subscribers import limits, signup
from subscribers.audience import KNOWN, MEMBERS, MOVING, NOT_MOVED, NOT_YET
from subscribers.preferences import AddressChange
from subscribers.signup import Asks
from subscribers.subscriber import ERASED, Subscriber
from subscribers.tokens import ADDRESS as NEW_ADDRESS
from subscribers.tokens import CONFIRM as CONFIRMATION
from subscribers.tokens import PREFERENCES

CIRCLES: Final = {
    CONFIRM: NOT_YET,
    WELCOME: MEMBERS,
    LINK: KNOWN,
    ADDRESS: MOVING,
    NOTICE: NOT_MOVED,
    CHANGED: KNOWN,
}
"""Kind of letter -> whom it may go to."""

PAGE = 200  # sign-ups read at a time
ASK_EVERY: Final = timedelta(minutes=1)
"""How often the provider is asked about one letter of which copies are in doubt."""

_KINDS: Final = {Asks.CONFIRMATION: CONFIRM, Asks.LINK: LINK}


@dataclass(frozen=True)
class WelcomeDesk:
    """What it takes to write to one person."""

    masthead: Masthead
    post: Post


@dataclass(frozen=True)
class Carried:
    """What one round did."""

    sign_ups: int = 0
    """Sign-ups attended to, whatever they led to."""
    letters: int = 0
    """Letters that were worked on: of one kind and wording, to any number of people."""
    busy: bool = False
    """Whether another process was carrying, so that letters were left to it or to the next round."""
    stopped: str | None = None
    """Why some could not be sent: the provider's words, or what we saw. They are tried again in the next round."""


def ask_link(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue a link to the reader's own page, to the address that we have; beyond one an hour, silently nothing."""
    reader = session.get(Subscriber, subscriber_id, with_for_update=True)
    if reader and reader.status != ERASED and signup.may_write(session, reader, Asks.LINK, now):
        queue(session, desk, LINK, subscriber_id, now)


def ask_again(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue what somebody needs whose confirmation link has expired; beyond one an hour, silently nothing.

    That is another one, or, for who has become a reader by another way, a link to their own page.
    """
    reader = session.get(Subscriber, subscriber_id, with_for_update=True)
    asks = signup.wanted_letter(reader) if reader else None
    if reader and asks and signup.may_write(session, reader, asks, now):
        queue(session, desk, _KINDS[asks], subscriber_id, now)


def greet(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue the welcome of somebody who has just become a reader."""
    queue(session, desk, WELCOME, subscriber_id, now)


def ask_address(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue the question to a reader's new address (`AddressChange`). The caller limits how often."""
    queue(session, desk, ADDRESS, subscriber_id, now)


def tell_of_change(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue a word to a reader's present address that another one was named: who did may hold a forwarded issue.

    Due for every `AddressChange`, whether or not the other address is written to. The caller limits how often.
    """
    queue(session, desk, NOTICE, subscriber_id, now)


def tell_changed(session: Session, desk: WelcomeDesk, subscriber_id: int, now: datetime) -> None:
    """Queue a word to the address that a reader has just confirmed. It brings a key to the own page: older ones end.

    In the transaction of the change, so that none goes unsaid.
    """
    queue(session, desk, CHANGED, subscriber_id, now)


def queue(session: Session, desk: WelcomeDesk, kind: str, subscriber_id: int, now: datetime) -> None:
    """Put one reader on the list of a letter of a kind; nothing where such a letter to them waits already.

    It speaks the reader's language. Everybody who gets the same wording shares one letter. Who has had it goes on
    another one of the same wording: it is another event, and each event is sent once. The caller commits.
    """
    # Locked: of two at once the second one sees the first one's row.
    reader = session.get_one(Subscriber, subscriber_id, with_for_update=True)
    of_reader = col(Delivery.subscriber_id) == subscriber_id
    waits = select(Delivery).join(StoredLetter).where(of_reader, Delivery.state == ledger.QUEUED)
    if session.exec(waits.where(StoredLetter.tag == kind).with_for_update(of=Delivery)).first():
        return
    # A language that is gone since it was chosen is no reason to leave somebody without an answer.
    language = reader.language if reader.language in available() else None
    letter = render_personal(kind, desk.masthead, latest(session) if kind == WELCOME else None, language)
    has_it = select(Delivery.letter_id).where(Delivery.letter_id == StoredLetter.id, of_reader).exists()
    same = (
        select(StoredLetter)
        .where(StoredLetter.tag == kind, StoredLetter.digest == letter.digest, ~has_it)
        .order_by(col(StoredLetter.id).desc())
        .limit(1)
        .with_for_update()  # its readers are counted in it
        .execution_options(populate_existing=True)
    )
    ledger.add(session, session.exec(same).first() or ledger.store(session, letter, kind, now), subscriber_id)


def carry(
    engine: Engine, desk: WelcomeDesk, clock: Callable[[], datetime], stop: threading.Event | None = None
) -> Carried:
    """Attend to the sign-ups that wait, and send the letters that wait. Never waits for another process.

    `stop` ends it early when it is set: what is under way is recorded, the rest waits for the next round. Raises what
    the database raises; then the next round goes on.
    """
    stop = stop or threading.Event()
    sign_ups = _attend(engine, desk, clock)
    with enter(engine, Line.PERSONAL) as sender:
        if sender is None:
            return Carried(sign_ups, busy=True)
        sent: dict[int, str | None] = {}
        while waiting := [
            (number, kind)
            for number, kind in _unsettled(engine, ledger.QUEUED, ledger.SENDING)
            if not (sent.get(number) or stop.is_set())  # one that was stopped waits for the next round
        ]:
            for number, kind in waiting:
                sent[number] = send(_sending(engine, desk, kind, sender, clock, stop), number).stopped
        # Last, and not in every round: to ask may take half a minute, and nobody waits for it.
        for number, kind in _unsettled(engine, ledger.IN_DOUBT):
            if number not in sent and not stop.is_set() and _may_ask(engine, number, clock()):
                sent[number] = send(_sending(engine, desk, kind, sender, clock, stop), number).stopped
    return Carried(sign_ups, len(sent), stopped="; ".join(dict.fromkeys(filter(None, sent.values()))) or None)


def _attend(engine: Engine, desk: WelcomeDesk, clock: Callable[[], datetime]) -> int:
    count = after = 0
    while True:
        with reading(engine) as session:
            numbers = signup.waiting_ids(session, after, PAGE)
        for number in numbers:
            _attend_to_one(engine, desk, number, clock())
        count += len(numbers)
        if len(numbers) < PAGE:
            return count
        after = numbers[-1]


def _attend_to_one(engine: Engine, desk: WelcomeDesk, sign_up_id: int, now: datetime) -> None:
    def attend(session: Session) -> None:
        wish = signup.attend(session, sign_up_id, now)
        if wish:
            queue(session, desk, _KINDS[wish.asks], wish.subscriber_id, now)

    committed(engine, attend)


def _unsettled(engine: Engine, *states: str) -> list[tuple[int, str]]:
    """(id, kind) of the letters to one person that have rows in these states, oldest first.

    But notices before all others: such a letter is to be out before anybody can confirm the change that it warns of.
    """
    rows = select(Delivery.letter_id).where(Delivery.letter_id == StoredLetter.id, col(Delivery.state).in_(states))
    query = select(StoredLetter.id, StoredLetter.tag).where(col(StoredLetter.tag).in_(CIRCLES), rows.exists())
    with reading(engine) as session:
        found = session.exec(query.order_by(col(StoredLetter.id))).all()
    letters = [(number, kind) for number, kind in found if number is not None]
    return sorted(letters, key=lambda letter: letter[1] != NOTICE)


def _may_ask(engine: Engine, letter_id: int, now: datetime) -> bool:
    with writing(engine) as session:
        may = limits.take(session, "doubts of a letter", str(letter_id), 1, ASK_EVERY, now)
        session.commit()
    return may


def _sending(
    engine: Engine, desk: WelcomeDesk, kind: str, sender: Sender, clock: Callable[[], datetime], stop: threading.Event
) -> Sending:
    def recipient_of(row: str, number: int, email: str) -> Recipient:
        change = _change_id(engine, number, email) if kind == ADDRESS else 0
        # Made when the letter is filled: its links begin to live then.
        return _recipient(desk.post, kind, (row, number, email), change, clock())

    return Sending(
        engine=engine,
        provider=desk.post.provider,
        envelope=desk.post.personal_envelope(kind),
        recipient_of=recipient_of,
        settle=desk.post.settle,
        sender=sender,
        clock=clock,
        stopwatch=desk.post.stopwatch,
        limit=replace(desk.post.limit, warm_up=timedelta(0)),
        stop=stop,
        circle=CIRCLES[kind],
        wait=False,
    )


def sample_recipient(post: Post, kind: str, now: datetime) -> Recipient:
    """The reader of a preview: an address that nobody has, and links that lead to nobody."""
    return _recipient(post, kind, SAMPLE_READER, 0, now)


def latest(session: Session) -> Latest | None:
    """The newest issue that has gone out, for a welcome; None where none has."""
    newest = next(iter(issues.sent(session)), None)
    return Latest(newest.week, newest.subject_line) if newest else None


def _recipient(post: Post, kind: str, reader: tuple[str, int, str], change: int, now: datetime) -> Recipient:
    """Whom a letter of a kind goes to: (row, id, address). `change`: what a letter to a new address asks about."""
    row, number, email = reader
    if kind == WELCOME:  # the only one that somebody gets as a reader, and so the only one with a way out in its head
        return post.recipient_at(now)(row, number, email)
    values = {"EMAIL": email}
    if kind == CONFIRM:
        values["CONFIRM_URL"] = post.links.confirm(post.tokens.make_passing(CONFIRMATION, number, now))
    elif kind == ADDRESS:
        values["ADDRESS_URL"] = post.links.address(post.tokens.make_passing(NEW_ADDRESS, change, now))
    else:
        values["PREFERENCES_URL"] = post.links.preferences(post.tokens.make_passing(PREFERENCES, number, now))
    return Recipient(row=row, email=email, values=values)


def _change_id(engine: Engine, subscriber_id: int, email: str) -> int:
    """The change that a letter to a new address asks about; 0, nobody's, where it was dropped since the claim."""
    query = select(AddressChange.id).where(AddressChange.subscriber_id == subscriber_id, AddressChange.email == email)
    with reading(engine) as session:
        return session.exec(query).first() or 0
