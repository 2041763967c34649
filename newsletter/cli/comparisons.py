"""`newsletter comparisons …`: what we write about."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.assembly import assemble
from newsletter.cli.console import AsJson, fail, say, say_json, say_table, tell
from newsletter.comparisons import comparison, importers
from newsletter.comparisons.record import LEFT, RIGHT, Comparison
from newsletter.db import reading, writing
from newsletter.issues import issue as issues

app = typer.Typer(help="What we write about.", no_args_is_help=True)


def moment(written: str) -> datetime:
    """An ISO 8601 date and time from the command line, as UTC; without an offset it means UTC."""
    try:
        parsed = datetime.fromisoformat(written)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{written!r} is no date and time; write it like 2026-11-18T09:00:00Z") from None


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Page text (.txt), .json, .jsonl, or directories of them.")
    ],
    published_at: Annotated[
        datetime | None,
        typer.Option(
            metavar="ISO", parser=moment, help="When pages, which carry no date, were published; default: now."
        ),
    ] = None,
) -> None:
    """Read comparisons into the store. Twice changes nothing; a bad file is named and leaves nothing of itself."""
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        report = importers.import_paths(session, paths, published_at, datetime.now(UTC))
        session.commit()
    for done in report.imported:
        say(f"{done.change}: {done.title}")
        for change in done.changes:
            say(f"  {change}")
    if not report.imported and not report.bad:
        say("there is no comparison in what was read; nothing to do")
    for bad in report.bad:
        tell(str(bad))
    if report.bad:
        files = "1 file" if len(report.bad) == 1 else f"{len(report.bad)} files"
        fail(f"{files} could not be read, and nothing of what is in them was stored; mend them and import again")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """What is in the store, and which issue each went out in."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        weeks = issues.week_of_each_comparison(session)
        stored = [(one.record, weeks.get(one.id)) for one in comparison.list_comparisons(session)]
    if as_json:
        say_json([as_document(record, week) for record, week in stored])
        return
    say_table(
        ["published (UTC)", "issue", "panel", "title"],
        [
            (
                f"{record.published_at:%Y-%m-%d %H:%M}",
                week or "—",
                f"{record.panel_ship(LEFT)}% / {record.panel_ship(RIGHT)}%",
                record.title,
            )
            for record, week in stored
        ],
    )


def as_document(record: Comparison, week: str | None) -> dict[str, Any]:
    """A comparison as the commands print it in JSON; what they print can be imported again."""
    document = record.model_dump(mode="json", exclude_none=False)
    for tool, side in zip(document["tools"], (LEFT, RIGHT), strict=True):
        tool["panel_ship"] = record.panel_ship(side)
    return {**document, "issue": week}
