"""What has become of the readers of an issue of whom we do not know? Ask the provider; let an editor decide the rest.

Safe at any time, also while the issue is being sent.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from sqlalchemy import Engine

from newsletter import steering
from newsletter.db import reading, writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.reconcile import Asking, Reconciled, reconcile
from newsletter.delivery.sender_lock import enter
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.post import Post
from newsletter.weekly import CannotDo, require
from subscribers import limits

ASK_EVERY: Final = timedelta(minutes=1)
"""How often the provider is asked about an issue that does not go on by itself."""


@dataclass(frozen=True)
class Decided:
    """What came of asking about an issue, of an editor's word, and the state that the issue is in now."""

    asked: Reconciled
    state: str
    resent: int = 0
    given_up: int = 0


class Decision(Enum):
    """What an editor may say about readers of whom asking cannot tell whether they were sent to."""

    RESEND = "resend"
    GIVE_UP = "give up"


def ask(
    engine: Engine,
    post: Post,
    week: Week,
    clock: Callable[[], datetime],
    *,
    resend: bool = True,
    stop: threading.Event | None = None,
) -> Reconciled:
    """Ask the provider about what is in doubt of an issue, and close it where that settles everything.

    `resend`: whether what was certainly not sent may go back into the queue. `stop` ends it early when it is set.
    Raises CannotDo where there is no issue.
    """
    with reading(engine) as session:
        issue = require(session, week)
    if issue.letter_id is None:
        return Reconciled()
    with enter(engine) as sender:
        if sender:  # otherwise whoever sends sees to it
            doubts.doubt_orphans(engine, issue.letter_id, sender.is_dead, clock(), post.stopwatch())
    about = Asking(
        engine,
        post.provider,
        post.envelope(str(week)),
        post.settle,
        clock,
        post.stopwatch,
        stop or threading.Event(),
        resend,
    )
    asked = reconcile(about, issue.letter_id)
    with writing(engine) as session:
        closed = steering.close(session, week, clock())
        books = ledger.accounting(session, issue.letter_id)
        if closed.state == issues.HELD and asked.requeued and not asked.in_doubt:
            steering.resume(session, week)
        elif asked.needs_editor and books.unsettled == books.in_doubt:
            steering.hold(session, week, asked.why or "")
        session.commit()
    return asked


def decide(
    engine: Engine,
    post: Post,
    week: Week,
    clock: Callable[[], datetime],
    decision: Decision | None,
    *,
    batches: Collection[str] | None = None,
    stop: threading.Event | None = None,
) -> Decided:
    """Ask the provider, then do what an editor says about what is still in doubt; None: nothing more.

    `batches`: what they say it of, where that is not all of it. `stop` ends it early when it is set, before anything is
    decided. Raises CannotDo where some of it has not rested for the settle time: the provider may yet show it.
    """
    asked = ask(engine, post, week, clock, stop=stop)
    resent = given_up = 0
    with writing(engine) as session:
        issue = require(session, week)
        if decision and asked.in_doubt and not (stop and stop.is_set()):
            if asked.settles_at or not asked.rested:
                when = f"after {asked.settles_at:%H:%M:%S} UTC" if asked.settles_at else "some minutes later"
                raise CannotDo(
                    f"{asked.in_doubt} readers of issue {week} are in doubt, and may have been sent to just now: "
                    f"decide {when}"
                )
            # Not of what a sender has called in doubt since then: nobody has asked about that yet.
            of = asked.batches if batches is None else set(asked.batches) & set(batches)
            if decision is Decision.RESEND:
                resent = steering.resend_doubtful(session, week, of)
            else:
                given_up = steering.give_up_doubtful(session, week, clock(), of)
            session.commit()
        return Decided(asked, issue.state, resent, given_up)


def due(engine: Engine, now: datetime) -> list[Week]:
    """Issues that do not go on by themselves, of which something is in doubt and has not been asked about just now.

    Or is under way: whose sender has died since they were stopped, nobody else would notice.
    """
    with reading(engine) as session:
        waiting = issues.in_state(session, issues.PAUSED, issues.HELD, issues.CANCELLED)
        books = {issue.week: ledger.accounting(session, issue.letter_id) for issue in waiting}
    unknown = [week for week, each in books.items() if each.in_doubt or each.sending]
    if not unknown:
        return []
    with writing(engine) as session:
        due = [week for week in unknown if limits.take(session, "doubts of an issue", week, 1, ASK_EVERY, now)]
        session.commit()
    return [Week.parse(week) for week in due]
