"""How is the week's issue made? Draft it, edit it, give it its time. (`approving` approves it, `outgoing` sends it.)

Every function works inside the caller's transaction and takes `now`. An issue is never longer than a letter may be, in
whatever language it is read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from newsletter.comparisons import comparison
from newsletter.comparisons.record import Comparison
from newsletter.db import writing
from newsletter.delivery.ledger import UNTRACKED
from newsletter.issues import history, retrospect, versions
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.ordering import Candidate, lead_first, oldest_first
from newsletter.issues.retrospect import Shares
from newsletter.issues.subject import MAX_PREHEADER, MAX_SUBJECT, preheader_line, subject_line
from newsletter.issues.week import Slot, Week
from newsletter.language import ISSUE, available, speech
from newsletter.message import Letter
from newsletter.rendering import markdown
from newsletter.rendering.edition import Edition, Masthead
from newsletter.rendering.letter import render
from newsletter.rendering.size import fits

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
"""Controls, what turns the direction of all that follows, and halves of characters: nothing that a subject may hold."""

MOST_COMPARISONS = 20  # more never fit into a letter that clients show whole

NOT_BEGUN = (issues.APPROVED, issues.SCHEDULED, issues.HELD)
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
    approver: Literal["other", "anyone"] = "other"
    """Who may approve at the desk: a publisher who did not write the last change, or any."""
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

    Where an editor has changed the draft, their order stays, and what is new comes behind it.
    One that was called off before anybody had it is made a draft again, with its weekly slot. An empty week makes no
    issue. Raises CannotDo for an issue that is no draft any more; with `first` IntegrityError where the week has any.
    """
    known = None if first else issues.find(session, week)
    called_off = known is not None and known.state == issues.CANCELLED and known.letter_id is None
    if known and known.state != issues.DRAFT and not called_off:
        raise CannotDo(f"issue {week} is {known.state}; only a draft can be drafted anew{way_on(known)}")
    found = issues.available(session, week.end(rules.zone), known.id if known else None, week)
    candidates = _candidates(session, found)
    if not candidates:
        if known and not called_off:
            assert known.id is not None  # it was read from the database
            issues.assign(session, known.id, [])
            versions.forget(session, known.id)
            session.delete(known)
        return Drafted(None)
    issue = known or Issue(
        week=str(week), subject="", preheader="", send_at=week.slot_after(rules.send_at, rules.zone), created_at=now
    )
    if called_off:
        issues.move(issue, issues.DRAFT)
        issue.send_at = week.slot_after(rules.send_at, rules.zone)
        issue.created_at = now  # the links of its letter begin to live then
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
    rules: Rules,
    issue: Issue,
    records: Sequence[Comparison],
    earlier: Sequence[Shares] = (),
    before: str | None = None,
    language: str | None = None,
    quoted: Sequence[tuple[str, ...] | None] = (),
) -> Edition:
    """What a letter of these comparisons is made of: what was said of their tools earlier, and the subject before.

    `language`: of our own words in it (ISO 639); None for the newsletter's own. `quoted`: whose words show of each.
    """
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
        language=language or rules.masthead.language,
        quoted=tuple(quoted) if any(quoted) else (),
        previous_subject=before,
    )


def in_language(whole: Edition, language: str | None) -> Edition:
    """The same edition with our own words in another language; None: as it is."""
    return replace(whole, language=language) if language else whole


def fits_in_any_language(whole: Edition) -> bool:
    """Whether no reader's copy is cut off, in whatever language they read it."""
    own = whole.language
    return all(fits(render(in_language(whole, code))) for code in sorted(available(), key=lambda code: code != own))


def manuscript(session: Session, rules: Rules, issue: Issue) -> Edition:
    """What the letter of an issue, and its variants, are made of as it stands now.

    Raises CannotDo for one that was called off before it began: it has given its comparisons back.
    """
    if not (records := comparisons_of(session, issue)):
        raise CannotDo(f"issue {issue.week} is {issue.state}, and there is nothing in it{way_on(issue)}")
    previous = issues.before(session, Week.parse(issue.week))
    assert issue.id is not None  # it was read from the database
    places = issues.places(session, issue.id)
    earlier = history.earlier(session, issue.week, [place.comparison_id for place in places])
    quoted = [issues.seats(place.quoted) for place in places]
    return edition(rules, issue, records, earlier, previous.subject_line if previous else None, quoted=quoted)


def compose(session: Session, rules: Rules, issue: Issue) -> Letter:
    """Render an issue as it stands now. Raises CannotDo as `manuscript` does."""
    return render(manuscript(session, rules, issue))


def edit(session: Session, week: Week, subject: str | None, preheader: str | None) -> Issue:
    """Overrule the made subject or preheader. An empty text brings the made one back, None leaves what is there.

    Raises CannotDo for one that is too long, or a subject that the issue before had.
    """
    issue = require(session, week)
    if issue.state != issues.DRAFT:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be changed{way_on(issue)}")
    if subject is not None:
        issue.own_subject = _one_line("subject", subject, MAX_SUBJECT)
        refuse_same_subject(session, issue)
    if preheader is not None:
        issue.own_preheader = _one_line("preheader", preheader, MAX_PREHEADER)
    session.add(issue)
    return issue


def write_note(session: Session, rules: Rules, week: Week, note: str) -> Issue:
    """Put an editor's words (Markdown) above a draft's comparisons; empty ones take away what was there.

    Raises CannotDo for what is too long, holds what cannot be seen, or leaves the comparisons too little room.
    """
    issue = require(session, week)
    if issue.state != issues.DRAFT:
        raise CannotDo(f"issue {week} is {issue.state}; only a draft can be changed{way_on(issue)}")
    issue.note = _own_lines(note)
    if issue.note and not fits_in_any_language(manuscript(session, rules, issue)):
        raise CannotDo(f"with this note the letter of {week} is larger than clients show whole; make the note shorter")
    session.add(issue)
    return issue


def schedule(session: Session, week: Week, at: datetime, now: datetime) -> Issue:
    """Give an issue a time of its own to go out, which must be yet to come; a draft stays one.

    A held one is as good as approved again, as long as nothing has changed. Raises CannotDo for an issue that has begun
    or was called off.
    """
    issue = require(session, week)
    approved = issue.state in NOT_BEGUN and issue.digest is not None
    if issue.letter_id is not None or not (approved or issue.state == issues.DRAFT):
        raise CannotDo(f"issue {week} is {issue.state}; it can be given no other time{way_on(issue)}")
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


def refuse_same_subject(session: Session, issue: Issue) -> None:
    """Raises CannotDo where the issue before has the same subject."""
    previous = issues.before(session, Week.parse(issue.week))
    if previous and issue.subject_line == previous.subject_line:
        raise CannotDo(
            f"issue {previous.week} has this subject, and mail clients would fold the two into one; "
            f"`issues edit {issue.week} --subject …` gives it another"
        )


def way_on(issue: Issue) -> str:
    """What an editor can do about an issue whose state is in the way: a hint in brackets, where there is one."""
    if issue.letter_id is not None:
        return f" (`issues status {issue.week}` shows where it stands)"
    if issue.state == issues.CANCELLED:
        return f" (`issues draft --week {issue.week}` makes it a draft again)"
    return f" (`issues unapprove {issue.week}`?)" if issue.state in NOT_BEGUN else ""


def _candidates(session: Session, found: list[tuple[int, datetime]]) -> list[Candidate]:
    records = comparison.load_many(session, [number for number, _ in found])
    return [Candidate(number, at, record) for (number, at), record in zip(found, records, strict=True)]


def _as_many_as_fit(
    session: Session, rules: Rules, issue: Issue, week: Week, candidates: list[Candidate]
) -> list[Candidate]:
    """The oldest comparisons that one letter has room for, lead first; gives the issue its subject and preheader.

    Where an editor has changed the issue: those that it has, in its order, and the oldest others behind them.
    """
    waiting = oldest_first(candidates)
    settled = issues.comparison_ids(session, issue.id) if issue.version and issue.id is not None else []
    if settled:
        waiting.sort(key=lambda candidate: settled.index(candidate.id) if candidate.id in settled else len(settled))
    for count in range(min(len(waiting), MOST_COMPARISONS), 0, -1):
        taken = waiting[:count] if settled else lead_first(waiting[:count])
        name_by_lead(session, rules, issue, taken[0].record, count)
        earlier = history.earlier(session, str(week), [candidate.id for candidate in taken])
        if fits_in_any_language(edition(rules, issue, [candidate.record for candidate in taken], earlier)):
            return taken
    what = "the editor's note" if issue.note else repr(waiting[0].record.title)
    raise CannotDo(f"not even one comparison fits into a letter: {what} is too long")


def name_by_lead(session: Session, rules: Rules, issue: Issue, lead: Comparison, count: int) -> None:
    """Make an issue's subject and preheader from its lead; `count`: of its comparisons. An editor's own ones stay."""
    say = speech(rules.masthead.language, ISSUE)
    week = Week.parse(issue.week)
    previous = issues.before(session, week)
    issue.subject = subject_line(say, lead, previous.subject_line if previous else None, issue.week)
    issue.preheader = preheader_line(say, lead, count)


def _own_lines(text: str) -> str | None:
    """An editor's text of several lines, with line ends as they are here; None for an empty one."""
    lines = re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))
    for number, line in enumerate(lines, 1):
        if odd := _UNSEEN.search(line.replace("\t", " ")):
            what = f"line {number} of the note holds a character that cannot be seen (U+{ord(odd[0]):04X})"
            raise CannotDo(f"{what}; take it out")
    note = "\n".join(lines).strip()
    if too_much := markdown.problem(note):
        raise CannotDo(too_much)
    return note or None


def _one_line(what: str, text: str, most: int) -> str | None:
    line = " ".join(text.split())
    if odd := _UNSEEN.search(line):
        raise CannotDo(f"the {what} holds a character that cannot be seen (U+{ord(odd[0]):04X}); take it out")
    if len(line) > most:
        raise CannotDo(f"the {what} has {len(line)} characters; {most} is the most that inboxes show")
    return line or None
