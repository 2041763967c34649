"""How fast does an issue go out, and at what cost? `make bench`, or `python -m benchmarks.send --help`.

Sends a real issue (the bundled comparisons, drafted and approved) to many readers through the sandbox over HTTP on
loopback. Sender and sandbox are processes of their own; the first 5,000 are sent by a plain loop as well, to compare,
and to readers who have muted some of it.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, combinations, islice
from pathlib import Path
from statistics import median
from typing import Any

import requests
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text

from benchmarks.sender import WEEK, counted_compiler
from newsletter import approving, demo, weekly
from newsletter.assembly import assemble
from newsletter.comparisons.categories import categories_of
from newsletter.comparisons.importers import import_paths
from newsletter.comparisons.record import Comparison
from newsletter.db import open_engine, writing
from subscribers.subscriber import ACTIVE, Subscriber, muting

MOST_PLAIN = 5_000  # readers; the sandbox keeps every whole body in memory
MIB = 1024 * 1024
COLUMNS = (
    "way",
    "readers",
    "s",
    "readers/s",
    "CPU s/1,000",
    "with start-up",
    "peak MiB",
    "bytes/reader",
    "template: calls, bytes",
    "MJML: draft + send",
    "twice",
    "missing",
)


@dataclass(frozen=True)
class Result:
    """What one send took."""

    way: str
    readers: int
    seconds: float
    cpu: float
    cpu_of_process: float
    peak_rss: int
    message_bytes: int
    template_calls: int
    template_bytes: int
    compiled_drafting: int
    compiled_sending: int
    duplicates: int
    missing: int


def main() -> None:
    """Measure, and print a table."""
    arguments = _arguments()
    console = Console(width=180)
    table = Table(*COLUMNS, title=f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, on {_kind(arguments)}")
    rows: dict[tuple[str, int], Result] = {}
    jobs = [(way, readers) for readers in arguments.readers for way in ("ours", "muted", "plain")]
    for way, readers in jobs:
        if way == "ours" or readers <= MOST_PLAIN:
            runs = [_measure(way, readers, arguments) for _ in range(arguments.runs)]
            rows[way, readers] = found = _medians(runs)
            table.add_row(*_cells(found))
            console.print(f"{way} {readers}: " + ", ".join(f"{run.seconds:.2f} s" for run in runs), style="dim")
    console.print(table)
    for readers in arguments.readers:
        if ("plain", readers) in rows:
            console.print(_compared(rows["ours", readers], rows["plain", readers]))
            console.print(_with_mutings(rows["muted", readers], rows["ours", readers], arguments.mutings))
    console.print(
        f"Medians of {arguments.runs} runs, except twice and missing: their sums. Seconds are those of the whole "
        "`send_issue`: digest check, audience, template, batches, books closed. CPU is the sender's own, without the "
        "sandbox and the database server. Drafting compiles once for each number of comparisons that it tries for "
        "size, and for the preview and the approval; sending compiles once, to check that the letter is still the "
        "one approved, and once for each set of comparisons that mutings leave. No reader costs a compilation."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the send of an issue.")
    parser.add_argument("--readers", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mutings", type=int, default=20, help="of the row `muted`: how many ways of muting there are")
    parser.add_argument(
        "--database",
        default="sqlite",
        help="sqlite (a new file each run), or postgresql://… of a server where databases may be made",
    )
    return parser.parse_args()


def _kind(arguments: argparse.Namespace) -> str:
    return str(arguments.database).partition(":")[0]


def _measure(way: str, readers: int, arguments: argparse.Namespace) -> Result:
    mutings = arguments.mutings if way == "muted" else 0
    with (
        tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder,
        _fresh(arguments.database, Path(folder)) as url,
        _sandbox() as sandbox,
    ):
        settings = {
            "NEWSLETTER_DATABASE_URL": url,
            "NEWSLETTER_BASE_URL": "https://verdicts.example.com",
            "NEWSLETTER_PROVIDER": "postmark",
            "NEWSLETTER_POSTMARK_API_URL": sandbox.url,
            "NEWSLETTER_POSTMARK_SERVER_TOKEN": sandbox.token,
        }
        compiled = _prepare(url, readers, mutings)
        sender = [sys.executable, "-m", "benchmarks.sender", "plain" if way == "plain" else "ours"]
        done = subprocess.run(sender, env={**os.environ, **settings}, check=True, stdout=subprocess.PIPE)
        sent = json.loads(done.stdout)
        received = sandbox.count()
        wire = requests.get(f"{sandbox.url}wire.json", timeout=10).json()["by_path"]
    nothing = {"requests": 0, "bytes": 0}
    messages = [wire.get(path, nothing) for path in ("/email/batchWithTemplates", "/email/batch")]
    templates = wire.get("/templates", nothing)
    return Result(
        way=way,
        readers=readers,
        seconds=sent["seconds"],
        cpu=sent["cpu"],
        cpu_of_process=sent["cpu_of_process"],
        peak_rss=sent["peak_rss"],
        message_bytes=sum(entry["bytes"] for entry in messages),
        template_calls=templates["requests"],
        template_bytes=templates["bytes"],
        compiled_drafting=compiled,
        compiled_sending=sent["compilations"],
        duplicates=received["duplicates"],
        missing=readers - received["readers"],
    )


def _prepare(url: str, readers: int, mutings: int) -> int:
    """A database with an approved issue and its readers, who have muted it in so many ways beside muting nothing.

    Returns how often that compiled MJML.
    """
    now = datetime.now(UTC)
    with (
        counted_compiler() as compiler,
        closing(assemble(database_url=url, base_url="https://verdicts.example.com")) as assembly,
    ):
        with writing(assembly.engine) as session:
            import_paths(session, [demo.SAMPLE / "comparisons.jsonl"], None, now)
            weekly.draft(session, assembly.rules, WEEK, now)
            approving.preview(session, assembly.rules, WEEK)
            issue = approving.approve(session, assembly.rules, WEEK, now)
            ways = _ways_of_muting(weekly.comparisons_of(session, issue), mutings)
            session.commit()
        with assembly.engine.begin() as connection:
            for first in range(0, readers, 10_000):
                emails = [f"reader{number}@example.com" for number in range(first, min(first + 10_000, readers))]
                rows = [
                    {"email": one, "address_key": one, "status": ACTIVE, "since": now, "muted": ways[place % len(ways)]}
                    for place, one in enumerate(emails)
                ]
                connection.execute(insert(Subscriber), rows)
    return int(compiler.call_count)


def _ways_of_muting(comparisons: Sequence[Comparison], count: int) -> list[str]:
    """None, and so many that each leave something else: by one category, then by two."""
    names = categories_of(comparisons)
    sets = chain.from_iterable(combinations(names, size) for size in range(len(names)))
    return [muting(each) for each in islice(sets, count + 1)]


@contextmanager
def _fresh(database: str, folder: Path) -> Iterator[str]:
    """An empty database, gone after the block."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'newsletter.db'}"
        return
    engine = open_engine(database).execution_options(isolation_level="AUTOCOMMIT")
    name = f"newsletter_bench_{secrets.token_hex(4)}"
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            try:
                yield engine.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
            finally:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


class _RunningSandbox:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        said = self._read()
        self.url, self.token = str(said["url"]), str(said["token"])

    def count(self) -> dict[str, int]:
        """How many readers have a letter, and how many letters are there beyond one each."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


@contextmanager
def _sandbox() -> Iterator[_RunningSandbox]:
    command = [sys.executable, "-m", "benchmarks.sandbox"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield _RunningSandbox(process)
        # Leaving closes its stdin, which ends it, and waits for it.


def _medians(runs: list[Result]) -> Result:
    found: dict[str, Any] = {"way": runs[0].way}
    for name in Result.__dataclass_fields__:
        if name != "way":
            values = [getattr(run, name) for run in runs]
            found[name] = sum(values) if name in ("duplicates", "missing") else median(values)
    return Result(**found)


def _cells(result: Result) -> list[str]:
    thousands = result.readers / 1000
    return [
        result.way,
        f"{result.readers:,}",
        f"{result.seconds:.2f}",
        f"{result.readers / result.seconds:,.0f}",
        f"{result.cpu / thousands:.3f}",
        f"{result.cpu_of_process / thousands:.3f}",
        f"{result.peak_rss / MIB:.0f}",
        f"{result.message_bytes / result.readers:,.0f}",
        f"{result.template_calls:.0f}, {result.template_bytes:,.0f}",
        f"{result.compiled_drafting:.0f} + {result.compiled_sending:.0f}",
        str(result.duplicates),
        str(result.missing),
    ]


def _compared(ours: Result, plain: Result) -> str:
    wire = plain.message_bytes / (ours.message_bytes + ours.template_bytes)
    cpu = plain.cpu / ours.cpu
    rate = plain.seconds / ours.seconds
    return (
        f"{ours.readers:,} readers, against the plain loop of postmarker's send_batch (whole bodies, no ledger): "
        f"{wire:.0f} times fewer bytes, {cpu:.1f} times less CPU, {rate:.1f} times the rate."
    )


def _with_mutings(muted: Result, ours: Result, mutings: int) -> str:
    return (
        f"{ours.readers:,} readers who have muted it in {mutings} ways and not at all, against nobody who has: "
        f"{muted.seconds / ours.seconds:.2f} times the seconds, {muted.cpu / ours.cpu:.2f} times the CPU, "
        f"{muted.compiled_sending - ours.compiled_sending:.0f} compilations more."
    )


if __name__ == "__main__":
    main()
