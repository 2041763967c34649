"""An issue is stopped, and then its sender dies: what it had under way is asked about all the same."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import outgoing, steering
from newsletter.db import writing
from newsletter.delivery.ledger import Accounting
from newsletter.outgoing import Run
from tests.delivery.readers import books, claim
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, issue_of, post, publish, subscribe


@pytest.mark.parametrize("stopped", ["paused", "held", "cancelled"])
def test_what_a_sender_had_under_way_that_died_after_the_stop_is_called_in_doubt_by_the_next_run(
    engine: Engine, tmp_path: Path, stopped: str
) -> None:
    publish(engine)
    draft(engine)
    approve(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(3)])
    over = threading.Event()
    over.set()
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, Run(clock=lambda: TUESDAY, stop=over))
    claim(engine, 1, 2)  # by a sender that is dead
    with writing(engine) as session:
        if stopped == "held":
            steering.hold(session, W47, "a test")
        else:
            {"paused": steering.pause, "cancelled": steering.cancel}[stopped](session, W47)
        session.commit()
    assert books(engine, 1) == Accounting(audience=3, queued=1, sending=2)
    outgoing.send_due(engine, RULES, post(tmp_path), at(TUESDAY))
    assert books(engine, 1) == Accounting(audience=3, queued=1, in_doubt=2)
    assert issue_of(engine).state == stopped
