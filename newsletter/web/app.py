"""What answers on the web? The application: its routes, its health, and what it says when something is wrong.

Promises: every answer carries the security headers; no error page tells more than a reader needs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from newsletter import migrations
from newsletter.assembly import Assembly, assemble
from newsletter.web import api, archive, box, choosing, feeds, joining, leaving, moving, sitemap, tools, vote, webhooks
from newsletter.web.answers import describe
from newsletter.web.desk import wrong
from newsletter.web.desk.rooms import open_desk
from newsletter.web.headers import HEADERS, SecurityHeaders
from newsletter.web.keys import PRIVATE
from newsletter.web.site import CACHED, Clock, Here, notice, open_site, site_of

STYLE_CACHED = "public, max-age=86400"  # seconds; the pages name the sheet with its version
RETRY = "60"  # seconds until a page may be asked for again

NOT_READY = {"description": "It is not ready, and why.", "content": {"application/json": {}}}

router = APIRouter()
log = structlog.get_logger()


class StyleSheet(Response):
    """A style sheet."""

    media_type = "text/css"


def utc_now() -> datetime:
    """The moment, UTC."""
    return datetime.now(UTC)


def create_app(assembly: Assembly | None = None, clock: Clock = utc_now) -> FastAPI:
    """Make the application; without an assembly, from the environment (raises SettingsError).

    The database need not be there yet: `/readyz` says whether it is.
    """
    known = assembly or assemble()
    site = open_site(known, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        site.postman.start()
        site.carrier.start()
        site.bookkeeper.start()
        site.intake.start()
        try:
            yield
        finally:
            site.carrier.end()  # beside the others' end, so that all of them together are in time
            site.bookkeeper.stop()
            app.state.porter.stop()
            site.intake.stop()
            site.postman.stop()
            site.carrier.stop()
            if assembly is None:
                known.close()

    # Redirects are off because mail programs do not follow them when they unsubscribe.
    app = FastAPI(
        lifespan=lifespan,
        title=known.settings.name,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Addresses of pages hold readers' keys, and are nobody's to collect. To look who might costs a tenth of a post.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.site = site
    app.openapi = partial(_described, app)  # type: ignore[method-assign]  # as FastAPI's documents have it
    app.add_middleware(SecurityHeaders)
    app.add_middleware(webhooks.ShortCut)
    for part in (archive, tools, feeds, sitemap, joining, box, choosing, moving, leaving, vote, webhooks, api):
        app.include_router(part.router)
    app.include_router(router)
    open_desk(app, site)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(SQLAlchemyError, _database_away)
    app.add_exception_handler(Exception, _broken)
    return app


@router.api_route("/style.css", methods=["GET", "HEAD"], response_class=StyleSheet)
def style(site: Here) -> Response:
    """The style sheet of all pages."""
    return StyleSheet(site.style, headers={"Cache-Control": STYLE_CACHED})


@router.api_route("/openapi.json", methods=["GET", "HEAD"], response_class=JSONResponse, include_in_schema=False)
def openapi(request: Request) -> Response:
    """What the pages answer, for machines."""
    return JSONResponse(request.app.openapi(), headers={"Cache-Control": CACHED})


# Not in one of the threads, all of which may be waiting for the database.
@router.api_route("/healthz", methods=["GET", "HEAD"], response_class=JSONResponse)
async def healthz() -> Response:
    """Whether the process is up."""
    return JSONResponse({"status": "up"})


@router.api_route("/readyz", methods=["GET", "HEAD"], response_class=JSONResponse, responses={503: NOT_READY})
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


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made when it is first asked for."""
    if app.openapi_schema is None:
        app.openapi_schema = describe(app)
    return app.openapi_schema


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if api.concerns(request):
        return api.refusal(error)
    if wrong.concerns(request):
        return await wrong.refused(request, error)
    if error.status_code == 405:
        site = site_of(request)
        return notice(
            site,
            site.say("That cannot be done here"),
            site.say("This address answers, but not to what your program asked of it."),
            status=405,
            headers={**PRIVATE, **(error.headers or {})},
        )
    if error.status_code == 413:
        site = site_of(request)
        return notice(
            site,
            site.say("That was too much"),
            site.say("The form is much longer than anything that we ask for, and was not read. Nothing has changed."),
            status=413,
            headers=PRIVATE,
        )
    return await _not_found(request, error)


# Where there is nothing, a reader's link may have been meant: the address may hold a key.
async def _not_found(request: Request, error: Exception) -> Response:
    if wrong.concerns(request):
        return await wrong.refused(request, error)
    site = site_of(request)
    return notice(
        site,
        site.say("There is nothing here"),
        site.say(
            "The address may be mistyped, or the page is not public yet: comparisons show once their issue has gone "
            "out."
        ),
        status=404,
        headers=PRIVATE,
    )


async def _database_away(request: Request, error: Exception) -> Response:
    # The route and not the path, which may hold a reader's key.
    route = getattr(request.scope.get("route"), "path", None)
    log.warning("database error", route=route, error=type(error).__name__)
    if api.concerns(request):
        return api.database_away({"Retry-After": RETRY})
    if wrong.concerns(request):
        return wrong.database_away(request, RETRY)
    site = site_of(request)
    return notice(
        site,
        site.say("Back in a moment"),
        site.say("We cannot reach our records just now, and nothing has changed. Please try again in a few minutes."),
        status=503,
        headers={**PRIVATE, "Retry-After": RETRY},
    )


async def _broken(request: Request, _: Exception) -> Response:
    # This answer is made outside of all middleware, and the server logs the error after it.
    if api.concerns(request):
        return api.broken(HEADERS)
    if wrong.concerns(request):
        return wrong.broken(request)
    site = site_of(request)
    return notice(
        site,
        site.say("Something went wrong"),
        site.say("It is our fault, not yours, and it has been noted. Please try again later."),
        status=500,
        headers=HEADERS,
    )
