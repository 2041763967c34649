"""Is all well? What the clock did and will do, what waits, what comes back, and what must always be true."""

from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from threading import Lock
from typing import Final

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from starlette.background import BackgroundTask

from newsletter import health, jobs, migrations, queues, storage
from newsletter.delivery.sender_lock import Line, at_work
from newsletter.health import FINE, LOOK, WRONG, Finding
from newsletter.storage import Storage
from newsletter.web.desk.frame import Desk, Form, Here, back_to, page
from newsletter.web.site import Site

router = APIRouter(default_response_class=HTMLResponse)
log = structlog.get_logger()

PAGE: Final = "/desk/health"
WORDS: Final = {FINE: "fine", LOOK: "look at it", WRONG: "wrong"}
NOTED: Final = {"false": "not noted", "totals": "counted", "true": "noted, reader by reader"}
SIGNS: Final = {FINE: "✓", LOOK: "!", WRONG: "✕"}

DOES: Final = {
    "draft": "drafts the week that has ended",
    "send": "sends what is due, goes on with what was interrupted, and asks about what is in doubt",
    "carry": "carries letters to one person",
    "finish": "does what events say",
    "label": "judges which openings and clicks were machines'",
    "clean_up": "lets go of what has had its time",
    "sync": "asks the provider who has left there",
    "ask_back": "asks the provider for what came back",
    "check": "looks at what must always be true, and whether letters come back",
}
"""What each job of the clock is there for."""


@dataclass(frozen=True)
class Facts:
    """A heading with names and values below it."""

    heading: str
    rows: list[tuple[str, str]]


@router.get("/health")
def show(desk: Here) -> Response:
    """Everything at a glance, the gravest first."""
    site, now = desk.site, desk.now
    with desk.reading() as session:
        findings = of_everything(desk, session)
        known = jobs.every(session)
        waiting = queues.left(session)
        sign_ups = queues.sign_ups(session)
        last = health.examined(session)
    return page(
        desk,
        "health.html",
        findings=findings,
        worst=health.worst(findings),
        words=WORDS,
        signs=SIGNS,
        jobs=known,
        does=DOES,
        slots=health.slots(site.assembly.rules, now),
        waiting=waiting,
        sign_ups=sign_ups,
        senders=at_work(site.engine, Line.ISSUES),
        postmen=at_work(site.engine, Line.PERSONAL),
        last=last,
        busy=busy(site),
        counting=_examining(site).locked(),
        now=now,
        facts=[_of_provider(site), _of_program(site, storage.measure(site.engine))],
    )


def busy(site: Site) -> set[str]:
    """The jobs that are seen to be at work, whoever is at it."""
    lines = {"send": Line.ISSUES, "carry": Line.PERSONAL}
    return {job for job, line in lines.items() if at_work(site.engine, line)}


def of_everything(desk: Desk, session: Session) -> list[Finding]:
    """All that was looked at, the gravest first."""
    site, now = desk.site, desk.now
    provider = site.assembly.provider
    listens = bool(site.assembly.settings.webhook_username)
    known = jobs.every(session)
    findings = [
        *health.clock(known, now, busy(site)),
        *health.of_examination(session, now),
        *health.provider(session),
        *health.came_back(session, now, provider.name, told=provider.keeps_history, listens=listens),
        *health.suppressions(known, now, asks=provider.keeps_list),
        *health.room(storage.measure(site.engine)),
        *_migration(site),
    ]
    return sorted(findings, key=lambda each: -health.LEVELS.index(each.level))  # stable: those alike stay in order


@router.post("/health/count")
def count(desk: Here, _: Form) -> Response:
    """Look through the whole database, beside the pages: with many readers it takes minutes."""
    if _examining(desk.site).locked():
        return back_to(desk, PAGE, "It is being counted already; load the page again in a while.")
    answer = back_to(desk, PAGE, "Counting has begun; load the page again in a while.")
    answer.background = BackgroundTask(_examine, desk.site)
    return answer


def _examine(site: Site) -> None:
    """One at a time: two would only be slower."""
    if not _examining(site).acquire(blocking=False):
        return
    try:
        health.examine(site.engine, site.clock())
    except SQLAlchemyError as error:
        log.warning("could not look through the database", error=type(error).__name__)
    finally:
        _examining(site).release()


def _examining(site: Site) -> Lock:
    """Held while somebody looks through the database for this process."""
    lock = site.kept.setdefault("the database is looked through", Lock())
    assert isinstance(lock, type(Lock()))
    return lock


def _migration(site: Site) -> list[Finding]:
    at = migrations.current(site.engine)
    if at == site.migration:
        return [Finding("Migration", FINE, f"The database is at {at}, as the program expects.")]
    said = f"The database is at {at}, the program expects {site.migration}."
    return [Finding("Migration", WRONG, said, "Stop the clock and the pages, run `newsletter db upgrade`, start them.")]


def _of_provider(site: Site) -> Facts:
    settings = site.assembly.settings
    rate = f"{settings.rate_limit:g} a second" if settings.rate_limit else "none"
    rows = [("Provider", site.assembly.provider.name)]
    if settings.provider == "postmark":
        rows += [("Streams", f"{settings.postmark_stream}, {settings.postmark_transactional_stream}")]
        rows += [("Webhook", "set up" if settings.webhook_username else "not set up")]
    rows += [
        ("From", settings.from_),
        ("Rate limit", rate + (f", reached after {_hours(settings.warm_up)}" if settings.warm_up else "")),
        ("What is unknown rests for", _hours(settings.settle)),
        ("Unsubscribing", "on our own pages" if settings.unsubscribe == "own" else "at the provider"),
        ("Openings", NOTED[settings.track_opens]),
        ("Clicks", NOTED[settings.track_clicks]),
        ("Approval", settings.approval),
        ("Too late to go out by itself", f"after {_hours(settings.max_lateness)}"),
    ]
    return Facts("Provider and settings", rows)


def _of_program(site: Site, measured: Storage) -> Facts:
    rows = [
        ("Program", _own_version()),
        ("Python", python_version()),
        ("Database", measured.server),
        ("Migration", site.migration or "—"),
        ("Size", _megabytes(measured.size)),
    ]
    if measured.log is not None:
        rows.append(("Write-ahead log", _megabytes(measured.log)))
    if measured.free is not None:
        rows.append(("Free on its disk", _megabytes(measured.free)))
    return Facts("Program and database", rows)


def _own_version() -> str:
    try:
        return version("weekly-ai-tool-verdicts")
    except PackageNotFoundError:
        return "not installed as a package"


def _hours(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    parts = ((seconds // 3600, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:,.1f} MB"
