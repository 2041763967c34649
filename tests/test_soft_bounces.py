"""Letter after letter comes back: whom the rule of soft bounces shuts out, and whom it does not."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from newsletter import departures
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import ACCEPTED, QUEUED, REFUSED, Delivery
from newsletter.invariants import violations
from newsletter.tracking.event import BOUNCED_SOFT, DELIVERED, FAILED, OPENED
from newsletter.tracking.store import StoredEvent
from subscribers import consent, suppression
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from tests.delivery.readers import LETTER
from tests.newsroom import MONDAY, set_status, subscribe

ADA = "ada@example.com"
DAY = timedelta(days=1)
FIRST = MONDAY - 21 * DAY

Told = tuple[int, str, str | None, int]
"""Of which letter (1, 2, …), the kind, the detail, and how many days after the first letter."""

SOFT: list[Told] = [(number, BOUNCED_SOFT, "SoftBounce", 7 * (number - 1)) for number in (1, 2, 3)]


@pytest.fixture
def ada(engine: Engine) -> int:
    (number,) = subscribe(engine, [ADA])
    return number


def send(engine: Engine, number: int, *states: str) -> None:
    """One letter after another of which a reader's copy is in these states."""
    with writing(engine) as session:
        for state in states:
            stored = ledger.store(session, LETTER, "a letter", FIRST)
            stored.audience = 1
            session.add(stored)
            settled = state in (ACCEPTED, REFUSED)
            session.add(
                Delivery(
                    letter_id=stored.id or 0,
                    subscriber_id=number,
                    state=state,
                    message_id=f"message {stored.id}" if state == ACCEPTED else None,
                    settled_at=FIRST if settled else None,
                    reason="no" if state == REFUSED else None,
                )
            )
        session.commit()


def tell(engine: Engine, number: int, told: Sequence[Told], *, ask: bool = True) -> bool:
    """These come in one after another, and each is asked about; whether one of them has shut the reader out."""
    done = False
    for each in told:
        letter, kind, detail, days = each
        with writing(engine) as session:
            session.add(
                StoredEvent(
                    key=repr((number, each)), source="webhook", record_type="Bounce", kind=kind, detail=detail,
                    at=FIRST + days * DAY, received_at=MONDAY, letter_id=letter, subscriber_id=number,
                )
            )  # fmt: skip
            session.flush()
            done = (ask and departures.bounced_softly(session, number, MONDAY)) or done
            session.commit()
    return done


def ask(engine: Engine, number: int, now: datetime = MONDAY) -> bool:
    with writing(engine) as session:
        done = departures.bounced_softly(session, number, now)
        session.commit()
        return done


def status(engine: Engine, number: int) -> str:
    with reading(engine) as session:
        return session.get_one(Subscriber, number).status


def test_who_had_three_letters_in_a_row_come_back_over_two_weeks_is_shut_out(engine: Engine, ada: int) -> None:
    send(engine, ada, *[ACCEPTED] * 3)
    assert tell(engine, ada, SOFT)
    assert status(engine, ada) == SUPPRESSED
    with reading(engine) as session:
        (row,) = suppression.of_address(session, parse_address(ADA))
        assert (row.reason, row.source, row.at) == ("soft_bounce", "letters came back", FIRST + 14 * DAY)
        assert violations(session) == []
    assert not ask(engine, ada)
    assert tell(engine, ada, [(3, DELIVERED, None, 15)]) is False
    assert status(engine, ada) == SUPPRESSED, "what was done is not undone by what comes late"


def test_the_order_in_which_it_is_told_does_not_matter(sqlite_engine: Engine) -> None:
    for number in subscribe(sqlite_engine, [f"reader{number}@example.com" for number in range(6)]):
        send(sqlite_engine, number, *[ACCEPTED] * 3)
    for number, order in enumerate(itertools.permutations(SOFT), start=1):
        told = [(3 * (number - 1) + letter, *rest) for letter, *rest in order]
        assert tell(sqlite_engine, number, told), order  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "states"),
    [
        (SOFT[:2], [ACCEPTED] * 2),
        ([*SOFT[:2], (2, BOUNCED_SOFT, "Transient", 40)], [ACCEPTED] * 2),
        ([(number, BOUNCED_SOFT, "SoftBounce", 6 * number) for number in (1, 2, 3)], [ACCEPTED] * 3),
        ([(2, DELIVERED, None, 8), *SOFT], [ACCEPTED] * 3),
        ([(1, OPENED, None, 30), *SOFT], [ACCEPTED] * 3),
        (SOFT, [ACCEPTED] * 4),
        ([SOFT[0], (2, BOUNCED_SOFT, "DMARCPolicy", 7), SOFT[2]], [ACCEPTED] * 3),
        ([SOFT[0], SOFT[1], (3, BOUNCED_SOFT, "DnsError", 14)], [ACCEPTED] * 3),
        ([SOFT[0], SOFT[1], (3, FAILED, "SMTPApiError", 14)], [ACCEPTED] * 3),
        ([], [ACCEPTED] * 3),
    ],
    ids=[
        "two letters",
        "two letters, one of them twice",
        "within twelve days",
        "one was delivered",
        "one was opened",
        "of the last nothing was heard yet",
        "our own DMARC",
        "our own DNS",
        "no message came of one",
        "nothing came back",
    ],
)
def test_whose_letters_may_have_arrived_stays(engine: Engine, ada: int, told: list[Told], states: list[str]) -> None:
    send(engine, ada, *states)
    assert not tell(engine, ada, told)
    assert status(engine, ada) == ACTIVE


def test_letters_that_the_provider_never_took_are_none_in_the_row(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, [ADA])
    send(sqlite_engine, number, ACCEPTED, REFUSED, ACCEPTED, ACCEPTED, QUEUED)
    told: list[Told] = [(letter, BOUNCED_SOFT, "SoftBounce", days) for letter, days in ((1, 0), (3, 7), (4, 14))]
    assert tell(sqlite_engine, number, told)


def test_what_an_editor_has_lifted_comes_back_by_new_bounces_alone(engine: Engine, ada: int) -> None:
    send(engine, ada, *[ACCEPTED] * 3)
    assert tell(engine, ada, SOFT)
    with writing(engine) as session:
        consent.note(session, ada, consent.ADDED, "a test", FIRST)
        assert suppression.lift(session, parse_address(ADA), "their mailbox was full", FIRST + 15 * DAY)
        session.commit()
    assert not ask(engine, ada)
    send(engine, ada, *[ACCEPTED] * 3)
    later: list[Told] = [(number, BOUNCED_SOFT, "SoftBounce", 21 + 7 * (number - 4)) for number in (4, 5, 6)]
    assert not tell(engine, ada, later[:2])
    assert status(engine, ada) == ACTIVE
    assert tell(engine, ada, later[2:])


def test_a_new_address_is_not_judged_by_what_came_back_from_the_old_one(engine: Engine, ada: int) -> None:
    send(engine, ada, *[ACCEPTED] * 3)
    tell(engine, ada, SOFT[:2])
    with writing(engine) as session:
        consent.note(session, ada, consent.MOVED, "their own page", FIRST + 10 * DAY)
        session.commit()
    assert not tell(engine, ada, SOFT[2:])


@pytest.mark.parametrize("gone", [UNSUBSCRIBED, PENDING, SUPPRESSED])
def test_who_gets_no_letters_is_left_as_they_are(sqlite_engine: Engine, gone: str) -> None:
    if gone == PENDING:
        (number,) = subscribe(sqlite_engine, [ADA], PENDING)
    else:
        (number,) = subscribe(sqlite_engine, [ADA])
    send(sqlite_engine, number, *[ACCEPTED] * 3)
    tell(sqlite_engine, number, SOFT, ask=False)
    if gone != PENDING:
        set_status(sqlite_engine, gone, ADA)
    with reading(sqlite_engine) as session:
        before = [row.model_dump() for row in suppression.of_address(session, parse_address(ADA))]
    assert not ask(sqlite_engine, number)
    assert status(sqlite_engine, number) == gone
    with reading(sqlite_engine) as session:
        assert [row.model_dump() for row in suppression.of_address(session, parse_address(ADA))] == before
