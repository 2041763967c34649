"""Which issues are there? All of them, the newest first, what waits for the next one, and where an issue's page is."""

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import IntegrityError

from newsletter import editing, today
from newsletter.editors.editor import WRITE
from newsletter.issues import catalogue
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.web.desk.frame import HOME, Form, Here, back_to, only, page
from newsletter.web.desk.progress import require
from newsletter.weekly import CannotDo

router = APIRouter(default_response_class=HTMLResponse)

LIST = f"{HOME}/issues"


@router.get("/issues")
def show_all(desk: Here, before: str = "") -> Response:
    """All issues; `before` is the week where the page before ended."""
    newest = Week.newest_ended(desk.now, desk.site.assembly.rules.zone)
    with desk.reading() as session:
        found = catalogue.browse(session, _week(before))
        waiting, _ = today.new_comparisons(session, desk.now, 0)
        there = issues.find(session, newest)
    can_draft = there is None or (there.state == issues.CANCELLED and there.letter_id is None)
    return page(
        desk,
        "issues.html",
        listed=found.listed,
        first=LIST if before else "",
        next=f"{LIST}?before={found.next}" if found.next else "",
        waiting=waiting,
        newest=newest,
        can_draft=can_draft and desk.may(WRITE),
    )


@router.post("/issues", dependencies=[Depends(only(WRITE))])
def draft(desk: Here, sent: Form) -> Response:
    """Draft a week, or bring new comparisons into its draft."""
    week = _week(sent.one("week"))
    if week is None or week > Week.newest_ended(desk.now, desk.site.assembly.rules.zone):
        raise CannotDo("only a week that has ended can be drafted here")
    try:
        with desk.writing() as session:
            # The newest version, whichever that is: drafting anew keeps all that editors have changed.
            drafted = editing.refresh(session, desk.site.assembly.rules, week, None, desk.by, desk.now)
            if drafted.issue is None:
                session.rollback()
                return back_to(desk, LIST, f"Nothing new was published up to the end of {week}: there is no issue.")
            desk.log(session, "drafted it", week=str(week), detail=f"{drafted.taken} comparisons")
            session.commit()
    except IntegrityError:  # another clock, or another editor, was faster
        return back_to(desk, f"{LIST}/{week}", f"{week} has just been drafted by somebody else.")
    waits = f" {drafted.rolled_on} did not fit, and wait for the next issue." if drafted.rolled_on else ""
    return back_to(desk, f"{LIST}/{week}/write", f"{week} is drafted, of {drafted.taken} comparisons.{waits}")


@router.get("/issues/{week}")
def lead_on(desk: Here, week: str) -> Response:
    """To where something is to be done about an issue."""
    with desk.reading() as session:
        issue = require(session, week)
    return back_to(desk, f"{LIST}/{issue.week}/{'write' if issue.state == issues.DRAFT else 'send'}")


def _week(written: str) -> Week | None:
    """A week as an address or a form says it; None for what is none."""
    try:
        return Week.parse(written) if written else None
    except ValueError:
        return None
