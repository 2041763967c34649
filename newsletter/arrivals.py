"""What came of a message that we may have thought was never sent? An event of it proves that the provider took it.

Promises: a row that was in doubt, given up or queued again is accepted by it, and the issue of which that was the last
open one is closed; an event of a row that is accepted already, as nearly all are, costs one look and never waits for a
writer; and events may come twice, in any order, and before the answer to the call that sent the message.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from newsletter import steering
from newsletter.db import reading, writing
from newsletter.delivery import doubts
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.tracking.postmark import Taken


@dataclass(frozen=True)
class Settled:
    """A row that an event has settled: of which letter, and the week and the state of its issue, if it is one's."""

    letter_id: int
    week: str | None = None
    state: str | None = None


def settle(engine: Engine, taken: Taken, now: datetime) -> Settled | None:
    """Write down what an event proves; None where that was known, or is about no row of ours.

    In a transaction of its own. Raises what the database raises; then nothing has changed, and it may be told again.
    """
    with reading(engine) as session:
        letter_id = doubts.unproven(session, taken.row)
    if letter_id is None:
        return None
    with writing(engine) as session:
        # The issue before its rows, as whoever steers it locks them.
        issue = issues.of_letter(session, letter_id)
        if doubts.taken_after_all(session, taken.row, taken.batch, taken.message_id, now) is None:
            return None  # an answer was faster
        if issue:
            issue = steering.close(session, Week.parse(issue.week), now)
        session.commit()
        return Settled(letter_id, issue.week, issue.state) if issue else Settled(letter_id)
