"""How does a draft change, and how is a change taken back? By versions of all that an editor may change of it.

Whoever changes a draft says which version they saw: what somebody else has changed meanwhile is never overwritten
(`Stale`). Every function works inside the caller's transaction, and where it raises the caller must not commit. An
issue is never longer than a letter may be, by whichever change.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select

from newsletter import weekly
from newsletter.comparisons import comparison
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.editors.editor import Editor
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue, IssueComparison, Postponed
from newsletter.issues.versions import Version
from newsletter.issues.week import Week
from newsletter.weekly import CannotDo, Rules, manuscript, name_by_lead, require, way_on


class Stale(CannotDo):
    """Somebody has changed the draft since; nothing was saved. `version` is the newest."""

    def __init__(self, said: str, version: int) -> None:
        super().__init__(said)
        self.version = version


@dataclass(frozen=True)
class Piece:
    """A comparison in an issue."""

    slug: str
    quoted: tuple[str, ...] | None
    """The reviewers (seats) whose words show; None: the most telling ones."""


@dataclass(frozen=True)
class Content:
    """All that an editor may change, as it stands."""

    subject: str
    """An editor's own; empty where the made one stands."""
    preheader: str
    note: str
    comparisons: tuple[Piece, ...]
    """In order; the first leads."""
    postponed: tuple[str, ...]
    """Slugs of those that this week is to do without."""


def content(session: Session, issue: Issue) -> Content:
    """What stands in an issue, as far as an editor may change it."""
    assert issue.id is not None  # it was read from the database
    places = issues.places(session, issue.id)
    put_off = list(session.exec(select(Postponed.comparison_id).where(Postponed.week == issue.week)))
    slugs = _slugs(session, [*(place.comparison_id for place in places), *put_off])
    return Content(
        subject=issue.own_subject or "",
        preheader=issue.own_preheader or "",
        note=issue.note or "",
        comparisons=tuple(Piece(slugs[place.comparison_id], issues.seats(place.quoted)) for place in places),
        postponed=tuple(sorted(slugs[number] for number in put_off)),
    )


def change(
    session: Session,
    rules: Rules,
    week: Week,
    version: int | None,
    by: int | None,
    now: datetime,
    act: Callable[[Issue, Content], str],
) -> Issue:
    """Do one thing to a draft and keep the version that it makes. `version` None: whichever is the newest.

    `act` is given the draft and what stands in it, and says in a few words what it did.
    """
    issue, _ = _newest(session, rules, week, version)
    before = content(session, issue)
    what = act(issue, before)
    session.flush()
    if keep(session, issue, before, what, by, now):
        refuse_too_long(session, rules, issue)
    return issue


def undo(session: Session, rules: Rules, week: Week, version: int | None, by: int | None, now: datetime) -> Issue:
    """Take the last change back that was not taken back yet. Raises CannotDo where there is none, or it cannot be."""
    issue, newest = _newest(session, rules, week, version)
    if newest is None or newest.undo_to is None:
        raise CannotDo(f"nothing was changed in issue {week} that could be taken back")
    told = f"took back: {versions.made(session, newest).what}"
    target = versions.find(session, newest.issue_id, newest.undo_to)
    assert target is not None  # the history only grows
    return _bring_back(session, rules, issue, target, told, by, now, redo_to=newest.number)


def redo(session: Session, rules: Rules, week: Week, version: int | None, by: int | None, now: datetime) -> Issue:
    """Make the change anew that was taken back last. Raises CannotDo as `undo` does."""
    issue, newest = _newest(session, rules, week, version)
    if newest is None or newest.redo_to is None:
        raise CannotDo(f"nothing was taken back in issue {week} that could be done again")
    target = versions.find(session, newest.issue_id, newest.redo_to)
    assert target is not None  # the history only grows
    told = f"did again: {versions.made(session, target).what}"
    return _bring_back(session, rules, issue, target, told, by, now, redo_to=target.redo_to)


def undoes(session: Session, issue: Issue) -> str | None:
    """What `undo` would take back, in a few words; None where there is nothing."""
    newest = versions.newest(session, issue)
    return versions.made(session, newest).what if newest and newest.undo_to is not None else None


def redoes(session: Session, issue: Issue) -> str | None:
    """What `redo` would do again, in a few words; None where there is nothing."""
    newest = versions.newest(session, issue)
    target = versions.find(session, newest.issue_id, newest.redo_to) if newest and newest.redo_to is not None else None
    return versions.made(session, target).what if target else None


def assign(session: Session, rules: Rules, issue: Issue, slugs: Sequence[str]) -> None:
    """Give an issue these comparisons, by their slugs; what its lead names is made anew."""
    assert issue.id is not None  # it was read from the database
    numbers = [number_of(session, slug) for slug in slugs]
    issues.assign(session, issue.id, numbers)
    if numbers:
        name_by_lead(session, rules, issue, comparison.load_many(session, numbers[:1])[0], len(numbers))
    session.add(issue)


def number_of(session: Session, slug: str) -> int:
    """A comparison's id. Raises CannotDo where there is none."""
    number = session.exec(select(ComparisonRow.id).where(ComparisonRow.slug == slug)).one_or_none()
    if number is None:
        raise CannotDo(f"there is no comparison {slug!r}")
    return number


def keep(session: Session, issue: Issue, before: Content, what: str, by: int | None, now: datetime) -> bool:
    """Write down what a change has made of a draft; False where it is as it was."""
    after = content(session, issue)
    if after == before:
        return False
    assert issue.id is not None  # it was read from the database
    if issue.version == 0:
        first = Version(issue_id=issue.id, number=0, at=issue.created_at, what="drafted", content=_written(before))
        session.add(first)
    number = issue.version + 1
    session.add(
        Version(
            issue_id=issue.id,
            number=number,
            editor_id=by,
            at=now,
            what=what,
            content=_written(after),
            undo_to=issue.version,
        )
    )
    issue.version = number
    session.add(issue)
    session.flush()
    return True


def refuse_stale(session: Session, rules: Rules, issue: Issue, version: int | None) -> None:
    """Raises Stale, naming who changed what, where this is not the newest version."""
    if version is None or version == issue.version:
        return
    newest = versions.newest(session, issue)
    who = session.get(Editor, newest.editor_id) if newest and newest.editor_id is not None else None
    name = who.name if who else "The command line"
    since = f"{name} {newest.what} at {newest.at.astimezone(rules.zone):%H:%M}" if newest else "it was drafted anew"
    raise Stale(f"issue {issue.week} has changed meanwhile ({since}), so that this was not saved", issue.version)


def refuse_too_long(session: Session, rules: Rules, issue: Issue) -> None:
    """Raises CannotDo where the letter would be cut off, in any language."""
    if not weekly.fits_in_any_language(manuscript(session, rules, issue)):
        raise CannotDo(
            f"the letter of {issue.week} would be larger than clients show whole; drop something, or shorten the note"
        )


def _newest(session: Session, rules: Rules, week: Week, version: int | None) -> tuple[Issue, Version | None]:
    issue = require(session, week)
    if issue.state != issues.DRAFT:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be changed{way_on(issue)}")
    refuse_stale(session, rules, issue, version)
    return issue, versions.newest(session, issue)


def _bring_back(
    session: Session,
    rules: Rules,
    issue: Issue,
    target: Version,
    what: str,
    by: int | None,
    now: datetime,
    *,
    redo_to: int | None,
) -> Issue:
    """Let a draft hold what it held in another version, and keep that as a version of its own."""
    wanted: dict[str, Any] = json.loads(target.content)
    assert issue.id is not None  # it was read from the database
    pieces = {piece["slug"]: piece["quoted"] for piece in wanted["comparisons"]}
    for slug in pieces:
        taken = session.get(IssueComparison, number_of(session, slug))
        if taken is not None and taken.issue_id != issue.id:
            elsewhere = session.get_one(Issue, taken.issue_id)
            raise CannotDo(f"this cannot be done: {slug} is in issue {elsewhere.week} by now")
    session.exec(delete(Postponed).where(col(Postponed.week) == issue.week))
    for slug in wanted["postponed"]:
        number = number_of(session, slug)
        taken, put_off = session.get(IssueComparison, number), session.get(Postponed, number)
        # What another issue has by now, or has put off further, is that one's.
        if (taken is None or taken.issue_id == issue.id) and (put_off is None or put_off.week < issue.week):
            session.merge(Postponed(comparison_id=number, week=issue.week))
    for slug in pieces:  # also what another week has put off
        session.exec(delete(Postponed).where(col(Postponed.comparison_id) == number_of(session, slug)))
    issue.own_subject = wanted["subject"] or None
    issue.own_preheader = wanted["preheader"] or None
    issue.note = wanted["note"] or None
    assign(session, rules, issue, list(pieces))
    for place in issues.places(session, issue.id):
        quoted = pieces[_slugs(session, [place.comparison_id])[place.comparison_id]]
        place.quoted = json.dumps(quoted, ensure_ascii=False) if quoted else None
        session.add(place)
    issue.version += 1
    session.add(
        Version(
            issue_id=issue.id,
            number=issue.version,
            editor_id=by,
            at=now,
            what=what,
            content=target.content,
            undo_to=target.undo_to,
            redo_to=redo_to,
            copy_of=target.number,
        )
    )
    session.add(issue)
    session.flush()
    weekly.refuse_same_subject(session, issue)
    refuse_too_long(session, rules, issue)
    return issue


def _slugs(session: Session, numbers: Sequence[int]) -> dict[int, str]:
    query = select(ComparisonRow.id, ComparisonRow.slug).where(col(ComparisonRow.id).in_(numbers))
    return {number: slug for number, slug in session.exec(query) if number is not None}


def _written(stands: Content) -> str:
    return json.dumps(asdict(stands), ensure_ascii=False)
