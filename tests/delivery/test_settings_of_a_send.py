"""What a send is given reaches every batch of it: circle, clocks, way and warm-up; and when it asks again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.claiming import Claim
from newsletter.delivery.pacing import Limit
from newsletter.delivery.provider import Outcome, Unknown, way_of
from newsletter.delivery.stopwatch import Uptime
from subscribers.audience import NOT_YET
from subscribers.subscriber import PENDING, Subscriber
from tests.delivery.providers.moody import Call, Moody, take_all
from tests.delivery.readers import ENVELOPE, NOW, books, claim, doubt, drawn_up, rows
from tests.delivery.runs import run


def test_each_claim_of_a_send_is_dated_by_both_clocks_and_names_its_way(sqlite_engine: Engine) -> None:
    letter_id, provider = drawn_up(sqlite_engine, 15), Moody()
    run(sqlite_engine, provider, letter_id, clock=lambda: NOW, stopwatch=lambda: Uptime("boot", 7.5))
    with reading(sqlite_engine) as session:
        claims = session.exec(select(Claim)).all()
    assert len(claims) == 2
    assert {(one.claimed_at, one.counted, one.way) for one in claims} == {
        (NOW, Uptime("boot", 7.5), way_of(provider, ENVELOPE))
    }


def test_who_does_not_belong_to_the_circle_of_a_send_is_put_aside(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    with sqlite_engine.begin() as connection:
        connection.execute(update(Subscriber).where(col(Subscriber.id) == 2).values(status=PENDING))
    sent = run(sqlite_engine, Moody(), letter_id, circle=NOT_YET)
    assert sent.accounting == ledger.Accounting(audience=3, accepted=1, left=2)
    assert rows(sqlite_engine, letter_id)[1].state == "accepted"


@pytest.mark.parametrize(
    ("age", "sizes"), [(timedelta(0), [1, 1]), (timedelta(minutes=30), [2]), (timedelta(hours=2), [2])]
)
def test_a_warm_up_goes_by_the_age_of_the_letter(sqlite_engine: Engine, age: timedelta, sizes: list[int]) -> None:
    letter_id, provider = drawn_up(sqlite_engine, 2), Moody()
    limit = Limit(100.0, timedelta(hours=1))  # it begins with one message a second
    seconds = count()

    def later() -> datetime:
        return NOW + age + timedelta(seconds=next(seconds))

    run(sqlite_engine, provider, letter_id, clock=later, limit=limit)
    assert provider.sizes == sizes


def test_a_provider_is_asked_again_when_the_time_has_come_and_not_over_and_over(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 3)

    def lost_at_first(call: Call) -> Sequence[Outcome]:
        return [Unknown("lost")] * len(call.rows) if call.number == 1 else take_all(call)

    provider = Moody(lost_at_first)
    sent = run(sqlite_engine, provider, letter_id, settle=timedelta(seconds=0.3))
    assert sent.accounting == ledger.Accounting(audience=3, accepted=3)
    assert provider.pauses[0] >= 0.3
    assert len(provider.asked) <= 4


def test_an_editors_word_may_be_for_some_batches_alone(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 4)
    first, second, third, fourth = (claim(sqlite_engine, letter_id, limit=1) for _ in range(4))
    doubt(sqlite_engine, letter_id)
    with writing(sqlite_engine) as session:
        assert doubts.resend_all(session, letter_id, [first.key]) == 1
        assert doubts.give_up_all(session, letter_id, NOW, [second.key, third.key]) == 2
        assert doubts.resend_all(session, letter_id, []) == 0
        session.commit()
    assert [row.state for row in rows(sqlite_engine, letter_id)] == ["queued", "refused", "refused", "in_doubt"]
    assert rows(sqlite_engine, letter_id)[3].batch == fourth.key
    assert books(sqlite_engine, letter_id).in_doubt == 1
