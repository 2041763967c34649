"""How does the week's issue go out? Draw up the list, send, ask about what is in doubt, close the books.

Safe to run twice, at once and late: the issue's state changes in the transaction that draws up the list, and every row
of it belongs to one sender at a time.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import asking, numbers, steering
from newsletter.approving import approve, as_approved, look_over, reach, readership, refuse_unfit, variant_of
from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger, variants
from newsletter.delivery.ledger import Accounting, StoredLetter
from newsletter.delivery.send import Sent, send
from newsletter.delivery.sender_lock import enter
from newsletter.delivery.sending import Sending
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.post import Post
from newsletter.weekly import NOT_BEGUN, CannotDo, Rules, comparisons_of, require, schedule
from subscribers.preferences import wake

_AN_EDITORS_TURN: Final = (issues.PAUSED, issues.HELD, issues.CANCELLED)


@dataclass(frozen=True)
class Run:
    """How a command or a job sends: the clock, whom to tell, whether it may wait, and what ends it early.

    `asked`: whether somebody named the issue, so that one which is held goes on; alarms and workers name none.
    """

    clock: Callable[[], datetime]
    on_progress: Callable[[Accounting], None] = lambda _: None
    on_wait: Callable[[int, datetime], None] = lambda _, __: None
    wait: bool = True
    stop: threading.Event = field(default_factory=threading.Event)
    asked: bool = True


@dataclass(frozen=True)
class Outcome:
    """How sending an issue ended. `sent` is None where another sender is at it, or nothing was left to do."""

    week: str
    state: str
    sent: Sent | None = None
    note: str | None = None


def send_issue(engine: Engine, rules: Rules, post: Post, week: Week, run: Run) -> Outcome:
    """Send an approved issue now, or go on with one that was interrupted or held; nothing to do for one that is sent.

    Raises CannotDo for an issue that is not approved, has changed since, is paused or called off.
    """
    with reading(engine) as session:
        issue = require(session, week)
        state = issue.state
        if state in NOT_BEGUN and issue.letter_id is None and issue.digest is not None:
            look_over(session, rules, week)  # while nobody waits for us to have done with writing
    if state == issues.SENT:
        return Outcome(str(week), state, note="it has been sent; nothing to do")
    with enter(engine) as sender:
        if sender is None:
            return Outcome(str(week), state, note="another process is sending just now; nothing to do here")
        with writing(engine) as session:
            issue = require(session, week)
            if issue.state == issues.SENT:
                return Outcome(str(week), issue.state, note="another process has just sent it; nothing to do")
            letter_id = issue.letter_id
            if issue.state == issues.CANCELLED and run.asked:
                raise CannotDo(f"issue {week} was called off{_way_back(issue)}")
            if not run.asked and issue.state in _AN_EDITORS_TURN:
                return Outcome(str(week), issue.state, note="it has just been stopped; nothing to do")
            if letter_id is None:
                if not run.asked and issue.send_at > run.clock():
                    return Outcome(str(week), issue.state, note="it has just been given another time; nothing to do")
                letter_id = _start(session, rules, issue, run.clock())
                # Again, and last: a machine that falls asleep in the midst of this wakes up hours later.
                if not run.asked and (late := _lateness(rules, issue, run.clock())):
                    raise CannotDo(late)
            elif issue.state == issues.HELD:
                steering.resume(session, week)
            elif issue.state != issues.SENDING:
                raise CannotDo(f"issue {week} is {issue.state}{_way_on(issue)}")
            # As it began, whatever the settings say since: half of its readers have had it so.
            stored = session.get_one(StoredLetter, letter_id)
            envelope = post.envelope(str(week), stored.opens, stored.clicks)
            # From when it was drafted, whenever it goes out: a copy is then what was previewed, byte for byte.
            recipient_of = post.recipient_at(issue.created_at)
            session.commit()
        sending = Sending(
            engine=engine,
            provider=post.provider,
            envelope=envelope,
            recipient_of=recipient_of,
            settle=post.settle,
            sender=sender,
            clock=run.clock,
            stopwatch=post.stopwatch,
            limit=post.limit,
            on_progress=run.on_progress,
            wait=run.wait,
            on_wait=run.on_wait,
            stop=run.stop,
        )
        sent = send(sending, letter_id)
    with writing(engine) as session:
        issue = steering.close(session, week, run.clock())
        if sent.needs_editor:
            issue = steering.hold(session, week, sent.needs_editor)
        session.commit()
        return Outcome(str(week), issue.state, sent)


def send_due(engine: Engine, rules: Rules, post: Post, run: Run) -> list[Outcome]:
    """Send what is due, and go on with what was interrupted: the one thing that cron and the scheduler call.

    An issue that is late beyond the limit, or has changed since it was approved, is held for an editor, and said. With
    APPROVAL=automatic, drafts whose time has come are approved on the way. No issue keeps another one from going out.
    Of issues that are held, paused or called off in their midst it is only asked what the provider has.
    """
    outcomes = []
    for week in _due(engine, rules, run.clock()):
        if run.stop.is_set():
            break
        outcomes.append(send_unasked(engine, rules, post, week, run))
    for week in asking.due(engine, run.clock()):
        if run.stop.is_set():
            break
        asking.ask(engine, post, week, run.clock, resend=False, stop=run.stop)
    return outcomes


class AnotherCount(CannotDo):
    """Somebody would send to another number of readers than there are; `readers` are as many as there are."""

    def __init__(self, week: Week, readers: int) -> None:
        super().__init__(f"issue {week} would go to {readers:,} readers now; type that number to send it")
        self.readers = readers


def send_now(
    session: Session, rules: Rules, week: Week, readers: int | None, now: datetime, *, digest: str | None = None
) -> Issue:
    """Make an approved issue due at once, for a publisher who knows to how many it goes; whoever sends then sends it.

    `digest`: of the approved letter that they saw, where that is known. Raises AnotherCount where it would go to
    another number of readers at this moment, and CannotDo for another letter, or an issue that is not approved, or has
    begun.
    """
    issue = require(session, week)
    if issue.state not in NOT_BEGUN or issue.letter_id is not None or issue.digest is None:
        raise CannotDo(f"issue {week} is {issue.state}; only one that is approved and has not begun can be sent")
    if digest not in (None, issue.digest):
        raise CannotDo(f"another letter of {week} has been approved since you looked; look at it, then send it")
    found = reach(session, rules, comparisons_of(session, issue), now)
    if not found.readers:
        raise CannotDo(_why_nobody(str(week), found.left_out))
    if readers != found.readers:
        raise AnotherCount(week, found.readers)
    return schedule(session, week, now, now)


def send_unasked(engine: Engine, rules: Rules, post: Post, week: Week, run: Run) -> Outcome:
    """Send an issue of which the database says that it is due, or under way; one that it says no such thing of rests.

    It is held, and said, where it is late, or cannot go out as it stands.
    """
    unasked = replace(run, asked=False)  # between two looks at it, an issue may have been held by somebody else
    try:
        _approve_unseen(engine, rules, week, run.clock())
        held = _hold_if_late(engine, rules, week, run.clock())
        return held or send_issue(engine, rules, post, week, unasked)
    except CannotDo as error:
        return _hold(engine, week, str(error))


def status(
    session: Session, issue: Issue, digest: str | None, changes: Sequence[str] = (), *, told: bool = False
) -> dict[str, Any]:
    """The accounting of an issue, what came back of it and what an editor can decide, as `issues status --json` has it.

    `changes`: what has changed since it was approved (`approving.changes_since_approval`). `told`: whether the provider
    tells what becomes of letters (`Provider.keeps_history`); where it does not, what nobody recorded is None.
    """
    counted = numbers.of_issue(session, issue, told=told)
    books = counted.books
    passing = ledger.refusals(session, issue.letter_id, passing=True) if issue.letter_id else {}
    remedies = steering.remedies(issue, books, sum(passing.values()), changed=bool(changes))
    return {
        "week": issue.week,
        "state": issue.state,
        "digest": digest,
        **asdict(books),
        **counted.came_back(),
        "held_because": issue.held_because,
        "changes": list(changes),
        "doubts": batches_in_doubt(session, issue),
        "decisions": [remedy.command for remedy in remedies],
    }


def batches_in_doubt(session: Session, issue: Issue) -> list[dict[str, Any]]:
    """What a provider's own pages or log can be searched for: the batches in doubt, and the keys of their rows."""
    if issue.letter_id is None:
        return []
    stored = session.get_one(StoredLetter, issue.letter_id)
    return [
        {
            "batch": doubt.batch,
            "claimed_at": doubt.claimed_at,
            "rows": [stored.row_key(number) for number in doubt.subscriber_ids],
        }
        for doubt in doubts.open_doubts(session, issue.letter_id)
    ]


def _start(session: Session, rules: Rules, issue: Issue, now: datetime) -> int:
    """Freeze the letter with its variants and draw up the list, in the caller's transaction; return the letter's id."""
    if issue.state not in NOT_BEGUN or issue.digest is None:
        raise CannotDo(
            f"issue {issue.week} is {issue.state}, not approved; look at `issues preview {issue.week}`, then approve it"
        )
    whole, letter = as_approved(session, rules, issue)
    wake(session, now)
    plan = readership(session, rules, whole.comparisons)
    refuse_unfit(whole, plan.selections)
    stored = ledger.store(session, letter, issue.week, now)
    stored.left_out = plan.left_out
    stored.opens, stored.clicks = rules.opens, rules.clicks
    for number, selection in enumerate(plan.selections, start=1):
        letter = variant_of(whole, selection)
        variants.freeze(session, stored, number, letter, selection.without, selection.language)
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
        waiting = issues.in_state(session, *drafts, issues.APPROVED, issues.SCHEDULED, issues.SENDING)
    return [Week.parse(issue.week) for issue in waiting if issue.state == issues.SENDING or issue.send_at <= now]


def _way_back(issue: Issue) -> str:
    if issue.letter_id is not None:
        return " in its midst: nothing more of it goes out"
    return f"; `issues draft --week {issue.week}` makes it a draft again"


def _way_on(issue: Issue) -> str:
    return f"; `issues resume {issue.week}` lets it go on" if issue.state == issues.PAUSED else ""


def _approve_unseen(engine: Engine, rules: Rules, week: Week, now: datetime) -> None:
    """Approve a draft as it stands whose time has come, whatever an editor looked at before. Raises CannotDo."""
    with reading(engine) as session:
        if require(session, week).state == issues.DRAFT:
            look_over(session, rules, week)
    with writing(engine) as session:
        issue = require(session, week)
        if issue.state == issues.DRAFT and rules.approval == "automatic" and issue.send_at <= now:
            issue.previewed_digest = None
            approve(session, rules, week, now)
            session.commit()


def _hold_if_late(engine: Engine, rules: Rules, week: Week, now: datetime) -> Outcome | None:
    with reading(engine) as session:
        issue = require(session, week)
    reason = _lateness(rules, issue, now)
    if issue.state not in (issues.APPROVED, issues.SCHEDULED) or not reason:
        return None
    remedy = f"`issues send {week}` sends it all the same, `issues schedule {week} --at …` gives it another time"
    return _hold(engine, week, reason, remedy)


def _lateness(rules: Rules, issue: Issue, now: datetime) -> str | None:
    """What to say of an issue that is late beyond the limit; None of any other."""
    late = now - issue.send_at
    if late <= rules.max_lateness:
        return None
    local = issue.send_at.astimezone(rules.zone)
    return f"it was due on {local:%a %d %b %H:%M} and is {_hours(late)} late, more than {_hours(rules.max_lateness)}"


def _hold(engine: Engine, week: Week, reason: str, remedy: str | None = None) -> Outcome:
    """Keep an approved issue from going out until an editor decides; a draft stays one, and is tried again."""
    with writing(engine) as session:
        issue = steering.hold(session, week, reason)
        session.commit()
    return Outcome(str(week), issue.state, note=f"held: {reason}{f'; {remedy}' if remedy else ''}")


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes % 60 else f"{minutes // 60}h"
