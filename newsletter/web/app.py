"""What answers on the web? The application: its routes, its health, and what it says when something is wrong.

Promises: every answer carries the security headers; no error page tells more than a reader needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from newsletter import migrations
from newsletter.assembly import Assembly, assemble
from newsletter.web import archive, leaving
from newsletter.web.headers import HEADERS, SecurityHeaders
from newsletter.web.site import Clock, Here, notice, open_site, site_of

STYLE_CACHED = "public, max-age=86400"  # seconds; the pages name the sheet with its version
RETRY = "60"  # seconds until a page may be asked for again

router = APIRouter()
log = structlog.get_logger()


def utc_now() -> datetime:
    """The moment, UTC."""
    return datetime.now(UTC)


def create_app(assembly: Assembly | None = None, clock: Clock = utc_now) -> FastAPI:
    """Make the application; without an assembly, from the environment (raises SettingsError).

    The database need not be there yet: `/readyz` says whether it is.
    """
    known = assembly or assemble()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if assembly is None:
            known.close()

    # Redirects are off because mail programs do not follow them when they unsubscribe.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.site = open_site(known, clock)
    app.add_middleware(SecurityHeaders)
    for part in (archive.router, leaving.router, router):
        app.include_router(part)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(SQLAlchemyError, _database_away)
    app.add_exception_handler(Exception, _broken)
    return app


@router.api_route("/style.css", methods=["GET", "HEAD"])
def style(site: Here) -> Response:
    """The style sheet of all pages."""
    return Response(site.style, media_type="text/css", headers={"Cache-Control": STYLE_CACHED})


@router.api_route("/healthz", methods=["GET", "HEAD"])
def healthz() -> Response:
    """Whether the process is up."""
    return JSONResponse({"status": "up"})


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(site: Here) -> Response:
    """Whether the database can be reached, and is at the migration that the program expects; 503 if not."""
    try:
        at = migrations.current(site.engine.execution_options(read_only=True))
    except SQLAlchemyError as error:
        log.warning("database cannot be reached", error=type(error).__name__)
        return JSONResponse({"status": "not ready", "reason": "the database cannot be reached"}, 503)
    if at is None or at != site.migration:
        reason = f"the database is at migration {at}, the program at {site.migration}: run `newsletter db upgrade`"
        return JSONResponse({"status": "not ready", "reason": reason}, 503)
    return JSONResponse({"status": "ready", "migration": at})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return notice(
            site_of(request),
            "That cannot be done here",
            "This address answers, but not to what your program asked of it.",
            status=405,
            headers=error.headers,
        )
    return await _not_found(request, error)


async def _not_found(request: Request, _: Exception) -> Response:
    return notice(
        site_of(request),
        "There is nothing here",
        "The address may be mistyped, or the page is not public yet: comparisons show once their issue has gone out.",
        status=404,
    )


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("database error", path=request.url.path, error=type(error).__name__)
    return notice(
        site_of(request),
        "Back in a moment",
        "We cannot reach our records just now. Please try again in a few minutes.",
        status=503,
        headers={"Retry-After": RETRY},
    )


async def _broken(request: Request, _: Exception) -> Response:
    # This answer is made outside of all middleware, and the server logs the error after it.
    return notice(
        site_of(request),
        "Something went wrong",
        "It is our fault, not yours, and it has been noted. Please try again later.",
        status=500,
        headers=HEADERS,
    )
