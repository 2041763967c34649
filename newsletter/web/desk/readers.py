"""Who is on the list? Its readers, newest first, one of them by the address, and all of them as a file.

Promises: no address stands in an address of ours, so in no history and in no log: what is looked for goes with a form,
and then in a cookie that is good for this session and a quarter of an hour; the list is never in memory as a whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlmodel import Session

from newsletter.db import reading
from newsletter.delivery.ledger import LARGEST_ID
from newsletter.editors.editor import MANAGE, READ
from newsletter.web.desk.cookies import forget_cookie, keys_of, named, set_cookie
from newsletter.web.desk.frame import HEADERS, Desk, Form, Here, back_to, only, page
from subscribers import looking_up, subscriber, suppression
from subscribers.address import Address, readable
from subscribers.exporting import csv_lines, exported
from subscribers.fingerprint import Fingerprints, kept_from_files
from subscribers.subscriber import STATUSES
from subscribers.suppression import REASONS

READERS: Final = "/desk/readers"
FOUND: Final = f"{READERS}?found=1"

SEARCH: Final = "desk-search"
"""The cookie that holds what is looked for."""
KEPT: Final = 15 * 60  # seconds

LONGEST: Final = 254  # characters of what is looked for

OF_A_DOMAIN: Final = (
    "Readers are found by how their addresses begin, not by how they end. For all of one domain, take the list out."
)

LINES: Final = 500  # of the list that are handed on together

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Stranger:
    """An address that is nobody's on the list."""

    email: str
    suppressed: suppression.Suppression | None = None
    forgotten: bool = False
    """Whether its reader was forgotten at their own wish."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a form, and what was typed into it."""

    form: str
    text: str
    typed: Mapping[str, str] = field(default_factory=dict)


@router.get("/readers", dependencies=[Depends(only(READ))])
def show(
    desk: Here,
    status: Annotated[str, Query()] = "",
    behind: Annotated[str, Query()] = "",
    found: Annotated[str, Query()] = "",
) -> Response:
    """The readers who came last, of one status or all; or those whom this session has looked for."""
    if not found:
        return readers_page(desk, "", _status(status), _number(behind))
    searched = _searched(desk)
    if searched is None:
        return back_to(desk, READERS, "What you looked for is not kept any more: look for it again.", wrong=True)
    return readers_page(desk, *searched, _number(behind))


@router.post("/readers", dependencies=[Depends(only(READ))])
def search(desk: Here, sent: Form) -> Response:
    """Find a reader by the address, however it is spelled; else all whose addresses begin so."""
    # Only what can be printed: PostgreSQL takes no NUL in a text.
    words = "".join(filter(str.isprintable, sent.one("words")))[:LONGEST]
    status = _status(sent.one("status"))
    if not words:
        return back_to(desk, f"{READERS}?status={status}" if status else READERS)
    if words.startswith("@"):
        return readers_page(desk, words, status, http=422, wrong=Wrong("search", OF_A_DOMAIN))
    if address := readable(words):
        with desk.reading() as session:
            reader = subscriber.find(session, address)
        if reader:
            return back_to(desk, f"{READERS}/{reader.id}")
    return look_for(desk, words, status)


@router.post("/readers/export", dependencies=[Depends(only(MANAGE))])
def export(desk: Here, sent: Form) -> Response:
    """The list (of one status) as a file, as the command writes it."""
    status = _status(sent.one("status"))
    with desk.writing() as session:
        counted = looking_up.counts(session)
        readers = counted[status] if status else sum(counted.values())
        desk.log(session, "took the list out", detail=f"{readers:,} {status or 'readers'}")
        session.commit()
    name = f"readers-{status or 'all'}-{desk.now:%Y-%m-%d}.csv"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_list_of(desk, status), media_type="text/csv; charset=utf-8", headers=headers)


def look_for(desk: Desk, words: str, status: str | None = None) -> Response:
    """Lead to those who are looked for, by a page that can be left and come back to."""
    answer = back_to(desk, FOUND)
    set_cookie(desk.site, answer, SEARCH, str(_kept(desk).dumps([words, status])), KEPT)
    return answer


def forget_search(desk: Desk, answer: Response) -> None:
    """Let this browser hold nothing of what was looked for."""
    forget_cookie(desk.site, answer, SEARCH)


def readers_page(
    desk: Desk,
    words: str,
    status: str | None,
    behind: int | None = None,
    *,
    http: int = 200,
    wrong: Wrong | None = None,
) -> Response:
    """The list, or those of it whose addresses begin so. `wrong`: of a form that was on it."""
    searched = bool(words) and not words.startswith("@")
    with desk.reading() as session:
        counts = looking_up.counts(session)
        if searched:
            found = looking_up.beginning(session, words, status, behind)
        elif words:
            found = looking_up.Page([])
        else:
            found = looking_up.newest(session, status, behind)
        stranger = _stranger(session, words) if searched else None
    values: dict[str, Any] = {
        "counts": counts,
        "all": sum(counts.values()),
        "found": found,
        "words": words,
        "of_status": status,
        "behind": behind,
        "stranger": stranger,
        "statuses": STATUSES,
        "reasons": REASONS,
        "wrong": wrong,
    }
    return page(desk, "readers.html", http, **values)


def _stranger(session: Session, words: str) -> Stranger | None:
    """What is known of an address at which nobody is on the list; None for what is no address, or a reader's."""
    address = readable(words)
    if address is None or subscriber.find(session, address):
        return None
    suppressed = suppression.in_force(session, address)
    return Stranger(address.email, suppressed, _is_forgotten(session, address))


def _is_forgotten(session: Session, address: Address) -> bool:
    return bool(kept_from_files(session, [Fingerprints(session).of(address)]))


def _searched(desk: Desk) -> tuple[str, str | None] | None:
    """What this session has looked for, if it did so lately."""
    try:
        words, status = _kept(desk).loads(desk.request.cookies.get(named(desk.site, SEARCH), ""), KEPT)
    except (BadSignature, ValueError, TypeError):
        return None
    return str(words), _status(str(status))


def _kept(desk: Desk) -> URLSafeTimedSerializer:
    """Signs what is looked for, for this session alone."""
    return URLSafeTimedSerializer(keys_of(desk.site), salt=f"desk search {desk.signed_in.digest}")


def _list_of(desk: Desk, status: str | None) -> Iterator[str]:
    with reading(desk.site.engine) as session:
        held: list[str] = []
        for line in csv_lines(exported(session, status)):
            held.append(line)
            if len(held) == LINES:
                yield "".join(held)
                held = []
        yield "".join(held)


def _status(written: str) -> str | None:
    return written if written in STATUSES else None


def _number(written: str) -> int | None:
    """A reader's number; None for what can be none."""
    return int(written) if written.isascii() and written.isdecimal() and int(written[:11]) <= LARGEST_ID else None
