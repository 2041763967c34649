"""What does the clock write down of itself? What a job did, for the page of health and for the desk's log.

Promise: a note costs no job anything. It waits for no other writer longer than a moment; where it cannot be written it
is dropped and logged, but for what concerns an issue, which is told with the next note.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from newsletter import jobs
from newsletter.db import writing_soon
from newsletter.delivery.ledger import unnamed
from newsletter.delivery.provider import spoken
from newsletter.editors import log as desk_log
from newsletter.issues import issue as issues
from newsletter.outgoing import Outcome

MOST_UNTOLD: Final = 20  # entries that are kept for the next note; more pile up only where nothing can be written

log = structlog.get_logger()


@dataclass(frozen=True)
class Did:
    """Something that a job did and that is worth telling. With a week it is an entry of the desk's log, too."""

    what: str
    week: str | None = None
    detail: str | None = None


class Notes:
    """Of one job: writes down that it has run, what it did, or that it failed."""

    def __init__(self, job: str, seconds: float) -> None:
        """`seconds`: from one run to the next."""
        self._job = job
        self._seconds = max(1, round(seconds))
        self._wrote_at: datetime | None = None
        self._error: str | None = None
        self._untold: list[tuple[datetime, Did]] = []

    def ran(self, engine: Engine, now: datetime, done: Sequence[Did]) -> None:
        """It has run well, and has done this."""
        self._untold += [(now, each) for each in done if each.week]
        del self._untold[:-MOST_UNTOLD]
        if not (done or self._untold or self._error or self._is_old(now)):
            return
        try:
            with writing_soon(engine) as session:
                if done:
                    jobs.did(session, self._job, self._seconds, now, told(done))
                else:
                    jobs.ran(session, self._job, self._seconds, now)
                for at, each in self._untold:
                    desk_log.write(session, at, None, each.what, week=each.week, detail=each.detail)
                session.commit()
        except SQLAlchemyError as error:
            self._dropped(error)
        else:
            self._untold.clear()
            self._wrote_at, self._error = now, None

    def failed(self, engine: Engine, now: datetime, error: str) -> None:
        """It has failed; the same trouble is not written down at every alarm."""
        reason = spoken(unnamed(error))
        if reason == self._error and not self._is_old(now):
            return
        try:
            with writing_soon(engine) as session:
                jobs.failed(session, self._job, self._seconds, now, reason)
                session.commit()
        except SQLAlchemyError as trouble:
            self._dropped(trouble)
        else:
            self._wrote_at, self._error = now, reason

    def _is_old(self, now: datetime) -> bool:
        # Either way: a wall clock that is put back must not silence a job until it has caught up.
        return self._wrote_at is None or abs(now - self._wrote_at) >= jobs.NOTED

    def _dropped(self, error: SQLAlchemyError) -> None:
        log.warning("could not write down that a job has run", job=self._job, error=type(error).__name__)


def of_sends(outcomes: Iterable[Outcome]) -> list[Did]:
    """What is worth telling of issues that were looked at: that one was sent, or held just now; not what goes on."""
    found = []
    for outcome in outcomes:
        if outcome.state == issues.SENT and outcome.sent:
            books = outcome.sent.accounting
            found.append(Did("sent the issue", outcome.week, f"{books.accepted} of {books.audience} were taken"))
        elif outcome.state == issues.HELD and (outcome.sent or (outcome.note or "").startswith("held: ")):
            why = outcome.note or (outcome.sent.needs_editor if outcome.sent else None) or ""
            found.append(Did("held the issue", outcome.week, spoken(unnamed(why.removeprefix("held: "))) or None))
    return found


def counts(**how_many: int) -> list[Did]:
    """`forgotten=2, woken=0` as "2 forgotten"; nothing where all are 0."""
    told_ = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in how_many.items() if count)
    return [Did(told_)] if told_ else []


def told(done: Iterable[Did]) -> str:
    """What a job did, in one line."""
    return spoken("; ".join(f"{each.what} {each.week}" if each.week else each.what for each in done))
