"""Which pages does the desk have? All its routers below `/desk`, and its files."""

from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from newsletter.web.desk import (
    account,
    comparisons,
    diary,
    entrance,
    health,
    history,
    importing,
    issues,
    letters,
    numbers,
    overview,
    preview,
    progress,
    reader,
    readers,
    send,
    steer,
    suppressing,
    write,
    wrong,
)
from newsletter.web.desk.frame import HOME, Furniture, furnish, guard
from newsletter.web.porter import Porter
from newsletter.web.site import Site

BEHIND_THE_DOOR: Final = (
    overview,
    issues,
    write,
    history,
    send,
    steer,
    progress,
    preview,
    letters,
    health,
    comparisons,
    numbers,
    account,
    diary,
    readers,
    importing,
    suppressing,
    reader,
)
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
    for room in (importing, comparisons):
        app.include_router(room.uploads, prefix=HOME, include_in_schema=False)  # with a guard of its own
    app.state.porter = Porter(site.engine, site.clock)
    wrong.open_handlers(app)


@files.get("/files/{name}")
def file(request: Request, name: str) -> Response:
    """The style sheet and the scripts; pages name them with their versions."""
    furniture: Furniture = request.app.state.furniture
    if name not in furniture.files:
        raise HTTPException(404)
    content, _ = furniture.files[name]
    return Response(content, media_type=KINDS[name.rpartition(".")[2]], headers={"Cache-Control": FOREVER})
