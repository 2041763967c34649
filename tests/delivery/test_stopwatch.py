"""How long ago something was, whatever has been done to the clock since; and what that keeps from being sent twice."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from newsletter.delivery import doubts, stopwatch
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.stopwatch import Uptime, elapsed
from tests.delivery.providers.moody import Moody
from tests.delivery.readers import NOW, claim, drawn_up
from tests.delivery.runs import run

SETTLE = timedelta(minutes=10)
jumps = st.timedeltas(timedelta(days=-30), timedelta(days=30))
seconds = st.floats(0, 1e7)


@given(jumps, seconds, seconds)
def test_within_one_start_of_the_machine_the_clock_may_jump_as_it_likes(
    jump: timedelta, then: float, now: float
) -> None:
    assert elapsed(NOW, Uptime("a", then), NOW + jump, Uptime("a", now)) == timedelta(seconds=now - then)


@given(jumps, seconds, seconds)
def test_over_another_start_or_without_a_count_the_clock_is_gone_by(jump: timedelta, then: float, now: float) -> None:
    for before, after in (
        (Uptime("a", then), Uptime("b", now)),
        (None, Uptime("b", now)),
        (Uptime("a", then), None),
        (None, None),
    ):
        assert elapsed(NOW, before, NOW + jump, after) == jump


def test_this_machines_count_goes_on_and_names_one_start() -> None:
    first, second = stopwatch.of_this_machine(), stopwatch.of_this_machine()
    if first is None or second is None:
        pytest.skip("this system cannot tell one start of the machine from another")
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds


def test_a_system_that_cannot_tell_one_start_from_another_has_no_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("missing", "empty"):
        file = tmp_path / name
        if name == "empty":
            file.write_text("\n")
        monkeypatch.setattr(stopwatch, "BOOT_ID", file)
        stopwatch._boot.cache_clear()
        assert stopwatch.of_this_machine() is None
    stopwatch._boot.cache_clear()
    assert stopwatch.no_count() is None


def ask(engine: Engine, provider: Moody, letter_id: int, now: datetime, uptime: Uptime | None) -> Accounting:
    """What stands in the books after a sender came by at that time."""
    sent = run(engine, provider, letter_id, settle=SETTLE, wait=False, clock=lambda: now, stopwatch=lambda: uptime)
    assert sent.stopped is None
    return sent.accounting


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(0), timedelta(hours=-3)])
def test_what_is_in_doubt_rests_as_long_as_it_should_whatever_the_clock_is_set_to(
    engine: Engine, jump: timedelta
) -> None:
    letter_id = drawn_up(engine, 3)
    claim(engine, letter_id)
    doubts.doubt_orphans(engine, letter_id, lambda _: True, NOW, Uptime("boot", 1_000.0))
    provider = Moody()

    in_doubt = Accounting(audience=3, in_doubt=3)
    assert ask(engine, provider, letter_id, NOW + jump, Uptime("boot", 1_001.0)) == in_doubt
    assert ask(engine, provider, letter_id, NOW + jump, Uptime("boot", 1_599.0)) == in_doubt
    assert provider.calls == []
    rested = ask(engine, provider, letter_id, NOW + jump, Uptime("boot", 1_600.0))
    assert rested == Accounting(audience=3, accepted=3)


def test_after_another_start_of_the_machine_it_rests_by_the_clock(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    claim(engine, letter_id)
    doubts.doubt_orphans(engine, letter_id, lambda _: True, NOW, Uptime("boot", 1_000.0))
    provider = Moody()
    early = ask(engine, provider, letter_id, NOW + SETTLE - timedelta(seconds=1), Uptime("another", 99_999.0))
    assert early == Accounting(audience=3, in_doubt=3)
    assert ask(engine, provider, letter_id, NOW + SETTLE, Uptime("another", 0.5)).accepted == 3
