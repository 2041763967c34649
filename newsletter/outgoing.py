"""How does the week's issue go out? Draw up the list, send, ask about what is in doubt, close the books.

Safe to run twice, at once and late: the issue's state changes in the transaction that draws up the list, and only one
sender at a time works on it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.reconcile import Reconciled, reconcile
from newsletter.delivery.send import Sending, Sent, send
from newsletter.delivery.sender_lock import only_sender
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.post import Post
from newsletter.rendering.letter import render
from newsletter.weekly import CannotDo, Rules, approve, look_over, manuscript, readership, require
from subscribers.preferences import wake

RECORDED_LATER = ("delivered", "bounced", "complained", "opened", "clicked", "unsubscribed")
"""What comes back after the send; null as long as nothing records it."""


@dataclass(frozen=True)
class Run:
    """How a command or a job sends: the clock, whom to tell, and whether it may wait."""

    clock: Callable[[], datetime]
    on_progress: Callable[[Accounting], None] = lambda _: None
    on_wait: Callable[[int, datetime], None] = lambda _, __: None
    wait: bool = True


@dataclass(frozen=True)
class Outcome:
    """How sending an issue ended. `sent` is None where another sender is at it, or nothing was left to do."""

    week: str
    state: str
    sent: Sent | None = None
    note: str | None = None


def send_issue(engine: Engine, rules: Rules, post: Post, week: Week, run: Run) -> Outcome:
    """Send an approved issue now, or go on with one that was interrupted; nothing to do for one that is sent.

    Raises CannotDo for an issue that is not approved, or has changed since.
    """
    with reading(engine) as session:
        state = require(session, week).state
    if state == issues.SENT:
        return Outcome(str(week), state, note="it has been sent; nothing to do")
    with only_sender(engine) as alone:
        if not alone:
            return Outcome(str(week), state, note="another process is sending just now; nothing to do here")
        with writing(engine) as session:
            issue = require(session, week)
            if issue.state == issues.SENT:
                return Outcome(str(week), issue.state, note="another process has just sent it; nothing to do")
            letter_id = issue.letter_id if issue.state == issues.SENDING else _start(session, rules, issue, run.clock())
            session.commit()
        assert letter_id is not None  # an issue that is sending has its letter
        sending = Sending(
            engine=engine,
            provider=post.provider,
            envelope=post.envelope(str(week)),
            recipient_of=post.recipient_at(run.clock()),
            settle=post.settle,
            clock=run.clock,
            on_progress=run.on_progress,
            wait=run.wait,
            on_wait=run.on_wait,
        )
        sent = send(sending, letter_id)
    return Outcome(str(week), close(engine, week, run.clock()), sent)


def send_due(engine: Engine, rules: Rules, post: Post, run: Run) -> list[Outcome]:
    """Send what is due, and go on with what was interrupted: the one thing that cron and the scheduler call.

    An issue that is late beyond the limit, or has changed since it was approved, is held for an editor, and said. With
    APPROVAL=automatic, drafts whose time has come are approved on the way. No issue keeps another one from going out.
    """
    outcomes = []
    for week in _due(engine, rules, run.clock()):
        try:
            _approve_unseen(engine, rules, week, run.clock())
            held = _hold_if_late(engine, rules, week, run.clock())
            outcomes.append(held or send_issue(engine, rules, post, week, run))
        except CannotDo as error:
            outcomes.append(_hold(engine, week, str(error)))
    return outcomes


def reconcile_issue(engine: Engine, post: Post, week: Week, clock: Callable[[], datetime]) -> tuple[Reconciled, str]:
    """Ask the provider about what is in doubt of an issue; return what came of it, and the issue's state."""
    with reading(engine) as session:
        issue = require(session, week)
    if issue.letter_id is None or issue.state != issues.SENDING:
        return Reconciled(), issue.state
    asked = reconcile(engine, post.provider, post.envelope(str(week)), issue.letter_id, post.settle, clock)
    return asked, close(engine, week, clock())


def close(engine: Engine, week: Week, now: datetime) -> str:
    """Call an issue sent when nothing of it is queued, under way or in doubt; return its state."""
    with writing(engine) as session:
        issue = require(session, week)
        if issue.state == issues.SENDING and not ledger.accounting(session, issue.letter_id).unsettled:
            issues.move(issue, issues.SENT)
            issue.sent_at = now
            session.add(issue)
            session.commit()
        return issue.state


def status(session: Session, issue: Issue, digest: str | None) -> dict[str, Any]:
    """The accounting of an issue, as `issues status --json` prints it."""
    return {
        "week": issue.week,
        "state": issue.state,
        "digest": digest,
        **asdict(ledger.accounting(session, issue.letter_id)),
        **dict.fromkeys(RECORDED_LATER),
    }


def _start(session: Session, rules: Rules, issue: Issue, now: datetime) -> int:
    """Freeze the letter with its variants and draw up the list, in the caller's transaction; return the letter's id."""
    if issue.state not in (issues.APPROVED, issues.HELD) or issue.digest is None:
        raise CannotDo(
            f"issue {issue.week} is {issue.state}, not approved; look at `issues preview {issue.week}`, then approve it"
        )
    whole = manuscript(session, rules, issue)
    letter = render(whole)
    if letter.digest != issue.digest:
        raise CannotDo(
            f"issue {issue.week} has changed since it was approved ({issue.digest[:12]} became {letter.digest[:12]}): "
            f"a comparison, a template or a setting; `issues unapprove {issue.week}`, preview and approve it again"
        )
    wake(session, now)
    plan = readership(session, whole.comparisons)
    stored = ledger.store(session, letter, issue.week, now)
    stored.left_out = plan.left_out
    for number, selection in enumerate(plan.selections, start=1):
        variants.freeze(session, stored, number, render(whole, selection.without), selection.without)
    if not ledger.draw_up(session, stored, plan.number_of):
        raise CannotDo(_why_nobody(issue.week, plan.left_out))
    issues.move(issue, issues.SENDING)
    issue.letter_id = stored.id
    issue.held_because = None
    session.add(issue)
    assert stored.id is not None  # store() has flushed it
    return stored.id


def _why_nobody(week: str, left_out: int) -> str:
    if not left_out:
        return f"nobody is on the list, so issue {week} was not sent; `newsletter subscribers import` readers"
    return (
        f"every reader has muted everything in issue {week} ({left_out} left out), so it was not sent; "
        f"`issues unapprove {week}`, then `issues draft --week {week}` takes up what was published since"
    )


def _due(engine: Engine, rules: Rules, now: datetime) -> list[Week]:
    """Issues that are under way, or whose time has come; drafts only where nobody has to approve them."""
    drafts = (issues.DRAFT,) if rules.approval == "automatic" else ()
    with reading(engine) as session:
        waiting = issues.in_state(session, *drafts, issues.APPROVED, issues.SENDING)
    return [Week.parse(issue.week) for issue in waiting if issue.state == issues.SENDING or issue.send_at <= now]


def _approve_unseen(engine: Engine, rules: Rules, week: Week, now: datetime) -> None:
    """Approve a draft as it stands, whatever an editor may have looked at before. Raises CannotDo."""
    with reading(engine) as session:
        if require(session, week).state == issues.DRAFT:
            look_over(session, rules, week)
    with writing(engine) as session:
        issue = require(session, week)
        if issue.state == issues.DRAFT and rules.approval == "automatic":
            issue.previewed_digest = None
            approve(session, rules, week, now)
            session.commit()


def _hold_if_late(engine: Engine, rules: Rules, week: Week, now: datetime) -> Outcome | None:
    with reading(engine) as session:
        issue = require(session, week)
    late = now - issue.send_at
    if issue.state != issues.APPROVED or late <= rules.max_lateness:
        return None
    local = issue.send_at.astimezone(rules.zone)
    reason = f"it was due on {local:%a %d %b %H:%M} and is {_hours(late)} late, more than {_hours(rules.max_lateness)}"
    remedy = f"`issues send {week}` sends it all the same, `issues schedule {week} --at …` gives it another time"
    return _hold(engine, week, reason, remedy)


def _hold(engine: Engine, week: Week, reason: str, remedy: str | None = None) -> Outcome:
    """Keep an approved issue from going out until an editor decides; a draft stays one, and is tried again."""
    with writing(engine) as session:
        issue = require(session, week)
        if issue.state == issues.APPROVED:
            issues.move(issue, issues.HELD)
            issue.held_because = reason
            session.add(issue)
            session.commit()
    return Outcome(str(week), issue.state, note=f"held: {reason}{f'; {remedy}' if remedy else ''}")


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes % 60 else f"{minutes // 60}h"
