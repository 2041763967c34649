"""How are readers brought in from a file? Uploaded, looked at, and only then imported: this very file.

Promises: what would happen is shown before anything is written, and how far it is while it goes; the rows that were
left out can be had as a file; whoever uploaded a file is the only one who sees it, and it is gone after an hour, or
with the process that has it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from newsletter.editors.editor import MANAGE
from newsletter.web.desk.frame import HEADERS, Desk, Form, Here, back_to, below, is_part, only, page, tell
from newsletter.web.desk.readers import READERS
from newsletter.web.desk.uploads import MOST, Uploaded
from newsletter.web.form import Sent
from newsletter.web.porter import DONE, IMPORTING, KEPT, LOOKED, LOOKING, STATES, STOPPED, UNREADABLE, Parcel, Porter
from newsletter.weekly import CannotDo
from subscribers.csv_file import PLAUSIBLE, SEPARATORS, name_of
from subscribers.dialects import FIELDS, IGNORE, PLAIN

IMPORT: Final = f"{READERS}/import"

A_MOMENT: Final = 1.5  # seconds that a page waits for a small file, so that nobody has to look twice
MOST_COLUMNS: Final = 40  # of a file that are named
LONGEST_SOURCE: Final = 200  # characters

ENCODINGS: Final = ("utf-8", "utf-16", *PLAUSIBLE)

GONE: Final = "That file is not kept any more: choose it again."
BUSY: Final = "Other files are being worked on. Wait until one is through, and send this one again."

COMMAND_LINE: Final = (
    (re.compile(r": --map '.*'=ignore$"), ", below"),
    (re.compile(r": --map \"COLUMN=email\""), ", below"),
    (re.compile(r" with --encoding"), ", below"),
)
"""How a complaint names the command's options, and where the page has the same."""

router = APIRouter(default_response_class=HTMLResponse)

uploads = APIRouter(default_response_class=HTMLResponse)
"""Not behind `guard`, which reads small forms only: `guarded_upload` is in its place."""


@router.get("/readers/import", dependencies=[Depends(only(MANAGE))])
def offer(desk: Here) -> Response:
    """Where a file is chosen."""
    return _offer(desk)


@uploads.post("/readers/import", dependencies=[Depends(only(MANAGE))])
def take(desk: Here, upload: Uploaded) -> Response:
    """Keep a file, and look what would happen."""
    if upload.handle is None:
        return _offer(desk, upload.status, upload.wrong)
    parcel = _porter(desk).take(desk.by, upload.name, upload.handle, upload.size, upload.digest)
    if parcel is None:
        upload.handle.close()
        return _offer(desk, 503, BUSY)
    parcel.settled.wait(A_MOMENT)
    return back_to(desk, _path(parcel))


@router.get("/readers/import/{key}", dependencies=[Depends(only(MANAGE))])
def show(desk: Here, key: str) -> Response:
    """What would come of a file, how far it is, or what came of it."""
    parcel = _porter(desk).find(key, desk.by)
    if parcel is None:
        if not is_part(desk.request):
            return back_to(desk, IMPORT, GONE, wrong=True)
        part = Response(status_code=204, headers={**HEADERS, "HX-Redirect": f"{below(desk.request)}{IMPORT}"})
        tell(desk.site, part, GONE, wrong=True)
        return part
    return page(desk, "import_part.html" if is_part(desk.request) else "import.html", **_values(parcel))


@router.post("/readers/import/{key}", dependencies=[Depends(only(MANAGE))])
def bring_in(desk: Here, sent: Form, key: str) -> Response:
    """Import a file that was looked at."""
    parcel = _require(desk, key)
    source = "".join(filter(str.isprintable, " ".join(sent.one("source").split())))[:LONGEST_SOURCE]
    with desk.writing() as session:
        desk.log(session, "began to bring readers in", detail=f"file {parcel.digest[:12]}, {parcel.rows:,} rows")
        if not _porter(desk).bring_in(parcel, source or None):
            raise CannotDo("this file is not to be imported as it is; see what the page says of it")
        session.commit()
    parcel.settled.wait(A_MOMENT)
    return back_to(desk, _path(parcel))


@router.post("/readers/import/{key}/look", dependencies=[Depends(only(MANAGE))])
def look(desk: Here, sent: Form, key: str) -> Response:
    """Read a file otherwise: in another encoding, or with columns that mean something else."""
    parcel = _require(desk, key)
    encoding = sent.one("encoding") if sent.one("encoding") in ENCODINGS else None
    if not _porter(desk).look_again(parcel, encoding, _mapping(parcel, sent)):
        raise CannotDo("this file is being worked on, or its readers are in")
    parcel.settled.wait(A_MOMENT)
    return back_to(desk, _path(parcel))


@router.post("/readers/import/{key}/forget", dependencies=[Depends(only(MANAGE))])
def forget(desk: Here, _: Form, key: str) -> Response:
    """Let go of a file."""
    if not _porter(desk).drop(_require(desk, key)):
        raise CannotDo("this file is being worked on; it can be forgotten after that")
    return back_to(desk, IMPORT, "The file is forgotten.")


@router.get("/readers/import/{key}/rejected.csv", dependencies=[Depends(only(MANAGE))])
def rejected(desk: Here, key: str) -> Response:
    """The rows that were left out, or would be, with line and reason: to be mended and imported."""
    parcel = _porter(desk).find(key, desk.by)
    if parcel is None or parcel.moves or parcel.rejects is None:
        return back_to(desk, IMPORT if parcel is None else _path(parcel), GONE if parcel is None else "", wrong=True)
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="rejected.csv"'}
    return StreamingResponse(parcel.rejects.pieces(), media_type="text/csv; charset=utf-8", headers=headers)


def _offer(desk: Desk, status: int = 200, wrong: str | None = None) -> Response:
    return page(desk, "importing.html", status, wrong=wrong, most=MOST, minutes=int(KEPT // 60))


def _values(parcel: Parcel) -> dict[str, Any]:
    """What the page of a file shows."""
    file, how = parcel.file, parcel.reading
    columns = [name for name in (file.header if file else ()) if name.strip()]
    return {
        "parcel": parcel,
        "path": _path(parcel),
        "state": parcel.state,
        "states": STATES,
        "looking": parcel.state == LOOKING,
        "looked": parcel.state == LOOKED,
        "importing": parcel.state == IMPORTING,
        "done": parcel.state == DONE,
        "stopped": parcel.state == STOPPED,
        "unreadable": parcel.state == UNREADABLE,
        "trouble": parcel.trouble and _at_the_desk(parcel.trouble),
        "kind": (None if how.dialect == PLAIN.name else how.dialect) if how else None,
        "plain": how is not None and how.dialect == PLAIN.name,
        "encoding": name_of(file.encoding) if file else None,
        "separator": SEPARATORS[file.separator] if file else None,
        "unsaid": how.unsaid.status if how and how.unsaid and how.told_by_name else None,
        "not_read": how.not_read[:MOST_COLUMNS] if how else (),
        "more_columns": max(0, len(how.not_read) - MOST_COLUMNS) if how else 0,
        "first": [(row, _at_the_desk(row.outcome)) for row in parcel.first],
        "named": [(row, _at_the_desk(row.reason)) for row in parcel.named],
        "report": parcel.report,
        "columns": columns[:MOST_COLUMNS],
        "fields": {**FIELDS, IGNORE: "not read"},
        "encodings": [(code, name_of(code)) for code in ENCODINGS],
    }


def _mapping(parcel: Parcel, sent: Sent) -> Mapping[str, str]:
    """Column -> field, as a form says: one select for each column."""
    columns = [name for name in (parcel.file.header if parcel.file else ()) if name.strip()][:MOST_COLUMNS]
    chosen = {column: sent.one(f"column-{place}") for place, column in enumerate(columns)}
    return {column: wanted for column, wanted in chosen.items() if wanted in FIELDS or wanted == IGNORE}


def _at_the_desk(complaint: str) -> str:
    """A complaint as the page prints it, where the command would name its options."""
    for option, here in COMMAND_LINE:
        complaint = option.sub(here, complaint)
    return complaint


def _require(desk: Desk, key: str) -> Parcel:
    parcel = _porter(desk).find(key, desk.by)
    if parcel is None:
        raise CannotDo("that file is not kept any more; choose it again")
    return parcel


def _path(parcel: Parcel) -> str:
    return f"{IMPORT}/{parcel.key}"


def _porter(desk: Desk) -> Porter:
    porter: Porter = desk.request.app.state.porter
    return porter
