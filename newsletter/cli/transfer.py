"""`newsletter subscribers import` and `export`: readers in and out."""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer

from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, counting, fail, say, tell
from newsletter.cli.readers import OfStatus
from newsletter.cli.whole_file import goes_to_stdout, require_new, whole_file
from newsletter.db import reading
from subscribers.csv_file import SEPARATORS, CannotRead, CsvFile, name_of, open_csv
from subscribers.dialects import FIELDS, IGNORE, PLAIN, Reading, recognise
from subscribers.exporting import exported, write_csv
from subscribers.importing import BadRow, Report, import_rows
from subscribers.rejects import Rejects

MAX_BAD_ROWS = 20  # bad rows that are named one by one


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A header line, and a column of addresses.")],
    source: Annotated[str | None, typer.Option(help="Where they agreed; default: the file's name.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help=f"What a column means: {', '.join(FIELDS)} or {IGNORE}."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where rows go that are left out; default: FILE.rejected.csv, here."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="How the file is encoded; default: what it looks like.")
    ] = None,
) -> None:
    """Bring over readers who agreed elsewhere, active unless the file says otherwise. Twice changes nothing."""
    given = _mapping(mapping or [])
    if rejected:
        require_new(rejected)
    with _opened(file, _known_encoding(encoding)) as csv_file, closing(Rejects(csv_file.header)) as rejects:
        how = _recognised(csv_file, given)
        if rejected and how.told_by_name and _recognised(csv_file, given, rejected.name).unsaid != how.unsaid:
            fail(f"{rejected}: the rows were active under that name; let it begin like that of {file.name}")
        _tell_reading(csv_file, how)
        named: list[BadRow] = []

        def turn_away(row: BadRow) -> None:
            rejects.add(row)
            if len(named) < MAX_BAD_ROWS:
                named.append(row)

        with closing(assemble()) as assembly, counting(f"import {file.name}", csv_file.count) as show:
            report = import_rows(
                assembly.engine,
                csv_file,
                how,
                source,
                datetime.now(UTC),
                dry_run=dry_run,
                turn_away=turn_away,
                show=show,
            )
        _tell_report(file, report, named, dry_run)
        if not report.bad:
            return
        if dry_run and not rejected:
            fail(f"{file}: {report.bad} rows would be left out; mend them before the import, or after it")
        where = _saved(rejects, rejected, file.stem)
    fail(f"{file}: {report.bad} rows were left out; mend them in {where}, which has the reasons, and import that file")


def export(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: stdout.")] = None,
    status: OfStatus = None,
    as_json: AsJson = False,
) -> None:
    """Everybody on the list as CSV, which `subscribers import` reads back; the erased are not in it."""
    write = _write_json if as_json else write_csv
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        readers = exported(session, status)
        if not out:
            write(readers, sys.stdout)
            return
        with whole_file(out) as file:
            count = write(readers, file)
    (tell if goes_to_stdout(out) else say)(f"{out}: {count} readers")


def _mapping(written: list[str]) -> dict[str, str]:
    given = {}
    for one in written:
        column, _, wanted = one.rpartition("=")
        if not column.strip() or wanted not in (*FIELDS, IGNORE):
            raise typer.BadParameter(
                f"{one!r} is not like COLUMN=FIELD, with a field of {', '.join(FIELDS)} or {IGNORE}", param_hint="--map"
            )
        given[column] = wanted
    return given


def _known_encoding(name: str | None) -> str | None:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name or "utf-8")
    except LookupError:
        raise typer.BadParameter(f"{name!r} is no encoding of texts that is known", param_hint="--encoding") from None
    return name


@contextmanager
def _opened(file: Path, encoding: str | None) -> Iterator[CsvFile]:
    try:
        with open_csv(file, encoding) as opened:
            yield opened
    except CannotRead as error:
        fail(str(error))


def _recognised(file: CsvFile, given: dict[str, str], name: str | None = None) -> Reading:
    try:
        return recognise(file.header, name or file.path.name, given)
    except ValueError as error:
        fail(f"{file.path}:1: {error}")


def _tell_reading(file: CsvFile, how: Reading) -> None:
    """Say how the file is taken, where that is not a matter of course."""
    if how.dialect != PLAIN.name or not file.is_plain:
        kind = "a plain file" if how.dialect == PLAIN.name else f"an export, {how.dialect}"
        tell(f"{file.path}: read as {kind}, in {name_of(file.encoding)}, separated by {SEPARATORS[file.separator]}")
    if how.told_by_name and how.unsaid:
        tell(f"{file.path}: as its name says, all in it count as {how.unsaid.status} of whom it says nothing else")
    if how.not_read:
        columns = [(how.header[position], field) for field, positions in how.columns.items() for position in positions]
        named = [column if column == field else f"{column} as {field}" for column, field in columns]
        read = dict.fromkeys([*named, *(sign.column for _, sign in how.signs)])
        tell(f"{file.path}:1: not read: {', '.join(how.not_read)} (what is: {', '.join(read)})")


def _tell_report(file: Path, report: Report, named: list[BadRow], dry_run: bool) -> None:
    for row in named:
        tell(f"{file}:{row.line}: {row.reason}")
    if report.bad > len(named):
        tell(f"… and {report.bad - len(named)} more")
    added = ", ".join(f"{count} {status}" for status, count in report.added.items()) or "none"
    say(f"added: {added}; on the list before: {report.known}; left out: {report.bad}")
    if report.twice:
        say(f"further up in the file: {report.twice}, where the first row counts")
    if report.left:
        say(f"left the list, as the file says: {report.left}")
    if report.overruled:
        say(f"said of somebody who has said otherwise since, or of whom an editor has; not done: {report.overruled}")
    if report.kept_out:
        say(f"kept out, since they were forgotten at their wish or must not be written to: {report.kept_out}")
    if report.stayed:
        tell(f"{report.stayed} of those on the list have left or are suppressed, and stay so")
    if dry_run:
        tell("a dry run: nothing was written")


def _saved(rejects: Rejects, rejected: Path | None, stem: str) -> Path:
    if not rejected:
        return rejects.save_beside(stem)
    rejects.save(rejected)
    return rejected


def _write_json(readers: Iterable[dict[str, Any]], file: IO[str]) -> int:
    """One array, an object a line: a long list is never in memory."""
    count = 0
    for count, reader in enumerate(readers, 1):
        file.write("[\n" if count == 1 else ",\n")
        file.write(orjson.dumps(reader, option=orjson.OPT_UTC_Z).decode())
    file.write("\n]\n" if count else "[]\n")
    return count
