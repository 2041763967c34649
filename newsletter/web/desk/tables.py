"""What stands in the tables of figures? Each issue in a row, its shares, and how a table is handed out as a file.

Pure. A figure that nobody records is None and never 0; a share of nothing is None.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import Response

from newsletter.columns import write_csv
from newsletter.delivery.ledger import TOTALS
from newsletter.numbers import Numbers, Opinion
from newsletter.tracking.stats import Touched
from newsletter.web.desk.frame import HEADERS

BOM: Final = "\ufeff"
"""Without it some spreadsheets take UTF-8 for something else; programs that read CSV know it."""


@dataclass(frozen=True)
class Share:
    """Of how many, and that in per cent of what was delivered."""

    count: int | None
    percent: float | None


@dataclass(frozen=True)
class Told:
    """One issue in the tables over time."""

    at: datetime
    """When it was counted."""
    week: str
    state: str
    audience: int
    accepted: int
    not_taken: int
    """Refused, suppressed or left before their turn."""
    unsettled: int
    """Of whom something is yet to come."""
    delivered: int | None
    bounced: int | None
    complained: int | None
    complaint_rate: float | None
    left: int | None
    opened: Share
    opened_by_people: Share
    clicked: Share
    clicked_by_people: Share
    times: bool
    """Whether openings or clicks are times, and not readers."""
    votes: int
    panel: float | None
    """What share of the panel would ship the tools on which readers have voted, on average; in per cent."""
    readers: float | None
    """What share of the readers would."""
    apart: float | None
    """By how many points readers and the panel differ from tool to tool, on average."""

    @property
    def leaning(self) -> float | None:
        """In points: above 0 where readers would rather ship than the panel would."""
        return None if self.readers is None or self.panel is None else round(self.readers - self.panel, 1)


def told(one: Numbers, at: datetime) -> Told:
    """An issue as the tables over time have it."""
    books, returns = one.books, one.returns
    reached = (returns.delivered if returns else 0) or books.accepted
    opened, clicked = (returns.opened, returns.clicked) if returns else (None, None)
    opinions = voted(one)
    return Told(
        at=at,
        week=one.week,
        state=one.state,
        audience=books.audience,
        accepted=books.accepted,
        not_taken=books.refused + books.suppressed + books.left,
        unsettled=books.unsettled,
        delivered=returns.delivered if returns else None,
        bounced=returns.bounced if returns else None,
        complained=returns.complained if returns else None,
        complaint_rate=one.complaint_rate,
        left=one.left.all if one.left else None,
        opened=_share(opened, reached),
        opened_by_people=_share(opened, reached, people=True),
        clicked=_share(clicked, reached),
        clicked_by_people=_share(clicked, reached, people=True),
        times=TOTALS in (one.opens, one.clicks),
        votes=one.votes,
        panel=_mean([opinion.panel_ship for opinion in opinions]),
        readers=_mean([opinion.community_ship or 0 for opinion in opinions]),
        apart=_mean([abs(opinion.difference or 0) for opinion in opinions]),
    )


def voted(one: Numbers) -> list[Opinion]:
    """The tools of an issue on which somebody has voted."""
    return [
        opinion
        for comparison in one.comparisons
        for opinion in comparison.opinions
        if opinion.community_ship is not None
    ]


def percent(part: int | None, whole: int | None) -> float | None:
    """A share to a tenth of a per cent; None where either is not known, or of nothing."""
    return round(100 * part / whole, 1) if part is not None and whole else None


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """A table as a file to be kept: UTF-8, with the mark by which spreadsheets know it."""
    text = io.StringIO()
    write_csv(text, columns, rows)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response((BOM + text.getvalue()).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _share(touched: Touched | None, whole: int, *, people: bool = False) -> Share:
    if touched is None:
        return Share(None, None)
    count = touched.people if people else touched.all
    return Share(count, percent(count, whole))


def _mean(values: Sequence[int]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None
