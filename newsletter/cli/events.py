"""`newsletter events …`: what came back, and asking the provider for what it could not tell us."""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from newsletter import backfill as filling
from newsletter import weekly
from newsletter.assembly import assemble
from newsletter.backfill import MOST, Backfilled
from newsletter.cli.console import AsJson, fail, say, say_json, say_table, steps
from newsletter.cli.issues import local, week
from newsletter.db import reading
from newsletter.issues.week import Week
from newsletter.tracking.event import KINDS
from newsletter.tracking.newest import newest
from newsletter.tracking.store import KEPT

SHOWN = 50

app = typer.Typer(help="What came back after a letter was sent.", no_args_is_help=True)


def kind(text: str) -> str:
    """A kind of event. Raises typer.BadParameter for what is none."""
    if text not in KINDS:
        raise typer.BadParameter(f"choose from {', '.join(KINDS)}")
    return text


@app.command()
def backfill(
    days: Annotated[
        int | None,
        typer.Option(min=1, max=KEPT.days, help="Since so many days, instead of since the last time."),
    ] = None,
    most: Annotated[int, typer.Option(min=0, help="At most so many messages one by one; a call each.")] = MOST,
    as_json: AsJson = False,
) -> None:
    """Ask the provider what became of letters, where it could not tell us; again adds nothing."""
    with closing(assemble()) as assembly:
        name = assembly.provider.name
        if not assembly.provider.keeps_history and not as_json:
            say(f"{name} keeps no history of its own; nothing to ask")
            return
        with steps("messages") as show:
            result = filling.run(
                assembly.engine,
                assembly.post,
                datetime.now(UTC),
                days=days,
                most=most,
                on_progress=show,
            )
    if as_json:
        say_json({**asdict(result), "new": {each: result.new[each] for each in KINDS}})
    else:
        _say(result)
    if result.stopped:
        fail(f"{result.stopped}; what was read is kept, and the next run goes on from there")


@app.command("list")
def list_(
    of_week: Annotated[
        Week | None, typer.Option("--week", metavar="WEEK", parser=week, help="Only about this issue.")
    ] = None,
    of_kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", parser=kind, help=f"One of {', '.join(KINDS)}.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="At most so many.")] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """The events that came last, the newest first."""
    with closing(assemble()) as assembly:
        with reading(assembly.engine) as session:
            letter_id = weekly.require(session, of_week).letter_id if of_week else None
            seen = [] if of_week and letter_id is None else newest(session, most, letter_id, of_kind)
        if as_json:
            say_json([asdict(each) for each in seen])
            return
        if not seen:
            say("nothing came back so far")
            return
        rows = [
            (local(each.at, assembly), each.kind, each.detail, each.letter, each.email, each.link, each.machine)
            for each in seen
        ]
    zone = assembly.rules.zone
    say_table([f"happened ({zone})", "kind", "detail", "letter", "reader", "link", "machine"], rows)


def _say(result: Backfilled) -> None:
    say(f"asked about: bounces {result.bounces}, suppressions {result.suppressions}, messages {result.messages}")
    if result.unknown:
        say(f"{result.unknown:>7} messages are not shown by the provider")
    for each, meaning in KINDS.items():
        if result.new[each]:
            say(f"{result.new[each]:>7} new: {each} ({meaning})")
    if not result.new:
        say("nothing new")
    if result.more:
        say("there are more messages of which nothing is known; the next run asks about them, or `--most` does")
