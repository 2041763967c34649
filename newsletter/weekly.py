"""How is the week's issue made? Draft, look, approve. (`outgoing` sends it.)

Every function works inside the caller's transaction and takes `now`. What an editor approved is bound by its digest and
by what it is made of: where either differs later (a comparison changed, a template, a setting that shows), it is not
sent, and what has changed is named.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from newsletter.comparisons import comparison
from newsletter.comparisons.categories import categories_of, category_key, muted_among
from newsletter.comparisons.record import Comparison
from newsletter.db import writing
from newsletter.delivery.ledger import UNTRACKED
from newsletter.issues import history, retrospect
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.ordering import Candidate, lead_first, oldest_first
from newsletter.issues.retrospect import Shares
from newsletter.issues.subject import MAX_PREHEADER, MAX_SUBJECT, preheader_line, subject_line
from newsletter.issues.variants import Plan, plan
from newsletter.issues.week import Slot, Week
from newsletter.message import Letter
from newsletter.rendering.edition import Edition, Masthead
from newsletter.rendering.ingredients import changes, in_short, ingredients, written
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.rendering.size import fits
from subscribers import audience

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
"""Controls, what turns the direction of all that follows, and halves of characters: nothing that a subject may hold."""

MOST_COMPARISONS = 20  # more never fit into a letter that clients show whole

_NOT_BEGUN = (issues.APPROVED, issues.SCHEDULED, issues.HELD)
"""States of an issue that is approved and has no letter yet."""


class CannotDo(Exception):  # noqa: N818  the name says what happened
    """What an editor asked for cannot be done; the text says why and what to do, on one line."""


@dataclass(frozen=True)
class Rules:
    """What holds for every issue of this newsletter."""

    masthead: Masthead
    zone: ZoneInfo
    draft_at: Slot
    send_at: Slot
    max_lateness: timedelta
    approval: Literal["required", "automatic"]
    opens: str = UNTRACKED
    clicks: str = UNTRACKED
    """What is noted of openings and of clicks: one of `ledger.TRACKED`."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """The settings that show in a mail beside the masthead, by their names; one that is not set is left out."""


@dataclass(frozen=True)
class Drafted:
    """What `draft` did. `issue` is None where the week has nothing to tell."""

    issue: Issue | None
    taken: int = 0
    rolled_on: int = 0
    """Comparisons that did not fit, and wait for the next issue."""


def draft(session: Session, rules: Rules, week: Week, now: datetime, *, first: bool = False) -> Drafted:
    """Collect what no issue has had yet, published before the week's end, into the week's draft; again: refresh it.

    One that was called off before anybody had it is made a draft again, with its weekly slot. An empty week makes no
    issue. Raises CannotDo for an issue that is no draft any more; with `first` IntegrityError where the week has any.
    """
    known = None if first else issues.find(session, week)
    called_off = known is not None and known.state == issues.CANCELLED and known.letter_id is None
    if known and known.state != issues.DRAFT and not called_off:
        raise CannotDo(f"issue {week} is {known.state}; only a draft can be drafted anew{_way_on(known)}")
    candidates = _candidates(session, issues.available(session, week.end(rules.zone), known.id if known else None))
    if not candidates:
        if known and not called_off:
            assert known.id is not None  # it was read from the database
            issues.assign(session, known.id, [])
            session.delete(known)
        return Drafted(None)
    issue = known or Issue(
        week=str(week), subject="", preheader="", send_at=week.slot_after(rules.send_at, rules.zone), created_at=now
    )
    if called_off:
        issues.move(issue, issues.DRAFT)
        issue.send_at = week.slot_after(rules.send_at, rules.zone)
    issue.last_vote = retrospect.written(history.vote_before(session, week))
    session.add(issue)
    taken = _as_many_as_fit(session, rules, issue, week, candidates)
    session.flush()
    assert issue.id is not None  # flush has given it one
    issues.assign(session, issue.id, [candidate.id for candidate in taken])
    return Drafted(issue, len(taken), len(candidates) - len(taken))


def draft_due(engine: Engine, rules: Rules, now: datetime) -> Issue | None:
    """Draft the week that has ended, once, between its slots for drafting and for sending; else do nothing.

    A draft that is there is left to the editors. With two clocks the second one finds the first one's draft.
    """
    week = Week.newest_ended(now, rules.zone)
    begins, ends = week.drafting(rules.draft_at, rules.send_at, rules.zone)
    if not begins <= now < ends:
        return None
    try:
        with writing(engine) as session:
            if issues.find(session, week):
                return None
            drafted = draft(session, rules, week, now, first=True)
            session.commit()
            return drafted.issue
    except IntegrityError:
        return None  # another clock was faster: the week, and each comparison, has one place by a unique row


def require(session: Session, week: Week) -> Issue:
    """The issue of a week. Raises CannotDo where there is none."""
    issue = issues.find(session, week)
    if issue is None:
        raise CannotDo(f"there is no issue {week}; `newsletter issues draft --week {week}` makes one")
    return issue


def comparisons_of(session: Session, issue: Issue) -> list[Comparison]:
    """An issue's comparisons in their order; the first one leads."""
    assert issue.id is not None  # it was read from the database
    return comparison.load_many(session, issues.comparison_ids(session, issue.id))


def edition(
    rules: Rules, issue: Issue, records: Sequence[Comparison], earlier: Sequence[Shares] = (), before: str | None = None
) -> Edition:
    """What a letter of these comparisons is made of: what was said of their tools earlier, and the subject before."""
    return Edition(
        week=issue.week,
        first_day=Week.parse(issue.week).first_day(),
        subject=issue.subject_line,
        preheader=issue.preheader_line,
        comparisons=tuple(records),
        masthead=rules.masthead,
        earlier=tuple(earlier),
        last_vote=retrospect.read(issue.last_vote),
        counts_clicks=rules.clicks != UNTRACKED,
        note=issue.note,
        language=rules.masthead.language,
        previous_subject=before,
    )


def manuscript(session: Session, rules: Rules, issue: Issue) -> Edition:
    """What the letter of an issue, and its variants, are made of as it stands now.

    Raises CannotDo for one that was called off before it began: it has given its comparisons back.
    """
    if not (records := comparisons_of(session, issue)):
        raise CannotDo(f"issue {issue.week} is {issue.state}, and there is nothing in it{_way_on(issue)}")
    previous = issues.before(session, Week.parse(issue.week))
    assert issue.id is not None  # it was read from the database
    earlier = history.earlier(session, issue.week, issues.comparison_ids(session, issue.id))
    return edition(rules, issue, records, earlier, previous.subject_line if previous else None)


def compose(session: Session, rules: Rules, issue: Issue) -> Letter:
    """Render an issue as it stands now. Raises CannotDo as `manuscript` does."""
    return render(manuscript(session, rules, issue))


def readership(session: Session, comparisons: Sequence[Comparison]) -> Plan:
    """Who would get what of an issue with these comparisons, if it went out now."""
    return plan(comparisons, audience.mutings(session))


def left_without(comparisons: Sequence[Comparison], muted: Collection[str], week: Week) -> frozenset[str]:
    """What a reader is not sent of an issue who has muted these categories: slugs; none where nothing is muted.

    Raises CannotDo for a category that none of the comparisons has, and where nothing would be left.
    """
    known = categories_of(comparisons)
    if strange := [name for name in muted if category_key(name) not in map(category_key, known)]:
        raise CannotDo(f"nothing in issue {week} is in the category {strange[0]!r}; there are: {', '.join(known)}")
    without = muted_among(comparisons, muted)
    if without and len(without) == len(comparisons):
        raise CannotDo(
            f"nothing is left of issue {week} for a reader who has muted {', '.join(muted)}: no letter goes out"
        )
    return without


def preview(session: Session, rules: Rules, week: Week) -> Letter:
    """Render an issue for an editor's eyes, and remember its digest as the one that was looked at. Raises CannotDo."""
    issue = require(session, week)
    letter = compose(session, rules, issue)
    issue.previewed_digest = letter.digest
    session.add(issue)
    return letter


def approve(session: Session, rules: Rules, week: Week, now: datetime) -> Issue:
    """Bind an editor's approval to the letter that was previewed, and to all that it is made of.

    Of a draft, or of an issue that was held before it began. Raises CannotDo for any other, where it has changed since
    the preview, and where `lint` finds something.
    """
    issue = require(session, week)
    if issue.state not in (issues.DRAFT, issues.HELD) or issue.letter_id is not None:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be approved{_way_on(issue)}")
    whole = manuscript(session, rules, issue)
    letter = render(whole)
    if issue.previewed_digest not in (None, letter.digest):
        raise CannotDo(f"issue {week} has changed since it was previewed; look at `issues preview {week}` again")
    _refuse_unfit(session, whole, letter)
    _refuse_same_subject(session, issue)
    issues.move(issue, issues.APPROVED)
    issue.digest = letter.digest
    issue.approved_of = written(ingredients(whole, rules.shown))
    issue.approved_at = now
    issue.held_because = None
    session.add(issue)
    return issue


def changes_since_approval(session: Session, rules: Rules, issue: Issue) -> list[str]:
    """What has changed since an issue was approved, a clause each: its send will be refused, naming these.

    None where it may go out as it stands, where nobody has approved it, and where it is frozen because it has begun.
    """
    if issue.digest is None or issue.letter_id is not None:
        return []
    whole = manuscript(session, rules, issue)
    return _made_otherwise(issue, rules, whole) or _rendered_otherwise(issue, render(whole))


def as_approved(session: Session, rules: Rules, issue: Issue) -> tuple[Edition, Letter]:
    """An approved issue's manuscript and letter. Raises CannotDo, naming what has changed since the approval."""
    whole = manuscript(session, rules, issue)
    _refuse_changed(issue, _made_otherwise(issue, rules, whole))
    letter = render(whole)
    _refuse_changed(issue, _rendered_otherwise(issue, letter))
    return whole, letter


def unapprove(session: Session, week: Week) -> Issue:
    """Take an approval back. Raises CannotDo where there is none, or the issue is already going out."""
    issue = require(session, week)
    if issue.state not in (issues.APPROVED, issues.SCHEDULED, issues.HELD) or issue.letter_id is not None:
        raise CannotDo(f"issue {week} is {issue.state}; there is no approval to take back{_way_on(issue)}")
    issues.move(issue, issues.DRAFT)
    issue.digest = issue.approved_of = issue.approved_at = issue.held_because = None
    session.add(issue)
    return issue


def edit(session: Session, week: Week, subject: str | None, preheader: str | None) -> Issue:
    """Overrule the made subject or preheader. An empty text brings the made one back, None leaves what is there.

    Raises CannotDo for one that is too long, or a subject that the issue before had.
    """
    issue = require(session, week)
    if issue.state != issues.DRAFT:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be changed{_way_on(issue)}")
    if subject is not None:
        issue.own_subject = _one_line("subject", subject, MAX_SUBJECT)
        _refuse_same_subject(session, issue)
    if preheader is not None:
        issue.own_preheader = _one_line("preheader", preheader, MAX_PREHEADER)
    session.add(issue)
    return issue


def schedule(session: Session, week: Week, at: datetime, now: datetime) -> Issue:
    """Give an issue a time of its own to go out, which must be yet to come; a draft stays one.

    A held one is as good as approved again, as long as nothing has changed. Raises CannotDo for an issue that has begun
    or was called off.
    """
    issue = require(session, week)
    approved = issue.state in _NOT_BEGUN and issue.digest is not None
    if issue.letter_id is not None or not (approved or issue.state == issues.DRAFT):
        raise CannotDo(f"issue {week} is {issue.state}; it can be given no other time{_way_on(issue)}")
    if at < now:
        raise CannotDo(
            f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC has passed; give issue {week} a time to come, "
            f"or send it at once: `issues send {week}`"
        )
    if issue.state in (issues.APPROVED, issues.HELD):
        issues.move(issue, issues.SCHEDULED)
        issue.held_because = None
    issue.send_at = at
    session.add(issue)
    return issue


def look_over(session: Session, rules: Rules, week: Week) -> None:
    """Do the slow part of `approve` beforehand, in a session that only reads: what it finds is remembered."""
    whole = manuscript(session, rules, require(session, week))
    for selection in readership(session, whole.comparisons).selections:
        _findings(whole, selection.without)


def _refuse_unfit(session: Session, whole: Edition, letter: Letter) -> None:
    """Raises CannotDo where `lint` finds something in the letter, or in a variant that one of today's readers gets."""
    if findings := lint(letter):
        raise CannotDo(f"the letter of {whole.week} is not fit to go out: " + "; ".join(findings))
    for selection in readership(session, whole.comparisons).selections:
        if found := _findings(whole, selection.without):
            who = f"those who have muted {', '.join(selection.muted)}"
            raise CannotDo(f"the letter of {whole.week} for {who} is not fit to go out: " + "; ".join(found))


@lru_cache(maxsize=4096)  # sentences, and hardly ever any
def _findings(whole: Edition, without: frozenset[str]) -> tuple[str, ...]:
    return tuple(lint(render(whole, without)))


def _refuse_same_subject(session: Session, issue: Issue) -> None:
    previous = issues.before(session, Week.parse(issue.week))
    if previous and issue.subject_line == previous.subject_line:
        raise CannotDo(
            f"issue {previous.week} has this subject, and mail clients would fold the two into one; "
            f"`issues edit {issue.week} --subject …` gives it another"
        )


def _made_otherwise(issue: Issue, rules: Rules, whole: Edition) -> list[str]:
    """What a letter is made of otherwise than its issue was approved; nothing is known of one approved long ago."""
    return changes(issue.approved_of, ingredients(whole, rules.shown)) if issue.approved_of is not None else []


def _rendered_otherwise(issue: Issue, letter: Letter) -> list[str]:
    """What makes a letter differ that is made of the same things as when its issue was approved, as far as is known."""
    if letter.digest == issue.digest:
        return []
    culprit = "a comparison, a template or a setting" if issue.approved_of is None else "the program that renders it"
    return [f"{culprit} was changed"]


def _refuse_changed(issue: Issue, changed: Sequence[str]) -> None:
    if changed:
        raise CannotDo(
            f"issue {issue.week} has changed since it was approved: {in_short(changed)}; "
            f"`issues unapprove {issue.week}`, preview and approve it again"
        )


def _way_on(issue: Issue) -> str:
    """What an editor can do about an issue whose state is in the way: a hint in brackets, where there is one."""
    if issue.letter_id is not None:
        return f" (`issues status {issue.week}` shows where it stands)"
    if issue.state == issues.CANCELLED:
        return f" (`issues draft --week {issue.week}` makes it a draft again)"
    return f" (`issues unapprove {issue.week}`?)" if issue.state in _NOT_BEGUN else ""


def _candidates(session: Session, found: list[tuple[int, datetime]]) -> list[Candidate]:
    records = comparison.load_many(session, [number for number, _ in found])
    return [Candidate(number, at, record) for (number, at), record in zip(found, records, strict=True)]


def _as_many_as_fit(
    session: Session, rules: Rules, issue: Issue, week: Week, candidates: list[Candidate]
) -> list[Candidate]:
    """The oldest comparisons that one letter has room for, lead first; gives the issue its subject and preheader."""
    previous = issues.before(session, week)
    waiting = oldest_first(candidates)
    for count in range(min(len(waiting), MOST_COMPARISONS), 0, -1):
        taken = lead_first(waiting[:count])
        lead = taken[0].record
        issue.subject = subject_line(lead, previous.subject_line if previous else None, str(week))
        issue.preheader = preheader_line(lead, count)
        earlier = history.earlier(session, str(week), [candidate.id for candidate in taken])
        if fits(render(edition(rules, issue, [candidate.record for candidate in taken], earlier))):
            return taken
    raise CannotDo(f"not even one comparison fits into a letter: {waiting[0].record.title!r} is too long")


def _one_line(what: str, text: str, most: int) -> str | None:
    line = " ".join(text.split())
    if odd := _UNSEEN.search(line):
        raise CannotDo(f"the {what} holds a character that cannot be seen (U+{ord(odd[0]):04X}); take it out")
    if len(line) > most:
        raise CannotDo(f"the {what} has {len(line)} characters; {most} is the most that inboxes show")
    return line or None
