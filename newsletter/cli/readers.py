"""`newsletter subscribers …`: who reads us."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, fail, say, say_json, say_table, tell
from newsletter.db import reading, writing
from subscribers import consent, subscriber
from subscribers.address import Address, parse_address
from subscribers.subscriber import ACTIVE, FINAL, PAUSED, STATUSES, Subscriber
from subscribers.transfer import COLUMNS, CannotRead, Report, import_csv
from subscribers.unsubscribe import unsubscribe as take_off

MAX_BAD_ROWS = 20  # bad rows that are named one by one

app = typer.Typer(help="Who reads us.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A header line, at least the column `email`.")],
    source: Annotated[str | None, typer.Option(help="Where they agreed; default: the file's name.")] = None,
) -> None:
    """Bring over readers who agreed elsewhere; active, or as the column `status` says. Twice changes nothing."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        try:
            report = import_csv(session, file, source, datetime.now(UTC))
        except CannotRead as error:
            fail(str(error))
        session.commit()
    _tell_bad_rows(file, report)
    if report.not_read:
        tell(f"{file}:1: not read: {', '.join(report.not_read)} (the columns that are: {', '.join(COLUMNS)})")
    added = ", ".join(f"{count} {status}" for status, count in report.added.items()) or "none"
    say(f"added: {added}; on the list before: {report.known}; left out: {len(report.bad)}")
    if report.left:
        say(f"left the list, as the file says: {report.left}")
    if report.kept_out:
        tell(f"{report.kept_out} of those on the list have left or are suppressed, and stay so")
    if report.bad:
        fail(f"{file}: {len(report.bad)} rows were left out; mend them and import the file again")


@app.command()
def add(
    address: Email, source: Annotated[str, typer.Option(help="Where and how they agreed.")] = "added by an editor"
) -> None:
    """Add one reader who has agreed elsewhere."""
    parsed, now = _parsed(address), datetime.now(UTC)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        known = subscriber.find(session, parsed)
        if known and known.status in FINAL:
            fail(f"{known.email} is {known.status}, and only they themselves can come back")
        if known and known.status == PAUSED:
            fail(f"{known.email} is paused, which was their wish; they come back when they say so")
        if known and known.status == ACTIVE:
            say(f"{known.email} is on the list already")
            return
        reader = known or subscriber.add(session, parsed, ACTIVE, now)
        subscriber.move(reader, ACTIVE, now)
        assert reader.id is not None  # it has been stored
        consent.note(session, reader.id, consent.ADDED, source, now)
        session.add(reader)
        session.commit()
    say(f"{parsed.email} is on the list")


@app.command()
def show(address: Email, as_json: AsJson = False) -> None:
    """One reader: status and consent."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        reader = _known(session, address)
        assert reader.id is not None  # it was read from the database
        steps = [step.model_dump(include={"kind", "source", "at"}) for step in consent.history(session, reader.id)]
    # Nobody can mute a category yet, so nobody has.
    document = {"email": reader.email, "status": reader.status, "since": reader.since, "muted_categories": []}
    if as_json:
        say_json({**document, "consent": steps})
        return
    say(f"{reader.email}: {reader.status} since {reader.since:%Y-%m-%d %H:%M} UTC ({STATUSES[reader.status]})")
    say_table(["consent", "source", "at (UTC)"], [(s["kind"], s["source"], f"{s['at']:%Y-%m-%d %H:%M}") for s in steps])


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(STATUSES)}.")] = None,
    as_json: AsJson = False,
) -> None:
    """Everybody on the list."""
    if status is not None and status not in STATUSES:
        raise typer.BadParameter(f"{status!r} is none of {', '.join(STATUSES)}", param_hint="--status")
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        readers = [(one.email, one.status, one.since) for one in subscriber.every(session, status)]
    if as_json:
        say_json([{"email": email, "status": state, "since": since} for email, state, since in readers])
        return
    say_table(
        ["email", "status", "since (UTC)"], [(e, state, f"{since:%Y-%m-%d %H:%M}") for e, state, since in readers]
    )


@app.command()
def unsubscribe(address: Email) -> None:
    """Take a reader off the list, at their wish."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        reader = _known(session, address)
        left = take_off(session, reader, "an editor, at the reader's wish", datetime.now(UTC))
        session.commit()
    say(f"{reader.email} has left the list" if left else f"{reader.email} had left before; nothing to do")


def _known(session: Session, address: str) -> Subscriber:
    reader = subscriber.find(session, _parsed(address))
    return reader or fail(f"{address}: unknown address")


def _parsed(address: str) -> Address:
    try:
        return parse_address(address)
    except ValueError as error:
        return fail(f"{address}: {error}")


def _tell_bad_rows(file: Path, report: Report) -> None:
    for row in report.bad[:MAX_BAD_ROWS]:
        tell(f"{file}:{row.line}: {row.reason}")
    if len(report.bad) > MAX_BAD_ROWS:
        tell(f"… and {len(report.bad) - MAX_BAD_ROWS} more")
