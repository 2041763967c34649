import threading

from sqlalchemy import Engine

from newsletter.db import writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.provider import Accepted
from newsletter.delivery.sender_lock import enter
from newsletter.delivery.stillness import wait_until_still
from tests.delivery.readers import claim, drawn_up, record
from tests.delivery.runs import clock

LONG = 30.0  # seconds


def close(engine: Engine, letter_id: int) -> None:
    with writing(engine) as session:
        ledger.set_open(session, letter_id, is_open=False)
        session.commit()


def test_where_nothing_is_under_way_nobody_waits(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    close(engine, letter_id)
    told: list[int] = []
    assert wait_until_still(engine, letter_id, LONG, clock, on_wait=told.append) == Accounting(audience=3, queued=3)
    assert told == []


def test_it_waits_until_what_a_living_sender_has_under_way_is_recorded(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    told: list[int] = []
    with enter(engine) as sender:
        assert sender is not None
        batch = claim(engine, letter_id, 2, sender=sender.number)
        close(engine, letter_id)
        answers = [Accepted("a"), Accepted("b")]
        later = threading.Timer(0.3, record, (engine, letter_id, batch, answers))
        later.start()
        assert wait_until_still(engine, letter_id, LONG, clock, on_wait=told.append) == Accounting(
            audience=3, queued=1, accepted=2
        )
        later.join()
    assert told == [2]


def test_it_does_not_wait_for_longer_than_it_may(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    with enter(engine) as sender:
        assert sender is not None
        claim(engine, letter_id, 2, sender=sender.number)
        close(engine, letter_id)
        assert wait_until_still(engine, letter_id, 0, clock) == Accounting(audience=3, queued=1, sending=2)


def test_what_a_dead_sender_left_under_way_is_in_doubt_and_not_waited_for(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    with enter(engine) as sender:
        assert sender is not None
        claim(engine, letter_id, 2, sender=sender.number)
    close(engine, letter_id)
    told: list[int] = []
    assert wait_until_still(engine, letter_id, LONG, clock, on_wait=told.append) == Accounting(
        audience=3, queued=1, in_doubt=2
    )
    assert told == []
