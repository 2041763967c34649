"""One import in a process of its own, so that what it costs is its own: `python -m benchmarks.importer WAY URL FILE`.

Prints one JSON document. `naive` is the way that suggests itself: the whole file as dictionaries, and for each row a
query, an object and a flush, in one transaction.
"""

import csv
import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import open_engine
from subscribers import consent
from subscribers.address import parse_address
from subscribers.importing import import_csv
from subscribers.subscriber import add, find

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def main() -> None:
    """Import, and say what it took."""
    way, url, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    engine = open_engine(url)
    with engine.connect():
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    added = import_csv(engine, path, "a benchmark", NOW).added.total() if way == "ours" else _naive(engine, path)
    found = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "rss_before": before * 1024,
        "added": added,
    }
    print(json.dumps(found))


def _naive(engine: Engine, path: Path) -> int:
    added = 0
    with Session(engine) as session:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            address = parse_address(row["email"])
            if find(session, address):
                continue
            subscriber = add(session, address, row["status"], NOW)
            at = datetime.fromisoformat(row["consented_at"])
            consent.note(session, subscriber.id or 0, consent.IMPORTED, "a benchmark", at)
            added += 1
        session.commit()
    return added


if __name__ == "__main__":
    main()
