"""An issue whose list is drawn up, for tests of what comes back of it."""

import threading
from pathlib import Path

from sqlalchemy import Engine

from newsletter import outgoing
from newsletter.db import reading
from newsletter.delivery.ledger import Accounting
from newsletter.invariants import violations
from newsletter.outgoing import Run
from tests.delivery.readers import books, claim, doubt
from tests.newsroom import RULES, TUESDAY, W47, approve, draft, post, publish, subscribe

IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(10)]
LETTER = 1


def begin(engine: Engine, tmp_path: Path) -> Engine:
    """The list of an issue is drawn up, of three readers, and nothing of it has been sent."""
    publish(engine)
    draft(engine)
    approve(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(1, 4)])
    over = threading.Event()
    over.set()
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, Run(clock=lambda: TUESDAY, stop=over))
    assert books(engine, LETTER) == Accounting(audience=3, queued=3)
    return engine


def all_in_doubt(engine: Engine) -> str:
    """Everything was sent under a batch key, and no answer came."""
    key = claim(engine, LETTER).key
    assert doubt(engine, LETTER) == 3
    return key


def assert_all_holds(engine: Engine) -> None:
    with reading(engine) as session:
        assert violations(session) == []
