"""When may the next batch go, where an editor has set a limit? All senders of a database take slots from one row."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Engine
from sqlmodel import Field, select

from newsletter.db import Table, upsert, writing
from newsletter.delivery.pacing import next_slot

ROW = 1


class PaceRow(Table, table=True):
    """The one row: until when the time is taken."""

    __tablename__ = "pace"
    __table_args__ = (CheckConstraint(f"id = {ROW}", name="one"),)

    id: int = Field(primary_key=True)
    free_at: datetime


def take(engine: Engine, count: int, rate: float, now: datetime) -> float:
    """Take the next slot for so many messages at `rate` a second; return how many seconds it is ahead."""
    the_row = select(PaceRow).where(PaceRow.id == ROW).with_for_update()
    with writing(engine) as session:
        row = session.exec(the_row).one_or_none()
        if row is None:  # the first time ever; who comes at the same time waits here until it is there
            session.connection().execute(upsert(session, PaceRow).values(id=ROW, free_at=now).on_conflict_do_nothing())
            row = session.exec(the_row).one()
        wait, row.free_at = next_slot(row.free_at, now, count, rate)
        session.add(row)
        session.commit()
    return wait
