"""What do people see? The pages that show what was accepted, newest first, each letter as its reader would get it.

Nothing runs and nothing is fetched: no script, no request to anywhere else. A letter's HTML is shown in a frame that
may do nothing but open its links in a new tab.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import jinja2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.sandbox import acting, activity
from newsletter.sandbox.checks import Json
from newsletter.sandbox.mailbox import Message, content_of, subject_of
from newsletter.sandbox.sending import STREAMS, Office, release_due
from newsletter.sandbox.source import rfc5322

PAGES = Path(__file__).parent / "pages"
PAGE_SIZE = 50  # messages
VIEWS = {"letter": "Letter", "text": "Text", "source": "Source", "facts": "Facts"}
GESTURES = {"open": "Open", "scan": "Follow all links at once", "complain": "Call it spam", "leave": "Unsubscribe"}
"""What the message's page lets happen with one button."""

_OURS = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_LETTER = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_NEW_TAB = '<base target="_blank">'
"""Put at the end of a letter: the frame is no place for the page behind a link."""


@dataclass(frozen=True)
class Row:
    """One message as the list shows it; `received_at` is in the time zone of whoever runs the sandbox."""

    id: str
    subject: str
    to: str
    stream: str
    tag: str | None
    received_at: datetime
    outcome: str


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; empty: not at all."""

    stream: str
    tag: str
    recipient: str

    def apply(self, messages: list[Message]) -> list[Message]:
        """Those of the messages that pass. Part of a recipient's address is enough."""
        recipient = self.recipient.lower()
        return [
            message
            for message in messages
            if (not self.stream or message.stream == self.stream)
            and (not self.tag or message.tag == self.tag)
            and (not recipient or any(recipient in email for email in message.recipients))
        ]

    def query(self, page: int) -> str:
        """The list's address with these filters, at a page."""
        chosen = {"stream": self.stream, "tag": self.tag, "recipient": self.recipient, "page": page if page > 1 else ""}
        return "/?" + urlencode({name: value for name, value in chosen.items() if value})


def open_pages() -> Callable[..., Response]:
    """What fills a page of `pages/`: (name, status=200, **values) -> the answer."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def page(name: str, status: int = 200, **values: object) -> Response:
        body = pages.get_template(name).render(values)
        return Response(body, status, _guard(_OURS), "text/html; charset=utf-8")

    return page


def routes(office: Office) -> list[Route]:
    """The routes of the inbox."""
    page = open_pages()
    style = (PAGES / "inbox.css").read_bytes()

    def row(message: Message) -> Row:
        return _row(message, {event["Type"] for event in activity.events(office, message)})

    async def show_list(request: Request) -> Response:
        release_due(office)
        filters = _filters(request.query_params)
        messages = office.mailbox.newest_first()
        found = filters.apply(messages)
        last = max(1, -(-len(found) // PAGE_SIZE))
        number = min(_page(request.query_params), last)
        shown = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
        return page(
            "list.html",
            rows=[row(message) for message in shown],
            filters=filters,
            streams=sorted(STREAMS),
            total=len(messages),
            found=len(found),
            number=number,
            last=last,
            faults=office.faults.active,
            held=office.mailbox.held,
        )

    async def show_message(request: Request, message: Message) -> Response:
        view = request.query_params.get("view", "letter")
        content = content_of(message)
        return page(
            "message.html",
            row=row(message),
            message=message,
            fields=message.fields(),
            content=content,
            gestures=GESTURES,
            ways=acting.ways(),
            links=acting.links_of(message),
            events=activity.events(office, message),
            source=rfc5322(message, content).decode().replace("\r\n", "\n"),
            views=VIEWS,
            view=view if view in VIEWS else "letter",
        )

    async def show_letter(_: Request, message: Message) -> Response:
        return Response(content_of(message).html + _NEW_TAB, 200, _guard(_LETTER), "text/html; charset=utf-8")

    async def download_source(_: Request, message: Message) -> Response:
        headers = {**_guard(_OURS), "Content-Disposition": f'attachment; filename="{message.id}.eml"'}
        return Response(rfc5322(message, content_of(message)), 200, headers, "message/rfc822")

    def of_message(show: Callable[[Request, Message], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            release_due(office)
            message = office.mailbox.get(request.path_params["message_id"])
            if message is None or office.mailbox.is_held(message):
                return page("missing.html", 404)
            return await show(request, message)

        return endpoint

    async def show_style(_: Request) -> Response:
        return Response(style, 200, _guard(_OURS), "text/css; charset=utf-8")

    async def list_as_json(request: Request) -> Response:
        release_due(office)
        found = _filters(request.query_params).apply(office.mailbox.newest_first())
        return _json({"messages": [_summary(message) for message in found]})

    async def empty(_: Request) -> Response:
        office.mailbox.clear()
        office.aftermath.clear()
        return _json({"messages": []})

    return [
        Route("/", show_list),
        Route("/inbox.css", show_style),
        Route("/inbox.json", list_as_json),
        Route("/inbox", empty, methods=["DELETE"]),
        Route("/inbox/{message_id}", of_message(show_message)),
        Route("/inbox/{message_id}/letter.html", of_message(show_letter)),
        Route("/inbox/{message_id}/source.eml", of_message(download_source)),
    ]


def _filters(query: Mapping[str, str]) -> Filters:
    return Filters(*(query.get(name, "").strip() for name in ("stream", "tag", "recipient")))


def _page(query: Mapping[str, str]) -> int:
    text = query.get("page", "1")
    return max(1, int(text)) if text.isdecimal() else 1


def _row(message: Message, outcomes: Collection[str]) -> Row:
    fields = message.fields()
    return Row(
        id=message.id,
        subject=subject_of(message, fields) or "(no subject)",
        to=fields["To"],
        stream=message.stream,
        tag=message.tag,
        received_at=message.received_at.astimezone(),
        outcome="Bounced" if "Bounced" in outcomes else "Delivered" if outcomes else "Accepted",
    )


def _summary(message: Message) -> Json:
    fields = message.fields()
    return {
        "MessageID": message.id,
        "To": fields["To"],
        "Stream": message.stream,
        "Tag": message.tag,
        "Metadata": fields.get("Metadata") or {},
        "Subject": subject_of(message, fields),
    }


def _guard(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), 200, _guard(_OURS), "application/json; charset=utf-8")
