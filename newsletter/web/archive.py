"""What have readers been sent? The issues and their comparisons, as pages that anyone may read.

Promise: only what is in an issue that is going out or has gone out shows; all else is 404, as if it were not there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.comparisons import comparison, votes
from newsletter.comparisons.record import LEFT, RIGHT, Comparison
from newsletter.db import reading
from newsletter.issues import history
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison
from newsletter.issues.week import Week
from newsletter.language import Speech
from newsletter.rendering.page import page as letter_page
from newsletter.rendering.page import when as week_in_words
from newsletter.web.answers import answers
from newsletter.web.panel import Around, Panel, in_full, panel
from newsletter.web.site import Here, Site, cached, page
from newsletter.weekly import comparisons_of, edition

EARLIER = 5  # issues that the front page names below the latest one

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Entry:
    """An issue, as a list names it."""

    week: str
    when: str
    """"Week 47 · 16–22 November 2026"."""
    subject: str
    sent: date | None
    """In the newsletter's time zone; None while it is going out."""
    comparisons: int


@router.api_route("/", methods=["GET", "HEAD"], responses=answers(304, 503))
def front(request: Request, site: Here) -> Response:
    """The latest issue, whole."""
    with reading(site.engine) as session:
        entries = _entries(session, site)
        if not entries:
            return cached(request, page(site, "empty.html", canonical=site.assembly.links.home()))
        values = _edition(session, site, entries[0].week)
    return cached(request, page(site, "front.html", **values, earlier=entries[1 : 1 + EARLIER]))


@router.api_route("/issues", methods=["GET", "HEAD"], responses=answers(304, 503))
def every_issue(request: Request, site: Here) -> Response:
    """All issues, the newest first."""
    with reading(site.engine) as session:
        entries = _entries(session, site)
    canonical = f"{site.assembly.links.home()}issues"
    return cached(request, page(site, "issues.html", entries=entries, canonical=canonical, in_full=in_full))


@router.api_route("/issues/{week}", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def one_issue(request: Request, site: Here, week: str) -> Response:
    """The web edition of a letter."""
    try:
        wanted = str(Week.parse(week))
    except ValueError:
        raise HTTPException(404) from None
    with reading(site.engine) as session:
        if issues.find_sent(session, Week.parse(wanted)) is None:
            raise HTTPException(404)
        entries = _entries(session, site)
        values = _edition(session, site, wanted)
    # One that was called off in its midst is in no list, but those who have it may look at it.
    newer = next((entry for entry in reversed(entries) if entry.week > wanted), None)
    older = next((entry for entry in entries if entry.week < wanted), None)
    return cached(request, page(site, "issue.html", **values, newer=newer, older=older))


@router.api_route("/comparisons/{slug}", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def one_comparison(request: Request, site: Here, slug: str) -> Response:
    """The full panel of one comparison."""
    with reading(site.engine) as session:
        stored = comparison.by_slug(session, slug)
        issue = None if stored is None else _carrier(session, stored.id)
        if stored is None or issue is None:
            raise HTTPException(404)
        shown = _panels(session, site, issue.week, [stored.id], [stored.record])[0]
    answer = page(
        site,
        "comparison.html",
        panel=shown,
        week=issue.week,
        when=_when(site.say_of_issues, issue.week),
        in_full=in_full,
        canonical=site.assembly.links.comparison(slug),
    )
    return cached(request, answer)


def _carrier(session: Session, comparison_id: int) -> Issue | None:
    """The issue in which readers were sent a comparison; None where no reader has been sent it."""
    place = session.get(IssueComparison, comparison_id)
    issue = None if place is None else session.get(Issue, place.issue_id)
    return issue if issue is not None and issue.letter_id is not None else None


def _entries(session: Session, site: Site) -> list[Entry]:
    """Every issue that may show, the newest first."""
    counts = Counter(issues.week_of_each_comparison(session).values())
    zone = site.assembly.settings.zone
    return [
        Entry(
            week=issue.week,
            when=_when(site.say_of_issues, issue.week),
            subject=issue.subject_line,
            sent=issue.sent_at.astimezone(zone).date() if issue.sent_at else None,
            comparisons=counts[issue.week],
        )
        for issue in issues.sent(session)
    ]


def _edition(session: Session, site: Site, week: str) -> dict[str, Any]:
    """What `edition.html` shows of an issue: the words of the letter, around whole comparisons."""
    issue = issues.find_sent(session, Week.parse(week))
    assert issue is not None  # the caller has looked
    assert issue.id is not None  # it was read from the database
    records = comparisons_of(session, issue)
    rules = site.assembly.rules
    return {
        "letter": letter_page(edition(rules, issue, records)),
        "panels": _panels(session, site, week, issues.comparison_ids(session, issue.id), records),
        "canonical": rules.masthead.links.issue(week),
    }


def _panels(session: Session, site: Site, week: str, ids: Sequence[int], records: Sequence[Comparison]) -> list[Panel]:
    """What pages show of comparisons (ids and records in the same order) that are in the issue of a week."""
    tallies = votes.tallies(session, ids)
    told = zip(history.earlier(session, week, ids), history.later(session, week, ids), strict=True)
    made = []
    for number, record, (earlier, later) in zip(ids, records, told, strict=True):
        tally, published = tallies[number], [tool.community_ship for tool in record.tools]
        readers = (votes.community(tally, LEFT, published[LEFT]), votes.community(tally, RIGHT, published[RIGHT]))
        around = Around(readers, {choice: getattr(tally, choice) for choice in votes.CHOICES}, week, earlier, later)
        made.append(panel(record, around, site.assembly.settings.zone))
    return made


def _when(say: Speech, week: str) -> str:
    return week_in_words(say, week, Week.parse(week).first_day())
