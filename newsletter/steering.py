"""What may be done to an issue that is going out? Pause it, let it go on, call it off, try again, decide, close it.

Every function works inside the caller's transaction. The issue's state and whether its letter is open (rows of it may
be claimed) change in one transaction: from the moment that it is committed no sender, in whatever process, claims
another batch of a letter that was closed. What is under way then is recorded as ever.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from newsletter.delivery import doubts, ledger
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.weekly import CannotDo, require


@dataclass(frozen=True)
class Remedy:
    """What an editor can do: a command, as it is typed, and what it does."""

    command: str
    effect: str

    @property
    def act(self) -> str:
        """The command's name in one word: `resume`, `cancel`; of a decision about what is in doubt: `resend`."""
        _, _, act, *given = self.command.split()
        return given[-1].removeprefix("--") if len(given) > 1 and act == "reconcile" else act

    def __str__(self) -> str:
        return f"`{self.command}` {self.effect}"


def pause(session: Session, week: Week) -> Issue:
    """Let nothing more be claimed until `resume`. Raises CannotDo for an issue that is not going out."""
    issue = require(session, week)
    if issue.state != issues.PAUSED:
        _refuse_unless(issue, "paused", issues.SENDING)
        _put(session, issue, issues.PAUSED)
    return issue


def resume(session: Session, week: Week) -> Issue:
    """Let a paused issue, or one that was held in its midst, go on. Raises CannotDo for any that does not go out.

    One that is going out, or was sent since it was paused (what was under way was the rest of it), stays as it is.
    """
    issue = require(session, week)
    if issue.state in (issues.SENDING, issues.SENT):
        return issue
    if issue.state != issues.PAUSED and not (issue.state == issues.HELD and issue.letter_id is not None):
        raise CannotDo(
            f"issue {week} is {issue.state}; only one that was paused, or held in its midst, can go on{_instead(issue)}"
        )
    _put(session, issue, issues.SENDING)
    return issue


def cancel(session: Session, week: Week) -> Issue:
    """Call an issue off, or the rest of it; nothing more is claimed.

    One that nobody has had gives its comparisons back: they wait for the next issue. Raises CannotDo for a sent one.
    """
    issue = require(session, week)
    if issue.state != issues.CANCELLED:
        if issues.CANCELLED not in issues.MOVES[issue.state]:
            raise CannotDo(f"issue {week} is {issue.state}; there is nothing left to call off")
        if issue.letter_id is None:
            assert issue.id is not None  # it was read from the database
            issues.assign(session, issue.id, [])
            issue.digest = issue.approved_of = issue.approved_at = issue.previewed_digest = None
        _put(session, issue, issues.CANCELLED)
    return issue


def hold(session: Session, week: Week, reason: str) -> Issue:
    """Keep an issue from going out, or from going on, until an editor decides. Any other state stays as it is."""
    issue = require(session, week)
    if issue.state in (issues.APPROVED, issues.SCHEDULED, issues.SENDING):
        _put(session, issue, issues.HELD)
        issue.held_because = reason
    return issue


def retry(session: Session, week: Week) -> int:
    """Queue again whoever was refused for a passing reason; return how many.

    A sent issue goes out again, to them alone. Raises CannotDo for an issue that has not begun, or was called off.
    """
    issue = require(session, week)
    letter_id = _letter(issue, "tried again")
    count = ledger.retry_refused(session, letter_id)
    if count and issue.state == issues.SENT:
        _put(session, issue, issues.SENDING)
    return count


def resend_doubtful(session: Session, week: Week, batches: Collection[str] | None = None) -> int:
    """On an editor's word, queue again all that is in doubt; return how many. Some of them may get it twice.

    `batches`: only what is of these, which the provider has been asked about. A held issue goes on by it. Raises
    CannotDo as `retry` does.
    """
    issue = require(session, week)
    count = doubts.resend_all(session, _letter(issue, "sent again"), batches)
    if count and issue.state == issues.HELD:
        _put(session, issue, issues.SENDING)
    return count


def give_up_doubtful(session: Session, week: Week, now: datetime, batches: Collection[str] | None = None) -> int:
    """On an editor's word, never send again what is in doubt; return how many. Some of them may never get it.

    `batches`: as in `resend_doubtful`. A held issue of which nothing else is left is closed by it. Raises CannotDo for
    an issue that has not begun.
    """
    issue = require(session, week)
    if issue.letter_id is None:
        raise CannotDo(f"issue {week} is {issue.state}, and has not begun to go out: nothing of it is in doubt")
    count = doubts.give_up_all(session, issue.letter_id, now, batches)
    close(session, week, now)
    return count


def close(session: Session, week: Week, now: datetime) -> Issue:
    """Call an issue sent when nothing of it is queued, under way or in doubt any more; otherwise it stays as it is.

    Also where the accounting does not add up: somebody has to find out why.
    """
    issue = require(session, week)
    begun = issue.letter_id is not None and issues.SENT in issues.MOVES[issue.state]
    books = ledger.accounting(session, issue.letter_id)
    if begun and books.adds_up and not books.unsettled:
        _put(session, issue, issues.SENT)
        issue.sent_at = issue.sent_at or now
    return issue


def remedies(issue: Issue, books: ledger.Accounting, may_be_retried: int = 0, *, changed: bool = False) -> list[Remedy]:
    """What an editor can decide about an issue as it stands; nothing where it goes its way by itself.

    `may_be_retried`: of its readers who were refused, those for whom the reason was a passing one. `changed`: whether
    anything of it has changed since it was approved, so that it cannot go out as it stands.
    """
    week = issue.week
    if issue.letter_id is None:
        return _before_it_begins(week, changed=changed) if issue.state == issues.HELD else []
    found = []
    if issue.state == issues.PAUSED:
        found.append(Remedy(f"newsletter issues resume {week}", "lets it go on"))
    if issue.state == issues.HELD and (books.queued or not books.in_doubt):
        found.append(Remedy(f"newsletter issues resume {week}", "goes on, once what it was held for is mended"))
    if books.in_doubt and issue.state in (issues.PAUSED, issues.HELD, issues.CANCELLED):
        found += _in_doubt(week, books.in_doubt, may_resend=issue.state != issues.CANCELLED)
    if may_be_retried and issue.state in issues.READERS_HAVE_IT:
        found.append(Remedy(f"newsletter issues retry {week}", f"tries again for {may_be_retried} who were refused"))
    if issue.state in (issues.PAUSED, issues.HELD):
        found.append(Remedy(f"newsletter issues cancel {week}", "calls the rest off"))
    return found


def _before_it_begins(week: str, *, changed: bool) -> list[Remedy]:
    as_it_stands = [
        Remedy(f"newsletter issues send {week}", "sends it all the same"),
        Remedy(f"newsletter issues schedule {week} --at …", "gives it another time"),
    ]
    return [
        *([] if changed else as_it_stands),
        Remedy(f"newsletter issues unapprove {week}", "makes it a draft again, to be previewed and approved anew"),
        Remedy(f"newsletter issues cancel {week}", "calls it off; what it tells waits for the next issue"),
    ]


def _in_doubt(week: str, readers: int, *, may_resend: bool) -> list[Remedy]:
    ask = f"newsletter issues reconcile {week}"
    twice = Remedy(f"{ask} --resend", f"sends to these {readers} again: whoever has it gets it twice")
    return [
        Remedy(ask, "asks the provider again"),
        *([twice] if may_resend else []),
        Remedy(f"{ask} --give-up", f"never sends to these {readers}: whoever has not got it gets the next issue"),
    ]


def _put(session: Session, issue: Issue, state: str) -> None:
    issues.move(issue, state)
    if state != issues.HELD:
        issue.held_because = None
    if issue.letter_id is not None:
        ledger.set_open(session, issue.letter_id, is_open=state == issues.SENDING)
    session.add(issue)


def _letter(issue: Issue, what: str) -> int:
    _refuse_unless(issue, what, *issues.READERS_HAVE_IT)
    if issue.letter_id is None:
        raise CannotDo(f"issue {issue.week} is {issue.state}, and has not begun to go out{_instead(issue)}")
    return issue.letter_id


def _refuse_unless(issue: Issue, what: str, *states: str) -> None:
    if issue.state not in states:
        raise CannotDo(f"issue {issue.week} is {issue.state}; it cannot be {what}{_instead(issue)}")


def _instead(issue: Issue) -> str:
    """What an editor may have meant who wants to steer an issue that is not going out."""
    if issue.state in (issues.APPROVED, issues.SCHEDULED):
        return f" (it has not begun to go out; `issues unapprove {issue.week}` keeps it from that)"
    if issue.state == issues.HELD:
        return f" (nothing of it goes out while it is held; `issues status {issue.week}` says what you can decide)"
    return ""
