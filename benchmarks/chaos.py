"""Never twice, never lost? `make chaos`, or `python -m benchmarks.chaos --help`.

Sends a real issue to 20,000 readers through the sandbox, with senders that are killed all the time and a provider whose
answers go wrong, and holds what everybody has got against the ledger. `tests/journeys/chaos.py` says how. Ends with 1
where anything was not as it must be.
"""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.journeys.chaos import Plan, Report, run
from tests.journeys.mortal import DOUBTED, FOUND, ORPHANED, REQUEUED
from tests.journeys.weather import NETWORK
from tests.postgres import Cluster, find_programs


def main() -> int:
    """Run, and print tables; return the exit status."""
    given = _arguments()
    seed = secrets.randbits(32) if given.seed is None else given.seed
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="newsletter-chaos-"))
    console.print(f"seed {seed}, {given.readers:,} readers on {given.database}, logs in {folder}")
    plan = Plan(
        seed=seed,
        folder=folder,
        readers=given.readers,
        kills=given.kills,
        each=given.each,
        batch=given.batch,
        careless=given.careless,
    )
    with _database(given.database, folder) as url:
        report = run(plan, url)
    console.print(_summary(report, given.database, seed, given.readers))
    console.print(_counts("killed with SIGKILL", "times", report.deaths), _counts("fault", "struck", report.faults))
    for line in report.wrong:
        console.print(f"WRONG: {line}", style="red")
    if not report.wrong:
        shutil.rmtree(folder)
    return 1 if report.wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send an issue while everything goes wrong.")
    parser.add_argument("--readers", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=50, help="deaths of senders at random moments")
    parser.add_argument("--each", type=int, default=3, help="deaths at each named point")
    parser.add_argument("--batch", type=int, default=40, help="readers in a call: the fewer, the more moments")
    parser.add_argument(
        "--database",
        default="sqlite",
        help="sqlite, postgresql (a server of its own, for the run), or postgresql://… of an empty database",
    )
    parser.add_argument("--seed", type=int, help="that was printed by another run")
    parser.add_argument("--careless", action="store_true", help="with a flaw in the sender, which the run has to find")
    return parser.parse_args()


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    """An empty database, gone after the block."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'newsletter.db'}"
    elif kind == "postgresql":
        programs = find_programs()
        if programs is None:
            sys.exit("PostgreSQL's server programs (initdb, postgres) are not installed: name a database of a server")
        place = Path(tempfile.mkdtemp(prefix="newsletter-postgres-"))
        try:
            with Cluster(programs, place) as cluster:
                yield cluster.create()
        finally:
            shutil.rmtree(place, ignore_errors=True)
    else:
        yield kind


def _summary(report: Report, database: str, seed: int, readers: int) -> Table:
    table = Table(
        title=f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, {database.partition(':')[0]}, seed {seed}"
    )
    table.add_column("")
    table.add_column("", justify="right")
    told = report.told
    for what, number in {
        "readers": readers,
        "accepted": report.final.accepted,
        "refused, by the provider's word": report.final.refused,
        "have it twice": report.final.verdict.twice,
        "are accepted, and have it not": report.final.verdict.lost,
        "have it, and are not accepted": report.final.verdict.uncalled,
        "out of the queue before all went well again": report.in_chaos,
        "processes begun": report.lives,
        "killed": report.deaths.total(),
        "turned away, as another was sending": report.turned_away,
        "times looked at": report.looks,
        "readers in doubt by a lost answer": told[DOUBTED],
        "readers in doubt by a sender's death": told[ORPHANED],
        "of them in doubt at once, at most": report.most_in_doubt,
        "found at the provider": told[FOUND],
        "sent again, as not taken": told[REQUEUED],
        "faults": sum(count for fault, count in report.faults.items() if fault != NETWORK),
    }.items():
        table.add_row(what, f"{number:,}")
    table.add_row("seconds", f"{report.seconds:.0f}")
    table.caption = f"PROVIDER_TIMEOUT={Plan.timeout:g}s SETTLE={Plan.settle:g}s"
    return table


def _counts(what: str, how_often: str, counts: dict[str, int]) -> Table:
    table = Table(what, how_often)
    for name, count in sorted(counts.items()):
        table.add_row(name, f"{count:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())
