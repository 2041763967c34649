"""Which columns do the tables of figures have? One row a week, an issue or a comparison, in JSON and in CSV.

What would be a formula in a spreadsheet is guarded, as in the list of readers that is handed out.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import IO, Any, Final

from newsletter.growth import Grown
from newsletter.numbers import NOT_SAID, Numbers, OnComparison, tally
from newsletter.tracking.scanners import LABELS
from subscribers.entry import guarded
from subscribers.exporting import written
from subscribers.unsubscribe import REASONS

_TOUCHES: Final = ("opened", "clicked")
_SIDES: Final = ("left", "right")
_WAYS: Final = ("hard", "soft", "failed")
_OPINION: Final = ("tool", "panel_ship", "community_ship", "difference")

ISSUE: Final = (
    *("week", "state", "began_at"),
    *("audience", "accepted", "refused", "suppressed", "left", "left_out", "queued", "sending", "in_doubt"),
    *("delivered", "bounced", *(f"bounced_{way}" for way in _WAYS), "complained", "complaint_rate"),
    *("unsubscribed", "unsubscribed_at_provider", *(f"because_{name}" for name in (*REASONS, NOT_SAID))),
    *("opened", "opened_by_people", "clicked", "clicked_by_people"),
    *(f"{kind}_by_{name}" for kind in _TOUCHES for name in LABELS),
    "votes",
)
"""The columns of a table of issues."""

COMPARISON: Final = (
    *("week", "slug", "title", "clicks", "clicks_by_people", "votes", "left", "right", "both", "neither"),
    *(f"{side}_{name}" for side in _SIDES for name in _OPINION),
)
"""The columns of a table of comparisons."""

WEEK: Final = tuple(field.name for field in fields(Grown))
"""The columns of a table of weeks of the list."""


def issue_document(one: Numbers) -> dict[str, Any]:
    """An issue as JSON has it."""
    return {"week": one.week, "state": one.state, "began_at": one.began_at, **asdict(one.books), **one.came_back()}


def issue_row(one: Numbers) -> dict[str, Any]:
    """An issue as a row under `ISSUE`; None where nobody records it."""
    row = issue_document(one) | {"votes": one.votes}
    bounces, unsubscribes = row["bounces"] or {}, row["unsubscribes"] or {"reasons": {}}
    row |= {f"bounced_{way}": bounces.get(way) for way in _WAYS}
    row |= {f"because_{name}": count for name, count in unsubscribes["reasons"].items()}
    row["unsubscribed_at_provider"] = unsubscribes.get("at_provider")
    for kind in _TOUCHES:
        counts = (row["machines"] or {}).get(kind, {})
        row |= {f"{kind}_by_{name}": None if row[kind] is None else counts.get(name, 0) for name in LABELS}
    return row


def comparison_document(week: str, one: OnComparison) -> dict[str, Any]:
    """A comparison as JSON has it."""
    return {
        "week": week,
        "slug": one.slug,
        "title": one.title,
        "clicks": one.clicks.all if one.clicks else None,
        "clicks_by_people": one.clicks.people if one.clicks else None,
        "votes": tally(one.votes),
        "tools": [asdict(opinion) for opinion in one.opinions],
    }


def comparison_row(week: str, one: OnComparison) -> dict[str, Any]:
    """A comparison as a row under `COMPARISON`."""
    row = comparison_document(week, one)
    row |= {**row["votes"], "votes": one.votes.all}
    for side, opinion in zip(_SIDES, row["tools"], strict=True):
        row |= {f"{side}_{name}": opinion[name] for name in _OPINION}
    return row


def write_csv(file: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV (RFC 4180) under their columns; what is None or missing is an empty cell.

    `file` makes no line ends of its own, or is a terminal.
    """
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return written(value)
    return guarded(value) if isinstance(value, str) else value
