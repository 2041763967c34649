"""How do the issues do, and how does the list grow? Figures over time and of one issue, as plots, tables and files.

Everything here was counted beside the pages (`newsletter.counting`) and says when; where it is too old, or not there
yet, it is asked for, and the page puts the new figures in place of the old ones. Only where the readers of an issue
stand is counted while somebody waits.
"""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from newsletter import counting, numbers
from newsletter.columns import COMPARISON, ISSUE, WEEK, comparison_row, issue_row
from newsletter.counting import GROWTH, Known, of_issue
from newsletter.growth import Grown
from newsletter.issues.week import Week
from newsletter.numbers import KEEP_BELOW, NEVER, NOT_SAID, Numbers
from newsletter.tracking.scanners import LABELS
from newsletter.web.desk import plots
from newsletter.web.desk.frame import Desk, Here, page
from newsletter.web.desk.plots import Plot
from newsletter.web.desk.progress import WORDS, require
from newsletter.web.desk.tables import Told, csv_file, percent, told
from newsletter.weekly import CannotDo
from subscribers.unsubscribe import REASONS

SPANS: Final = (12, 26, 52)
"""How many weeks may be looked at."""

NOT_YET: Final = "not all of it has been counted yet; it is being counted now, try again in a moment"

router = APIRouter(default_response_class=HTMLResponse)

Weeks = Annotated[str, Query()]


@router.get("/numbers")
def over_time(desk: Here, weeks: Weeks = "") -> Response:
    """How the list grew and how the issues did, week by week."""
    span = _span(weeks)
    with desk.reading() as session:
        grown = counting.growth_of(session, span)
        found, missing = counting.over_time(session, _since(desk, span))
        names = [GROWTH, *map(of_issue, [*(one.of.week for one in found), *missing])]
        stale = counting.stale(session, names, desk.now)
    desk.site.bookkeeper.want(stale)
    rows = [told(one.of, one.at) for one in found]
    values: dict[str, Any] = {
        "span": span,
        "spans": SPANS,
        "grown": grown,
        "rows": rows,
        "missing": missing,
        "stale": bool(stale),
        "counted": min((one.at for one in (*found, grown) if one), default=None),
        "keep_below": KEEP_BELOW,
        "never": NEVER,
    }
    return page(desk, "numbers.html", **values | _growth_plots(grown) | _issue_plots(rows[::-1]))


@router.get("/numbers/growth.csv")
def growth_file(desk: Here, weeks: Weeks = "") -> Response:
    """How the list grew, a row a week."""
    with desk.reading() as session:
        grown = counting.growth_of(session, _span(weeks))
    desk.site.bookkeeper.want([GROWTH])
    if grown is None:
        raise CannotDo(NOT_YET)
    return csv_file("growth.csv", WEEK, [asdict(one) for one in grown.of])


@router.get("/numbers/issues.csv")
def issues_file(desk: Here, weeks: Weeks = "") -> Response:
    """How the issues did, a row an issue, the newest first."""
    return csv_file("issues.csv", ISSUE, [issue_row(one) for one in _issues(desk, weeks)])


@router.get("/numbers/comparisons.csv")
def comparisons_file(desk: Here, weeks: Weeks = "") -> Response:
    """How comparisons were followed and voted on, a row a comparison, those of the newest issue first."""
    rows = [comparison_row(one.week, each) for one in _issues(desk, weeks) for each in one.comparisons]
    return csv_file("comparisons.csv", COMPARISON, rows)


@router.get("/numbers/{week}.csv")
def issue_file(desk: Here, week: str) -> Response:
    """How one issue did: one row."""
    one = _issue(desk, week)
    return csv_file(f"{one.week}.csv", ISSUE, [issue_row(one)])


@router.get("/numbers/{week}/comparisons.csv")
def issue_comparisons_file(desk: Here, week: str) -> Response:
    """How the comparisons of one issue were followed and voted on, a row a comparison, in their order."""
    one = _issue(desk, week)
    return csv_file(f"{one.week}-comparisons.csv", COMPARISON, [comparison_row(one.week, it) for it in one.comparisons])


@router.get("/numbers/{week}")
def one_issue(desk: Here, week: str) -> Response:
    """How one issue did: its accounting, what came back, who left and why, what was followed, how readers voted."""
    with desk.reading() as session:
        issue = require(session, week)
        known = counting.numbers_of(session, issue)
        stale = counting.stale(session, [of_issue(issue.week)], desk.now)
    desk.site.bookkeeper.want(stale)
    values: dict[str, Any] = {"issue": issue, "known": known, "stale": bool(stale), "begun": bool(issue.letter_id)}
    return page(desk, "numbers_issue.html", **values, **(_shown(known.of, known) if known else {}))


def _shown(one: Numbers, known: Known[Numbers]) -> dict[str, Any]:
    returns = one.returns
    reached = ((returns.delivered if returns else 0) or one.books.accepted) or None
    clicks = [each.clicks.all for each in one.comparisons if each.clicks]
    reasons = {**REASONS, NOT_SAID: "Did not say why"}
    return {
        "row": told(one, known.at),
        "books": [(WORDS[state], getattr(one.books, state)) for state in WORDS],
        "reached": reached,
        "reasons": [(words, one.left.reasons.get(name, 0)) for name, words in reasons.items()] if one.left else [],
        "alarms": numbers.alarms_of(returns.by_type if returns else {}),
        "spam": numbers.too_many_complaints(one.week, returns.complained, returns.delivered) if returns else None,
        "machines": [(name, why, _machines(one, name)) for name, why in LABELS.items()],
        "most_clicks": max(clicks, default=0),
        "keep_below": KEEP_BELOW,
        "never": NEVER,
        "percent": percent,
        "long": plots.share_of,
    }


def _machines(one: Numbers, label: str) -> list[int]:
    counts = one.returns.machines if one.returns else {}
    return [counts.get(kind, {}).get(label, 0) for kind in ("opened", "clicked")]


def _growth_plots(grown: Known[list[Grown]] | None) -> dict[str, Plot | None]:
    if grown is None:
        return {"size_plot": None, "moves_plot": None}
    weeks = [one.week for one in grown.of]
    gone = {name: [getattr(one, name) for one in grown.of] for name in ("left", "suppressed", "erased")}
    return {
        "size_plot": plots.lines(weeks, {"readers": [one.readers for one in grown.of]}, from_zero=False),
        "moves_plot": plots.bars(weeks, {"joined": [one.joined for one in grown.of]}, gone),
    }


def _issue_plots(rows: list[Told]) -> dict[str, Plot | None]:
    """Of issues, the oldest first."""
    weeks = [one.week for one in rows]
    kinds = ("accepted", "not_taken", "unsettled")
    shares = ("opened", "opened_by_people", "clicked", "clicked_by_people")
    return {
        "deliveries_plot": plots.bars(weeks, {name: [getattr(one, name) for one in rows] for name in kinds}),
        "engagement_plot": plots.lines(
            weeks, {name: [getattr(one, name).percent for one in rows] for name in shares}, unit=" %"
        ),
        "complaints_plot": plots.bars(
            weeks,
            {"complaints": [one.complaint_rate for one in rows]},
            unit=" %",
            limits={"keep_below": KEEP_BELOW, "never": NEVER},
        ),
        "votes_plot": plots.lines(
            weeks, {"panel": [one.panel for one in rows], "voters": [one.readers for one in rows]}, unit=" %", most=100
        ),
    }


def _issues(desk: Desk, weeks: str) -> list[Numbers]:
    """The issues of so many weeks for a file. Raises CannotDo."""
    with desk.reading() as session:
        found, missing = counting.over_time(session, _since(desk, _span(weeks)))
    desk.site.bookkeeper.want(map(of_issue, [*(one.of.week for one in found), *missing]))
    if missing:
        raise CannotDo(NOT_YET)
    return [one.of for one in found]


def _issue(desk: Desk, week: str) -> Numbers:
    """One issue for a file. Raises HTTPException 404 or CannotDo."""
    with desk.reading() as session:
        issue = require(session, week)
        known = counting.numbers_of(session, issue)
    desk.site.bookkeeper.want([of_issue(issue.week)])
    if known is None:
        raise CannotDo(
            NOT_YET if issue.letter_id else f"issue {issue.week} has not begun to go out: nothing is counted"
        )
    return known.of


def _span(weeks: str) -> int:
    """What was asked for, or else the shortest."""
    return next((span for span in SPANS if str(span) == weeks), SPANS[0])


def _since(desk: Desk, weeks: int) -> Week:
    """The first of so many weeks, the last of which has not ended."""
    week = Week.of(desk.now, desk.site.assembly.rules.zone)
    for _ in range(weeks - 1):
        week = week.before()
    return week
