"""Do the ledger and the provider agree? A look from outside, in SQL of its own, at any moment and in the end."""

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from newsletter import weekly
from newsletter.db import reading
from newsletter.invariants import violations
from tests.journeys.judge import Verdict, judge
from tests.journeys.post_office import PostOffice
from tests.journeys.test_kill import WEEK

_COUNTS = """
    SELECT letters.audience, deliveries.state, count(*), count(deliveries.message_id)
    FROM letters JOIN deliveries ON deliveries.letter_id = letters.id
    GROUP BY letters.audience, deliveries.state
"""
_ROWS = """
    SELECT subscribers.email, deliveries.state, deliveries.message_id
    FROM deliveries JOIN subscribers ON subscribers.id = deliveries.subscriber_id
"""


@dataclass(frozen=True)
class Seen:
    """What a look has seen, in readers."""

    queued: int = 0
    in_doubt: int = 0
    unknown: int = 0
    """In doubt, or under way."""
    moved: int = 0
    """Out of the queue."""


@dataclass(frozen=True)
class Final:
    """How it ended."""

    verdict: Verdict = field(default_factory=Verdict)
    accepted: int = 0
    refused: int = 0


def look(engine: Engine, office: PostOffice, readers: int) -> tuple[Seen, list[str]]:
    """At any moment: the equation holds, nobody has it twice, and the provider has all that it is said to have taken.

    The second value says what is wrong, a line each.
    """
    with engine.connect() as connection:  # one statement, so that it sees one moment
        rows = connection.execute(text(_COUNTS)).all()
    count = office.count()  # after the database: it may have more by now, never less
    states = {state: number for _, state, number, _ in rows}
    wrong = []
    if rows and not rows[0].audience == sum(states.values()) == readers:
        wrong.append(f"{readers} readers, an audience of {rows[0].audience}, and rows of {states}")
    accepted = states.get("accepted", 0)
    proven = sum(number for _, state, _, number in rows if state == "accepted")
    if proven != accepted:
        wrong.append(f"{accepted} are accepted, {proven} with the provider's id")
    if count.readers < accepted:
        wrong.append(f"{accepted} are accepted, and the provider has {count.readers}")
    if count.twice:
        wrong.append(f"{count.twice} readers have it more than once")
    queued, in_doubt = states.get("queued", 0), states.get("in_doubt", 0)
    unknown = in_doubt + states.get("sending", 0)
    return Seen(queued, in_doubt, unknown, moved=sum(states.values()) - queued), wrong


def look_last(engine: Engine, office: PostOffice, readers: int) -> tuple[Final, list[str]]:
    """In the end: who is accepted has exactly one copy, under the id that stands in the row; nobody else has any."""
    taken = office.taken()
    with engine.connect() as connection:
        rows = connection.execute(text(_ROWS)).all()
    accepted = {message_id: email for email, state, message_id in rows if state == "accepted"}
    refused = sum(state == "refused" for _, state, _ in rows)
    verdict = judge(Counter(taken.values()), accepted.values())
    wrong = [] if verdict.good else [str(verdict)]
    if len(rows) != readers or len(accepted) + refused != readers:
        wrong.append(f"{readers} readers, {len(rows)} rows: {len(accepted)} accepted, {refused} refused")
    if strange := sum(taken.get(message_id) != email for message_id, email in accepted.items()):
        wrong.append(f"{strange} rows are accepted under an id that the provider does not know for this reader")
    with reading(engine) as session:
        if (state := weekly.require(session, WEEK).state) != "sent":
            wrong.append(f"the issue is {state}")
        wrong += violations(session)
    return Final(verdict, len(accepted), refused), wrong
