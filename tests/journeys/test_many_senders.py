"""Several senders at once on PostgreSQL: all of them send, and who is left ends what a dead one began."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import Engine, text

from newsletter.sandbox.server import Sandbox
from tests.forked import Forked
from tests.journeys.mortal import Life, start
from tests.journeys.test_kill import ROOT, WEEK, approved_issue, assert_everybody_has_it_once, settings

READERS = 800
BATCH = 10
SLOW = "accept-then-stall:seconds=0.15"  # so that there is time for two


@pytest.fixture
def database_url(new_database: Callable[[str], str]) -> str:
    return new_database("postgresql")


def send(database_url: str, sandbox: Sandbox) -> Forked:
    """`newsletter issues send`, in small batches."""
    given = settings(database_url, sandbox.url)
    environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
    command = ("issues", "send", str(WEEK))
    return Forked("tests.journeys.ended", str(BATCH), "25", *command, env=environment, cwd=ROOT)


def taken_by(engine: Engine) -> dict[int, int]:
    """Sender -> how many readers' copies the provider told it that it took."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sender, sum(taken) FROM claims GROUP BY sender")).all()
    return {sender: int(taken) for sender, taken in rows}


def test_two_senders_share_an_issue_and_everybody_gets_it_once(database_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.set(SLOW)
    with closing(approved_issue(database_url, READERS)) as assembly:
        both = [send(database_url, sandbox) for _ in range(2)]
        said = [process.communicate(timeout=90)[0] for process in both]

        assert [process.returncode for process in both] == [0, 0], said
        shares = taken_by(assembly.engine)
        assert len(shares) == 2
        assert sum(shares.values()) == READERS
        assert min(shares.values()) > 0
        assert_everybody_has_it_once(assembly, sandbox, READERS)


def test_a_sender_ends_what_another_one_left_that_was_killed_in_mid_post_without_being_started_again(
    database_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.set(SLOW)
    with closing(approved_issue(database_url, READERS)) as assembly:
        survivor = send(database_url, sandbox)
        while not taken_by(assembly.engine):
            assert survivor.poll() is None, survivor.communicate(timeout=0)
            time.sleep(0.01)
        life = Life(
            week=str(WEEK),
            settings=settings(database_url, sandbox.url),
            batch=BATCH,
            log=str(tmp_path / "log"),
            point="mid-POST",
            passage=6,
        )
        victim, _told = start(life)
        victim.join(60)
        assert victim.exitcode == -SIGKILL, (tmp_path / "log").read_text()
        assert survivor.poll() is None  # it is still at it
        with assembly.engine.connect() as connection:
            left = connection.execute(text("SELECT count(*) FROM deliveries WHERE state IN ('sending', 'in_doubt')"))
            assert left.scalar_one() > 0

        output, _ = survivor.communicate(timeout=90)

        assert survivor.returncode == 0, output
        assert len(taken_by(assembly.engine)) == 2
        assert_everybody_has_it_once(assembly, sandbox, READERS)
