"""How does a reader leave at the provider? By the link that it puts into the header of issues, where it manages that.

Looking changes nothing; one POST is enough, whatever is in it (RFC 8058). The same page takes it back.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.sandbox import acting
from newsletter.sandbox.inbox import open_pages
from newsletter.sandbox.mailbox import Message
from newsletter.sandbox.sending import Office

ASKED: Final = "asked"
LEFT: Final = "left"
BACK: Final = "back"


def routes(office: Office) -> list[Route]:
    """The routes of the way out, and back."""
    page = open_pages()

    async def ask(message: Message) -> Response:
        return page("leave.html", message=message, step=ASKED)

    async def leave(message: Message) -> Response:
        acting.leave(office, message)
        return page("leave.html", message=message, step=LEFT)

    async def come_back(message: Message) -> Response:
        acting.come_back(office, message)
        return page("leave.html", message=message, step=BACK)

    def of_message(step: Callable[[Message], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            message = office.mailbox.get(request.path_params["message_id"])
            if message is None or not office.owns_way_out(message.stream):
                return page("missing.html", 404)
            return await step(message)

        return endpoint

    return [
        Route("/unsubscribe/{message_id}", of_message(ask)),
        Route("/unsubscribe/{message_id}", of_message(leave), methods=["POST"]),
        Route("/resubscribe/{message_id}", of_message(come_back), methods=["POST"]),
    ]
