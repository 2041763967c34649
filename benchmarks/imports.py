"""How fast do readers come in, and in how much memory? `make bench`, or `python -m benchmarks.imports --help`.

Imports a made-up file of many readers into a new SQLite database, and then once more, after which every row of every
table must be the same. 5,000 come in by a plain loop as well, to compare. Each import is a process of its own.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from alembic import command
from rich.console import Console
from rich.table import Table as Shown

from newsletter import migrations
from newsletter.db import Table, open_engine

NAIVE_ROWS = 5_000
MIB = 1024 * 1024
STATUSES = ["active"] * 17 + ["unsubscribed", "pending", "paused"]


def main() -> None:
    """Measure, and print a table."""
    arguments = _arguments()
    console = Console(width=140)
    columns = ("way", "rows", "s", "rows/s", "CPU s", "peak MiB", "over start-up", "new", "all tables as before")
    table = Shown(*columns, title=f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, on sqlite")
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name:
        folder = Path(name)
        many = _file(folder / "many.csv", arguments.rows)
        few = _file(folder / "few.csv", NAIVE_ROWS)
        jobs = [("first time", "ours", many, arguments.rows), ("first time", "ours", few, NAIVE_ROWS)]
        jobs += [("naive", "naive", few, NAIVE_ROWS)]
        for label, way, file, rows in jobs:
            runs, agains, equal = [], [], True
            for run in range(arguments.runs):
                url = _fresh(folder / f"{label}-{rows}-{run}.db")
                runs.append(_measure(way, url, file))
                if label == "first time" and file == many:
                    before = _fingerprint(url)
                    agains.append(_measure(way, url, file))
                    equal = equal and _fingerprint(url) == before
            found = _median(runs)
            rates[f"{way} {rows}"] = rows / found["seconds"]
            table.add_row(*_cells(label, rows, found), "")
            if agains:
                table.add_row(*_cells("second time", rows, _median(agains)), "yes" if equal else "NO")
    console.print(table)
    ratio = rates[f"ours {NAIVE_ROWS}"] / rates[f"naive {NAIVE_ROWS}"]
    console.print(
        f"{NAIVE_ROWS:,} rows, against a loop with a query, an object and a flush for each: {ratio:.1f} times the rate "
        f"(at {arguments.rows:,} rows {rates[f'ours {arguments.rows}'] / rates[f'naive {NAIVE_ROWS}']:.1f} times). "
        f"Medians of {arguments.runs} runs."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the import of readers.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    return parser.parse_args()


def _file(path: Path, rows: int) -> Path:
    """A file of readers as another service may have exported it."""
    chance = random.Random(rows)
    with path.open("w", encoding="utf-8") as file:
        file.write("email,name,status,consented_at,source\n")
        for number in range(rows):
            email = f"reader.{number}+news@mail{chance.randrange(500)}.example.com"
            at = f"2025-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T08:22:10Z"
            file.write(f"{email},Reader {number},{chance.choice(STATUSES)},{at},site form\n")
    return path


def _fresh(path: Path) -> str:
    url = f"sqlite:///{path}"
    engine = open_engine(url)
    command.upgrade(migrations.config(engine), "head")
    engine.dispose()
    return url


def _measure(way: str, url: str, file: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.importer", way, url, str(file)], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _fingerprint(url: str) -> str:
    """A hash over all rows of all tables."""
    engine = open_engine(url)
    found = sha256()
    with engine.connect() as connection:
        for name, table in sorted(Table.metadata.tables.items()):
            rows: Iterator[Any] = iter(connection.execute(table.select().order_by(*table.primary_key)))
            for row in rows:
                found.update(repr((name, tuple(row))).encode())
    engine.dispose()
    return found.hexdigest()


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _cells(label: str, rows: int, found: dict[str, Any]) -> list[str]:
    return [
        label,
        f"{rows:,}",
        f"{found['seconds']:.2f}",
        f"{rows / found['seconds']:,.0f}",
        f"{found['cpu']:.2f}",
        f"{found['peak_rss'] / MIB:.0f}",
        f"{(found['peak_rss'] - found['rss_before']) / MIB:.0f}",
        f"{found['added']:,.0f}",
    ]


if __name__ == "__main__":
    main()
