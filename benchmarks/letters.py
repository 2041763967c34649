"""What do variants and languages cost? `make bench`, or `python -m benchmarks.letters --help`.

One issue goes out to many readers: a third of them have muted nothing, a third one category, a third another, and half
of each read German. The send is the real one, on a new SQLite database, with a carrier that fills every reader's copy
and drops it. How often MJML is compiled is counted around the compiler itself. Then the same copies are filled without
a ledger, and a few of them rendered for each reader anew, to compare.
"""

import argparse
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown
from sqlalchemy import insert
from sqlmodel import col, select

from benchmarks.sender import WEEK, counted_compiler, cpu_seconds
from newsletter import approving, demo, outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.comparisons.categories import categories_of, muted_among
from newsletter.comparisons.importers import import_paths
from newsletter.comparisons.record import Comparison
from newsletter.db import reading, writing
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.provider import Accepted, Envelope, Outcome
from newsletter.delivery.variants import Variant
from newsletter.message import Filler, Letter, Recipient
from newsletter.outgoing import Run
from newsletter.rendering.letter import render
from newsletter.rendering.size import MOST_BYTES
from subscribers.subscriber import ACTIVE, NOTHING_MUTED, Subscriber, muting

LANGUAGES = (None, "de")
MOST_COMPILES = 6  # three sets of comparisons in two languages


@dataclass
class Filled:
    """What was filled."""

    copies: int = 0
    html: int = 0
    """Bytes."""
    text: int = 0
    largest: int = 0
    """Bytes of the HTML of one copy."""

    def add(self, html: str, text: str) -> None:
        """Count one reader's copy."""
        size = len(html.encode())
        self.copies += 1
        self.html += size
        self.text += len(text.encode())
        self.largest = max(self.largest, size)


@dataclass
class Tally:
    """What a carrier's threads filled, all together."""

    filled: Filled = field(default_factory=Filled)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Dropping(OutboxProvider):
    """Fills each copy, as every carrier must, and drops it."""

    max_batch = 500

    def __init__(self, directory: Path, tally: Tally) -> None:
        super().__init__(directory, lambda: datetime.now(UTC))
        self._tally = tally

    def send(self, letter: Letter, _: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        """Fill a batch; all of it is taken."""
        filler = Filler(letter)
        with self._tally.lock:
            for recipient in recipients:
                self._tally.filled.add(*filler.fill(recipient.values))
        return [Accepted(f"{batch}-{place}") for place, _ in enumerate(recipients)]


def main() -> None:
    """Measure, and print a table."""
    arguments = _arguments()
    columns = ("way", "copies", "compiled", "CPU s", "copies/s a core", "HTML MiB", "text MiB", "largest HTML, bytes")
    table = Shown(*columns, title=f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, on sqlite")
    rates = {}
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name:
        url = f"sqlite:///{Path(name) / 'newsletter.db'}"
        with closing(assemble(database_url=url, base_url="https://verdicts.example.com")) as assembly:
            _prepare(assembly, arguments.readers)
            ways: dict[str, Callable[[], Filled]] = {
                "a whole send: list, ledger, links, filling": lambda: _send(assembly, Path(name)),
                "filling alone": lambda: _fill_alone(assembly, arguments.readers),
                "links signed, filled, encoded": lambda: _fill(assembly, arguments.readers, anew=False),
                "rendering for each reader": lambda: _fill(assembly, arguments.rendered, anew=True),
            }
            for way, do in ways.items():
                with counted_compiler() as compiler:
                    begun = cpu_seconds()
                    filled = do()
                    spent = cpu_seconds() - begun
                rates[way] = filled.copies / spent
                sizes = (f"{filled.html / 2**20:,.0f}", f"{filled.text / 2**20:,.0f}", f"{filled.largest:,}")
                sizes = sizes if filled.html else ("", "", "")
                counts = (f"{filled.copies:,}", str(compiler.call_count), f"{spent:.2f}", f"{rates[way]:,.0f}")
                table.add_row(way, *counts, *sizes)
                assert filled.largest <= MOST_BYTES, filled
                assert way == "rendering for each reader" or compiler.call_count <= MOST_COMPILES, compiler.call_count
    Console(width=150).print(table)
    send, alone, whole, render = rates.values()
    print(
        f"Against rendering for each reader: filling alone {alone / render:,.0f} times the rate, with links and bytes "
        f"{whole / render:,.0f} times, the send {send / render:,.0f} times."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure variants and languages.")
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--rendered", type=int, default=120, help="readers for whom a letter is rendered anew")
    return parser.parse_args()


def _prepare(assembly: Assembly, readers: int) -> None:
    """An approved issue, and its readers in three ways of muting and two languages."""
    now = datetime.now(UTC)
    with writing(assembly.engine) as session:
        import_paths(session, [demo.SAMPLE / "comparisons.jsonl"], None, now)
        issue = weekly.draft(session, assembly.rules, WEEK, now).issue
        assert issue is not None
        ways = _three_ways(weekly.comparisons_of(session, issue))
        session.commit()
    groups = [(muted, language) for muted in ways for language in LANGUAGES]
    with assembly.engine.begin() as connection:
        for first in range(0, readers, 10_000):
            rows = []
            for number in range(first, min(first + 10_000, readers)):
                muted, language = groups[number % len(groups)]
                email = f"reader{number}@example.com"
                rows.append(
                    {"email": email, "address_key": email, "status": ACTIVE, "since": now}
                    | {"muted": muted, "language": language}
                )
            connection.execute(insert(Subscriber), rows)
    with reading(assembly.engine) as session:
        approving.look_over(session, assembly.rules, WEEK)
    with writing(assembly.engine) as session:
        approving.approve(session, assembly.rules, WEEK, now)
        session.commit()


def _three_ways(comparisons: Sequence[Comparison]) -> list[str]:
    """Nothing muted, and two categories that each leave out something else."""
    left_out = {muted_among(comparisons, [name]): name for name in categories_of(comparisons)}
    names = [name for without, name in left_out.items() if 0 < len(without) < len(comparisons)]
    return [NOTHING_MUTED, muting(names[:1]), muting(names[1:2])]


def _send(assembly: Assembly, folder: Path) -> Filled:
    """The send of a process that begins: what it remembers of the approval is forgotten."""
    approving._findings.cache_clear()
    approving._rendered.cache_clear()
    tally = Tally()
    post = replace(assembly.post, provider=Dropping(folder, tally))
    outcome = outgoing.send_issue(assembly.engine, assembly.rules, post, WEEK, Run(clock=lambda: datetime.now(UTC)))
    assert outcome.state == "sent", outcome
    return tally.filled


def _fill(assembly: Assembly, readers: int, *, anew: bool) -> Filled:
    """The same copies, by one thread and without a ledger; `anew`: each letter rendered for its reader."""
    filled = Filled()
    recipient_of = assembly.post.recipient_at(datetime.now(UTC))
    with reading(assembly.engine) as session:
        issue = weekly.require(session, WEEK)
        whole = weekly.manuscript(session, assembly.rules, issue)
        selections = [None, *approving.readership(session, assembly.rules, whole.comparisons).selections]
    fillers = _fillers(assembly)
    for number in range(readers):
        values = recipient_of(f"row-{number}", number, f"reader{number}@example.com").values
        selection = selections[number % len(selections)]
        if anew and selection:
            filler = Filler(render(weekly.in_language(whole, selection.language), selection.without))
        else:
            filler = Filler(render(whole)) if anew else fillers[number % len(fillers)]
        filled.add(*filler.fill(values))
    return filled


def _fill_alone(assembly: Assembly, readers: int) -> Filled:
    """The copies of one reader again and again, as text: what splitting and joining takes."""
    fillers = _fillers(assembly)
    values = assembly.post.recipient_at(datetime.now(UTC))("row", 1, "reader1@example.com").values
    for number in range(readers):
        fillers[number % len(fillers)].fill(values)
    return Filled(copies=readers)


def _fillers(assembly: Assembly) -> list[Filler]:
    """Of the letter and its variants, as they were frozen."""
    with reading(assembly.engine) as session:
        issue = weekly.require(session, WEEK)
        stored = [session.get_one(StoredLetter, issue.letter_id).letter()]
        stored += [one.letter() for one in session.exec(select(Variant).order_by(col(Variant.number)))]
    return [Filler(letter) for letter in stored]


if __name__ == "__main__":
    main()
