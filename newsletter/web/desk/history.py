"""How did an issue come to be as it is? Its versions, the newest first, and what else was done to it."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from newsletter.editors import log
from newsletter.editors.editor import every
from newsletter.issues import versions
from newsletter.web.desk.frame import HOME, Here, page
from newsletter.web.desk.progress import require

router = APIRouter(default_response_class=HTMLResponse)

PAGE: Final = 50  # versions
LATELY: Final = 25  # entries of the log; the log itself has all of them


@router.get("/issues/{week}/history")
def show(desk: Here, week: str, before: Annotated[int | None, Query(ge=1, lt=2**31)] = None) -> Response:
    """Who changed what of an issue, and when; `before`: the version that the page before ended with."""
    with desk.reading() as session:
        issue = require(session, week)
        assert issue.id is not None  # it was read from the database
        found = versions.history(session, issue.id, PAGE + 1, before)
        done = log.newest(session, week=issue.week, most=LATELY + 1)
        names = {editor.id: editor.name for editor in every(session)}
    path = f"{HOME}/issues/{issue.week}/history"
    return page(
        desk,
        "history.html",
        issue=issue,
        versions=found[:PAGE],
        first=path if before else "",
        next=f"{path}?before={found[PAGE - 1][0].number}" if len(found) > PAGE else "",
        done=[(entry, names.get(entry.editor_id)) for entry in done[:LATELY]],
        more=len(done) > LATELY,
    )
