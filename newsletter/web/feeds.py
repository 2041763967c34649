"""What do programs read that follow us without an address? The newest issues, whole, as two feeds.

Promises: an issue keeps its identity; it counts as changed when what the panel said was corrected, and never because
somebody voted, so votes are left out. A feed speaks the newsletter's own language whoever asks: one program fetches it
for many readers, and keeps it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from newsletter.comparisons import comparison
from newsletter.db import reading
from newsletter.issues import history
from newsletter.language import PAGES, speech
from newsletter.rendering.card import reviewer
from newsletter.rendering.edition import Edition
from newsletter.rendering.markdown import web_html
from newsletter.rendering.page import page as letter_page
from newsletter.web import listed
from newsletter.web.answers import answers
from newsletter.web.feed_format import ATOM, JSON, Entry, Feed, atom, categories, json_feed
from newsletter.web.listed import Listed
from newsletter.web.site import Here, Site, cached, page
from newsletter.weekly import edition

NEWEST: Final = 20  # issues in a feed

router = APIRouter()


class AtomFeed(Response):
    """A feed as XML."""

    media_type = ATOM


class JsonFeed(Response):
    """A feed as JSON."""

    media_type = JSON


@router.api_route("/feed.xml", methods=["GET", "HEAD"], response_class=AtomFeed, responses=answers(304, 503))
def atom_feed(request: Request, site: Here) -> Response:
    """The newest issues as Atom."""
    made = _made(site, atom)
    return unnegotiated(request, AtomFeed(made.text), made.changed)


@router.api_route(
    "/feed.json",
    methods=["GET", "HEAD"],
    response_class=JsonFeed,
    responses={200: {"content": {JSON: {"schema": {"type": "object"}}}}, **answers(304, 503)},
)
def feed_as_json(request: Request, site: Here) -> Response:
    """The newest issues as JSON Feed."""
    made = _made(site, json_feed)
    return unnegotiated(request, JsonFeed(made.text), made.changed)


def unnegotiated(request: Request, answer: Response, changed: datetime | None = None) -> Response:
    """Let an answer be kept that is the same in all languages; asked by its tag, else by its date, it is sent once."""
    modified = None if changed is None else format_datetime(changed, usegmt=True)
    answer = cached(request, answer)
    # Not "later than": an issue that was called off takes the date back.
    if modified and "if-none-match" not in request.headers and request.headers.get("if-modified-since") == modified:
        answer = Response(status_code=304, headers=dict(answer.headers))
        del answer.headers["content-length"]
    del answer.headers["Vary"]
    if modified:
        answer.headers["Last-Modified"] = modified
    return answer


@dataclass(frozen=True)
class _Made:
    """A feed as it was last written, and of what: programs ask every hour for what changes once a week."""

    of: tuple[Any, ...]
    text: str
    changed: datetime


def _made(site: Site, write: Callable[[Feed], str]) -> _Made:
    """A feed as it stands now; written anew only where something that shows in it has changed."""
    with reading(site.engine) as session:
        found = listed.issues(session, NEWEST)
        # When each was corrected: the latest alone hides one that another process began before it and kept after it.
        # The last import of all is for what earlier issues said of the same tools.
        of = (listed.last_import(session), *((each.issue.week, each.began, each.corrected) for each in found))
        kept = site.kept.get(write.__name__)
        if isinstance(kept, _Made) and kept.of == of:
            return kept
        loaded = iter(comparison.load_many(session, [number for each in found for number in each.comparisons]))
        whole = [
            edition(
                site.assembly.rules,
                each.issue,
                list(islice(loaded, len(each.comparisons))),
                history.earlier(session, each.issue.week, each.comparisons),
            )
            for each in found
        ]
    feed = _feed(site, found, whole)
    made = site.kept[write.__name__] = _Made(of, write(feed), feed.updated)
    return made


def _feed(site: Site, found: Sequence[Listed], whole: Sequence[Edition]) -> Feed:
    own = replace(site, say=speech(site.assembly.settings.language, PAGES), asked=None, tongues=())
    links = site.assembly.links
    entries = tuple(_entry(own, each, issue) for each, issue in zip(found, whole, strict=True))
    return Feed(
        name=site.assembly.settings.name,
        subtitle=own.say("Two AI tools side by side, a panel of reviewers, one question: would you ship it?"),
        language=own.say.code,
        home=links.home(),
        atom_address=links.atom(),
        json_address=links.json_feed(),
        entries=entries,
    )


def _entry(site: Site, found: Listed, issue: Edition) -> Entry:
    links = site.assembly.links
    content = page(
        site,
        "feed/issue.html",
        letter=letter_page(issue),
        note=web_html(issue.note) if issue.note else "",
        records=issue.comparisons,
        reviewer=partial(reviewer, site.say_of_issues),
        there=links,
        week=issue.week,
    )
    return Entry(
        address=links.issue(issue.week),
        title=issue.subject,
        summary=issue.preheader,
        html=bytes(content.body).decode(),
        published=found.began,
        updated=found.changed,
        categories=categories(tool.category for record in issue.comparisons for tool in record.tools),
    )
