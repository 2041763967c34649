"""Letters to one person in a test: what causes them, who carries them, and what comes of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import welcome
from newsletter.db import reading, writing
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.invariants import violations
from newsletter.welcome import Carried, WelcomeDesk
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from subscribers.preferences import AddressChange
from subscribers.subscriber import Subscriber
from tests.newsroom import MONDAY

ANA, BO = "ana@example.com", "bo@example.com"
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


def at_postmark(desk: WelcomeDesk, url: str) -> WelcomeDesk:
    provider = PostmarkProvider("sandbox-token", url, timeout=20)
    return replace(desk, post=replace(desk.post, provider=provider, settle=timedelta(0)))


def sign_up(engine: Engine, email: str = ANA, now: datetime = MONDAY) -> None:
    with writing(engine) as session:
        assert signup.ask(session, parse_address(email), Words("1", "Yes."), Whence(), "form", now)
        session.commit()


def queue(engine: Engine, desk: WelcomeDesk, kind: str, number: int, now: datetime = MONDAY) -> None:
    with writing(engine) as session:
        welcome.queue(session, desk, kind, number, now)
        session.commit()


def carry(engine: Engine, desk: WelcomeDesk, now: datetime = MONDAY) -> Carried:
    carried = welcome.carry(engine, desk, lambda: now)
    with reading(engine) as session:
        assert violations(session) == []
    return carried


def mail(outbox: Path, kind: str = "*") -> list[EmailMessage]:
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in outbox.glob(f"{kind}/*.eml")]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def token_in(message: EmailMessage, link: str) -> str:
    """The token behind a link's beginning."""
    return next(line.removeprefix(link) for line in text_of(message).splitlines() if line.startswith(link))


def states(engine: Engine, kind: str) -> list[str]:
    with reading(engine) as session:
        return sorted(session.exec(select(Delivery.state).join(StoredLetter).where(StoredLetter.tag == kind)))


def everybody(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in session.exec(select(Subscriber).order_by(col(Subscriber.id)))]


def name_address(engine: Engine, number: int, email: str) -> int:
    """A reader gives another address, in place of one named before."""
    with writing(engine) as session:
        for before in session.exec(select(AddressChange).where(AddressChange.subscriber_id == number)):
            session.delete(before)
        session.flush()
        change = AddressChange(subscriber_id=number, email=email, address_key=email, asked_at=MONDAY)
        session.add(change)
        session.commit()
        return change.id or 0
