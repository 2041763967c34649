"""One reader's story: everything in one line of time, page by page, and nothing of whoever was erased."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import story
from newsletter.comparisons import comparison, votes
from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.claiming import Claim
from newsletter.delivery.ledger import Delivery
from newsletter.editors import log
from newsletter.farewell import forget
from newsletter.message import Letter
from newsletter.story import Place
from newsletter.tracking.store import StoredEvent
from subscribers import consent, subscriber, suppression
from subscribers.address import Address, parse_address
from subscribers.consent import Whence, Words
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import ACTIVE, Subscriber
from tests.newsroom import MONDAY
from tests.web.world import a_comparison

ADDRESS = parse_address("ada@example.com")


def after(minutes: int) -> timedelta:
    return timedelta(minutes=minutes)


def a_life(session: Session) -> Subscriber:
    """Everything that may happen with a reader, some of it at the same moment; and another reader, of whom as much."""
    for email in ("other@example.com", ADDRESS.email):
        address = parse_address(email)
        reader = subscriber.add(session, address, ACTIVE, MONDAY)
        number = reader.id or 0
        words, whence = Words("signup-3", "Yes, send it to me."), Whence("203.0.113.7", "Firefox")
        consent.note(session, number, consent.SIGNED_UP, "the form", MONDAY, words, whence)
        consent.note(session, number, consent.CONFIRMED, "the letter", MONDAY + after(1))
        letter = ledger.store(session, Letter("Subject", "Pre", "<p>", "text"), "2026-W47", MONDAY + after(2))
        variants.freeze(session, letter, 3, Letter("S", "P", "h", "t"), ["Databases"], "de")
        key = f"{number:032}"
        at = MONDAY + after(3)
        session.add(Claim(key=key, letter_id=letter.id or 0, sender=1, claimed_at=at, rests_since=at))
        session.flush()
        copy = Delivery(letter_id=letter.id or 0, subscriber_id=number, batch=key, message_id="m")
        copy.state, copy.variant, copy.settled_at = "accepted", 3, MONDAY + after(4)
        session.add(copy)
        for place, (kind, machine) in enumerate((("delivered", None), ("opened", "proxy"), ("clicked", None))):
            session.add(
                StoredEvent(
                    key=f"{number}-{place:030}",
                    source="webhook",
                    record_type="x",
                    kind=kind,
                    at=at,
                    received_at=at,
                    letter_id=letter.id,
                    subscriber_id=number,
                    machine=machine,
                    link="comparisons/inkwell-vs-gantry" if kind == "clicked" else None,
                )
            )
        stored = comparison.save(session, a_comparison(), MONDAY)
        compared = comparison.by_slug(session, stored.slug)
        assert compared is not None
        votes.cast(session, compared.id, number, "both", at)
        suppression.suppress(session, address, suppression.HARD_BOUNCE, "Postmark", at)
        suppression.lift(session, address, "they wrote to us", MONDAY + after(5))
        log.write(session, MONDAY + after(5), None, "lifted a suppression", subscriber_id=number)
    before = Fingerprints(session).of(Address("", ADDRESS.key))
    early = MONDAY - after(60)
    session.add(
        StoredEvent(
            key="x" * 32,
            source="webhook",
            record_type="x",
            kind="bounced_soft",
            at=early,
            received_at=early,
            fingerprint=before,
        )
    )
    session.flush()
    return reader


def test_a_story_tells_everything_in_the_order_in_which_it_happened(engine: Engine) -> None:
    with writing(engine) as session:
        reader = a_life(session)
        session.commit()
    with reading(engine) as session:
        told = story.story(session, reader).moments
    assert [(one.kind, one.what) for one in reversed(told)] == [
        ("event", "it came back for a reason that may pass"),
        ("consent", "asked for the letter in a form"),
        ("consent", "pressed the button of the confirmation letter's page"),
        ("letter", "accepted: Subject"),
        ("event", "the reader's mail server took it"),
        ("event", "its counting picture was fetched"),
        ("event", "one of its links was followed"),
        ("vote", "voted “both” on Inkwell vs Gantry"),
        ("suppressed", "the address does not exist"),
        ("lifted", "may be written to again"),
        ("done", "a command lifted a suppression"),
    ]
    by_what = {one.what: one for one in told}
    asked = by_what["asked for the letter in a form"]
    assert asked.more == ("source: the form", "words signup-3", "from 203.0.113.7", "by Firefox")
    assert asked.words == "Yes, send it to me."
    assert by_what["accepted: Subject"].more == ("variant 3, in de, without Databases",)
    assert by_what["its counting picture was fetched"].machine
    assert by_what["one of its links was followed"].more == ("link: comparisons/inkwell-vs-gantry",)
    assert by_what["may be written to again"].more == ("they wrote to us",)


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_going_from_page_to_page_misses_nothing_and_repeats_nothing(engine: Engine, most: int) -> None:
    with writing(engine) as session:
        reader = a_life(session)
        session.commit()
    with reading(engine) as session:
        whole = story.story(session, reader).moments
        paged, before = [], None
        while True:
            part = story.story(session, reader, before, most)
            paged += part.moments
            if part.next is None:
                break
            before = Place.read(str(part.next))
    assert paged == whole


def test_there_is_no_story_of_whoever_was_erased(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        reader = a_life(session)
        forget(session, reader, MONDAY + after(9))
        session.commit()
    with reading(sqlite_engine) as session:
        assert story.story(session, session.get_one(Subscriber, reader.id)).moments == []


@pytest.mark.parametrize("written", ["", "x", "20261116T080000.000000-1", "20261316T080000.000000-1-1", "a-b-c"])
def test_what_names_no_place_is_none(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  Python's own words
        Place.read(written)
