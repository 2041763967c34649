"""How does an issue get on its way? Approve it, give it its time, send it now; and its page, until the last reader.

What is being sent is steered by `steer`, and shown by `progress`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from newsletter import approving, outgoing, steering, weekly
from newsletter.approving import Shown
from newsletter.delivery import doubts, ledger
from newsletter.delivery.ledger import Accounting
from newsletter.editors.editor import APPROVE, SEND, Editor
from newsletter.editors.log import Entry, newest
from newsletter.issues import issue as issues
from newsletter.issues import versions, wall_clock
from newsletter.issues.issue import Issue
from newsletter.issues.wall_clock import Elsewhere
from newsletter.issues.week import Week
from newsletter.outgoing import AnotherCount
from newsletter.web.desk.frame import Desk, Form, Here, back_to, only, page
from newsletter.web.desk.progress import path_of, require, standing
from newsletter.weekly import NOT_BEGUN, CannotDo

APPROVED = "approved the issue"
MOST_BATCHES = 50  # of those in doubt that are listed each
FURTHEST = timedelta(days=366)
"""How far ahead an issue may be given its time: beyond it lie slips of the keyboard."""

router = APIRouter(default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Moment:
    """A moment that an issue may go out at, as clocks show it."""

    at: datetime
    written: str
    """As a form brings it back: exactly this moment."""
    offset: str
    """How far the newsletter's zone is ahead of UTC then."""
    elsewhere: list[Elsewhere]


@router.get("/issues/{week}/send")
def show(desk: Here, week: str, at: Annotated[str, Query()] = "") -> Response:
    """Where an issue is on its way, and what may be done about it. `at`: a local time that is thought of."""
    return send_page(desk, week, thought_of=at)


@router.post("/issues/{week}/approve", dependencies=[Depends(only(APPROVE))])
def approve(desk: Here, sent: Form, week: str) -> Response:
    """Bind an approval to the letter that was shown; nothing else is sent."""
    version = sent.one("version")
    shown = Shown(sent.one("digest"), int(version) if version.isdecimal() else -1)
    rules = desk.site.assembly.rules
    with desk.reading() as session:
        issue = require(session, week)
        approving.look_over(session, rules, Week.parse(issue.week))
    with desk.writing() as session:
        issue = approving.approve(session, rules, Week.parse(issue.week), desk.now, by=desk.by, shown=shown)
        desk.log(session, APPROVED, week=issue.week, detail=f"digest {shown.digest[:12]}")
        session.commit()
    return back_to(desk, path_of(issue), f"You have approved {issue.week}. Nothing but this letter goes out.")


@router.post("/issues/{week}/unapprove", dependencies=[Depends(only(APPROVE))])
def unapprove(desk: Here, _: Form, week: str) -> Response:
    """Take an approval back."""
    with desk.writing() as session:
        issue = approving.unapprove(session, Week.parse(require(session, week).week))
        desk.log(session, "took the approval back", week=issue.week)
        session.commit()
    return back_to(desk, path_of(issue), f"{issue.week} is a draft again.")


@router.post("/issues/{week}/schedule", dependencies=[Depends(only(SEND))])
def schedule(desk: Here, sent: Form, week: str) -> Response:
    """Give an issue its time: a moment with its offset, or a local time that there is once."""
    typed = sent.one("at")
    at = _moment(typed, desk.site.assembly.rules.zone)
    if at is None or not desk.now <= at <= desk.now + FURTHEST:
        return send_page(desk, week, 422, thought_of=typed)
    with desk.writing() as session:
        issue = weekly.schedule(session, Week.parse(require(session, week).week), at, desk.now)
        desk.log(session, "gave it its time", week=issue.week, detail=f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
        session.commit()
    return back_to(desk, path_of(issue), f"{issue.week} has its time. {_next_step(issue)}")


@router.post("/issues/{week}/send", dependencies=[Depends(only(SEND))])
def send_now(desk: Here, sent: Form, week: str) -> Response:
    """Send an approved issue at once, for who has typed to how many readers it goes."""
    typed = sent.one("readers")
    digits = "".join(letter for letter in typed if letter not in ",. '\u00a0\u202f")
    readers = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else None
    rules = desk.site.assembly.rules
    with desk.reading() as session:
        if changed := approving.changes_since_approval(session, rules, require(session, week)):
            raise CannotDo(f"issue {week} has changed since it was approved: {'; '.join(changed)}")
    try:
        with desk.writing() as session:
            issue = require(session, week)
            at = Week.parse(issue.week)
            outgoing.send_now(session, rules, at, readers, desk.now, digest=sent.one("digest"))
            desk.log(session, "sent it now", week=issue.week, detail=f"to {readers:,} readers")
            session.commit()
    except AnotherCount as error:
        return send_page(desk, week, 422, wrong={"readers": (typed, str(error))})
    desk.site.carrier.send(issue.week)
    return back_to(desk, path_of(issue), f"{issue.week} goes out now to {readers:,} readers.")


def send_page(
    desk: Desk,
    week: str,
    status: int = 200,
    *,
    thought_of: str = "",
    wrong: Mapping[str, tuple[str, str]] | None = None,
) -> Response:
    """The page of an issue on its way. `wrong`: field -> what was typed into it, and what is wrong with that."""
    with desk.reading() as session:
        issue = require(session, week)
        at = standing(desk, session, issue)
        if issue.letter_id is not None:
            values = _under_way(session, issue, at.books if at else Accounting(), desk)
        else:
            values = _before(session, issue, desk, thought_of)
    return page(desk, "send.html", status, issue=issue, at=at, wrong=wrong or {}, **values)


def _before(session: Session, issue: Issue, desk: Desk, thought_of: str) -> dict[str, Any]:
    """What an editor wants to know before an issue begins."""
    rules = desk.site.assembly.rules
    if issue.state == issues.CANCELLED:  # it has given its comparisons back
        return {"begun": False, "late": False, "ready": False}
    whole = weekly.manuscript(session, rules, issue)
    changes = approving.changes_since_approval(session, rules, issue)
    slot = Week.parse(issue.week).slot_after(rules.send_at, rules.zone)
    return {
        "begun": False,
        "letter": approving.whole_letter(whole),
        "findings": approving.findings(whole),
        "comparisons": len(whole.comparisons),
        "writer": _writer(session, issue),
        "why_not": approving.why_not(session, rules, issue, desk.by),
        "approver": _approver(session, issue),
        "changes": changes,
        "automatic": rules.approval == "automatic",
        "reach": approving.reach(session, rules, whole.comparisons, desk.now),
        "ready": issue.state in NOT_BEGUN and not changes,
        "late": issue.send_at <= desk.now,
        "now": _shown(issue.send_at, rules.zone),
        "slot": _shown(slot, rules.zone) if slot > desk.now and slot != issue.send_at else None,
        **_thought_of(thought_of, issue, desk),
    }


def _under_way(session: Session, issue: Issue, books: Accounting, desk: Desk) -> dict[str, Any]:
    """What an editor wants to know once an issue has begun."""
    assert issue.letter_id is not None  # the caller has looked
    refused = ledger.refused_for(session, issue.letter_id) if books.refused else {}
    may_pass = sum(count for (_, passing), count in refused.items() if passing)
    decidable = books.in_doubt and issue.state != issues.SENDING
    said = doubts.reasons(session, issue.letter_id) if decidable else {}
    open_doubts = doubts.open_doubts(session, issue.letter_id) if decidable else []
    settle = desk.site.assembly.settings.settle
    batches = [
        {
            "key": each.batch,
            "readers": len(each.subscriber_ids),
            "since": each.claimed_at,
            "rests_until": each.rests_since + settle,
            "said": said.get(each.batch, []),
        }
        for each in open_doubts
    ]
    return {
        "begun": True,
        "acts": {each.act: each.effect for each in steering.remedies(issue, books, may_pass)},
        "refused": sorted(refused.items(), key=lambda each: (-each[1], each[0])),
        "batches": batches[:MOST_BATCHES],
        "others": {"batches": len(batches) - MOST_BATCHES, "readers": sum(b["readers"] for b in batches[MOST_BATCHES:])}
        if len(batches) > MOST_BATCHES
        else None,
        "doubtful": sum(each["readers"] for each in batches),
        "may_end": issues.CANCELLED in issues.MOVES[issue.state],
    }


def _thought_of(written: str, issue: Issue, desk: Desk) -> dict[str, Any]:
    """What a time that is thought of would mean: the moments that it may be, and what is wrong with it."""
    zone = desk.site.assembly.rules.zone
    typed = written[:16] if written else f"{issue.send_at.astimezone(zone):%Y-%m-%dT%H:%M}"
    if not written:
        return {"typed": typed, "choices": [], "amiss": None}
    try:
        local = wall_clock.read_local(written[:16])
    except ValueError:
        return {"typed": typed, "choices": [], "amiss": "That is no date and time; write it like 2026-11-24T09:00."}
    found = wall_clock.moments(local, zone)
    amiss = None
    if not found:
        amiss = f"There is no {local:%H:%M} on {local:%a %d %b %Y}: the clocks in {zone} skip it. The nearest are:"
        found = wall_clock.nearest(local, zone)
    elif len(found) > 1:
        amiss = f"It is {local:%H:%M} twice on {local:%a %d %b %Y}: the clocks in {zone} are put back. Which is meant?"
    coming = [each for each in found if desk.now <= each <= desk.now + FURTHEST]
    if not coming:
        what = "has passed; choose a time to come" if found[0] < desk.now else "is more than a year away"
        amiss = f"{local:%a %d %b %Y, %H:%M} {what}."
    return {"typed": typed, "choices": [_shown(each, zone) for each in coming], "amiss": amiss}


def _shown(at: datetime, zone: ZoneInfo) -> Moment:
    return Moment(at, at.astimezone(zone).isoformat(), wall_clock.offset(at, zone), wall_clock.around_the_world(at))


def _moment(written: str, zone: ZoneInfo) -> datetime | None:
    """The one moment that a form means; None where it means none, or may mean two."""
    try:
        read = datetime.fromisoformat(written)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        found = wall_clock.moments(wall_clock.read_local(written), zone)
    except (ValueError, OverflowError):
        return None
    return found[0] if len(found) == 1 else None


def _next_step(issue: Issue) -> str:
    return "It still has to be approved." if issue.state == issues.DRAFT else "It goes out by itself then."


def _writer(session: Session, issue: Issue) -> tuple[str | None, versions.Version] | None:
    """Who made the newest version (None: no account did), and that; None of a draft that nobody has changed."""
    version = versions.newest(session, issue)
    if version is None:
        return None
    editor = session.get(Editor, version.editor_id) if version.editor_id is not None else None
    return (editor.name if editor else None), version


def _approver(session: Session, issue: Issue) -> str | None:
    """Who approved an issue at the desk; None where nobody has, or it was done by a command."""
    if issue.approved_at is None:
        return None
    entry: Entry | None = next((each for each in newest(session, week=issue.week) if each.act == APPROVED), None)
    if entry is None or entry.at != issue.approved_at or entry.editor_id is None:
        return None
    return session.get_one(Editor, entry.editor_id).name
