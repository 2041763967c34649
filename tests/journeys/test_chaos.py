"""Nobody twice, nobody lost, whatever dies and whatever goes wrong: `make chaos` in small.

Two senders at a time (on SQLite the second is turned away, or takes over), both killed with SIGKILL at every named
point and at random, while the provider's answers go wrong and somebody asks, and is killed at that.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.chaos import RANDOM, Plan, Report, run
from tests.journeys.judge import Verdict, judge
from tests.journeys.mortal import ASKING_POINTS, DRAWING_UP, FOUND, ORPHANED, POINTS
from tests.journeys.weather import MIX

READERS = 1_000
KILLS = 5


def small(seed: int, folder: Path, url: str, *, careless: bool = False) -> Report:
    print(f"seed {seed}")
    plan = Plan(seed, folder, READERS, KILLS, each=1, batch=15, timeout=0.6, settle=2.4, careless=careless)
    return run(plan, url)


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 11), ("postgresql", 12)])
def test_nobody_is_sent_to_twice_and_nobody_lost_whoever_is_killed_and_whatever_goes_wrong(
    new_database: Callable[[str], str], tmp_path: Path, kind: str, seed: int
) -> None:
    report = small(seed, tmp_path, new_database(kind))

    assert report.wrong == []
    assert report.final.verdict == Verdict(twice=0, lost=0)
    assert report.final.accepted + report.final.refused == READERS
    assert {*report.deaths} >= {*POINTS, *ASKING_POINTS, DRAWING_UP}
    assert report.deaths[RANDOM] >= KILLS
    assert report.looks > report.deaths.total()
    assert min(report.told[ORPHANED], report.told[FOUND]) > 0
    assert len([fault for fault in MIX if report.faults[fault]]) >= 5


def test_a_sender_that_sends_again_what_a_dead_one_left_is_found_out(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    report = small(13, tmp_path, new_database("sqlite"), careless=True)

    assert report.final.verdict.twice > 0
    assert any("more than once" in line for line in report.wrong)


def test_the_judge_names_who_has_it_twice_who_has_it_not_and_who_should_not() -> None:
    copies = Counter({"ana@example.com": 2, "bo@example.com": 1, "cy@example.com": 1})

    assert judge(copies, ["ana@example.com", "bo@example.com", "di@example.com"]) == Verdict(
        twice=1, lost=1, uncalled=1
    )
    assert not judge(copies, ["ana@example.com", "bo@example.com", "cy@example.com"]).good
    assert judge(Counter(["bo@example.com"]), ["bo@example.com"]).good
