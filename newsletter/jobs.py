"""What has the scheduler done, and what will it do? One row a job, for whoever wants to see that the clock runs.

`chronicle` writes it, at most once a minute where nothing happened.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Field, Session, col, select

from newsletter.db import Table, upsert

NOTED: Final = timedelta(minutes=1)
"""How old a note that a job has run may be: so most alarms write nothing."""

MISSED: Final = 3
"""After so many alarms that were not heard a job is silent."""


class Job(Table, table=True):
    """One of the scheduler's jobs, as it was last seen."""

    __tablename__ = "jobs"

    name: str = Field(primary_key=True)
    every: int
    """Seconds from one run to the next."""
    ran_at: datetime
    """When it last ran, to within a minute."""
    did: str | None = None
    """What it last did that is worth telling."""
    did_at: datetime | None = None
    failed_at: datetime | None = None
    """When it last failed; later than `ran_at` or not, its trouble stays until it runs well."""
    error: str | None = None

    @property
    def next_at(self) -> datetime:
        """When it runs next."""
        return self.ran_at + timedelta(seconds=self.every)

    @property
    def patience(self) -> timedelta:
        """For how long it is nothing odd that it is not heard of."""
        return MISSED * max(timedelta(seconds=self.every), NOTED)

    def is_silent(self, now: datetime) -> bool:
        """Whether it has not been heard of for longer than that: it hangs, or the clock has stopped."""
        return now - self.ran_at > self.patience


def every(session: Session) -> list[Job]:
    """All jobs by their names."""
    return list(session.exec(select(Job).order_by(col(Job.name))))


def ran(session: Session, name: str, seconds: int, now: datetime) -> None:
    """A job has run, and its trouble is over; `seconds`: from one run to the next. The caller commits."""
    _put(session, name, every=seconds, ran_at=now, failed_at=None, error=None)


def did(session: Session, name: str, seconds: int, now: datetime, what: str) -> None:
    """A job has run and done something that is worth telling, in a few words. The caller commits."""
    _put(session, name, every=seconds, ran_at=now, failed_at=None, error=None, did=what, did_at=now)


def failed(session: Session, name: str, seconds: int, now: datetime, error: str) -> None:
    """A job has run and failed; why, in one line without addresses. The caller commits."""
    _put(session, name, every=seconds, ran_at=now, failed_at=now, error=error)


def _put(session: Session, name: str, **values: Any) -> None:
    made = upsert(session, Job).values(name=name, **values)
    session.connection().execute(made.on_conflict_do_update(index_elements=[col(Job.name)], set_=values))
