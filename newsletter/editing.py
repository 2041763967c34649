"""What may an editor change of the week's draft? Order, what is in it, whose words show, subject, preheader and note.

Each change is a version (`revisions`): every function takes the number of the version that the editor saw (None, at the
command line: whichever is the newest), and raises Stale where somebody has changed the draft since. All of them work
inside the caller's transaction, and where one raises the caller must not commit.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select

from newsletter import weekly
from newsletter.comparisons import comparison
from newsletter.comparisons.record import Comparison
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue, IssueComparison, Postponed
from newsletter.issues.week import Week
from newsletter.rendering.card import most_shown
from newsletter.revisions import Content, assign, change, content, keep, number_of, refuse_stale, refuse_too_long
from newsletter.weekly import MOST_COMPARISONS, CannotDo, Drafted, Rules


@dataclass(frozen=True)
class Waiting:
    """A comparison that no issue has yet."""

    slug: str
    title: str
    published_at: datetime
    postponed_to: str | None
    """The newest week that is to do without it; None of one that waits by itself."""


def arrange(
    session: Session, rules: Rules, week: Week, version: int | None, slugs: Sequence[str], by: int | None, now: datetime
) -> Issue:
    """Bring the same comparisons into another order; the first one leads. Raises CannotDo for any others."""

    def act(issue: Issue, before: Content) -> str:
        was = [piece.slug for piece in before.comparisons]
        if sorted(was) != sorted(slugs):
            raise CannotDo(f"the comparisons of {week} are others by now; load the page again")
        assign(session, rules, issue, list(slugs))
        return _moved(session, was, list(slugs))

    return change(session, rules, week, version, by, now, act)


def postpone(
    session: Session, rules: Rules, week: Week, version: int | None, slug: str, by: int | None, now: datetime
) -> Issue:
    """Drop a comparison to the next issue: none up to this week takes it up by itself. Raises CannotDo for the last."""

    def act(issue: Issue, before: Content) -> str:
        stay = [piece.slug for piece in before.comparisons if piece.slug != slug]
        title = _in_issue(session, issue, slug).title
        if not stay:
            raise CannotDo(f"{title!r} is all that issue {week} has; cancel the issue, or take in another one first")
        session.merge(Postponed(comparison_id=number_of(session, slug), week=str(week)))
        assign(session, rules, issue, stay)
        return f"dropped {title} to the next week"

    return change(session, rules, week, version, by, now, act)


def take_up(
    session: Session, rules: Rules, week: Week, version: int | None, slug: str, by: int | None, now: datetime
) -> Issue:
    """Bring one of those that wait into the issue, at its end. Raises CannotDo where there is no room for it."""

    def act(issue: Issue, before: Content) -> str:
        found = [one for one in waiting(session, rules, week) if one.slug == slug]
        if not found:
            raise CannotDo(f"no comparison {slug!r} waits for an issue; it may have come into one meanwhile")
        here = [piece.slug for piece in before.comparisons]
        if len(here) >= MOST_COMPARISONS:
            raise CannotDo(f"issue {week} has {MOST_COMPARISONS} comparisons, and no letter shows more; drop one first")
        session.exec(delete(Postponed).where(col(Postponed.comparison_id) == number_of(session, slug)))
        assign(session, rules, issue, [*here, slug])
        return f"took in {found[0].title}"

    return change(session, rules, week, version, by, now, act)


def quote(
    session: Session,
    rules: Rules,
    week: Week,
    version: int | None,
    slug: str,
    seats: Sequence[str] | None,
    by: int | None,
    now: datetime,
) -> Issue:
    """Choose whose words show of a comparison, in this order; None: the most telling ones again.

    Raises CannotDo for who is not on its panel, and for more than its place has room for.
    """

    def act(issue: Issue, _: Content) -> str:
        record = _in_issue(session, issue, slug)
        chosen = list(dict.fromkeys(seats)) if seats else None
        if strange := [seat for seat in chosen or [] if seat not in record.seats()]:
            raise CannotDo(f"{strange[0]!r} is not on the panel of {record.title!r}: {', '.join(record.seats())} are")
        place = _place(session, issue, slug)
        if chosen and len(chosen) > (most := most_shown(place.place)):
            what = "the lead shows" if place.place == 0 else "a comparison behind the lead shows"
            raise CannotDo(f"{what} the words of {most} at most; choose fewer for {record.title!r}")
        place.quoted = json.dumps(chosen, ensure_ascii=False) if chosen else None
        session.add(place)
        return f"chose whose words show of {record.title}"

    return change(session, rules, week, version, by, now, act)


def write(
    session: Session,
    rules: Rules,
    week: Week,
    version: int | None,
    by: int | None,
    now: datetime,
    *,
    subject: str | None = None,
    preheader: str | None = None,
    note: str | None = None,
) -> Issue:
    """Write subject, preheader or note. An empty text brings the made one back, None leaves what is there."""

    def act(_: Issue, __: Content) -> str:
        weekly.edit(session, week, subject, preheader)
        if note is not None:
            weekly.write_note(session, rules, week, note)
        given = [("the subject", subject), ("the preheader", preheader), ("the note", note)]
        return "wrote " + " and ".join(name for name, text in given if text is not None)

    return change(session, rules, week, version, by, now, act)


def refresh(session: Session, rules: Rules, week: Week, version: int | None, by: int | None, now: datetime) -> Drafted:
    """Draft a week, or take into its draft what is new since: see `weekly.draft`. What an editor has changed stays."""
    known = issues.find(session, week)
    if known is None:
        return weekly.draft(session, rules, week, now)
    if known.state == issues.CANCELLED and known.version == 0:  # there is nothing that taking it back would bring
        return weekly.draft(session, rules, week, now)
    refuse_stale(session, rules, known, version)
    before = content(session, known)
    drafted = weekly.draft(session, rules, week, now)
    if drafted.issue is not None:
        keep(session, drafted.issue, before, "took in what is new", by, now)
        refuse_too_long(session, rules, drafted.issue)
    return drafted


def waiting(session: Session, rules: Rules, week: Week) -> list[Waiting]:
    """What no issue has yet of all that was published before the week's end, the oldest first."""
    found = sorted(issues.available(session, week.end(rules.zone), None), key=lambda each: each[1])
    records = comparison.load_many(session, [number for number, _ in found])
    put_off = dict(session.exec(select(Postponed.comparison_id, Postponed.week)).all())
    return [
        Waiting(record.slug or "", record.title, at, put_off.get(number))
        for (number, at), record in zip(found, records, strict=True)
    ]


def _moved(session: Session, was: list[str], now: list[str]) -> str:
    """What a new order is, in a few words."""
    if was[:1] != now[:1]:
        return f"made {_title(session, now[0])} the lead"
    # The one that went furthest is the one that was moved; the others made room.
    slug = max(now, key=lambda each: abs(now.index(each) - was.index(each)))
    return f"moved {_title(session, slug)} {'up' if now.index(slug) < was.index(slug) else 'down'}"


def _in_issue(session: Session, issue: Issue, slug: str) -> Comparison:
    for record in weekly.comparisons_of(session, issue):
        if record.slug == slug:
            return record
    raise CannotDo(f"{slug!r} is not in issue {issue.week}; load the page again")


def _place(session: Session, issue: Issue, slug: str) -> IssueComparison:
    assert issue.id is not None  # it was read from the database
    number = number_of(session, slug)
    return next(place for place in issues.places(session, issue.id) if place.comparison_id == number)


def _title(session: Session, slug: str) -> str:
    return comparison.load_many(session, [number_of(session, slug)])[0].title
