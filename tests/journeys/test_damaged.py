"""A hand, or a disk, has changed what only the program writes: nothing is sent, it is said, and mended it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from newsletter.db import is_sqlite, one_of
from newsletter.delivery.ledger import MOVES, Accounting
from newsletter.outgoing import Run, send_issue
from tests.cli.conftest import bare_newsletter  # noqa: F401  a fixture
from tests.journeys.test_kill import WEEK, assert_everybody_has_it_once, copies
from tests.journeys.test_troubles import READERS, Issue, make_issue  # noqa: F401  a fixture

ONE = "letter_id = 1 AND subscriber_id = 7"


@dataclass(frozen=True)
class Damage:
    """What is done to the database, what is said of it, and what mends it."""

    done: str
    said: str
    mended: str


DAMAGES = {
    "a state that there is not": Damage(
        f"UPDATE deliveries SET state = 'lost' WHERE {ONE}",
        f"the audience is {READERS}, but {READERS - 1} readers are in a state that there is",
        f"UPDATE deliveries SET state = 'queued' WHERE {ONE}",
    ),
    "a row that is gone": Damage(
        f"DELETE FROM deliveries WHERE {ONE}",
        f"the audience is {READERS}, but {READERS - 1} readers are in a state that there is",
        "INSERT INTO deliveries (letter_id, subscriber_id, variant, state, passing) VALUES (1, 7, 0, 'queued', false)",
    ),
    "a letter that was changed": Damage(
        "UPDATE letters SET html = replace(html, '</body>', '<p>Buy now</p></body>')",
        "the letter has been changed since it was frozen, and no longer has its digest",
        "UPDATE letters SET html = replace(html, '<p>Buy now</p></body>', '</body>')",
    ),
    "a row that nobody has claimed, under way": Damage(
        f"UPDATE deliveries SET state = 'sending', batch = 'abc' WHERE {ONE}",
        "of 1 readers it is not known when they were sent to, and by whom",
        f"UPDATE deliveries SET state = 'queued', batch = NULL WHERE {ONE}",
    ),
    "a row that nobody has claimed, in doubt": Damage(
        f"UPDATE deliveries SET state = 'in_doubt', batch = 'abc' WHERE {ONE}",
        "of 1 readers it is not known when they were sent to, and by whom",
        f"UPDATE deliveries SET state = 'queued', batch = NULL WHERE {ONE}",
    ),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def issue(request: pytest.FixtureRequest, make_issue: Callable[[str], Issue]) -> Issue:  # noqa: F811  a fixture
    """Its list is drawn up, and nobody has had it: the provider could not be reached."""
    made = make_issue(request.param)
    assembly = made.assembly
    send_issue(assembly.engine, assembly.rules, assembly.post, WEEK, Run(clock=lambda: datetime.now(UTC), wait=False))
    assert made.books == Accounting(audience=READERS, queued=READERS)
    return made


def without_checks(issue: Issue, sql: str) -> None:
    """What the database would refuse."""
    with issue.engine.connect() as connection:
        if is_sqlite(issue.engine):
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            connection.execute(text("ALTER TABLE deliveries DROP CONSTRAINT IF EXISTS ck_deliveries_state"))
        assert connection.execute(text(sql)).rowcount == 1
        connection.commit()
        if is_sqlite(issue.engine):
            connection.execute(text("PRAGMA ignore_check_constraints = OFF"))


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_not_sent_and_named_and_goes_on_when_it_is_mended(issue: Issue, name: str) -> None:
    damage = DAMAGES[name]
    without_checks(issue, damage.done)
    done = issue.send()

    assert done.status == 1
    (said,) = [line for line in done.err.splitlines() if line.startswith("newsletter: ")]
    assert f"{WEEK} is held" in said
    assert damage.said in said
    assert "`newsletter db check` names all that is wrong" in said
    assert (issue.state, copies(issue.sandbox)) == ("held", {})
    assert "Traceback" not in done.err
    assert issue.check()

    again = issue.newsletter("issues", "resume", str(WEEK))  # before it is mended
    assert again.status == 1
    assert (issue.state, copies(issue.sandbox)) == ("held", {})

    without_checks(issue, damage.mended)
    if not is_sqlite(issue.engine):
        check = one_of("state", MOVES)
        issue.execute(f"ALTER TABLE deliveries ADD CONSTRAINT ck_deliveries_state CHECK ({check})")
    done = issue.newsletter("issues", "resume", str(WEEK))
    assert done.status == 0, done
    assert_everybody_has_it_once(issue.assembly, issue.sandbox, READERS)


@pytest.mark.parametrize(
    "command", [("issues", "send", "--due"), ("issues", "send", "--due", "--no-wait")], ids=" ".join
)
def test_an_alarm_does_not_send_what_is_damaged(issue: Issue, command: tuple[str, ...]) -> None:
    without_checks(issue, DAMAGES["a letter that was changed"].done)
    for _ in range(2):
        issue.newsletter(*command)
        assert (issue.state, copies(issue.sandbox)) == ("held", {})


def test_a_state_that_there_is_not_is_refused_by_the_database(issue: Issue) -> None:
    with pytest.raises(IntegrityError):
        issue.execute(DAMAGES["a state that there is not"].done)
