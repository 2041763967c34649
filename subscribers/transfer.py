"""Readers from a CSV file: people who agreed elsewhere.

Twice changes nothing. A bad row is named with its line and the reason, and the good rows still go in. Nobody who has
left or is suppressed comes back through a file, and whoever left elsewhere leaves here too.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from subscribers import consent
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, FINAL, STATUSES, add, find, move

COLUMNS = ("email", "status", "source", "consented_at")
MAX_FIELD = 10_000  # characters; more in one field means that a quote was never closed


class CannotRead(ValueError):  # noqa: N818  the name says what happened
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
    """Rows whose address was on the list; nothing of it was changed, but for those who left."""
    left: int = 0
    """The known ones of which the file says that they have left or are suppressed: they are, from now on."""
    kept_out: int = 0
    """The known ones of which the file says active, but who have left or are suppressed."""
    not_read: list[str] = field(default_factory=list)
    """Columns that the file has and that mean nothing here: a misspelt `status` would make everybody active."""
    bad: list[BadRow] = field(default_factory=list)


def import_csv(session: Session, path: Path, source: str | None, now: datetime) -> Report:
    """Import readers from a file with a header line and at least the column `email`.

    Optional columns: `status` (default active), `source` (where they agreed; default: `source`, else the file's
    name), `consented_at` (ISO 8601; default: `now`). Other columns are not read. Raises CannotRead.
    """
    report = Report()
    header, rows = _read(path)
    report.not_read = [name for name in header if name and name not in COLUMNS]
    for line, cells in rows:
        try:
            _import_row(session, _named(header, cells), source or path.name, now, report)
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
        if status in FINAL and known.status not in FINAL:
            assert known.id is not None  # it was read from the database
            consent.note(session, known.id, consent.LEFT, row.get("source", "").strip() or source, at)
            report.left += move(known, status, now)
            session.add(known)
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
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"consented_at is {written!r}, which no calendar has in UTC") from None


def _named(header: list[str], cells: list[str]) -> dict[str, str]:
    """A row by its columns' names. Raises ValueError where there are more: a comma too many moves what follows it."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise ValueError(f"has {len(cells)} fields and the header {len(header)}; put quotes around a comma")
    return {**dict.fromkeys(header, ""), **dict(zip(header, cells, strict=False))}


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's names in lower case, and (line, fields) of every row that is not blank. Raises CannotRead."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CannotRead(f"{path}: not a UTF-8 text file; save it as CSV in UTF-8") from None
    except OSError as error:
        raise CannotRead(f"{path}: {error.strerror or error}") from None
    if "\0" in text:
        raise CannotRead(f"{path}: holds NUL bytes; this is no text file")
    rows = []
    line = 1
    try:
        for cells in (reader := csv.reader(io.StringIO(text), strict=True)):
            if any(len(cell) > MAX_FIELD for cell in cells):
                raise CannotRead(f"{path}:{line}: a quote is opened here and never closed")
            rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CannotRead(f"{path}:{line}: {error}; is there a quote that is never closed?") from None
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    if header.count("email") != 1:
        raise CannotRead(f'{path}:1: the header line must have one column "email"')
    return header, [(line, cells) for line, cells in rows[1:] if any(cell.strip() for cell in cells)]
