"""Which call does what? Every route, and the envelope that all of Postmark's calls share.

A call is refused for its token, its headers, its size and its JSON, in this order, before anything looks at what it
says. Success is always 200; a refusal says why in its body and repeats the code in a header. Where a fault strikes, the
call gets what the fault makes of it.
"""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.sandbox import (
    activity,
    checks,
    clock,
    failing,
    gestures,
    inbox,
    leaving,
    returned,
    sending,
    suppressions,
    switches,
    templates,
)
from newsletter.sandbox.checks import Json, RefusalError
from newsletter.sandbox.faults import Strikes
from newsletter.sandbox.line import NoAnswer
from newsletter.sandbox.sending import STREAMS, Office
from newsletter.sandbox.striking import Strike
from newsletter.sandbox.suppressions import Suppression

TEST_TOKEN = "POSTMARK_API_TEST"  # noqa: S105 - everybody's: validates and keeps nothing


@dataclass(frozen=True)
class Call:
    """One authenticated call. `query` has its names in lower case; `body` is the parsed JSON or None."""

    office: Office
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: object
    test: bool
    now: datetime
    strike: Strike | None

    def object(self) -> Json:
        """The body, where it must be an object. Raises RefusalError."""
        if not isinstance(self.body, dict):
            raise RefusalError(403, "Invalid request field(s): $")
        return self.body


Answer = Callable[[Call], object]


@dataclass
class Wire:
    """How much came in over the API: calls and the bytes of their bodies, in all and by path."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _by_path: dict[str, list[int]] = field(default_factory=dict)

    def count(self, path: str, size: int) -> None:
        """Count one call."""
        with self._lock:
            entry = self._by_path.setdefault(path, [0, 0])
            entry[0] += 1
            entry[1] += size

    def as_json(self) -> Json:
        """As `GET /wire.json` shows it."""
        with self._lock:
            by_path = {path: {"requests": entry[0], "bytes": entry[1]} for path, entry in self._by_path.items()}
        return {
            "requests": sum(entry["requests"] for entry in by_path.values()),
            "bytes": sum(entry["bytes"] for entry in by_path.values()),
            "by_path": by_path,
        }


def build(office: Office, token: str) -> Starlette:
    """The whole application. `token`: the server token that is accepted, besides the public test token."""
    wire = Wire()

    def api(path: str, **answers: Answer) -> list[Route]:
        endpoints = {method: _endpoint(answer, office, token, wire) for method, answer in answers.items()}

        async def dispatch(request: Request) -> Response:
            return await endpoints["GET" if request.method == "HEAD" else request.method](request)

        methods = list(answers)
        return [Route(path, dispatch, methods=methods), Route(f"{path}/", dispatch, methods=methods)]

    async def show_wire(_: Request) -> Response:
        return _json(wire.as_json())

    return Starlette(
        routes=[
            *api("/email", POST=send),
            *api("/email/batch", POST=send_batch),
            *api("/email/withTemplate", POST=send_with_template),
            *api("/email/batchWithTemplates", POST=send_batch_with_templates),
            *api("/templates", GET=list_templates, POST=create_template),
            *api("/templates/validate", POST=validate_template),
            *api("/templates/{reference}", GET=get_template, PUT=edit_template, DELETE=delete_template),
            *api("/messages/outbound", GET=search_messages),
            *api("/messages/outbound/{message_id}/details", GET=message_details),
            *api("/messages/outbound/{message_id}/dump", GET=message_dump),
            *api("/bounces", GET=search_bounces),
            *api("/bounces/{number}", GET=get_bounce),
            *api("/message-streams/{stream}/suppressions/dump", GET=dump_suppressions),
            *api("/message-streams/{stream}/suppressions", POST=create_suppressions),
            *api("/message-streams/{stream}/suppressions/delete", POST=delete_suppressions),
            *api("/server", GET=get_server),
            Route("/wire.json", show_wire),
            *inbox.routes(office),
            *gestures.routes(office),
            *leaving.routes(office),
            *switches.routes(office),
        ],
        # A page elsewhere cannot read the inbox by pointing its own name at loopback.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def send(call: Call) -> Json:
    """POST /email."""
    return sending.send_one(call.office, call.body, call.now, call.strike, templated=False, test=call.test)


def send_batch(call: Call) -> list[Json]:
    """POST /email/batch."""
    return sending.send_batch(call.office, call.body, call.now, "$", call.strike, templated=False, test=call.test)


def send_with_template(call: Call) -> Json:
    """POST /email/withTemplate."""
    return sending.send_one(call.office, call.body, call.now, call.strike, templated=True, test=call.test)


def send_batch_with_templates(call: Call) -> list[Json]:
    """POST /email/batchWithTemplates."""
    messages = call.object().get("Messages")
    return sending.send_batch(
        call.office, messages, call.now, "$.Messages", call.strike, templated=True, test=call.test
    )


def list_templates(call: Call) -> Json:
    """GET /templates."""
    count, offset = call.query.get("count", ""), call.query.get("offset", "")
    if not count.isdecimal() or not offset.isdecimal() or not 1 <= int(count) <= activity.MAX_COUNT:
        raise RefusalError(1100, "Parameters 'count' (1 to 500) and 'offset' are required.")
    found = call.office.templates.active()
    page = found[int(offset) : int(offset) + int(count)]
    return {"TotalCount": len(found), "Templates": [template.summary() for template in page]}


def create_template(call: Call) -> Json:
    """POST /templates."""
    return call.office.templates.create(_template_data(call)).summary()


def get_template(call: Call) -> Json:
    """GET /templates/{idOrAlias}."""
    return call.office.templates.find(call.path["reference"]).as_json()


def edit_template(call: Call) -> Json:
    """PUT /templates/{idOrAlias}."""
    return call.office.templates.edit(call.path["reference"], _template_data(call)).summary()


def delete_template(call: Call) -> Json:
    """DELETE /templates/{idOrAlias}."""
    removed = call.office.templates.remove(call.path["reference"])
    return {"ErrorCode": 0, "Message": f"Template {removed.id} removed."}


def validate_template(call: Call) -> Json:
    """POST /templates/validate."""
    return templates.validate(_template_data(call))


def search_messages(call: Call) -> Json:
    """GET /messages/outbound."""
    return activity.search(call.office, call.query, call.now)


def message_details(call: Call) -> Json:
    """GET /messages/outbound/{id}/details."""
    return activity.details(call.office, call.path["message_id"], call.now)


def message_dump(call: Call) -> Json:
    """GET /messages/outbound/{id}/dump."""
    return activity.dump(call.office, call.path["message_id"], call.now)


def search_bounces(call: Call) -> Json:
    """GET /bounces."""
    return returned.search(call.office, call.query)


def get_bounce(call: Call) -> Json:
    """GET /bounces/{id}."""
    return returned.one(call.office, call.path["number"])


def dump_suppressions(call: Call) -> Json:
    """GET /message-streams/{stream}/suppressions/dump."""
    stream, query = _stream(call), call.query
    reason, origin = query.get("suppressionreason"), query.get("origin")
    if reason and reason not in suppressions.REASONS:
        raise RefusalError(1404, "Parameter 'SuppressionReason' is invalid.")
    if origin and origin not in suppressions.ORIGINS:
        raise RefusalError(1405, "Parameter 'Origin' is invalid.")
    email = query.get("emailaddress", "").lower()
    try:
        since = clock.read(query["fromdate"]) if query.get("fromdate") else None
        until = clock.read(query["todate"], end_of_day=True) if query.get("todate") else None
    except ValueError:
        raise RefusalError(1407, "Parameters 'fromdate' and 'todate' should be dates.") from None
    found = [
        entry.as_json()
        for entry in call.office.suppressions.all(stream)
        if (not reason or entry.reason == reason)
        and (not origin or entry.origin == origin)
        and (not email or entry.email == email)
        and (since is None or entry.created_at >= since)
        and (until is None or entry.created_at <= until)
    ]
    return {"Suppressions": found}


def create_suppressions(call: Call) -> Json:
    """POST /message-streams/{stream}/suppressions."""
    stream = _stream(call)
    answers = []
    for email, valid in suppressions.read_changes(call.body):
        if valid:
            sending.suppress(call.office, stream, Suppression(email, "ManualSuppression", "Customer", call.now))
        answers.append(suppressions.change_as_json(email, "Suppressed" if valid else "Failed"))
    return {"Suppressions": answers}


def delete_suppressions(call: Call) -> Json:
    """POST /message-streams/{stream}/suppressions/delete."""
    stream = _stream(call)
    answers = []
    for email, valid in suppressions.read_changes(call.body):
        if valid:
            sending.reactivate(call.office, stream, email, call.now)
        answers.append(suppressions.change_as_json(email, "Deleted" if valid else "Failed"))
    return {"Suppressions": answers}


def get_server(_: Call) -> Json:
    """GET /server."""
    return {"ID": 1, "Name": "Sandbox", "DeliveryType": "Sandbox", "TrackOpens": False, "TrackLinks": "None"}


def _template_data(call: Call) -> Json:
    if not call.body or not isinstance(call.body, dict):
        raise RefusalError(1109, "No template data received.")
    return call.body


def _stream(call: Call) -> str:
    stream = call.path["stream"]
    if stream not in STREAMS:
        raise RefusalError(1226, "The message stream for the provided 'ID' was not found.")
    return stream


def _endpoint(answer: Answer, office: Office, token: str, wire: Wire) -> Callable[[Request], Awaitable[Response]]:
    def carried_out(request: Request, body: bytes, size: int, strike: Strike | None) -> Response:
        try:
            test = _authenticate(request, token)
            parsed = _parse(request, body, size)
            query = {name.lower(): value for name, value in request.query_params.items()}
            call = Call(office, request.path_params, query, parsed, test, office.clock(), strike)
            return _json(answer(call))
        except RefusalError as refusal:
            code = {"X-PM-ApiErrorCode": str(refusal.code)}
            return _json(refusal.as_json(), refusal.status, code)

    async def endpoint(request: Request) -> Response:
        try:
            body, size = await _read(request)
        except ClientDisconnect:  # it died in the midst of its request: nobody waits for an answer
            return NoAnswer()
        path = request.url.path.rstrip("/")
        wire.count(path, size)
        sending.release_due(office)
        strike = office.faults.strike(path) if office.faults.on else None
        if strike is None:
            return carried_out(request, body, size, None)
        if strike.fault.strikes is Strikes.CALL:
            return failing.instead(strike, str(request.url), body)
        return failing.after(strike, carried_out(request, body, size, strike))

    return endpoint


async def _read(request: Request) -> tuple[bytes, int]:
    """The body and its size; what is beyond the limit is read, so that the client gets its answer, but not kept."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= checks.MAX_PAYLOAD:
            chunks.append(chunk)
    return b"".join(chunks), size


def _authenticate(request: Request, token: str) -> bool:
    """Whether the call bears the test token. Raises RefusalError: 10."""
    given = request.headers.get("x-postmark-server-token", "").lower()
    if given == TEST_TOKEN.lower():
        return True
    if given != token.lower():
        raise RefusalError(10, "Request does not contain a valid Server token.", status=401)
    return False


def _parse(request: Request, body: bytes, size: int) -> object:
    sends = request.method in ("POST", "PUT")
    for name in ["accept", "content-type"] if sends else ["accept"]:
        if "application/json" not in request.headers.get(name, "").lower():
            raise RefusalError(
                409, f"JSON required: the header '{name.title()}' must be 'application/json'.", status=415
            )
    if not sends:
        return None
    if size > checks.MAX_PAYLOAD:
        raise RefusalError(300, "A request may be 50 MB at most.", status=413)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusalError(402, "Invalid JSON.") from None


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json; charset=utf-8")
