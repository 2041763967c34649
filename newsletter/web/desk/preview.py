"""What goes out, before it does? An issue's letter as its readers will see it, what is wrong with it, and tests of it.

Promises: what is shown is what the provider is handed, byte for byte; looking changes nothing; whoever may not act in a
reader's name sees no key of one; no address of a reader stands in an address of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.routing import Match

from newsletter import approving, linked, previewing, trial
from newsletter.editors.editor import MANAGE, READ, WRITE
from newsletter.issues import issue as issues
from newsletter.issues.variants import Selection
from newsletter.issues.week import Week
from newsletter.language import available, own_name
from newsletter.message import Letter
from newsletter.previewing import Copy, Look, Nothing, VariantOf
from newsletter.reachable import DEAD, OK, VERDICTS, Checker
from newsletter.rendering.size import MOST_BYTES
from newsletter.web.desk import framed
from newsletter.web.desk.frame import HOME, Desk, Form, Here, back_to, is_part, only, page
from newsletter.weekly import CannotDo
from subscribers import subscriber
from subscribers.address import readable

GMAILS_CUT: Final = 102 * 1024
"""Bytes of HTML after which Gmail cuts a letter off."""
PATIENCE: Final = 0.03  # seconds that a page takes to look over more variants than the first
PART_PATIENCE: Final = 1.5  # seconds that the list takes for that which is fetched afterwards
MOST_SHOWN: Final = 30  # variants
QUICK: Final = 1.0  # seconds that are waited for links to answer, before the page says that it is at it

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Asked:
    """Whose copy is wanted, as the address of a page says it."""

    reader: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
    without: Annotated[tuple[str, ...], Query()] = ()
    language: Annotated[str | None, Query()] = None

    @property
    def query(self) -> str:
        """The same for another address; empty for the sample reader's whole letter."""
        if self.reader is not None:
            return urlencode({"reader": self.reader})
        pairs = [("without", slug) for slug in sorted(self.without)]
        return urlencode([*pairs, *([("language", self.language)] if self.language else [])])


Wanted = Annotated[Asked, Depends()]


@router.get("/issues/{week}/preview")
def preview(desk: Here, week: str, asked: Wanted) -> Response:
    """The letter in five views, and all that is to be known of it before it is approved."""
    return _shown(desk, week, asked)


@router.post("/issues/{week}/preview", dependencies=[Depends(only(READ))])
def find_reader(desk: Here, week: str, sent: Form) -> Response:
    """Show a reader's copy: from their address to their number, since addresses of pages are kept in many places."""
    typed = sent.one("address")
    address = readable(typed)
    with desk.reading() as session:
        _look(session, desk, week)
        reader = subscriber.find(session, address) if address else None
    if reader is None or reader.id is None:
        wrong = "Nobody on the list has this address." if address else "This is no address."
        return _shown(desk, week, Asked(), 422, typed_reader=typed, wrong_reader=wrong)
    return back_to(desk, _path(week, "preview", Asked(reader=reader.id)))


@router.get("/issues/{week}/letter.html")
def letter_html(desk: Here, week: str, asked: Wanted, dark: str = "") -> Response:
    """A copy's HTML, byte for byte; `dark`: as a frame shows it (`framed`), by day or by night."""
    look, copy = _copy_of(desk, week, asked)
    return framed.html(desk, copy.html, f"{look.issue.week}.html", dark)


@router.get("/issues/{week}/letter.txt")
def letter_text(desk: Here, week: str, asked: Wanted) -> Response:
    """A copy's text, byte for byte."""
    look, copy = _copy_of(desk, week, asked)
    return framed.download(copy.text, f"{look.issue.week}.txt", "text/plain; charset=utf-8")


@router.get("/issues/{week}/letter.eml")
def letter_source(desk: Here, week: str, asked: Wanted) -> Response:
    """A copy as a whole message, for a mail program."""
    look, copy = _copy_of(desk, week, asked)
    source = previewing.source_of(look, copy)
    return framed.download(source, f"{look.issue.week}.eml", "message/rfc822")


@router.get("/issues/{week}/variants")
def variants(desk: Here, week: str) -> Response:
    """All variants with their readers, sizes and findings: a page, or the part of one that htmx goes on with."""
    with desk.reading() as session:
        look = _look(session, desk, week)
        issue = look.issue
        try:
            found = _variants(look, PART_PATIENCE, most=None)
        except CannotDo:
            raise HTTPException(404) from None
    if is_part(desk.request):
        return page(
            desk, "preview_variants_part.html", issue=issue, **{**found, "variants": found["variants"][:MOST_SHOWN]}
        )
    return page(desk, "preview_variants.html", issue=issue, **found)


@router.get("/issues/{week}/links")
def links(desk: Here, week: str) -> Response:
    """What came of asking the links, as the part of the page that htmx asks for while they are being asked."""
    with desk.reading() as session:
        look = _look(session, desk, week)
        issue = look.issue
        if not is_part(desk.request):
            return back_to(desk, _path(week, "preview", Asked()))
        try:
            found = _links(desk, look)
        except CannotDo:
            raise HTTPException(404) from None
    return page(desk, "preview_links.html", issue=issue, links=found)


@router.post("/issues/{week}/links", dependencies=[Depends(only(WRITE))])
def check_links(desk: Here, week: str) -> Response:
    """Ask every address outside our own pages whether it answers. Raises CannotDo."""
    site = desk.site
    with desk.reading() as session:  # nobody who writes waits until the letter is made
        look = _look(session, desk, week)
        issue = look.issue
        outside = linked.leads_to(previewing.letter_of(look).html, site.assembly.links).outside
    base_url = site.assembly.settings.base_url.encode("ascii", "ignore").decode()
    checker = Checker(agent=f"newsletter-link-check/1 (+{base_url})")
    with desk.writing() as session:
        thread = linked.start(site.engine, session, Week.parse(issue.week), outside, checker, site.clock)
        desk.log(session, "had the links asked", week=issue.week)
        session.commit()
    thread.start()
    thread.join(QUICK)
    said = (
        "The links are being asked; that takes half a minute at most." if thread.is_alive() else "The links were asked."
    )
    return back_to(desk, f"{_path(week, 'preview', Asked())}#links", said)


@router.post("/issues/{week}/test", dependencies=[Depends(only(WRITE))])
def send_test(desk: Here, week: str, sent: Form) -> Response:
    """Send the letter that is shown to some addresses, outside the audience."""
    assembly = desk.site.assembly
    typed = sent.one("to")
    asked = _asked(sent.one("reader"), sent.all("without"), sent.one("language"))
    try:
        with desk.reading() as session:  # nobody who writes waits until it is made
            look = _look(session, desk, week)
            issue, letter = look.issue, _letter(desk, look, asked)
        with desk.writing() as session:
            written = typed.replace(",", " ").replace(";", " ").split()
            test = trial.prepare(session, assembly.rules, assembly.post, issue, letter, written, desk.now, desk.by)
            desk.log(session, "sent a test", week=issue.week, detail=test.detail)
            session.commit()
    except CannotDo as error:
        return _shown(desk, week, asked, 422, typed_to=typed, wrong_to=str(error))
    tried = trial.send(assembly.post, test)
    missed = [f"{each.email}: {each.words}" for each in tried if not each.went]
    went = f"The provider has taken {len(tried) - len(missed)} of {len(tried)} tests."
    return back_to(desk, _path(week, "preview", asked), "; ".join([went, *missed]), wrong=bool(missed))


def _shown(desk: Desk, week: str, asked: Asked, status: int = 200, **kept: str) -> Response:
    """The page of a copy. `kept`: what was typed wrongly, and what is wrong with it."""
    assembly = desk.site.assembly
    values: dict[str, Any] = {"typed_reader": "", "wrong_reader": "", "wrong_to": "", "typed_to": desk.editor.email}
    with desk.reading() as session:
        look = _look(session, desk, week)
        issue = look.issue
        values |= {"issue": issue, "asked": asked, "copy": None, "nothing": None, "trouble": "", **kept}
        values["may_act_for_readers"] = desk.may(MANAGE)
        try:
            copy = _copy(desk, look, asked)
            values["nothing" if isinstance(copy, Nothing) else "copy"] = copy
            values["digest"] = previewing.letter_of(look).digest
            values["changes"] = approving.changes_since_approval(session, assembly.rules, issue)
            values["links"] = _links(desk, look)
            values |= _variants(look, PATIENCE, MOST_SHOWN)
            values["what"] = "" if asked.reader else previewing.words_of(_selection(look, asked), look.records)
        except CannotDo as error:
            values["trouble"] = str(error)
    values |= {
        "most_bytes": MOST_BYTES,
        "cut": GMAILS_CUT,
        "languages": [(code, own_name(code)) for code in available()],
    }
    values["own_language"] = assembly.rules.masthead.language
    return framed.letters_only(desk, page(desk, "preview.html", status, **values), f"/issues/{issue.week}/")


def _look(session: Session, desk: Desk, week: str) -> Look:
    """A look at the issue of a week. Raises HTTPException, 404."""
    try:
        found = issues.find(session, Week.parse(week))
    except ValueError:
        found = None
    if found is None:
        raise HTTPException(404)
    return Look(session, desk.site.assembly.rules, desk.site.assembly.post, found)


def _copy(desk: Desk, look: Look, asked: Asked) -> Copy | Nothing:
    """The copy that is wanted. Raises CannotDo."""
    if asked.reader is not None:
        return previewing.of_reader(look, asked.reader, with_keys=desk.may(MANAGE))
    return previewing.sample(look, _selection(look, asked))


def _selection(look: Look, asked: Asked) -> Selection:
    return previewing.chosen(look, asked.without, asked.language)


def _letter(desk: Desk, look: Look, asked: Asked) -> Letter:
    """The letter of the copy that is wanted. Raises CannotDo, also for a reader who gets nothing."""
    copy = _copy(desk, look, asked)
    if isinstance(copy, Nothing):
        raise CannotDo(f"{copy.whose} {copy.why}: there is nothing to be sent")
    return copy.letter


def _copy_of(desk: Desk, week: str, asked: Asked) -> tuple[Look, Copy]:
    """The copy that is wanted. Raises HTTPException, 404, where there is none."""
    with desk.reading() as session:
        look = _look(session, desk, week)
        try:
            copy = _copy(desk, look, asked)
        except CannotDo:
            raise HTTPException(404) from None
    if isinstance(copy, Nothing):
        raise HTTPException(404)
    return look, copy


def _variants(look: Look, patience: float, most: int | None) -> dict[str, Any]:
    """The variants with what is known of each; those of a letter that has gone out were judged before it did."""
    begun = look.issue.letter_id is not None
    found = previewing.variants_of(look)
    found = found[:1] + sorted(found[1:], key=lambda each: -each.readers)
    shown = found[:most]
    judged: Sequence[previewing.Judged | None] = [None] * len(shown)
    if not begun:
        judged = previewing.judged(look, [each.selection for each in shown], patience)
    rows = [(each, _asked_of(each), what) for each, what in zip(shown, judged, strict=True)]
    waiting = 0 if begun else sum(each is None for each in judged)
    return {"variants": rows, "of_all": len(found), "waiting": waiting, "begun": begun}


def _asked_of(variant: VariantOf) -> Asked:
    return Asked(None, tuple(sorted(variant.selection.without)), variant.selection.language)


def _links(desk: Desk, look: Look) -> dict[str, Any]:
    """Where the letter leads, with what came of asking; its links to pages of our own are held against our routes."""
    leads = linked.leads_to(previewing.letter_of(look).html, desk.site.assembly.links)
    checked = linked.checked(look.session, look.issue.week, desk.now)
    answers = checked.answers if checked else {}
    rows = [(url, answers.get(url)) for url in leads.outside]
    return {
        "rows": sorted(rows, key=lambda row: (row[1] is not None and row[1].verdict == OK, row[1] is None)),
        "bad": sum(answer is not None and answer.verdict == DEAD for _, answer in rows),
        "at": checked.at if checked else None,
        "at_work": checked is not None and checked.at_work,
        "ours": len(leads.ours),
        "missing": [path for path in leads.ours if not _is_ours(desk, path)],
        "verdicts": VERDICTS,
    }


def _is_ours(desk: Desk, path: str) -> bool:
    """Whether there is a page of ours at a path (with its query)."""
    scope = {"type": "http", "method": "GET", "path": path.partition("?")[0].partition("#")[0], "root_path": ""}
    return any(route.matches(scope)[0] is Match.FULL for route in desk.request.app.routes)


def _asked(reader: str, without: Sequence[str], language: str) -> Asked:
    """What a form says of whose copy is wanted."""
    number = int(reader) if reader.isascii() and reader.isdigit() and len(reader) <= 10 else None
    return Asked(number, tuple(without), language or None)


def _path(week: str, what: str, asked: Asked) -> str:
    return f"{HOME}/issues/{Week.parse(week)}/{what}" + (f"?{asked.query}" if asked.query else "")
