"""How is the week's issue written? Order, what is in it, whose words show, subject, preheader and note.

Promises: every change is saved at once, as a version that can be taken back, and noted in the log; nobody's work is
overwritten that they did not see, and nothing that was typed is lost: it stands on the page until it can be saved.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from newsletter import approving, editing, revisions
from newsletter.editors.editor import WRITE
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.rendering.size import MOST_BYTES, size_after_filling
from newsletter.web.desk import framed, written
from newsletter.web.desk.frame import HOME, Desk, Form, Here, back_to, is_part, only, page
from newsletter.web.desk.progress import require
from newsletter.web.desk.written import TEXTS, Trouble, mark_of, trouble_with
from newsletter.web.form import Sent
from newsletter.weekly import CannotDo, comparisons_of, manuscript, way_on

router = APIRouter(default_response_class=HTMLResponse)

MAY_WRITE: Final = [Depends(only(WRITE))]

TAKEN: Final = "somebody else has just changed the same; load the page again, then try again"

Act = Callable[[Session, Issue, int], object]
"""Changes a draft whose version is given, in the caller's transaction."""


@router.get("/issues/{week}/write")
def show(desk: Here, week: str) -> Response:
    """The draft as it stands, and all that may be changed of it; of an issue that is no draft, what is in it."""
    return _page(desk, week)


@router.post("/issues/{week}/write", dependencies=MAY_WRITE)
def write(desk: Here, sent: Form, week: str) -> Response:
    """Save one of the texts. An empty one brings the made one back."""
    part = next((name for name in TEXTS if name in sent.fields), None)
    if part is None:
        raise CannotDo("the form held no text; load the page again")
    typed = sent.one(part)
    trouble: Trouble | None = None
    try:
        with desk.writing() as session:
            issue = require(session, week)
            before, stands = issue.version, revisions.content(session, issue)
            now = mark_of(stands, part)
            untouched = now in (sent.one("was"), sent.one("keep"))
            if (
                issue.state == issues.DRAFT
                and not untouched
                and _plain(part, typed) != _plain(part, getattr(stands, part))
            ):
                trouble = trouble_with(desk, session, issue, stands, part, typed)
            else:
                rules, of_week, _ = _of(desk, issue, before)
                editing.write(session, rules, of_week, before, desk.by, desk.now, **{part: typed})
                _note(desk, session, issue, before)
                session.commit()
    except CannotDo as error:
        return _not_saved(desk, week, part, Trouble(typed, _sentence(error)), 422)
    if trouble is not None:  # said when nobody waits any more for us to have done with writing
        return _not_saved(desk, week, part, trouble, 409)
    return _answer(desk, week, "Saved.", part=part, with_list=sent.one("version") != str(before))


@router.post("/issues/{week}/arrange", dependencies=MAY_WRITE)
def arrange(desk: Here, sent: Form, week: str) -> Response:
    """Bring the comparisons into another order: one up, down or to the lead, or all as they are named."""
    slug, move, order = sent.one("slug"), sent.one("move"), sent.one("slugs").split()

    def act(session: Session, issue: Issue, version: int) -> str:
        was = [piece.slug for piece in revisions.content(session, issue).comparisons]
        wanted = order or _moved(was, slug, move)
        editing.arrange(session, *_of(desk, issue, version), wanted, desk.by, desk.now)
        title = next((each.title for each in comparisons_of(session, issue) if each.slug == slug), "")
        return f"{title} is number {wanted.index(slug) + 1} of {len(wanted)} now." if slug in wanted else "Moved."

    return _do(desk, sent, week, act)


@router.post("/issues/{week}/postpone", dependencies=MAY_WRITE)
def postpone(desk: Here, sent: Form, week: str) -> Response:
    """Drop a comparison to the next week."""

    def act(session: Session, issue: Issue, version: int) -> None:
        editing.postpone(session, *_of(desk, issue, version), sent.one("slug"), desk.by, desk.now)

    return _do(desk, sent, week, act)


@router.post("/issues/{week}/take-up", dependencies=MAY_WRITE)
def take_up(desk: Here, sent: Form, week: str) -> Response:
    """Take in one of those that wait."""

    def act(session: Session, issue: Issue, version: int) -> None:
        editing.take_up(session, *_of(desk, issue, version), sent.one("slug"), desk.by, desk.now)

    return _do(desk, sent, week, act)


@router.post("/issues/{week}/quote", dependencies=MAY_WRITE)
def quote(desk: Here, sent: Form, week: str) -> Response:
    """Choose whose words show of a comparison; with none chosen, the most telling ones."""
    slug = sent.one("slug")

    def act(session: Session, issue: Issue, version: int) -> None:
        pieces = revisions.content(session, issue).comparisons
        at = next((place for place, piece in enumerate(pieces) if piece.slug == slug), None)
        if at is None:
            raise CannotDo(f"{slug!r} is not in issue {issue.week}; load the page again")
        shown, _ = written.shown_of(comparisons_of(session, issue)[at], at, pieces[at].quoted)
        chosen = [sent.one(f"seat-{number}") for number in range(len(shown))]
        seats = written.seats_chosen(shown, chosen) or None
        editing.quote(session, *_of(desk, issue, version), slug, seats, desk.by, desk.now)

    return _do(desk, sent, week, act)


@router.post("/issues/{week}/refresh", dependencies=MAY_WRITE)
def refresh(desk: Here, sent: Form, week: str) -> Response:
    """Take in what is new since the draft was made. One that was called off meanwhile stays so."""

    def act(session: Session, issue: Issue, version: int) -> str:
        if issue.state != issues.DRAFT:
            raise CannotDo(f"issue {week} is {issue.state}; only a draft takes in what is new{way_on(issue)}")
        was = {piece.slug for piece in revisions.content(session, issue).comparisons}
        drafted = editing.refresh(session, *_of(desk, issue, version), desk.by, desk.now)
        if drafted.issue is None:
            raise CannotDo(f"nothing is left that issue {week} could tell; call it off instead")
        new = len({piece.slug for piece in revisions.content(session, issue).comparisons} - was)
        waits = f" {drafted.rolled_on} did not fit." if drafted.rolled_on else ""
        return f"{new or 'Nothing'} new taken in.{waits}"

    return _do(desk, sent, week, act, exact=True)


@router.post("/issues/{week}/undo", dependencies=MAY_WRITE)
def undo(desk: Here, sent: Form, week: str) -> Response:
    """Take the last change back."""
    return _do(desk, sent, week, _back(desk, revisions.undo), exact=True)


@router.post("/issues/{week}/redo", dependencies=MAY_WRITE)
def redo(desk: Here, sent: Form, week: str) -> Response:
    """Make the change anew that was taken back last."""
    return _do(desk, sent, week, _back(desk, revisions.redo), exact=True)


@router.post("/issues/{week}/note", dependencies=MAY_WRITE)
def look_at_note(desk: Here, sent: Form, week: str) -> Response:
    """How a note will show, as a part of the page; nothing is saved."""
    with desk.reading() as session:
        issue = require(session, week)
    html, wrong = written.note_as_shown("".join(sent.all("note")[:1]))
    return page(desk, "write_note.html", issue=issue, note_html=html, wrong=wrong)


@router.get("/issues/{week}/size")
def size(desk: Here, week: str) -> Response:
    """How large the letter is, as a part of the page: to know it, it has to be made."""
    if not is_part(desk.request):
        return back_to(desk, f"{HOME}/issues/{week}/write")
    rules = desk.site.assembly.rules
    with desk.reading() as session:
        issue = require(session, week)
        whole = manuscript(session, rules, issue)
    bytes_ = size_after_filling(approving.whole_letter(whole))
    return page(desk, "write_size.html", issue=issue, size=bytes_, most=MOST_BYTES, findings=approving.findings(whole))


def _do(desk: Desk, sent: Sent, week: str, act: Act, *, exact: bool = False) -> Response:
    """Change a draft, if nobody else has changed what it is about. `exact`: if nobody has changed anything of it."""
    try:
        with desk.writing() as session:
            issue = require(session, week)
            before = issue.version
            same = mark_of(revisions.content(session, issue), "comparisons") == sent.one("was")
            seen = sent.one("version")
            version = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 9 else -1
            said = act(session, issue, before if same and not exact else version)
            what = _note(desk, session, issue, before)
            session.commit()
    except IntegrityError:
        return _answer(desk, week, _sentence(CannotDo(TAKEN)), wrong=True)
    except CannotDo as error:
        return _answer(desk, week, _sentence(error), wrong=True)
    return _answer(desk, week, said if isinstance(said, str) else f"{what[:1].upper()}{what[1:]}.")


def _back(desk: Desk, way: Callable[..., Issue]) -> Act:
    return lambda session, issue, version: way(session, *_of(desk, issue, version), desk.by, desk.now)


def _of(desk: Desk, issue: Issue, version: int) -> tuple[Any, Week, int]:
    return desk.site.assembly.rules, Week.parse(issue.week), version


def _note(desk: Desk, session: Session, issue: Issue, before: int) -> str:
    """Write into the log what has become of a draft; what that was, in a few words."""
    session.refresh(issue)
    newest = versions.newest(session, issue) if issue.version != before else None
    if newest is None:
        return "nothing has changed"
    desk.log(session, newest.what, week=issue.week)
    return newest.what


def _moved(was: Sequence[str], slug: str, move: str) -> list[str]:
    """An order in which one comparison is moved; the same where it cannot go further."""
    if slug not in was:
        raise CannotDo(f"{slug!r} is not in this issue any more; load the page again")
    at = was.index(slug)
    to = max(0, {"up": at - 1, "down": at + 1, "lead": 0}.get(move, at))
    rest = [each for each in was if each != slug]
    return [*rest[:to], slug, *rest[to:]]


def _answer(
    desk: Desk, week: str, said: str, *, wrong: bool = False, part: str = "", with_list: bool = True
) -> Response:
    """After a change, or where there was none: the parts of the page that may be others, or back to it.

    `part`: the text that was saved. `with_list`: whether the comparisons may be others.
    """
    if not is_part(desk.request):
        return back_to(desk, f"{HOME}/issues/{week}/write", said, wrong=wrong)
    with desk.reading() as session:
        values = written.values(desk, session, require(session, week))
    return page(desk, "write_parts.html", told=said, wrong=wrong, part=part, with_list=with_list, **values)


def _not_saved(desk: Desk, week: str, part: str, trouble: Trouble, status: int) -> Response:
    """The page, or its parts, with what was typed and why it is not saved."""
    if not is_part(desk.request):
        return _page(desk, week, status, {part: trouble})
    with desk.reading() as session:
        values = written.values(desk, session, require(session, week), {part: trouble})
    # With status 200, or htmx puts nothing into the page; and that is not loaded anew, for it holds what was typed.
    return page(desk, "write_parts.html", told="", wrong=False, part=part, with_list=True, **values)


def _page(desk: Desk, week: str, status: int = 200, troubles: dict[str, Trouble] | None = None) -> Response:
    with desk.reading() as session:
        issue = require(session, week)
        values = written.values(desk, session, issue, troubles)
    name = "write.html" if issue.state == issues.DRAFT and desk.may(WRITE) else "write_closed.html"
    answer = page(desk, name, status, **values)
    return framed.letters_only(desk, answer, f"/issues/{issue.week}/")


def _plain(part: str, text: str) -> str:
    """A text as far as it makes a difference; in a note, ends of lines and indents do."""
    return "\n".join(text.strip().splitlines()) if part == "note" else " ".join(text.split())


def _sentence(error: CannotDo) -> str:
    """What an error says, as a sentence on a page."""
    said = str(error)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?", "!")) else ".")
