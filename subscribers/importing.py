"""Readers from a CSV file: people who agreed elsewhere.

Twice changes nothing. A bad row is handed back with its line and the reason, and the good rows still go in. Nobody who
has left or is suppressed comes back through a file, and whoever left elsewhere leaves here too. Nothing is sent.

Written in chunks, a transaction each, and committed here: a sign-up need not wait for a million rows, and of an import
that was interrupted whole chunks stay, over which the next one passes. Memory does not grow with the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, insert, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from newsletter.db import lost_a_race, writing
from newsletter.db import reading as reading_from
from subscribers.consent import IMPORTED, LEFT, SIGNED_UP, Consent, note, own_words
from subscribers.csv_file import CsvFile, open_csv
from subscribers.dialects import Reading, recognise
from subscribers.entry import Entry, read_entry
from subscribers.fingerprint import Fingerprints, kept_from_files
from subscribers.seen import Seen
from subscribers.subscriber import (
    ACTIVE,
    FINAL,
    NOTHING_MUTED,
    PENDING,
    SUPPRESSED,
    UNSUBSCRIBED,
    Subscriber,
    find_locked,
    muting,
)
from subscribers.suppression import (
    COMPLAINT,
    MANUAL,
    Suppression,
    lifted_among,
    status_of_words,
    suppress,
    suppressed_among,
)

CHUNK = 900  # rows a transaction; SQLite may be built to take 999 values a query at most
ATTEMPTS = 5  # at one chunk, when somebody else adds the same addresses at the same moment


@dataclass(frozen=True)
class BadRow:
    """A row that was left out. `line` counts from 1, the header included."""

    line: int
    reason: str
    cells: list[str]


@dataclass
class Report:
    """What an import did. Every row is in one of `added`, `known`, `kept_out`, `overruled`, `twice`
    and `bad`."""

    added: Counter[str] = field(default_factory=Counter)
    """New readers, by status."""
    known: int = 0
    """Rows whose address was on the list; nothing of it was changed, but for those who left."""
    kept_out: int = 0
    """Addresses that are not on the list, and that no file brings on it: of the erased, and of the suppressed."""
    twice: int = 0
    """Rows whose address stands further up in the file: the first row counts, unless this one says that they left."""
    bad: int = 0
    """Rows that were left out."""
    left: int = 0
    """Those who were on the list (or further up), of whom the row says that they have left or are suppressed."""
    overruled: int = 0
    """Rows by which somebody would have left or been suppressed, but that are older than the reader's own word, or the
    editor's who lifted it, that says otherwise; nothing was changed."""
    stayed: int = 0
    """The known ones of which the file says active, but who have left or are suppressed."""

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.added.total() + self.known + self.kept_out + self.overruled + self.twice + self.bad

    def add(self, other: "Report") -> None:
        """Count in what another part of the file brought."""
        self.added.update(other.added)
        for name in ("known", "kept_out", "overruled", "twice", "bad", "left", "stayed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class Foretold:
    """What an import would make of one row."""

    line: int
    """Counts from 1, the header included."""
    entry: Entry | None
    """As the row is understood; None where it is not."""
    outcome: str
    """What would come of it, or what is wrong with it, in a few words."""
    cells: list[str]

    @property
    def is_bad(self) -> bool:
        """Whether the row would be left out."""
        return self.entry is None


@dataclass
class _Plan:
    """What a chunk of rows changes; decided before anything is written."""

    new: dict[str, Entry] = field(default_factory=dict)
    """By key."""
    leaving: dict[str, Entry] = field(default_factory=dict)
    """By key; some of them may be new."""
    suppressed: dict[str, Entry] = field(default_factory=dict)
    """By fingerprint."""
    wishes: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """By key and status: the suppressed who left or complained, as a row says. It counts when that is lifted."""
    statuses: dict[str, str] = field(default_factory=dict)
    """By key, as they are afterwards."""
    report: Report = field(default_factory=Report)


def import_csv(engine: Engine, path: Path, source: str | None, now: datetime) -> Report:
    """Import a file as it explains itself. Raises CannotRead, or ValueError for a header that says too little."""
    with open_csv(path) as file:
        return import_rows(engine, file, recognise(file.header, path.name, {}), source, now)


def import_rows(
    engine: Engine,
    file: CsvFile,
    reading: Reading,
    source: str | None,
    now: datetime,
    *,
    dry_run: bool = False,
    turn_away: Callable[[BadRow], None] = lambda _: None,
    show: Callable[[int], None] = lambda _: None,
) -> Report:
    """Import readers from an open file.

    `source`: where they agreed, of rows that do not say it (default: the file's name). `dry_run`: decide everything,
    write nothing. `turn_away` gets each bad row, `show` after each chunk the number of rows that were read.
    """
    report, seen = Report(), Seen()
    try:
        with reading_from(engine) as session:
            prints = Fingerprints(session)
        rows = file.rows()
        while chunk := list(islice(rows, CHUNK)):
            entries = []
            for line, cells in chunk:
                try:
                    entries.append(read_entry(reading, cells))
                except ValueError as error:
                    report.bad += 1
                    turn_away(BadRow(line, str(error), cells))
            plan = _take(engine, entries, prints, seen, source or file.path.name, now, dry_run)
            seen.add(plan.statuses)
            report.add(plan.report)
            show(report.rows)
    finally:
        seen.close()
    return report


def foretell(engine: Engine, file: CsvFile, reading: Reading, most: int) -> list[Foretold]:
    """What an import would make of each of the first rows; writes nothing, and holds up nobody who writes."""
    told: list[Foretold] = []
    before: dict[str, str] = {}
    with reading_from(engine) as session:
        prints = Fingerprints(session)
        for line, cells in islice(file.rows(), most):
            try:
                entry = read_entry(reading, cells)
            except ValueError as error:
                told.append(Foretold(line, None, str(error), cells))
                continue
            plan = _decide(session, [entry], prints, before, dry_run=True)
            before |= plan.statuses
            told.append(Foretold(line, entry, _in_words(plan, entry), cells))
    return told


def _in_words(plan: _Plan, entry: Entry) -> str:
    """What would come of one row that is decided on by itself."""
    report, status = plan.report, plan.statuses.get(entry.address.key)
    words = (
        (report.kept_out, "kept out: forgotten at their wish, or must not be written to"),
        (report.overruled, "nothing: something newer has been said here"),
        (report.added.total(), f"new: {status}"),
        (report.left, f"will be {status}"),
        (report.twice, "nothing: stands further up in the file"),
        (report.stayed, f"nothing: is {status}, and stays so"),
    )
    return next((said for applies, said in words if applies), f"nothing: on the list already, {status}")


def _take(
    engine: Engine, entries: list[Entry], prints: Fingerprints, seen: Seen, source: str, now: datetime, dry_run: bool
) -> _Plan:
    """Decide on a chunk, and write it in one transaction."""
    before = seen.among({entry.address.key for entry in entries})
    if dry_run:
        with reading_from(engine) as session:
            return _decide(session, entries, prints, before, dry_run=True)
    for attempt in range(1, ATTEMPTS + 1):
        with writing(engine) as session:
            try:
                plan = _decide(session, entries, prints, before, dry_run=False)
                _write(session, plan, source, now)
                session.commit()
            except DBAPIError as error:  # since it was decided, somebody signed up; now they are known
                if attempt == ATTEMPTS or not lost_a_race(error):
                    raise
            else:
                return plan
    raise AssertionError


def _decide(
    session: Session, entries: Iterable[Entry], prints: Fingerprints, before: Mapping[str, str], dry_run: bool
) -> _Plan:
    plan, report = _Plan(), Report()
    addresses = {entry.address.key: entry.address for entry in entries}
    query = select(Subscriber.address_key, Subscriber.status, Subscriber.id).where(_in_list(addresses))
    known = session.exec(query).all()
    stored = {key: status for key, status, _ in known}
    # In a dry run nothing of what the rows further up decided is in the database.
    statuses = {**stored, **before} if dry_run else {**before, **stored}
    fingerprints = {
        entry.address.key: prints.of(entry.address)
        for entry in entries
        if entry.address.key not in stored or entry.standing.status == SUPPRESSED
    }
    barred = suppressed_among(session, fingerprints.values())
    kept_out = barred | kept_from_files(session, fingerprints.values())
    newer = _newer_words(session, entries, {key: number or 0 for key, _, number in known}, fingerprints)
    for entry in entries:
        key, wanted = entry.address.key, entry.standing.status
        first = key not in before and key not in plan.statuses
        status = plan.statuses.get(key) or statuses.get(key)
        if status is None and fingerprints[key] in kept_out:
            report.kept_out += 1
            continue
        word = newer.get((key, wanted))
        if status not in FINAL and word and entry.since and word >= entry.since:
            report.overruled += 1
            if status is not None:
                plan.statuses[key] = status
            continue
        if status is None:
            plan.new[key] = entry
            report.added[wanted] += 1
        else:
            report.known += first
            report.twice += not first
            report.stayed += first and status in FINAL and wanted == ACTIVE
        if status is not None and status not in FINAL and wanted in FINAL:
            plan.leaving[key] = entry
            report.left += 1
        if wanted == SUPPRESSED and status not in FINAL and fingerprints[key] not in barred:
            plan.suppressed[fingerprints[key]] = entry
        outdated = word and entry.since and word >= entry.since
        if status == SUPPRESSED and not outdated and entry.standing.is_a_wish:
            plan.wishes[key, wanted] = entry
        plan.statuses[key] = wanted if status is None or key in plan.leaving else status
    plan.report = report
    return plan


def _newer_words(
    session: Session, entries: Iterable[Entry], numbers: Mapping[str, int], fingerprints: Mapping[str, str]
) -> dict[tuple[str, str], datetime]:
    """Who may have said otherwise since: key and status that a dated row wants -> when such a word was last said.

    That they want letters, readers say themselves. That an address may be written to again, an editor does: of an
    address that bounced or complained the reader's own word says nothing, as where the provider tells us of it.
    """
    dated = [entry for entry in entries if entry.since]
    leaving = {entry.address.key for entry in dated if entry.standing.status == UNSUBSCRIBED}
    kept_out = {fingerprints[entry.address.key] for entry in dated if entry.standing.status == SUPPRESSED}
    own = own_words(session, [numbers[key] for key in leaving & numbers.keys()])
    lifted = lifted_among(session, kept_out)
    found = {(key, UNSUBSCRIBED): own[number] for key, number in numbers.items() if number in own}
    return found | {(key, SUPPRESSED): lifted[print_] for key, print_ in fingerprints.items() if print_ in lifted}


def _write(session: Session, plan: _Plan, source: str, now: datetime) -> None:
    connection = session.connection()
    if plan.new:
        connection.execute(insert(Subscriber), [_subscriber(entry, now) for entry in plan.new.values()])
    changed = {**plan.new, **plan.leaving}
    query = select(Subscriber.address_key, Subscriber.id).where(_in_list(changed))
    numbers = {key: number for key, number in session.exec(query) if number is not None}
    steps: list[dict[str, Any]] = []
    for key, entry in plan.new.items():
        steps += _steps_of_new(numbers[key], entry, entry.source or source, now)
    # In one order, as whoever else locks many readers does.
    for key, entry in sorted(plan.leaving.items(), key=lambda item: numbers.get(item[0], 0)):
        # Since it was decided they may have been erased, which leaves no address, or have left by themselves.
        willing = (col(Subscriber.address_key) == key, col(Subscriber.status).not_in(FINAL))
        moved = {"status": entry.standing.status, "since": entry.since or now, "paused_until": None}
        leave = update(Subscriber).where(*willing).values(moved).returning(col(Subscriber.id))
        gone = connection.execute(leave).scalar_one_or_none()
        if gone and entry.standing.status == UNSUBSCRIBED:
            steps.append(_step(gone, LEFT, entry.source or source, entry.since or now))
    if steps:
        connection.execute(insert(Consent), steps)
    if plan.suppressed:
        connection.execute(
            insert(Suppression),
            [
                {
                    "fingerprint": fingerprint,
                    "reason": entry.standing.suppressed_for or MANUAL,
                    "source": entry.source or source,
                    "at": entry.since or now,
                }
                for fingerprint, entry in plan.suppressed.items()
            ],
        )
    for entry in plan.wishes.values():
        said, at = entry.source or source, entry.since or now
        reader = find_locked(session, entry.address)
        if entry.standing.status == SUPPRESSED:
            suppress(session, entry.address, COMPLAINT, said, at)
        elif reader and reader.id and status_of_words(session, reader) != UNSUBSCRIBED:
            note(session, reader.id, LEFT, said, at)


def _in_list(keys: Iterable[str]) -> ColumnElement[bool]:
    return col(Subscriber.address_key).in_(list(keys))


def _subscriber(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "email": entry.address.email,
        "address_key": entry.address.key,
        "status": entry.standing.status,
        "since": entry.since or now,
        "paused_until": entry.paused_until,
        "language": entry.language,
        "muted": muting(entry.muted) if entry.muted else NOTHING_MUTED,
    }


def _steps_of_new(number: int, entry: Entry, source: str, now: datetime) -> Iterator[dict[str, Any]]:
    """The consent of a new reader. Who left needs no proof that they had agreed: only what the file says is noted."""
    status = entry.standing.status
    if status == PENDING:
        yield _step(number, SIGNED_UP, source, entry.consented_at or now, entry.network)
    elif status not in FINAL or entry.consented_at:
        yield _step(number, IMPORTED, source, entry.consented_at or now, entry.network)
    if status == UNSUBSCRIBED:
        yield _step(number, LEFT, source, entry.since or now)


def _step(number: int, kind: str, source: str, at: datetime, network: str | None = None) -> dict[str, Any]:
    return {"subscriber_id": number, "kind": kind, "source": source, "at": at, "network": network}
