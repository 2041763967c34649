"""What have readers been sent? The issues and their comparisons, as pages that anyone may read.

Promise: only what is in an issue that is going out or has gone out shows; all else is 404, as if it were not there.
"""

from collections.abc import Sequence
from functools import partial
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
from newsletter.issues.retrospect import Shares
from newsletter.issues.week import Week
from newsletter.rendering.card import reviewer
from newsletter.rendering.markdown import web_html
from newsletter.rendering.page import page as letter_page
from newsletter.web import listed, metadata, shelf
from newsletter.web.answers import answers
from newsletter.web.listed import Listed
from newsletter.web.panel import Around, Panel, panel
from newsletter.web.shelf import week_and_days
from newsletter.web.site import Here, Site, cached, page
from newsletter.web.tools import told_of
from newsletter.weekly import edition

EARLIER = 5  # issues that the front page names below the latest one
A_PAGE = 50  # issues in one list
HISTORY = 8  # verdicts on a tool that a comparison's page tells; the tool's own page tells all

router = APIRouter(default_response_class=HTMLResponse)


@router.api_route("/", methods=["GET", "HEAD"], responses=answers(304, 503))
def front(request: Request, site: Here) -> Response:
    """The latest issue, whole."""
    about = metadata.of_site(site.assembly.settings.name, site.assembly.links)
    with reading(site.engine) as session:
        entries = shelf.newest(session, site, 1 + EARLIER)
        if not entries:
            return cached(request, page(site, "empty.html", about=about))
        # Its own address: whoever looks for us by name is not to find the issue of the week in which they were indexed.
        latest = listed.issue(session, entries[0].week)
        assert latest is not None  # it is in the list
        values = _edition(session, site, latest) | {"about": about}
    return cached(request, page(site, "front.html", **values, earlier=entries[1:]))


@router.api_route("/issues", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def every_issue(request: Request, site: Here, before: str | None = None) -> Response:
    """All issues, the newest first, or those before a week; fifty at a time."""
    before = None if before is None else _week(before)
    with reading(site.engine) as session:
        entries = shelf.newest(session, site, A_PAGE + 1, before)
        is_below, above = (False, None) if before is None else shelf.page_above(session, before, A_PAGE)
    if before and not entries:
        raise HTTPException(404)
    listing = site.assembly.links.issues()
    title, address = site.say("All issues"), listing if before is None else f"{listing}?before={before}"
    values: dict[str, Any] = {
        "years": shelf.by_year(entries[:A_PAGE]),
        "older": entries[A_PAGE - 1].week if len(entries) > A_PAGE else None,
        "is_below": is_below,
        "above": above,
        "about": metadata.of_trail([(site.assembly.settings.name, site.assembly.links.home()), (title, address)]),
    }
    return cached(request, page(site, "issues.html", **values))


@router.api_route("/issues/{week}", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def one_issue(request: Request, site: Here, week: str) -> Response:
    """The web edition of a letter."""
    wanted = _week(week)
    with reading(site.engine) as session:
        found = listed.issue(session, wanted)
        if found is None:
            raise HTTPException(404)
        values = _edition(session, site, found)
        # One that was called off in its midst is in no list, but those who have it may look at it.
        older, newer = (_step(site, each) for each in shelf.beside(session, wanted))
    return cached(request, page(site, "issue.html", **values, newer=newer, older=older))


@router.api_route("/comparisons/{slug}", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def one_comparison(request: Request, site: Here, slug: str) -> Response:
    """The full panel of one comparison."""
    with reading(site.engine) as session:
        stored = comparison.by_slug(session, slug)
        issue = None if stored is None else _carrier(session, stored.id)
        if stored is None or issue is None:
            raise HTTPException(404)
        earlier = history.earlier(session, issue.week, [stored.id])
        shown = _panels(session, site, issue.week, [stored.id], [stored.record], earlier)[0]
        told = told_of(session, site.say_of_issues, [side.slug for side in shown.sides if side.slug])
    answer = page(
        site,
        "comparison.html",
        panel=shown,
        week=issue.week,
        when=week_and_days(site.say_of_issues, issue.week),
        history={slug: rows[: -HISTORY - 1 : -1] for slug, rows in told.items()},
        about=metadata.of_comparison(
            stored.record,
            site.assembly.settings.language,
            _trail(site, _issue_step(site, issue.week), (shown.title, site.assembly.links.comparison(slug))),
            site.assembly.links,
            partial(reviewer, site.say_of_issues),
        ),
    )
    return cached(request, answer)


def _carrier(session: Session, comparison_id: int) -> Issue | None:
    """The issue in which readers were sent a comparison; None where no reader has been sent it."""
    place = session.get(IssueComparison, comparison_id)
    issue = None if place is None else session.get(Issue, place.issue_id)
    return issue if issue is not None and issue.letter_id is not None else None


def _edition(session: Session, site: Site, found: Listed) -> dict[str, Any]:
    """What `edition.html` shows of an issue: the words of the letter, in the page's language, around its comparisons.

    The lead is whole. Of each other one there is the reviewer whom the letter quotes, uncut: the letter's choice is the
    issue's, and a dozen panels would be more than anybody reads on one page.
    """
    issue, week, ids = found.issue, found.issue.week, found.comparisons
    records = comparison.load_many(session, ids)
    earlier = history.earlier(session, week, ids)
    previous = issues.before(session, Week.parse(week))
    rules, say = site.assembly.rules, site.say_of_issues
    letter = letter_page(edition(rules, issue, records, earlier, previous.subject_line if previous else None, say.code))
    panels = _panels(session, site, week, ids, records, earlier)
    quoted = [{pair.reviewer for pair in card.pairs} for card in letter.cards]
    return {
        "letter": letter,
        "note": web_html(letter.note) if letter.note else None,
        "panels": panels,
        "pairs": [
            [pair for pair in shown.pairs if place == 0 or reviewer(say, pair.seat) in quoted[place]]
            for place, shown in enumerate(panels)
        ],
        "about": metadata.of_issue(
            found, rules.masthead.language, _trail(site, _issue_step(site, week)), rules.masthead.links
        ),
    }


def _panels(
    session: Session,
    site: Site,
    week: str,
    ids: Sequence[int],
    records: Sequence[Comparison],
    earlier: Sequence[Shares],
) -> list[Panel]:
    """What pages show of comparisons (all in the same order) that are in the issue of a week."""
    tallies, slugs = votes.tallies(session, ids), history.tools_of(session, ids)
    later = history.later(session, week, ids)
    made = []
    for number, record, before, since in zip(ids, records, earlier, later, strict=True):
        tally, published = tallies[number], [tool.community_ship for tool in record.tools]
        around = Around(
            readers=(votes.community(tally, LEFT, published[LEFT]), votes.community(tally, RIGHT, published[RIGHT])),
            votes={choice: getattr(tally, choice) for choice in votes.CHOICES},
            week=week,
            earlier=before,
            later=since,
            slugs=(slugs.get((number, LEFT)), slugs.get((number, RIGHT))),
        )
        made.append(panel(site.say_of_issues, record, around, site.assembly.settings.zone))
    return made


def _week(text: str) -> str:
    """A week that an address names, as we write it. Raises HTTPException, 404."""
    try:
        return str(Week.parse(text))
    except ValueError:
        raise HTTPException(404) from None


def _step(site: Site, week: str | None) -> tuple[str, str] | None:
    """A neighbour: its week, and that in words."""
    return None if week is None else (week, week_and_days(site.say_of_issues, week))


def _trail(site: Site, *further: tuple[str, str]) -> metadata.Trail:
    """The way from the front page over all issues to a page."""
    settings, links = site.assembly.settings, site.assembly.links
    return [(settings.name, links.home()), (site.say("All issues"), links.issues()), *further]


def _issue_step(site: Site, week: str) -> tuple[str, str]:
    return week_and_days(site.say_of_issues, week), site.assembly.links.issue(week)
