"""What does the desk say where something is wrong? Nothing is there, not allowed, too much, broken, the records away.

Promises: a stranger is led to the door wherever they go, and learns nothing of what there is; nobody is told more than
what to do. What htmx asked for in the midst of a page ends as the page loaded anew, which says what was wrong.
"""

from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from newsletter.web.desk.frame import (
    HEADERS,
    HOME,
    LOGIN,
    Desk,
    NotAllowed,
    NotSignedIn,
    below,
    here_or_home,
    is_part,
    lead_to,
    outside,
    page,
    signed_in,
    tell,
)
from newsletter.web.site import site_of
from newsletter.weekly import CannotDo

IN_FRONT: Final = (LOGIN, f"{HOME}/invited/")
"""Where strangers are: what is wrong there is said, and leads nowhere else."""

NOTHING_HERE: Final = ("There is nothing here", "The address may be mistyped, or what was here is gone.")
WORDS: Final = {
    405: ("That cannot be done here", "This address answers, but not to what was asked of it. Nothing has changed."),
    413: ("That was too much", "The form is longer than anything that is asked for here. Nothing has changed."),
    503: (
        "Back in a moment",
        "The records cannot be reached just now, and nothing has changed. Please try again in a few minutes.",
    ),
}


def open_handlers(app: FastAPI) -> None:
    """Let the application answer so what the desk refuses."""
    app.add_exception_handler(NotSignedIn, _sign_in_first)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(CannotDo, _cannot_do)


def concerns(request: Request) -> bool:
    """Whether it is a page of the desk that was asked for, there or not."""
    path = request.scope["path"]
    return bool(path == HOME or path.startswith(f"{HOME}/"))


async def refused(request: Request, error: Exception) -> Response:
    """To what is not there, not to be done so, or too much."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    title, *paragraphs = WORDS.get(status, NOTHING_HERE)
    if request.scope["path"].startswith(IN_FRONT):
        answer: Response = outside(request, "away.html", status, title=title, paragraphs=paragraphs)
    else:
        desk = await _whoever(request)
        if desk is None:
            return _to_the_door(request)
        answer = _said_anew(request, paragraphs[0]) or _page(desk, status, title, *paragraphs)
    answer.headers.update({name: value for name, value in headers.items() if name.lower() in ("allow", "retry-after")})
    return answer


def database_away(request: Request, wait: str) -> Response:
    """To anything while the records cannot be reached: nobody knows who is asking. `wait`: seconds."""
    title, *paragraphs = WORDS[503]
    answer = outside(request, "away.html", 503, title=title, paragraphs=paragraphs)
    answer.headers["Retry-After"] = wait
    return answer


def broken(request: Request) -> Response:
    """To what is our own fault."""
    words = "It is our fault, not yours, and it has been noted. Please look whether what you did was done."
    return outside(request, "away.html", 500, title="Something went wrong", paragraphs=[words])


async def _sign_in_first(request: Request, _: Exception) -> Response:
    return _to_the_door(request)


def _to_the_door(request: Request) -> Response:
    """After the door it goes on where it was to go; after a form, to the page that it was on."""
    looked = request.method in ("GET", "HEAD") and not is_part(request)
    wanted = request.scope["path"] if looked else here_or_home(request)
    way_in = LOGIN if wanted == HOME or wanted.startswith(IN_FRONT) else f"{LOGIN}?next={quote(wanted, safe='/')}"
    if is_part(request):
        return Response(status_code=204, headers={**HEADERS, "HX-Redirect": f"{below(request)}{way_in}"})
    return lead_to(request, way_in)


async def _not_allowed(request: Request, error: Exception) -> Response:
    desk = await _whoever(request)
    if desk is None:
        return _to_the_door(request)
    return _said_anew(request, str(error)) or _page(desk, 403, "That is not allowed", str(error))


async def _cannot_do(request: Request, error: Exception) -> Response:
    if not concerns(request):
        raise error
    anew = _said_anew(request, str(error))
    if anew is None:
        anew = lead_to(request, here_or_home(request))
        tell(site_of(request), anew, str(error), wrong=True)
    return anew


def _said_anew(request: Request, text: str) -> Response | None:
    """To htmx, which would put nothing into the page: let it load the page anew, and that say it."""
    if not is_part(request):
        return None
    part = Response(status_code=204, headers={**HEADERS, "HX-Refresh": "true"})
    tell(site_of(request), part, text, wrong=True)
    return part


def _page(desk: Desk, status: int, title: str, *paragraphs: str) -> Response:
    back = here_or_home(desk.request)
    if back == desk.request.scope["path"]:
        back = HOME
    return page(desk, "wrong.html", status, title=title, paragraphs=paragraphs, back=back)


async def _whoever(request: Request) -> Desk | None:
    """Who is asking; None for a stranger."""
    known: Desk | None = getattr(request.state, "desk", None)
    if known is not None:
        return known
    try:
        return await run_in_threadpool(signed_in, request)
    except (NotSignedIn, SQLAlchemyError):
        return None
