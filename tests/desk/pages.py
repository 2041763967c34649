"""Every page of the desk that can be opened, and what has to be there for it: one list for all who look at them all."""

import re
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from newsletter.editors.editor import EDITOR, PUBLISHER
from tests.desk import busy

STRANGER: Final = "stranger"


@dataclass(frozen=True)
class Shown:
    """A page, its address, and who looks at it."""

    route: str
    """As in the code: `/desk/issues/{week}/send`."""
    name: str
    """What a picture of it is called."""
    path: str
    who: str = PUBLISHER


LEFT_OUT: Final = {
    "/desk/files/{name}": "the style sheet and the scripts, which every page fetches",
    "/desk/issues/{week}": "leads on to where something is to be done about an issue",
    "/desk/issues/{week}/size": "a part of the page that writes; on its own it leads there",
    "/desk/issues/{week}/progress": "a part of the page that sends; on its own it leads there",
    "/desk/issues/{week}/letter.html": "a letter, which has gates of its own; it stands in frames of the preview",
    "/desk/issues/{week}/letter.txt": "a letter as text",
    "/desk/issues/{week}/letter.eml": "a letter as a mail",
    "/desk/letters/{kind}/{language}/letter.html": "a letter, which has gates of its own",
    "/desk/letters/{kind}/{language}/letter.txt": "a letter as text",
    "/desk/letters/{kind}/{language}/letter.eml": "a letter as a mail",
    "/desk/numbers/growth.csv": "a file",
    "/desk/numbers/issues.csv": "a file",
    "/desk/numbers/comparisons.csv": "a file",
    "/desk/numbers/{week}.csv": "a file",
    "/desk/numbers/{week}/comparisons.csv": "a file",
    "/desk/readers/import/{key}/rejected.csv": "a file",
}
"""Routes that answer with no page of their own -> what they are."""


def empty_pages() -> list[Shown]:
    """Those of a newsletter in which nothing has happened yet, and where it is not as it should be."""
    rooms = ("issues", "comparisons", "numbers", "readers", "health", "log")
    return [
        Shown("/desk", "today-empty", "/desk"),
        *(Shown(f"/desk/{room}", f"{room}-empty", f"/desk/{room}") for room in rooms),
        Shown("", "not-there", "/desk/nowhere"),
        Shown("", "not-there-issue", "/desk/issues/2026-W01/send"),
        Shown("/desk/login", "login", "/desk/login", STRANGER),
        Shown("/desk/invited/{token}", "invitation-over", "/desk/invited/nothing", STRANGER),
    ]


def pages(found: dict[str, int], invitation: str, brought: str) -> list[Shown]:
    """Those of `busy.fill`, which has said `found`.

    `invitation` is a token that is open, `brought` the path of a file of readers that waits to be imported.
    """
    in_states = {
        "draft": busy.DRAFT, "approved": busy.APPROVED, "scheduled": busy.SCHEDULED, "paused": busy.PAUSED_ISSUE,
        "held": busy.HELD, "sending": busy.SENDING, "cancelled": busy.CANCELLED, "sent": busy.SENT[-1],
        "called-off": busy.EMPTY,
    }  # fmt: skip
    readers = {name: f"/desk/readers/{number}" for name, number in found.items()}
    send, number = "/desk/issues/{week}/send", "/desk/readers/{number}"
    preview, numbers = "/desk/issues/{week}/preview", "/desk/numbers/{week}"
    return [
        Shown("/desk/invited/{token}", "invitation", f"/desk/invited/{invitation}", STRANGER),
        Shown("/desk", "today", "/desk"),
        Shown("/desk", "today-editor", "/desk", EDITOR),
        Shown("/desk/issues", "issues", "/desk/issues"),
        *(
            Shown(f"/desk/issues/{{week}}/{room}", f"{room}-{state}", f"/desk/issues/{in_states[state]}/{room}")
            for room in ("write", "history")
            for state in ("draft", "sent")
        ),
        *(Shown(send, f"send-{state}", f"/desk/issues/{week}/send") for state, week in in_states.items()),
        Shown(send, "send-editor", f"/desk/issues/{busy.HELD}/send", EDITOR),
        Shown(send, "send-another-time", f"/desk/issues/{busy.APPROVED}/send?at=2026-12-01T09:00"),
        Shown(preview, "preview", f"/desk/issues/{busy.DRAFT}/preview"),
        Shown(preview, "preview-reader", f"/desk/issues/{busy.SENT[-1]}/preview?reader={found['busy']}"),
        Shown(preview, "preview-nobody", f"/desk/issues/{busy.DRAFT}/preview?language=xx"),
        Shown("/desk/issues/{week}/variants", "variants", f"/desk/issues/{busy.DRAFT}/variants"),
        Shown("/desk/issues/{week}/links", "links", f"/desk/issues/{busy.DRAFT}/links"),
        Shown("/desk/letters", "letters", "/desk/letters"),
        Shown("/desk/comparisons", "comparisons", "/desk/comparisons"),
        Shown("/desk/comparisons", "comparisons-none", "/desk/comparisons?q=zzz"),
        Shown("/desk/comparisons/{slug}", "comparison", "/desk/comparisons/ox-quill-vs-mendwell"),
        Shown("/desk/import-comparisons", "import-comparisons", "/desk/import-comparisons"),
        Shown("/desk/numbers", "numbers", "/desk/numbers?weeks=12"),
        Shown(numbers, "numbers-sent", f"/desk/numbers/{busy.SENT[-1]}"),
        Shown(numbers, "numbers-sending", f"/desk/numbers/{busy.SENDING}"),
        Shown("/desk/readers", "readers", "/desk/readers"),
        Shown("/desk/readers", "readers-suppressed", "/desk/readers?status=suppressed"),
        Shown("/desk/readers/import", "readers-import", "/desk/readers/import"),
        Shown("/desk/readers/import/{key}", "readers-brought", brought),
        *(Shown(number, f"reader-{name}", path) for name, path in readers.items()),
        Shown(number, "reader-editor", readers["busy"], EDITOR),
        Shown("/desk/health", "health", "/desk/health"),
        Shown("/desk/log", "log", "/desk/log"),
        Shown("/desk/account", "account", "/desk/account"),
        Shown("/desk/account/second-step", "second-step", "/desk/account/second-step"),
    ]


def routes(app: FastAPI) -> set[str]:
    """The desk's routes that are looked at, as they stand in the code."""
    every = iter_route_contexts(app.routes)
    return {one.path for one in every if one.path and "GET" in (one.methods or ()) and re.match(r"/desk\b", one.path)}
