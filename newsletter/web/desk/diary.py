"""Who did what at the desk, and when? The log, the newest first, of everything or of one issue."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from newsletter.editors import editor, log
from newsletter.issues.week import Week
from newsletter.web.desk.frame import HOME, Here, below, page

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/log")
def diary(desk: Here, week: str = "", before: Annotated[int | None, Query(ge=1, lt=2**63)] = None) -> Response:
    """A page of the log; `before`: the number of the entry before which it begins."""
    wanted = week.strip()
    wrong = None
    try:
        of = str(Week.parse(wanted)) if wanted else None
    except ValueError as error:
        of, wrong = None, str(error)
    with desk.reading() as session:
        found = [] if wrong else log.newest(session, week=of, before=before, most=log.PAGE + 1)
        names = {one.id: one.name for one in editor.every(session)}
    shown = found[: log.PAGE]
    path = f"{below(desk.request)}{HOME}/log"
    query = {"week": of} if of else {}
    return page(
        desk,
        "log.html",
        422 if wrong else 200,
        entries=shown,
        names=names,
        week=wanted,
        wrong=wrong,
        first=f"{path}?{urlencode(query)}".rstrip("?") if before else None,
        next=f"{path}?{urlencode({**query, 'before': shown[-1].id})}" if len(found) > log.PAGE else None,
    )
