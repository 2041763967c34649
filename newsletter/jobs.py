"""What has the scheduler done, and what will it do? One row a job, for whoever wants to see that the clock runs."""

from datetime import datetime

from sqlmodel import Field, Session, col, select

from newsletter.db import Table


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


def every(session: Session) -> list[Job]:
    """All jobs by their names."""
    return list(session.exec(select(Job).order_by(col(Job.name))))
