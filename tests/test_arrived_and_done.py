"""What is done of what events say, whoever dies before it is."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.event import listen
from sqlmodel import Session, select

from newsletter import arrivals, departures, farewell, steering
from newsletter.arrivals import Arrived, Settled
from newsletter.db import reading, writing
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.provider import Accepted, Listed
from newsletter.departures import Heard
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.tracking import keeping
from newsletter.tracking.event import Event
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import PENDING, StoredEvent
from subscribers import consent
from subscribers.subscriber import ACTIVE, ERASED, SUPPRESSED, UNSUBSCRIBED, Subscriber
from tests.begun import IDS, LETTER, all_in_doubt, begin
from tests.delivery import readers
from tests.delivery.readers import books, claim, record, row_key
from tests.newsroom import TUESDAY, W47, issue_of, subscribe


@pytest.fixture
def begun(engine: Engine, tmp_path: Path) -> Engine:
    return begin(engine, tmp_path)


def told(number: int, event: str, **fields: object) -> Event:
    """What Postmark posts of a reader's copy of the first letter."""
    said: dict[str, object] = {"RecordType": event, "MessageID": IDS[number], "MessageStream": "broadcast"}
    said |= {"Recipient": f"reader{number}@example.com", **fields}
    return translate(json.dumps(said).encode(), None, "")


def take(engine: Engine, *events: Event) -> list[Arrived]:
    return arrivals.take(engine, events, "broadcast", TUESDAY)


def die_before_it_is_done(engine: Engine, *events: Event) -> None:
    """Store events, and do nothing of what they say."""
    with writing(engine) as session:
        assert all(kept.pending for kept in keeping.keep(session, events, TUESDAY))
        session.commit()


def what_happens_to_three(engine: Engine) -> list[Event]:
    """Each of three copies in doubt is proven, by a delivery, a complaint, and an address that is dead."""
    key = all_in_doubt(engine)
    ours = [{"Metadata": {"row": row_key(engine, LETTER, number), "batch": key}} for number in range(4)]
    at = TUESDAY.isoformat()
    return [
        told(1, "Delivery", DeliveredAt=at, **ours[1]),
        told(2, "SpamComplaint", ID=2, Type="SpamComplaint", BouncedAt=at, **ours[2]),
        told(3, "SubscriptionChange", ChangedAt=at, SuppressSending=True, SuppressionReason="HardBounce", **ours[3]),
    ]


def assert_all_is_done(engine: Engine) -> None:
    assert books(engine, LETTER) == Accounting(audience=3, accepted=3)
    assert issue_of(engine).state == issues.SENT
    with reading(engine) as session:
        statuses = dict(session.exec(select(Subscriber.id, Subscriber.status)).all())
        assert statuses == {1: ACTIVE, 2: SUPPRESSED, 3: SUPPRESSED}
        assert not session.exec(select(StoredEvent.id).where(PENDING)).all()
        assert violations(session) == []


def test_a_group_settles_its_rows_and_does_what_it_says_of_readers(begun: Engine) -> None:
    events = what_happens_to_three(begun)
    arrived = take(begun, *events, events[1])
    settled = Settled(LETTER, str(W47), issues.SENT)
    assert [(each.fresh, each.done, each.settled) for each in arrived[:3]] == [(True, True, settled)] * 3
    assert [each.heard and (each.heard.outcome, each.heard.subscriber) for each in arrived[:3]] == [
        None,
        ("suppressed", 2),
        ("suppressed", 3),
    ]
    assert not arrived[3].fresh
    assert_all_is_done(begun)
    assert take(begun, *events) == [Arrived(fresh=False)] * 3


@pytest.mark.parametrize("by", ["another telling", "the clock"])
def test_what_somebody_who_died_has_left_undone_is_done(begun: Engine, by: str) -> None:
    events = what_happens_to_three(begun)
    die_before_it_is_done(begun, *events)
    if by == "the clock":
        assert arrivals.finish(begun, "broadcast", TUESDAY) == 3
    else:
        assert [(each.fresh, each.done) for each in take(begun, *reversed(events))] == [(False, True)] * 3
    assert_all_is_done(begun)
    assert arrivals.finish(begun, "broadcast", TUESDAY) == 0


def test_what_is_known_by_its_telling_alone_is_believed_when_it_is_read_again(begun: Engine) -> None:
    keys = {"row": row_key(begun, LETTER, 1), "batch": all_in_doubt(begun)}
    nobodys = {"RecordType": "Delivery", "MessageID": IDS[1], "Metadata": keys}
    die_before_it_is_done(begun, translate(json.dumps(nobodys).encode(), "a trace", ""))
    assert arrivals.finish(begun, "broadcast", TUESDAY) == 1
    assert books(begun, LETTER) == Accounting(audience=3, accepted=1, in_doubt=2)


def test_what_is_left_of_somebody_who_was_erased_meanwhile_is_over(begun: Engine) -> None:
    die_before_it_is_done(begun, *what_happens_to_three(begun))
    with writing(begun) as session:
        farewell.forget(session, session.get_one(Subscriber, 2), TUESDAY)
        session.commit()
    assert arrivals.finish(begun, "broadcast", TUESDAY) == 3
    with reading(begun) as session:
        assert session.get_one(Subscriber, 2).status == ERASED
        assert not session.exec(select(StoredEvent.id).where(PENDING)).all()


def test_what_cannot_be_done_now_of_an_event_that_is_stored_waits_and_the_others_do_not(
    begun: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = what_happens_to_three(begun)

    def hear(session: Session, said: Listed, *given: Any) -> Heard:
        if said.email == "reader2@example.com":
            raise LookupError
        return departures.hear(session, said, *given)

    with monkeypatch.context() as patched:
        patched.setattr(arrivals, "hear", hear)
        assert [each.done for each in take(begun, *events)] == [True, False, True]
    assert arrivals.finish(begun, "broadcast", TUESDAY) == 1
    assert_all_is_done(begun)


def test_nobodys_complaint_waits_for_books_that_cannot_be_written(
    begun: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = what_happens_to_three(begun)

    def close(*_: object) -> None:
        raise LookupError

    with monkeypatch.context() as patched:
        patched.setattr(steering, "close", close)
        assert [(each.fresh, each.done) for each in take(begun, *events)] == [(True, False)] * 3
        with reading(begun) as session:
            statuses = dict(session.exec(select(Subscriber.id, Subscriber.status)).all())
        assert statuses == {1: ACTIVE, 2: SUPPRESSED, 3: SUPPRESSED}
        assert arrivals.finish(begun, "broadcast", TUESDAY) == 0
    assert arrivals.finish(begun, "broadcast", TUESDAY) == 3
    assert_all_is_done(begun)


@pytest.mark.parametrize(("by", "moved"), [("Spam", UNSUBSCRIBED), ("Manual", UNSUBSCRIBED), ("Hard", ACTIVE)])
@pytest.mark.parametrize("settled_there", [False, True])
def test_what_a_reader_says_of_a_letter_to_their_address_of_before_holds_where_they_have_moved_to(
    begun: Engine, by: str, moved: str, settled_there: bool
) -> None:
    reason = {"Spam": "SpamComplaint", "Manual": "ManualSuppression", "Hard": "HardBounce"}[by]
    with writing(begun) as session:
        reader = session.get_one(Subscriber, 2)
        reader.email = reader.address_key = "elsewhere@example.com"
        session.add(reader)
        if settled_there:  # with a word of theirs from after it
            consent.note(session, 2, consent.MOVED, "a page", TUESDAY)
        session.commit()
    change = {"ChangedAt": TUESDAY.isoformat(), "SuppressSending": True, "SuppressionReason": reason}
    ours = {"row": row_key(begun, LETTER, 2), "batch": "0" * 32}
    for again in (True, False):
        arrived = take(begun, told(2, "SubscriptionChange", Origin="Recipient", Metadata=ours, **change))
        assert [each.done for each in arrived] == [True], again
    with reading(begun) as session:
        assert session.get_one(Subscriber, 2).status == (ACTIVE if settled_there else moved)


def test_one_soft_bounce_too_many_silences_its_reader(engine: Engine) -> None:
    subscribe(engine, ["reader1@example.com"])
    came: list[Arrived] = []
    for number, days in enumerate((20, 10, 0), start=1):
        letter = readers.another_letter(engine)
        batch = claim(engine, letter)
        record(engine, letter, batch, [Accepted(IDS[number])])
        at = (TUESDAY - timedelta(days=days)).isoformat()
        row = {"row": row_key(engine, letter, 1), "batch": batch.key}
        bounce = told(1, "Bounce", ID=number, Type="Transient", BouncedAt=at, MessageID=IDS[number], Metadata=row)
        came += take(engine, bounce)
    assert [each.silenced for each in came] == [None, None, 1]
    with reading(engine) as session:
        assert session.get_one(Subscriber, 1).status == SUPPRESSED


def test_a_group_of_copies_that_the_provider_took_costs_one_statement(begun: Engine) -> None:
    batch = claim(begun, LETTER)
    record(begun, LETTER, batch, [Accepted(IDS[number]) for number, _ in batch.readers])
    ours = {number: {"row": row_key(begun, LETTER, number), "batch": batch.key} for number in (1, 2, 3)}
    events = [told(number, "Delivery", Metadata=keys) for number, keys in ours.items()]
    statements: list[str] = []
    listen(begun, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert take(begun, *events) == [Arrived(fresh=True)] * 3
    assert [each.split()[0] for each in statements if "BEGIN" not in each] == ["INSERT"]
