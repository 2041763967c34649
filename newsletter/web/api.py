"""How do programs hand over comparisons, and ask what became of an issue? With a key, and in JSON alone.

Promises: without a key of ours nothing is read; a comparison that comes twice is one, and changes nothing; what is
wrong is named place by place, and leaves nothing of itself. No key is in a log or an answer.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Final

import starlette.exceptions
import structlog
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from newsletter import keys, outgoing
from newsletter.comparisons import comparison, importers, votes
from newsletter.comparisons.comparison import Imported
from newsletter.comparisons.complaints import complaints
from newsletter.comparisons.importers import ImportFileError
from newsletter.comparisons.record import Comparison
from newsletter.comparisons.votes import Tally
from newsletter.db import committed, reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.keys import ApiKey
from newsletter.web.answers import HANDED_OVER, refusals
from newsletter.web.form import whence
from newsletter.web.shapes import IssueComparison, SentIssue, Stored, Trouble, Voted
from newsletter.web.site import Here, Site
from subscribers import limits
from subscribers.whence import network_of

BELOW: Final = "/api/"
MAX_BODY: Final = 1_000_000  # bytes; a comparison of eight long quotes is a hundredth of that
MOST_WRONG: Final = 20  # keys that are not ours, of one network in PER
PER: Final = timedelta(hours=1)
MOST_DETAILS: Final = 50  # faults that are named; a long list of reviews may have one in each
LONGEST_SHOWN: Final = 300  # characters of a place or a fault, which may be the sender's own

NOT_OF_PROGRAMS: Final = ("week", "state", "digest", "held_because", "changes", "doubts", "decisions", "alarms")
"""Of `issues status`: what an editor decides by, and what stands in the answer already."""

router = APIRouter(prefix=BELOW.rstrip("/"))
log = structlog.get_logger()
bearer = HTTPBearer(scheme_name="key", description="A key of `newsletter keys add`.", auto_error=False)


class Refused(HTTPException):
    """What a program asked for is not done; `details` are places and what is wrong there."""

    def __init__(
        self,
        status: int,
        error: str,
        details: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, error, headers)
        self.details = list(details)


def concerns(request: Request) -> bool:
    """Whether it is a program that asks: it is answered in JSON, also where there is nothing."""
    return f"{request.scope['path']}/".startswith(BELOW)


def refusal(error: starlette.exceptions.HTTPException) -> JSONResponse:
    """The answer to a request that was refused, by us or by the framework."""
    details = error.details if isinstance(error, Refused) else []
    words = error.detail if isinstance(error, Refused) else _WORDS.get(error.status_code, error.detail)
    return trouble(error.status_code, words, details, error.headers)


def trouble(
    status: int, error: str, details: Iterable[tuple[str, str]] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Any answer that something is wrong."""
    found = [(where[:LONGEST_SHOWN], what[:LONGEST_SHOWN]) for where, what in details]
    if len(found) > MOST_DETAILS:
        found = [*found[:MOST_DETAILS], ("", f"and {len(found) - MOST_DETAILS} more")]
    told = Trouble.model_validate({"error": error, "details": [{"where": at, "what": what} for at, what in found]})
    return JSONResponse(told.model_dump(), status, headers)


def database_away(headers: Mapping[str, str]) -> JSONResponse:
    """The answer while the database cannot be reached."""
    return trouble(503, "the database cannot be reached, and nothing has changed: try again later", headers=headers)


def broken(headers: Mapping[str, str]) -> JSONResponse:
    """The answer to what is a defect of ours."""
    return trouble(500, "something went wrong on our side, and it has been noted", headers=headers)


def holder(
    request: Request, site: Here, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> ApiKey:
    """Whose key a request bears. Raises Refused, 401 and after many wrong ones of a network 429.

    A good key is let in however many wrong ones came before: one network may be many programs.
    """
    if given is None:
        raise Refused(401, "a key is needed: Authorization: Bearer KEY", headers=_challenge())
    now = site.clock()
    with reading(site.engine) as session:
        key = keys.known(session, given.credentials)
    if key is None:
        network = network_of(whence(request).network) or "unknown"
        with writing(site.engine) as session:
            within = limits.take(session, "wrong keys of a network", network, MOST_WRONG, PER, now)
            session.commit()
        if not within:
            wait = {"Retry-After": str(int(PER.total_seconds()))}
            raise Refused(429, "too many wrong keys came from your network within an hour", headers=wait)
        log.warning("a key that is none of ours, or was revoked")
        raise Refused(401, "this key is none of ours, or was revoked", headers=_challenge("invalid_token"))
    if keys.to_be_noted(key, now):
        try:
            with writing(site.engine) as session:
                keys.note_use(session, key, now)
                session.commit()
        except SQLAlchemyError as error:  # whoever only reads is not kept waiting for it
            log.warning("the use of a key could not be noted", key=key.name, error=type(error).__name__)
    return key


Holder = Annotated[ApiKey, Depends(holder)]
"""The key that a request bears, as a parameter of an endpoint."""


async def posted(request: Request, _: Holder) -> bytes:
    """The JSON that was posted, undecoded. Raises Refused, 415 for what says that it is another thing, and 413.

    What is too large is read to its end all the same, but not kept: who is answered while still talking hears nothing.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "only JSON is read: Content-Type: application/json, in UTF-8 and not compressed")
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BODY:
                body += chunk
    except ClientDisconnect:
        raise Refused(422, "the body was cut short") from None
    if size > MAX_BODY:
        raise Refused(413, f"the body is longer than {MAX_BODY} bytes: send one comparison a call")
    return bytes(body)


@router.post(
    "/comparisons",
    status_code=201,
    responses={
        201: {"model": Stored, "description": "It is new, and in the store."},
        200: {"model": Stored, "description": "It was there: as it is, or brought up to date."},
        **refusals(401, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=HANDED_OVER,
)
def hand_over(site: Here, key: Holder, body: Annotated[bytes, Depends(posted)], response: Response) -> Stored:
    """Store a comparison, or bring the one with its slug up to date. Twice changes nothing.

    It is as `newsletter comparisons import` has it, but that the slug is required.
    """
    done = _save(site, _record(body))
    log.info("comparison handed over", key=key.name, slug=done.slug, change=done.change)
    response.status_code = 201 if done.change == "new" else 200
    return Stored(
        slug=done.slug,
        title=done.title,
        change=done.change,
        changes=list(done.changes),
        url=site.assembly.links.comparison(done.slug),
    )


@router.api_route("/issues/{week}", methods=["GET", "HEAD"], responses=refusals(401, 404, 429, 503))
def sent_issue(site: Here, _: Holder, week: str) -> SentIssue:
    """An issue that readers have: what is in it, how they vote, and the counts of `newsletter issues status`."""
    try:
        wanted = Week.parse(week)
    except ValueError as error:
        raise Refused(404, str(error)[:LONGEST_SHOWN]) from None
    with reading(site.engine) as session:
        issue = issues.find_sent(session, wanted)
        if issue is None or issue.id is None:
            raise Refused(404, f"readers have no issue {wanted}")
        ids = issues.comparison_ids(session, issue.id)
        records = comparison.load_many(session, ids)
        tallies = votes.tallies(session, ids)
        status = outgoing.status(session, issue, issue.digest, told=site.assembly.provider.keeps_history)
    return SentIssue(
        week=issue.week,
        state=issue.state,
        subject=issue.subject_line,
        preheader=issue.preheader_line,
        digest=issue.digest,
        sent_at=issue.sent_at,
        comparisons=[_voted_on(record, tallies[number]) for number, record in zip(ids, records, strict=True)],
        counts={name: value for name, value in status.items() if name not in NOT_OF_PROGRAMS},
    )


def _record(body: bytes) -> Comparison:
    """The comparison in a body. Raises Refused with all that is wrong with it."""
    try:
        value = importers.read_value(body)
    except ImportFileError as error:
        where = "" if error.line is None else f"line {error.line}"
        raise _unfit([(where, error.reason)]) from None
    found: list[tuple[str, str]] = []
    try:
        record = Comparison.model_validate(value)
    except ValidationError as error:
        found = [(".".join(map(str, place)), what) for place, what in complaints(error)]
    if isinstance(value, dict) and value.get("slug") is None:
        found.append(("slug", "is missing: by it the comparison is known when it comes again"))
    if found:
        raise _unfit(found)
    return record


def _save(site: Site, record: Comparison) -> Imported:
    """Store a comparison; again where another program has stored the same, or one of its tools, meanwhile."""
    try:
        return committed(site.engine, lambda session: comparison.save(session, record, site.clock()))
    except ValueError as error:
        raise Refused(409, str(error)) from None


def _voted_on(record: Comparison, tally: Tally) -> IssueComparison:
    tools = [
        Voted(
            name=tool.name,
            panel_ship=record.panel_ship(side),
            community_ship=votes.community(tally, side, tool.community_ship),
            votes=tally.would_ship(side),
        )
        for side, tool in enumerate(record.tools)
    ]
    assert record.slug is not None  # the store's promise
    return IssueComparison(slug=record.slug, title=record.title, votes=tally.all, tools=tools)


def _unfit(details: list[tuple[str, str]]) -> Refused:
    return Refused(422, "this is no comparison as docs/comparison.schema.json has it; nothing was stored", details)


def _challenge(error: str | None = None) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="api"' + (f', error="{error}"' if error else "")}


_WORDS: Final = {
    404: "there is nothing here",
    405: "this address answers, but not to that method",
}
"""What the framework refuses by itself."""
