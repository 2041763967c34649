"""How is a letter shown inside a page of the desk? As it is, byte for byte, in a frame in which nothing can happen.

Promises: no script runs in it, nothing is fetched from anywhere, and no link of it leads anywhere: a mouse
does not reach them, from the keyboard each would open a window, which a sandbox does not let it, and the page around it
lets its frames show letters only. So nothing is asked, and no click of an editor's is noted as a reader's.
"""

import re
from typing import Final

from fastapi import Response

from newsletter.web.desk.frame import HEADERS, HOME, POLICY, Desk

AS_IT_IS: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
BY_DAY: Final = "never"
BY_NIGHT: Final = "authored"
EITHER: Final = "either"
"""How the frames of our pages ask for a letter; any other word: as it is."""
DEAD: Final = '<base target="_blank"><style>a{pointer-events:none !important}</style>'
"""What a frame's copy begins with: a mouse cannot reach its links, and from the keyboard they would open a window."""
_DARK: Final = re.compile(r"@media\s*\(\s*prefers-color-scheme\s*:\s*dark\s*\)")
_BOTH: Final = re.compile(r"(color-schemes?(?::|\" content=\"))light dark")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


def html(desk: Desk, letter: str, name: str, dark: str = "") -> Response:
    """The HTML of a letter as it is, or as a frame of ours shows it. Outside a frame it is a file: there links lead."""
    headers = {**HEADERS, "Content-Security-Policy": AS_IT_IS, "X-Frame-Options": "SAMEORIGIN"}
    if desk.request.headers.get("sec-fetch-dest") == "document":
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    content = in_a_frame(letter, dark) if dark in (BY_DAY, BY_NIGHT, EITHER) else letter
    return Response(content.encode(), media_type="text/html; charset=utf-8", headers=headers)


def download(content: str | bytes, name: str, kind: str) -> Response:
    """A part of a letter as a file."""
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content.encode() if isinstance(content, str) else content, media_type=kind, headers=headers)


def in_a_frame(letter: str, dark: str) -> str:
    """The same letter with links that lead nowhere, and by day or by night alone. Nothing else is changed.

    A frame would follow the browser of whoever looks, and most readers' programs are never dark.
    """
    held = letter.replace("<head>", f"<head>{DEAD}", 1)
    if dark == EITHER:
        return held
    is_dark = dark == BY_NIGHT
    decided = _DARK.sub("@media all" if is_dark else "@media not all", held)
    return _BOTH.sub(r"\1dark" if is_dark else r"\1light", decided)


def letters_only(desk: Desk, answer: Response, below: str) -> Response:
    """Let the frames of a page show nothing but what lies below a path of the desk (`/issues/2026-W47/`).

    A letter's links lead to our own pages, too, where following them may be noted: `'self'` would let them.
    """
    host = desk.request.headers.get("host", "")
    if _HOST.fullmatch(host):
        base = desk.request.app.state.furniture.templates.globals["base"]
        answer.headers["Content-Security-Policy"] = POLICY.replace(
            "frame-src 'self'", f"frame-src {desk.request.url.scheme}://{host}{base}{HOME}{below}"
        )
    return answer
