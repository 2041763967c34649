"""How does a reader vote? The letter's link opens a page with their choice set, and one button makes it count.

Promises: looking changes no vote, since scanners follow every link, both sides of a vote included; it takes two presses
in all and no script; the panel's verdict shows only after the vote, so that it sways nobody; no page says whose link it
is, nor what any other reader has said. Where the letter's links are counted, looking is noted as an event.
"""

from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from newsletter import voting
from newsletter.comparisons.record import LEFT, RIGHT
from newsletter.comparisons.votes import BOTH, CHOICES, NEITHER, SIDES
from newsletter.db import reading, writing
from newsletter.delivery.ledger import UNTRACKED
from newsletter.language import Speech
from newsletter.voting import Ballot, NoBallot, Outcome
from newsletter.web.answers import answers, fields
from newsletter.web.form import Form, whence
from newsletter.web.keys import PRIVATE, bad_link
from newsletter.web.site import Here, Site, notice, page
from subscribers.tokens import VOTE, BadToken

CANARY: Final = "canary"
"""How an event names the link that no person is led to."""

router = APIRouter(default_response_class=HTMLResponse)
log = structlog.get_logger()


@router.api_route("/vote/{token}/{comparison}", methods=["GET", "HEAD"], responses=answers(404, 503))
def look(request: Request, site: Here, token: str, comparison: str, choice: str = "") -> Response:
    """The page with a reader's choice set and one button; when the vote is over, how it ended."""
    reader = _reader(site, token)
    if reader is None:
        return bad_link(site)
    with reading(site.engine) as session:
        ballot = voting.standing(session, reader, comparison)
    if isinstance(ballot, NoBallot):
        return _no_ballot(site, ballot)
    known = choice if choice in CHOICES else ""
    if ballot.clicks != UNTRACKED:
        link = f"votes/{comparison}{f'/{known}' if known else ''}"
        site.door.note(request, ballot.row, link, site.clock())
    if not ballot.is_open:
        return _result(site, token, ballot)
    return _ballot_page(site, ballot, known or ballot.own)


# No other token than the one in the address guards the form: whoever would forge a vote from elsewhere must know the
# address, and with it could vote by themselves. There is no cookie that a browser would add.
@router.post(
    "/vote/{token}/{comparison}",
    responses=answers(404, 410, 413, 422, 429, 503),
    openapi_extra=fields(("choice",), choice={"type": "string", "enum": list(CHOICES)}),
)
def vote(request: Request, site: Here, token: str, comparison: str, form: Form) -> Response:
    """Count a reader's vote, in place of an earlier one."""
    reader = _reader(site, token)
    if reader is None:
        return bad_link(site)
    choice = form.one("choice")
    if choice not in CHOICES:
        return _nothing_chosen(site, reader, token, comparison)
    with writing(site.engine) as session:
        voted = voting.vote(session, reader, comparison, choice, whence(request).network, site.clock())
        session.commit()
    if isinstance(voted, NoBallot):
        return _no_ballot(site, voted)
    outcome, ballot = voted
    log.info("vote", subscriber=reader, comparison=comparison, outcome=outcome.name)
    if outcome is Outcome.TOO_OFTEN:
        wrong = site.say(
            "Your vote came too often, or too many came from your network, within an hour. Please try again later. "
            "Nothing has changed."
        )
        return _ballot_page(site, ballot, choice, 429, wrong)
    return _result(site, token, ballot, 410 if outcome is Outcome.OVER else 200)


@router.api_route("/canary/{token}", methods=["GET", "HEAD"], responses=answers(404, 503))
def canary(request: Request, site: Here, token: str) -> Response:
    """A page that no person is led to; what opens it has opened every link of a letter."""
    reader = _reader(site, token)
    if reader is None:
        return bad_link(site)
    with reading(site.engine) as session:
        copy = voting.newest_copy(session, reader)
    if copy is not None and copy[1] != UNTRACKED:
        site.door.note(request, copy[0], CANARY, site.clock())
    return notice(
        site,
        site.say("There is nothing to see here"),
        site.say(
            "Nothing has happened. No person is led to this page: it tells us which links were opened by a program "
            "that opens all links of a letter, so that we do not take it for a reader."
        ),
        headers=PRIVATE,
    )


def _nothing_chosen(site: Site, reader: int, token: str, comparison: str) -> Response:
    with reading(site.engine) as session:
        ballot = voting.standing(session, reader, comparison)
    if isinstance(ballot, NoBallot):
        return _no_ballot(site, ballot)
    if not ballot.is_open:
        return _result(site, token, ballot, 410)
    return _ballot_page(site, ballot, ballot.own, 422, site.say("Please choose one of these. Nothing has changed."))


def _ballot_page(site: Site, ballot: Ballot, chosen: str | None, status: int = 200, wrong: str = "") -> Response:
    headers = {**PRIVATE, "Retry-After": str(int(voting.PER.total_seconds()))} if status == 429 else PRIVATE
    words = _words(site.say, ballot)
    return page(site, "vote.html", status, headers, ballot=ballot, words=words, chosen=chosen, wrong=wrong)


def _result(site: Site, token: str, ballot: Ballot, status: int = 200) -> Response:
    return page(site, "voted.html", status, PRIVATE, ballot=ballot, words=_words(site.say, ballot), key=token)


def _words(say: Speech, ballot: Ballot) -> dict[str, str]:
    """Every choice, as a reader would say it."""
    left, right = (ballot.comparison.tools[side].name for side in (LEFT, RIGHT))
    return {SIDES[LEFT]: left, SIDES[RIGHT]: right, BOTH: say("Both"), NEITHER: say("Neither")}


def _no_ballot(site: Site, why: NoBallot) -> Response:
    """To a good link with which nobody can vote. Each of the two is the same page, whatever the reason behind it."""
    if why is NoBallot.NOBODY:
        return notice(
            site,
            site.say("Nobody votes with this link"),
            site.say(
                "It is from a preview, or belongs to somebody to whom we do not write any more. Nothing has changed."
            ),
            headers=PRIVATE,
        )
    return notice(
        site,
        site.say("There is no vote for you here"),
        site.say(
            "Nothing has changed. You can vote on the comparisons that were in your own letter: please use its links."
        ),
        status=404,
        headers=PRIVATE,
    )


def _reader(site: Site, token: str) -> int | None:
    try:
        return site.assembly.tokens.read(VOTE, token)
    except BadToken:
        return None
