"""How fast a letter goes out, by what the provider took of its newest batches."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.delivery import claiming, speed
from newsletter.delivery.claiming import Claimant
from newsletter.delivery.provider import Accepted, Unknown
from newsletter.delivery.speed import Speed
from tests.delivery.readers import NOW, another_letter, drawn_up


def sent(engine: Engine, letter_id: int, count: int, seconds: float, *, known: bool = True) -> None:
    """A batch that went out so many seconds after NOW."""
    at = NOW + timedelta(seconds=seconds)
    batch = claiming.claim(engine, letter_id, count, Claimant(1, at))
    assert batch is not None
    outcomes = [Accepted(f"{letter_id}-{number}") if known else Unknown("?") for number, _ in batch.readers]
    claiming.record(engine, letter_id, batch, outcomes, at, None)


def speed_of(engine: Engine, letter_id: int, seconds: float) -> Speed:
    with reading(engine) as session:
        return speed.of_letter(session, letter_id, NOW + timedelta(seconds=seconds))


def test_what_was_taken_in_the_last_minute_counts(engine: Engine) -> None:
    letter_id = drawn_up(engine, 100)
    assert speed_of(engine, letter_id, 0) == Speed()
    sent(engine, letter_id, 50, 0)
    sent(engine, letter_id, 10, 70)
    sent(engine, letter_id, 20, 80)
    sent(engine, letter_id, 5, 85, known=False)
    found = speed_of(engine, letter_id, 90)
    assert found.a_minute == pytest.approx(30 / 20 * 60)
    assert found.last_at == NOW + timedelta(seconds=85)
    assert found.done_at(180, NOW) == NOW + timedelta(minutes=2)


def test_a_letter_that_stands_still_or_has_not_begun_is_never_through(engine: Engine) -> None:
    letter_id, other = drawn_up(engine, 10), another_letter(engine)
    sent(engine, letter_id, 5, 0)
    still = speed_of(engine, letter_id, 600)
    assert (still.a_minute, still.last_at) == (0.0, NOW)
    assert still.done_at(5, NOW) is None
    assert speed_of(engine, other, 1) == Speed()


def test_a_send_of_one_moment_has_a_speed_that_can_be_printed(engine: Engine) -> None:
    letter_id = drawn_up(engine, 10)
    sent(engine, letter_id, 10, 0)
    assert speed_of(engine, letter_id, 0).a_minute == 600.0
    assert Speed(1e-9).done_at(10**9, NOW) is None
