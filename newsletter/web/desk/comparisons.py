"""What do we write about? The store page by page, one comparison as the panel sees it, and bringing new ones in."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from newsletter.comparisons import comparison, importers, shelf
from newsletter.comparisons.importers import Report
from newsletter.comparisons.record import LEFT, RIGHT, in_utc, reviewer_name
from newsletter.editors.editor import WRITE
from newsletter.issues import whereabouts
from newsletter.web.desk.frame import Desk, Form, Here, back_to, only, page
from newsletter.web.desk.uploads import Upload, Uploaded
from newsletter.web.form import Sent

router = APIRouter(default_response_class=HTMLResponse)

uploads = APIRouter(default_response_class=HTMLResponse)
"""Not behind `guard`, which reads small forms only: `guarded_upload` is in its place."""

LIST: Final = "/desk/comparisons"
PASTED: Final = Path("what was pasted")
KINDS: Final = {"": "tell by how it begins", ".txt": "page text", ".json": "JSON", ".jsonl": "JSON Lines"}
LONGEST_PASTED: Final = 60_000  # bytes; a form takes little more
LARGEST_FILE: Final = 2 * 1024 * 1024  # bytes, some thousand comparisons: other writers wait while it is read
TOO_MUCH: Final = 413
TOO_LARGE: Final = (
    f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB, and was not read: split it, "
    "or use `newsletter comparisons import`."
)
LONGEST_SEARCH: Final = 300  # characters; no title is longer
LARGEST_ID: Final = 2**31 - 1


@router.get("/comparisons")
def show_all(desk: Here, q: str = "", before: str = "") -> Response:
    """The store, the newest first; `before` is where the page before ended."""
    # Only what can be printed: PostgreSQL takes no NUL in a text.
    wanted = "".join(filter(str.isprintable, " ".join(q.split())))[:LONGEST_SEARCH]
    with desk.reading() as session:
        found = shelf.browse(session, wanted, _place(before))
        places = whereabouts.find(session, [one.id for one in found.stored])
    searched = {"q": wanted} if wanted else {}
    next_ = f"{LIST}?{urlencode({**searched, 'before': _written(found.next)})}" if found.next else ""
    first = f"{LIST}?{urlencode(searched)}" if searched else LIST
    return page(
        desk,
        "comparisons.html",
        stored=found.stored,
        places=places,
        wanted=wanted,
        first=first if before else "",
        next=next_,
    )


@router.get("/comparisons/{slug}")
def show(desk: Here, slug: str) -> Response:
    """One comparison, with all that is known of it."""
    with desk.reading() as session:
        stored = comparison.by_slug(session, slug)
        if stored is None:
            raise HTTPException(404)
        place = whereabouts.find(session, [stored.id])[stored.id]
    record = stored.record
    shares = [record.panel_ship(side) for side in (LEFT, RIGHT)]
    return page(desk, "comparison.html", record=record, shares=shares, place=place, reviewer_name=reviewer_name)


@router.get("/import-comparisons", dependencies=[Depends(only(WRITE))])
def offer_import(desk: Here) -> Response:
    """Where comparisons are brought in."""
    return _import_page(desk)


@router.post("/import-comparisons", dependencies=[Depends(only(WRITE))])
def bring_in(desk: Here, sent: Form) -> Response:
    """Show what would be stored of what was pasted, or store it."""
    text = "".join(sent.all("text")[:1])
    try:
        published_at = _moment(desk, sent.one("published_at"))
    except ValueError:
        return _import_page(desk, sent, wrong_time=True)
    if not text.strip():
        return _import_page(desk, sent, nothing=True)
    kind = sent.one("kind") if sent.one("kind") in KINDS else ""
    given = (PASTED.with_suffix(kind), text.encode("utf-8", "replace"))
    return _read(desk, given, published_at, sent=sent, stores=sent.one("do") == "store")


@uploads.post("/import-comparisons/file", dependencies=[Depends(only(WRITE))])
def look_at_file(desk: Here, upload: Uploaded) -> Response:
    """Show what would be stored of a file."""
    return _of_file(desk, upload, stores=False)


@uploads.post("/import-comparisons/file/store", dependencies=[Depends(only(WRITE))])
def store_file(desk: Here, upload: Uploaded) -> Response:
    """Store a file at once."""
    return _of_file(desk, upload, stores=True)


def _of_file(desk: Desk, upload: Upload, *, stores: bool) -> Response:
    if upload.handle is None and upload.status != TOO_MUCH:
        return _import_page(desk, wrong_file=upload.wrong, status=upload.status)
    if upload.handle is None or upload.size > LARGEST_FILE:
        if upload.handle:
            upload.handle.close()
        return _import_page(desk, wrong_file=TOO_LARGE, status=TOO_MUCH)
    with upload.handle as file:
        data = file.read()
    kind = Path(upload.name).suffix.lower()
    typed = Sent()
    if len(data) <= LONGEST_PASTED:  # then it goes on below as if it had been pasted
        with suppress(UnicodeDecodeError):
            text = data.decode("utf-8-sig")
            typed = Sent({"text": [text], "kind": [kind if kind in KINDS else ""]})
    return _read(desk, (Path(upload.name), data), None, sent=typed, stores=stores)


def _read(
    desk: Desk, given: tuple[Path, bytes], published_at: datetime | None, *, sent: Sent, stores: bool
) -> Response:
    """Show what would be stored, or store it. To look costs what storing costs, and is then taken back."""
    with desk.writing() as session:
        report = importers.import_data(session, [given], published_at, desk.now)
        changed = [each.slug for each in report.imported if each.change == "updated"]
        places = whereabouts.of_slugs(session, changed)
        counts = _counts(report)
        if stores:
            if counts:
                desk.log(session, "brought comparisons in", detail=counts)
            session.commit()
        else:
            session.rollback()
    if stores and not report.bad:
        broken = sorted({place.week for place in places.values() if place.is_approved and place.week})
        note = f" {', '.join(broken)} was approved before, and is to be approved again." if broken else ""
        return back_to(desk, LIST, f"Stored: {counts or 'nothing that was not there already'}.{note}")
    return _import_page(desk, sent, report=report, places=places, stored=stores)


def _import_page(desk: Desk, sent: Sent | None = None, status: int = 200, **seen: Any) -> Response:
    sent = sent or Sent()
    values: dict[str, Any] = {
        "report": None,
        "places": {},
        "stored": False,
        "wrong_time": False,
        "nothing": False,
        "wrong_file": "",
        **seen,
    }
    report = values["report"]
    if values["wrong_time"] or values["nothing"] or (report and report.bad):
        status = 422
    typed = {
        "text": "".join(sent.all("text")[:1]),
        "kind": sent.one("kind"),
        "published_at": sent.one("published_at"),
    }
    return page(desk, "import_comparisons.html", status, typed=typed, kinds=KINDS, **values)


def _counts(report: Report) -> str:
    """`2 new, 1 changed`; nothing where nothing was."""
    changes = [each.change for each in report.imported]
    named = {"new": changes.count("new"), "changed": changes.count("updated")}
    return ", ".join(f"{count} {what}" for what, count in named.items() if count)


def _moment(desk: Desk, written: str) -> datetime | None:
    """A date and time as a browser's field has it, in the newsletter's zone; None for none. Raises ValueError."""
    if not written:
        return None
    parsed = datetime.fromisoformat(written)
    return in_utc(parsed if parsed.tzinfo else parsed.replace(tzinfo=desk.site.assembly.rules.zone))


def _place(written: str) -> shelf.Key | None:
    """Where a page begins; None for what is no such place."""
    at, _, number = written.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        key = (moment.astimezone(UTC), int(number)) if moment.tzinfo and number.isascii() else None
    except (ValueError, OverflowError):
        return None
    return key if key and 0 < key[1] <= LARGEST_ID else None


def _written(place: shelf.Key) -> str:
    return f"{place[0].isoformat()}~{place[1]}"
