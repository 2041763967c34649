"""`newsletter stats …`: how the issues did, how the list grew, and what readers think."""

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from newsletter import growth, numbers, weekly
from newsletter.assembly import assemble
from newsletter.cli.came_back import judged
from newsletter.cli.console import AsJson, say, say_json, say_table
from newsletter.cli.issues import week
from newsletter.columns import (
    COMPARISON,
    ISSUE,
    WEEK,
    comparison_document,
    comparison_row,
    issue_document,
    issue_row,
    write_csv,
)
from newsletter.db import reading
from newsletter.issues.week import Week
from newsletter.numbers import KEEP_BELOW, Numbers
from newsletter.tracking import labelling
from newsletter.tracking.stats import Touched

app = typer.Typer(help="How the issues did, and how the list grew.", no_args_is_help=True)

AsCsv = Annotated[bool, typer.Option("--csv", help="Print a table as CSV, for a spreadsheet.")]
Last = Annotated[int, typer.Option("--last", metavar="N", min=1, max=520, help="How many of the newest issues.")]
Weeks = Annotated[int, typer.Option("--weeks", metavar="N", min=1, max=520, help="How many weeks, with this one.")]


@app.command("issues")
def issues_(last: Last = 12, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """What came back of each issue, the newest first."""
    _one_form(as_json, as_csv)
    with closing(assemble()) as assembly, judged(assembly.engine) as session:
        found = numbers.over_time(session, last, told=assembly.provider.keeps_history)
    if as_json:
        say_json([issue_document(one) for one in found])
        return
    if as_csv:
        write_csv(sys.stdout, ISSUE, map(issue_row, found))
        return
    headings = ["week", "state", "accepted", "delivered", "bounced", "complaints", "left", "opened", "clicked", "votes"]
    say_table(
        headings,
        [
            (
                one.week,
                one.state,
                one.books.accepted,
                _shown(one.returns.delivered if one.returns else None),
                _shown(one.returns.bounced if one.returns else None),
                _complaints(one),
                _shown(one.left.all if one.left else None),
                _touched(one.returns.opened if one.returns else None),
                _touched(one.returns.clicked if one.returns else None),
                one.votes,
            )
            for one in found
        ],
    )
    say(f"openings and clicks: those of people, and of all; complaints: keep below {KEEP_BELOW:.2f} %")


@app.command("growth")
def growth_(weeks: Weeks = 12, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Who joined and who left, week by week, and how many readers there were at its end."""
    _one_form(as_json, as_csv)
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        found = growth.by_week(session, assembly.rules.zone, datetime.now(UTC), weeks)
    rows = [asdict(one) for one in found]
    if as_json:
        say_json(rows)
    elif as_csv:
        write_csv(sys.stdout, WEEK, rows)
    else:
        say_table(list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def comparisons(
    of_week: Annotated[
        Week | None, typer.Argument(metavar="[W]", parser=week, help="ISO week; default: the newest issues.")
    ] = None,
    last: Last = 12,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Which comparisons were looked at, how readers voted on them, and how that differs from the panel."""
    _one_form(as_json, as_csv)
    with closing(assemble()) as assembly, judged(assembly.engine) as session:
        told = assembly.provider.keeps_history
        if of_week:
            found = [numbers.of_issue(session, weekly.require(session, of_week), told=told)]
        else:
            found = numbers.over_time(session, last, told=told)
    each = [(one.week, comparison) for one in found for comparison in one.comparisons]
    if as_json:
        say_json([comparison_document(named, one) for named, one in each])
        return
    if as_csv:
        write_csv(sys.stdout, COMPARISON, [comparison_row(named, one) for named, one in each])
        return
    say_table(
        ["week", "comparison", "clicks", "votes", "readers would ship", "the panel would"],
        [
            (
                named,
                one.slug,
                _touched(one.clicks),
                one.votes.all,
                ", ".join(f"{opinion.tool} {_percent(opinion.community_ship)}" for opinion in one.opinions),
                ", ".join(f"{opinion.tool} {_percent(opinion.panel_ship)}" for opinion in one.opinions),
            )
            for named, one in each
        ],
    )


@app.command()
def label() -> None:
    """Tell the openings and clicks of machines from those of people, where that is not done yet."""
    with closing(assemble()) as assembly:
        judged = labelling.run(assembly.engine)
    say(f"{judged} copies were judged" if judged else "everything is judged; nothing to do")


def _one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("print either --json or --csv")


def _complaints(one: Numbers) -> str:
    if one.returns is None:
        return "—"
    share = one.complaint_rate
    return (
        f"{one.returns.complained} ({share:.2f} %)" if one.returns.complained and share else f"{one.returns.complained}"
    )


def _touched(touched: Touched | None) -> str:
    return "—" if touched is None else f"{touched.people} of {touched.all}"


def _shown(count: int | None) -> str:
    return "—" if count is None else str(count)


def _percent(share: int | None) -> str:
    return "—" if share is None else f"{share} %"
