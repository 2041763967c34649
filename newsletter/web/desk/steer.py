"""What may be done to an issue that is on its way? Let it rest or go on, call it off, try again, ask, decide.

Promises: what goes on by it is in the database before anybody goes on; the provider is asked by the carrier, and never
while somebody waits for a page.
"""

from typing import Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter import steering
from newsletter.asking import Decision
from newsletter.delivery import doubts, ledger
from newsletter.editors.editor import SEND, STOP
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.web.carrier import Question
from newsletter.web.desk.frame import Form, Here, back_to, only
from newsletter.web.desk.progress import path_of, require
from newsletter.web.desk.send import MOST_BATCHES, send_page
from newsletter.web.form import Sent
from newsletter.weekly import CannotDo

OTHERS: Final = "others"
"""What a form says for the batches that its page does not list."""

DECISIONS: Final = {"resend": Decision.RESEND, "give-up": Decision.GIVE_UP}

router = APIRouter(default_response_class=HTMLResponse)


@router.post("/issues/{week}/pause", dependencies=[Depends(only(STOP))])
def pause(desk: Here, _: Form, week: str) -> Response:
    """Let nothing more of an issue go out for a while. Any editor may who sees that something is wrong."""
    with desk.writing() as session:
        issue = steering.pause(session, _week(require(session, week)))
        desk.log(session, "let it rest", week=issue.week)
        session.commit()
    return back_to(desk, path_of(issue), f"{issue.week} rests: what is under way is finished, and nothing more begins.")


@router.post("/issues/{week}/resume", dependencies=[Depends(only(SEND))])
def resume(desk: Here, _: Form, week: str) -> Response:
    """Let an issue go on that was paused, or held in its midst."""
    with desk.writing() as session:
        issue = steering.resume(session, _week(require(session, week)))
        desk.log(session, "let it go on", week=issue.week)
        session.commit()
    if issue.state == issues.SENDING:
        desk.site.carrier.send(issue.week)
    return back_to(desk, path_of(issue), f"{issue.week} goes on." if issue.state == issues.SENDING else "It is sent.")


@router.post("/issues/{week}/go-on", dependencies=[Depends(only(SEND))])
def go_on(desk: Here, _: Form, week: str) -> Response:
    """Send from here what is due or under way: where a process was killed, say, and no clock runs."""
    with desk.reading() as session:
        issue = require(session, week)
    due = issue.state in (issues.APPROVED, issues.SCHEDULED) and issue.send_at <= desk.now
    if not due and issue.state != issues.SENDING:
        raise CannotDo(f"issue {issue.week} is {issue.state}; there is nothing to go on with")
    with desk.writing() as session:
        desk.log(session, "went on with it", week=issue.week)
        session.commit()
    desk.site.carrier.send(issue.week)
    return back_to(desk, path_of(issue), f"{issue.week} is sent from here, unless somebody else is at it.")


@router.post("/issues/{week}/cancel", dependencies=[Depends(only(SEND))])
def cancel(desk: Here, sent: Form, week: str) -> Response:
    """Call an issue, or the rest of it, off, for who has typed its week, and has seen which of the two it is."""
    typed = sent.one("week")
    with desk.writing() as session:
        issue = require(session, week)
        is_meant = typed.upper() == issue.week
        if is_meant:
            if issue.letter_id is not None and sent.one("begun") != "yes":
                raise CannotDo(f"issue {issue.week} has begun to go out since you looked; look again, then decide")
            steering.cancel(session, _week(issue))
            desk.log(session, "called it off", week=issue.week)
            session.commit()
    if not is_meant:  # said when nobody waits any more for us to have done with writing
        wrong = (typed, f"Type {issue.week} to call it off. Nothing has changed.")
        return send_page(desk, week, 422, wrong={"week": wrong})
    left = "what it tells waits for the next issue" if issue.letter_id is None else "nothing more of it goes out"
    return back_to(desk, path_of(issue), f"{issue.week} is called off: {left}.")


@router.post("/issues/{week}/retry", dependencies=[Depends(only(SEND))])
def retry(desk: Here, _: Form, week: str) -> Response:
    """Try again for those who were refused for a passing reason."""
    with desk.writing() as session:
        issue = require(session, week)
        count = steering.retry(session, _week(issue))
        if not count:
            return back_to(desk, path_of(issue), "Nobody was refused for a reason that may have passed.")
        desk.log(session, "tried again", week=issue.week, detail=f"for {count:,} readers")
        session.commit()
    if issue.state == issues.SENDING:
        desk.site.carrier.send(issue.week)
        return back_to(desk, path_of(issue), f"It is tried again for {count:,} readers.")
    return back_to(desk, path_of(issue), f"{count:,} readers wait again; the issue is {issue.state}.")


@router.post("/issues/{week}/ask", dependencies=[Depends(only(SEND))])
def ask(desk: Here, _: Form, week: str) -> Response:
    """Ask the provider about what is in doubt; what it says shows on the page."""
    with desk.writing() as session:
        issue = require(session, week)
        books = ledger.accounting(session, issue.letter_id)
        if not books.in_doubt and not books.sending:
            raise CannotDo(f"nothing of issue {issue.week} is in doubt")
        desk.log(session, "asked the provider", week=issue.week, detail=f"about {books.in_doubt:,} readers")
        session.commit()
    desk.site.carrier.ask(Question(issue.week))
    return back_to(desk, path_of(issue), "The provider is being asked; what it says will show here.")


@router.post("/issues/{week}/decide", dependencies=[Depends(only(SEND))])
def decide(desk: Here, sent: Form, week: str) -> Response:
    """Do with readers in doubt what a publisher takes upon themselves, once the provider has been asked once more."""
    with desk.writing() as session:
        issue = require(session, week)
        decision = DECISIONS.get(sent.one("decision"))
        readers = _readers_of(session, issue, sent)
        wrong = _what_is_wrong(sent, decision, readers)
        if not wrong:
            _refuse_in_vain(issue, decision)
            what = "send again" if decision is Decision.RESEND else "give up"
            of_whom = f"{what} {sum(readers.values()):,} readers of {len(readers):,} batches"
            desk.log(session, "decided what is in doubt", week=issue.week, detail=of_whom)
            session.commit()
    if wrong:
        return send_page(desk, week, 422, wrong={"decide": (sent.one("decision"), wrong)})
    desk.site.carrier.ask(Question(issue.week, decision, frozenset(readers)))
    return back_to(desk, path_of(issue), "The provider is asked once more, and then it is done as you say.")


def _readers_of(session: Session, issue: Issue, sent: Sent) -> dict[str, int]:
    """Batch -> readers in doubt, of the batches that a form names."""
    if issue.letter_id is None:
        return {}
    found = doubts.open_doubts(session, issue.letter_id)
    named = set(sent.all("batch"))
    if OTHERS in named:
        named |= {each.batch for each in found[MOST_BATCHES:]}
    return {each.batch: len(each.subscriber_ids) for each in found if each.batch in named}


def _what_is_wrong(sent: Sent, decision: Decision | None, readers: dict[str, int]) -> str | None:
    """What keeps a decision from being one; None where nothing does."""
    shown = sent.one("readers")
    if decision is None:
        return "Say what is to be done with them."
    if not readers:
        return "Choose at least one batch that is in doubt."
    if not shown.isdecimal() or sum(readers.values()) > int(shown):
        return f"There are {sum(readers.values()):,} in doubt by now; look again, then decide."
    if not sent.one("sure"):
        return "Say that you know what it means for these readers."
    return None


def _refuse_in_vain(issue: Issue, decision: Decision | None) -> None:
    """Raises CannotDo for a decision that the state of an issue leaves no room for."""
    if issue.state not in (issues.PAUSED, issues.HELD, issues.CANCELLED):
        raise CannotDo(f"issue {issue.week} is {issue.state}; what is in doubt of it is asked about by itself")
    if decision is Decision.RESEND and issue.state == issues.CANCELLED:
        raise CannotDo(f"issue {issue.week} was called off: nothing of it is sent again")


def _week(issue: Issue) -> Week:
    return Week.parse(issue.week)
