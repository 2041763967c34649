"""What has been said of a tool? All verdicts on it over time, as a page that anyone may read.

Promise: only issues that readers have count; a tool that none of them has is 404, as if it were not there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter.comparisons import votes
from newsletter.comparisons.comparison import is_slug
from newsletter.db import reading
from newsletter.issues import history
from newsletter.issues.history import Verdict
from newsletter.issues.retrospect import week_in_words
from newsletter.language import Speech
from newsletter.web import metadata
from newsletter.web.answers import answers
from newsletter.web.shelf import week_and_days
from newsletter.web.site import Here, cached, page
from newsletter.web.track import Told, plot

router = APIRouter(default_response_class=HTMLResponse)


@router.api_route("/tools/{slug}", methods=["GET", "HEAD"], responses=answers(304, 404, 503))
def one_tool(request: Request, site: Here, slug: str) -> Response:
    """All verdicts on one tool."""
    with reading(site.engine) as session:
        found = told_of(session, site.say_of_issues, [slug])[slug] if is_slug(slug) else ()
    if not found:
        raise HTTPException(404)
    newest, links, say = found[-1].verdict, site.assembly.links, site.say_of_issues
    trail = [(site.assembly.settings.name, links.home()), (newest.name, links.tool(slug))]
    first, last = found[0].verdict.week, newest.week
    values: dict[str, Any] = {
        "newest": found[-1],
        "told": found[::-1],
        "plot": plot(found),
        "ends": (week_in_words(say, first, last), week_in_words(say, last, first)),
        "about": metadata.of_tool(newest, trail),
    }
    return cached(request, page(site, "tool.html", **values))


def told_of(session: Session, say: Speech, slugs: Sequence[str]) -> dict[str, list[Told]]:
    """The slug of each of these tools -> what was told of it, the oldest first. `say`: in the words of issues."""
    found = history.verdicts(session, slugs)
    tallies = votes.tallies(session, {each.comparison_id for each in _all(found.values())})
    return {
        slug: [
            Told(
                verdict,
                votes.community(tallies[verdict.comparison_id], verdict.side, verdict.published),
                week_and_days(say, verdict.week),
                week_in_words(say, verdict.week, beside=""),
            )
            for verdict in verdicts
        ]
        for slug, verdicts in found.items()
    }


def _all(found: Iterable[Sequence[Verdict]]) -> Iterable[Verdict]:
    return (each for verdicts in found for each in verdicts)
