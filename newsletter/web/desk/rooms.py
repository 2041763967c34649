"""Which pages does the desk have? All its routers below `/desk`, its files, and how it answers what it refuses."""

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from newsletter.web.desk import entrance, overview
from newsletter.web.desk.frame import (
    HEADERS,
    HOME,
    LOGIN,
    Furniture,
    NotAllowed,
    NotSignedIn,
    furnish,
    guard,
    here_or_home,
    is_part,
    tell,
)
from newsletter.web.site import Site, site_of
from newsletter.weekly import CannotDo

BEHIND_THE_DOOR: Final = (overview,)
"""Modules whose routes only those reach who are signed in. Their `router` knows no prefix: paths begin after /desk."""

KINDS: Final = {"css": "text/css", "js": "text/javascript"}
FOREVER: Final = "public, max-age=31536000, immutable"

files = APIRouter()


def open_desk(app: FastAPI, site: Site) -> None:
    """Give the application the pages of the desk."""
    app.state.furniture = furnish(site)
    app.include_router(files, prefix=HOME, include_in_schema=False)
    app.include_router(entrance.router, prefix=HOME, include_in_schema=False)
    for part in BEHIND_THE_DOOR:
        app.include_router(part.router, prefix=HOME, include_in_schema=False, dependencies=[Depends(guard)])
    app.add_exception_handler(NotSignedIn, _sign_in_first)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(CannotDo, _cannot_do)


@files.get("/files/{name}")
def file(request: Request, name: str) -> Response:
    """The style sheet and the scripts; pages name them with their versions."""
    furniture: Furniture = request.app.state.furniture
    if name not in furniture.files:
        raise NotSignedIn  # nobody is told what there is
    content, _ = furniture.files[name]
    return Response(content, media_type=KINDS[name.rpartition(".")[2]], headers={"Cache-Control": FOREVER})


async def _sign_in_first(request: Request, _: Exception) -> Response:
    wanted = request.url.path if request.method in ("GET", "HEAD") else HOME
    way_in = LOGIN if wanted == HOME else f"{LOGIN}?next={quote(wanted, safe='/')}"
    if is_part(request):
        return Response(status_code=204, headers={**HEADERS, "HX-Redirect": LOGIN})
    return RedirectResponse(way_in, 303, HEADERS)


async def _not_allowed(request: Request, error: Exception) -> Response:
    furniture: Furniture = request.app.state.furniture
    text = furniture.templates.get_template("refused.html").render(why=str(error), back=here_or_home(request))
    return HTMLResponse(text, 403, HEADERS)


async def _cannot_do(request: Request, error: Exception) -> Response:
    if not request.url.path.startswith(f"{HOME}/"):
        raise error
    if is_part(request):  # what htmx would put into the page is not there: the page is loaded anew, and says why
        part = Response(status_code=204, headers={**HEADERS, "HX-Refresh": "true"})
        tell(site_of(request), part, str(error), wrong=True)
        return part
    answer = RedirectResponse(here_or_home(request), 303, HEADERS)
    tell(site_of(request), answer, str(error), wrong=True)
    return answer
