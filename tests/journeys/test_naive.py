"""One crash test for two programs: ours passes it, and the one that everybody writes first does not.

A test that cannot fail proves nothing. This one is the same for both, and so is the judge.
"""

import os
import signal
from collections.abc import Callable
from contextlib import closing

from newsletter.sandbox.server import Sandbox
from tests.delivery.faulty_line import ARRIVED, LOSE_ANSWER, TAKEN, FaultyLine
from tests.forked import Forked
from tests.journeys.judge import Verdict, judge
from tests.journeys.test_kill import ROOT, WEEK, approved_issue, copies, settings

READERS = 500
BATCH = 50
MOST_LIVES = 8


def crash(program: str, database_url: str, sandbox: Sandbox) -> Verdict:
    """Send to 500 readers; the program is killed twice and an answer lost, and each time it is started again."""
    deaths = [(2, TAKEN), (5, ARRIVED)]  # in which call, and when
    alive: list[Forked] = []

    def watch(path: str, moment: str) -> None:
        if path.startswith("/email/batch") and deaths and (line.posts, moment) >= deaths[0] and alive:
            deaths.pop(0)
            alive.pop().send_signal(signal.SIGKILL)

    faults = [None] * 7 + [LOSE_ANSWER]
    with closing(approved_issue(database_url, READERS)), FaultyLine(sandbox.url, *faults, watch=watch) as line:
        for _ in range(MOST_LIVES):
            process = start(program, database_url, line.url)
            alive[:] = [process]
            process.communicate(timeout=60)
            if process.returncode == 0:
                break
        assert process.returncode == 0
        assert not deaths
    return judge(copies(sandbox), [f"reader{number}@example.com" for number in range(READERS)])


def start(program: str, database_url: str, api_url: str) -> Forked:
    given = settings(database_url, api_url)
    environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
    return Forked(f"tests.journeys.{program}", str(WEEK), str(BATCH), env=environment, cwd=ROOT)


def test_ours_passes_the_crash_test(new_database: Callable[[str], str], sandbox: Sandbox) -> None:
    assert crash("sender", new_database("sqlite"), sandbox) == Verdict(twice=0, lost=0)


def test_the_naive_sender_fails_the_same_crash_test(new_database: Callable[[str], str], sandbox: Sandbox) -> None:
    verdict = crash("naive", new_database("sqlite"), sandbox)

    assert not verdict.good
    assert verdict.twice >= BATCH


def test_the_naive_sender_is_good_enough_where_nothing_goes_wrong(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    url = new_database("sqlite")
    with closing(approved_issue(url, READERS)):
        process = start("naive", url, sandbox.url)
        assert process.wait(60) == 0

    assert judge(copies(sandbox), [f"reader{number}@example.com" for number in range(READERS)]).good
