"""How fast are events taken after a send? `make bench`, or `python -m benchmarks.events --help`.

A real `newsletter serve` process, and another one that posts a delivery of each copy of an issue to it over HTTP on
loopback: once with events written in groups, and once with a commit for each, in one run. On SQLite and on PostgreSQL,
both of which wait for the disk.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, insert
from sqlmodel import select

from benchmarks.flood import message_id
from newsletter import migrations
from newsletter.db import open_engine, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import ACCEPTED, Delivery
from newsletter.message import Letter
from newsletter.tracking.store import StoredEvent
from subscribers.subscriber import ACTIVE, Subscriber
from tests.postgres import Cluster, find_programs

PAIR = "postmark:correct horse battery staple"
MIB = 1024 * 1024
SERVE = "from newsletter.__main__ import main; main()"
ONE_BY_ONE = "import newsletter.web.intake as intake; intake.GROUP = 1; " + SERVE
COLUMNS = (
    "database",
    "written",
    "events",
    "s",
    "events/s",
    "p50 ms",
    "p99 ms",
    "longest ms",
    "refused",
    "CPU s/1,000",
    "MiB at the start, middle, end",
)


@dataclass(frozen=True)
class Result:
    """What one flood took."""

    database: str
    written: str
    events: int
    seconds: float
    p50: float
    p99: float
    longest: float
    refused: int
    cpu: float
    """Of the serving process."""
    memory: tuple[int, int, int]
    """Bytes of the serving process at the start, in the middle and at the end."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def main() -> None:
    """Measure, and print a table."""
    given = _arguments()
    console = Console(width=180)
    table = Table(
        *COLUMNS, title=f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for database in given.databases:
        grouped = _measure(database, "in groups", given.events, given.connections)
        table.add_row(*_cells(grouped))
        single = _measure(database, "one by one", max(given.events // 20, 1), given.connections)
        table.add_row(*_cells(single))
        console.print(f"{database}: groups bring {grouped.rate / single.rate:.1f} times the events a second")
    console.print(table)
    console.print(
        f"{given.connections} connections. Each event is a delivery of a copy that the provider took, answered with "
        "200 once it is on the disk; afterwards all of them are in the table. CPU is the serving process's own, "
        "without the client and the database server, which share the machine with it."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast events are taken.")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    return parser.parse_args()


def _measure(database: str, written: str, events: int, connections: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder, _fresh(database, Path(folder)) as url:
        letter_key = _prepare(url, events)
        with _serving(url, ONE_BY_ONE if written == "one by one" else SERVE) as (process, port):
            command = [
                sys.executable,
                "-m",
                "benchmarks.flood",
                *map(str, (port, events, connections, letter_key, PAIR)),
            ]
            memory = []
            before = _cpu(process.pid)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
                assert client.stdout is not None
                for line in client.stdout:
                    said: dict[str, Any] = json.loads(line)
                    memory.append(_memory(process.pid))
            assert client.returncode == 0
            cpu = _cpu(process.pid) - before
        stored = _stored(url)
        assert stored == events - said["refused"], f"{stored} of {events} are in the table"
    start, middle, end = memory
    return Result(
        database=database,
        written=written,
        events=events,
        seconds=said["seconds"],
        p50=said["p50"],
        p99=said["p99"],
        longest=said["longest"],
        refused=said["refused"],
        cpu=cpu,
        memory=(start, middle, end),
    )


@contextmanager
def _fresh(database: str, folder: Path) -> Iterator[str]:
    """An empty database, gone after the block."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'newsletter.db'}"
        return
    programs = find_programs()
    if programs is None:
        sys.exit("PostgreSQL's server programs (initdb, postgres) are not installed")
    place = Path(tempfile.mkdtemp(prefix="newsletter-postgres-"))
    try:
        with Cluster(programs, place, durable=True) as cluster:
            yield cluster.create()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _prepare(url: str, readers: int) -> str:
    """A letter that the provider took for so many readers; return its key."""
    now = datetime.now(UTC)
    with closing(_Engine(url)) as opened:
        engine = opened.engine
        migrations.upgrade(engine)
        with writing(engine) as session:
            stored = ledger.store(session, Letter("A letter", "", "<p>", "."), "2026-W47", now)
            stored.audience = readers
            session.commit()
            letter_id, key = stored.id, stored.key
        with engine.begin() as connection:
            for first in range(1, readers + 1, 10_000):
                numbers = range(first, min(first + 10_000, readers + 1))
                emails = {number: f"reader{number}@example.com" for number in numbers}
                connection.execute(
                    insert(Subscriber),
                    [
                        {"id": number, "email": email, "address_key": email, "status": ACTIVE, "since": now}
                        for number, email in emails.items()
                    ],
                )
                connection.execute(
                    insert(Delivery),
                    [
                        {
                            "letter_id": letter_id,
                            "subscriber_id": number,
                            "state": ACCEPTED,
                            "message_id": message_id(number),
                            "settled_at": now,
                        }
                        for number in numbers
                    ],
                )
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
    return key


class _Engine:
    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _serving(url: str, program: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """`newsletter serve` on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    name, _, password = PAIR.partition(":")
    settings = {
        "NEWSLETTER_DATABASE_URL": url,
        "NEWSLETTER_WEBHOOK_USERNAME": name,
        "NEWSLETTER_WEBHOOK_PASSWORD": password,
    }
    command = [sys.executable, "-c", program, "serve", "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield process, port
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        assert process.poll() is None, "it could not be started"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError


def _stored(url: str) -> int:
    with closing(_Engine(url)) as opened, reading(opened.engine) as session:
        return session.exec(select(func.count()).select_from(StoredEvent)).one()


def _memory(process: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cells(result: Result) -> list[str]:
    return [
        result.database,
        result.written,
        f"{result.events:,}",
        f"{result.seconds:.2f}",
        f"{result.rate:,.0f}",
        f"{result.p50 * 1000:.0f}",
        f"{result.p99 * 1000:.0f}",
        f"{result.longest * 1000:.0f}",
        str(result.refused),
        f"{result.cpu / result.events * 1000:.3f}",
        ", ".join(f"{size / MIB:.0f}" for size in result.memory),
    ]


if __name__ == "__main__":
    main()
