"""Readers from a CSV file: people who agreed elsewhere.

Twice changes nothing. A bad row is named with its line and the reason, and the good rows still go in. Nobody who
has left or is suppressed comes back through a file.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from subscribers import consent
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, FINAL, STATUSES, add, find

COLUMNS = ("email", "status", "source", "consented_at")
MAX_FIELD = 10_000  # characters; more in one field means that a quote was never closed


class CannotRead(ValueError):
    """The file as a whole cannot be read; nothing of it was stored."""


@dataclass(frozen=True)
class BadRow:
    """A row that was left out. `line` counts from 1, the header included."""

    line: int
    reason: str


@dataclass
class Report:
    """What an import did."""

    added: Counter[str] = field(default_factory=Counter)
    """New readers, by status."""
    known: int = 0
    """Rows whose address was on the list; nothing of it was changed."""
    kept_out: int = 0
    """The known ones of which the file says active, but who have left or are suppressed."""
    bad: list[BadRow] = field(default_factory=list)


def import_csv(session: Session, path: Path, source: str | None, now: datetime) -> Report:
    """Import readers from a file with a header line and at least the column `email`.

    Optional columns: `status` (default active), `source` (where they agreed; default: `source`, else the file's
    name), `consented_at` (ISO 8601; default: `now`). Other columns are not read. Raises CannotRead.
    """
    report = Report()
    for line, row in _rows(path):
        try:
            _import_row(session, row, source or path.name, now, report)
        except ValueError as error:
            report.bad.append(BadRow(line, str(error)))
    return report


def _import_row(session: Session, row: dict[str, str], source: str, now: datetime, report: Report) -> None:
    address = parse_address(row["email"])
    status = row.get("status", "").strip().lower() or ACTIVE
    if status not in STATUSES:
        raise ValueError(f"status is {status!r}; it must be one of {', '.join(STATUSES)}")
    at = _moment(row.get("consented_at", "").strip()) or now
    known = find(session, address)
    if known:
        report.known += 1
        report.kept_out += status == ACTIVE and known.status in FINAL
        return
    subscriber = add(session, address, status, now)
    assert subscriber.id is not None  # add() has stored it
    consent.note(session, subscriber.id, consent.IMPORTED, row.get("source", "").strip() or source, at)
    report.added[status] += 1


def _moment(written: str) -> datetime | None:
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(f"consented_at is {written!r}; write it like 2026-11-18T09:00:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row) of every row that is not blank, the columns' names in lower case."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CannotRead(f"{path}: not a UTF-8 text file; save it as CSV in UTF-8") from None
    except OSError as error:
        raise CannotRead(f"{path}: {error.strerror or error}") from None
    if "\0" in text:
        raise CannotRead(f"{path}: holds NUL bytes; this is no text file")
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "email" not in header:
            raise CannotRead(f'{path}:1: the header line has no column "email"')
        start = reader.line_num + 1
        for cells in reader:
            line, start = start, reader.line_num + 1
            if any(len(cell) > MAX_FIELD for cell in cells):
                raise CannotRead(f"{path}:{line}: a quote is opened here and never closed")
            if any(cell.strip() for cell in cells):
                yield line, {**dict.fromkeys(header, ""), **dict(zip(header, cells, strict=False))}
    except csv.Error as error:
        raise CannotRead(f"{path}:{reader.line_num}: {error}") from None
