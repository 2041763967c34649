from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter import farewell, voting
from newsletter.comparisons.votes import BOTH, CHOICES, NEITHER, Tally, Vote
from newsletter.db import reading, writing
from newsletter.delivery.ledger import ACCEPTED, IN_DOUBT, MOVES, SENDING, Delivery
from newsletter.issues.issue import CANCELLED
from newsletter.issues.week import Week
from newsletter.outgoing import send_issue
from newsletter.voting import MOST_CHANGES, MOST_OF_A_NETWORK, PER, Ballot, NoBallot, Outcome
from subscribers.subscriber import PAUSED, SUPPRESSED, UNSUBSCRIBED, Subscriber
from tests.newsroom import (
    MONDAY,
    RULES,
    TUESDAY,
    W47,
    W48,
    approve,
    at,
    draft,
    issue_of,
    mute,
    post,
    publish,
    set_status,
    subscribe,
)

SLUG = "haiku-vs-codestral"
ADA = "ada@example.com"

Send = Callable[..., None]


@pytest.fixture
def send(engine: Engine, outbox: Path) -> Send:
    """Sends a week's issue to everybody who is there."""

    def go(week: Week = W47) -> None:
        draft(engine, week)
        approve(engine, week)
        send_issue(engine, RULES, post(outbox), week, at(TUESDAY))

    return go


@pytest.fixture
def ada(engine: Engine, send: Send) -> int:
    """A reader who has been sent the issue of week 47."""
    (reader,) = subscribe(engine, [ADA])
    publish(engine)
    send()
    return reader


def look(engine: Engine, reader: int, slug: str = SLUG) -> Ballot | NoBallot:
    with reading(engine) as session:
        return voting.standing(session, reader, slug)


def say(engine: Engine, reader: int, choice: str, slug: str = SLUG, network: str | None = None) -> Outcome | NoBallot:
    with writing(engine) as session:
        voted = voting.vote(session, reader, slug, choice, network, TUESDAY)
        session.commit()
        return voted if isinstance(voted, NoBallot) else voted[0]


def tally(engine: Engine, reader: int) -> Tally:
    ballot = look(engine, reader)
    assert isinstance(ballot, Ballot)
    return ballot.tally


def set_state(engine: Engine, reader: int, state: str) -> None:
    with writing(engine) as session:
        copy = session.exec(select(Delivery).where(Delivery.subscriber_id == reader)).one()
        copy.state, copy.batch, copy.message_id = state, "batch", "id"
        session.add(copy)
        session.commit()


def test_a_reader_votes_on_what_they_were_sent(engine: Engine, ada: int) -> None:
    before = look(engine, ada)
    assert isinstance(before, Ballot)
    assert (before.is_open, before.own, before.tally) == (True, None, Tally())
    for choice, shares in (("left", (100, 0)), ("right", (0, 100)), (BOTH, (100, 100)), (NEITHER, (0, 0))):
        assert say(engine, ada, choice) is Outcome.COUNTED
        after = look(engine, ada)
        assert isinstance(after, Ballot)
        assert (after.own, after.tally) == (choice, Tally(**{choice: 1}))
        assert tuple(after.community(side) for side in (0, 1)) == shares


def test_the_last_vote_of_a_reader_counts_and_only_once(engine: Engine, ada: int) -> None:
    assert [say(engine, ada, choice) for choice in ("left", "left", "right")] == [
        Outcome.COUNTED,
        Outcome.ALREADY,
        Outcome.COUNTED,
    ]
    assert tally(engine, ada) == Tally(right=1)


def test_while_nobody_has_voted_the_published_share_stands(engine: Engine, send: Send) -> None:
    (reader,) = subscribe(engine, [ADA])
    publish(engine, community_ship=80)
    send()
    before = look(engine, reader)
    assert isinstance(before, Ballot)
    assert (before.community(0), before.community(1)) == (80, None)

    say(engine, reader, "right")

    after = look(engine, reader)
    assert isinstance(after, Ballot)
    assert (after.community(0), after.community(1)) == (0, 100)


def test_two_votes_of_one_reader_at_once_are_one_row(engine: Engine, ada: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda choice: say(engine, ada, choice), [*CHOICES] * 4))
    assert set(outcomes) <= {Outcome.COUNTED, Outcome.ALREADY}
    assert tally(engine, ada).all == 1


def test_only_who_may_have_a_copy_may_vote(engine: Engine, ada: int) -> None:
    may = {}
    for number, state in enumerate(MOVES):
        set_state(engine, ada, state)
        outcome = say(engine, ada, [*CHOICES][number % 4])
        may[state] = outcome is Outcome.COUNTED
        assert may[state] or outcome is look(engine, ada) is NoBallot.NOT_YOURS
    assert may == dict.fromkeys(MOVES, False) | dict.fromkeys((ACCEPTED, SENDING, IN_DOUBT), True)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(UNSUBSCRIBED, Outcome.COUNTED), (PAUSED, Outcome.COUNTED), (SUPPRESSED, NoBallot.NOBODY)],
)
def test_who_has_left_since_may_still_vote_and_who_must_not_be_written_to_may_not(
    engine: Engine, ada: int, status: str, outcome: Outcome | NoBallot
) -> None:
    set_status(engine, status, ADA)
    assert say(engine, ada, "left") is outcome


def test_who_is_forgotten_is_nobody_and_their_vote_still_counts(engine: Engine, ada: int, send: Send) -> None:
    say(engine, ada, "left")
    with writing(engine) as session:
        farewell.forget(session, session.get_one(Subscriber, ada), TUESDAY)
        session.commit()
    assert look(engine, ada) is look(engine, 12345) is look(engine, 0) is NoBallot.NOBODY
    assert say(engine, ada, "right") is NoBallot.NOBODY
    with reading(engine) as session:
        (row,) = session.exec(select(Vote)).all()
        assert (row.subscriber_id, row.choice) == (None, "left")


def test_nobody_votes_on_what_they_were_not_sent(engine: Engine, ada: int) -> None:
    (later,) = subscribe(engine, ["later@example.com"])
    publish(engine, "Inkwell", "Gantry")
    draft(engine, W48)
    for reader, slug in ((later, SLUG), (ada, "inkwell-vs-gantry"), (ada, "no-such"), (ada, "\0"), (ada, "x" * 300)):
        assert look(engine, reader, slug) is say(engine, reader, "left", slug) is NoBallot.NOT_YOURS


def test_who_has_muted_a_comparison_has_no_vote_on_it(engine: Engine, send: Send) -> None:
    (reader,) = subscribe(engine, [ADA])
    publish(engine, category="Agents")
    publish(engine, "Inkwell", "Gantry", category="Writing")
    mute(engine, ADA, "Agents", "Developer Tools")
    send()
    assert isinstance(look(engine, reader, "inkwell-vs-gantry"), Ballot)
    assert look(engine, reader) is say(engine, reader, "left") is NoBallot.NOT_YOURS


def test_a_vote_is_over_when_the_next_issue_begins_and_says_how_it_ended(engine: Engine, ada: int, send: Send) -> None:
    say(engine, ada, "left")
    publish(engine, "Inkwell", "Gantry", at=MONDAY)
    draft(engine, W48)
    assert say(engine, ada, "right") is Outcome.COUNTED  # drafted is not begun

    send(W48)

    assert say(engine, ada, "left") is Outcome.OVER
    ballot = look(engine, ada)
    assert isinstance(ballot, Ballot)
    assert (ballot.is_open, ballot.own, ballot.tally) == (False, "right", Tally(right=1))
    assert say(engine, ada, "left", "inkwell-vs-gantry") is Outcome.COUNTED


def test_a_vote_beside_the_beginning_of_the_next_issue_counts_whole_or_is_refused(
    engine: Engine, ada: int, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voting, "MOST_CHANGES", 10_000)
    publish(engine, "Inkwell", "Gantry", at=MONDAY)
    said: list[tuple[str, object]] = []
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, W48)
        while not (said and said[-1][1] is Outcome.OVER):
            choice = ("left", "right")[len(said) % 2]
            said.append((choice, say(engine, ada, choice)))
        sending.result()
    counted = [choice for choice, outcome in said if outcome is Outcome.COUNTED]
    assert len(counted) == len(said) - 1
    ballot = look(engine, ada)
    assert isinstance(ballot, Ballot)
    assert (ballot.own, ballot.tally.all) == (counted[-1] if counted else None, int(bool(counted)))


def test_a_vote_beside_its_readers_being_forgotten_names_nobody(engine: Engine, ada: int) -> None:
    def forget() -> None:
        with writing(engine) as session:
            farewell.forget(session, session.get_one(Subscriber, ada), TUESDAY)
            session.commit()

    said: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        forgetting = pool.submit(forget)
        while NoBallot.NOBODY not in said:
            said.append(say(engine, ada, ("left", "right")[len(said) % 2]))
        forgetting.result()
    with reading(engine) as session:
        assert [each.subscriber_id for each in session.exec(select(Vote))] == [None][: len(said) - 1]


def test_who_has_a_copy_of_an_issue_that_was_called_off_in_its_midst_may_vote(engine: Engine, ada: int) -> None:
    with writing(engine) as session:
        issue = issue_of(engine)
        issue.state = CANCELLED
        session.add(issue)
        session.commit()
    assert say(engine, ada, "left") is Outcome.COUNTED


def test_a_reader_may_change_their_mind_so_often_in_an_hour_and_the_same_again_is_no_change(
    engine: Engine, ada: int
) -> None:
    outcomes = [say(engine, ada, ("left", "right")[n // 2 % 2]) for n in range(2 * MOST_CHANGES + 1)]
    assert outcomes.count(Outcome.COUNTED) == MOST_CHANGES
    assert outcomes[-1] is Outcome.TOO_OFTEN
    assert tally(engine, ada) == Tally(right=1)
    with writing(engine) as session:
        later = voting.vote(session, ada, SLUG, "left", None, TUESDAY + PER + timedelta(seconds=1))
        assert not isinstance(later, NoBallot)
        assert later[0] is Outcome.COUNTED
        session.commit()


def test_a_network_may_vote_so_often_in_an_hour(
    engine: Engine, ada: int, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_OF_A_NETWORK >= 500  # a company's readers all come from one
    monkeypatch.setattr(voting, "MOST_OF_A_NETWORK", 2)
    choices = ("left", "right", BOTH)
    assert [say(engine, ada, choice, network="192.0.2.1") for choice in choices] == [
        Outcome.COUNTED,
        Outcome.COUNTED,
        Outcome.TOO_OFTEN,
    ]
    assert say(engine, ada, BOTH, network="192.0.2.2") is Outcome.COUNTED


def test_votes_that_a_reader_may_not_cast_take_nothing_from_their_network(
    engine: Engine, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voting, "MOST_CHANGES", 1)
    monkeypatch.setattr(voting, "MOST_OF_A_NETWORK", 2)
    (bo,) = subscribe(engine, ["bo@example.com"])
    with writing(engine) as session:
        copy = session.exec(select(Delivery).where(Delivery.subscriber_id == ada)).one()
        session.add(Delivery(**copy.model_dump() | {"subscriber_id": bo, "message_id": "bo"}))
        session.commit()
    said = [say(engine, ada, choice, network="192.0.2.1") for choice in ("left", "right", BOTH, NEITHER)]
    assert said == [Outcome.COUNTED, *[Outcome.TOO_OFTEN] * 3]
    assert say(engine, bo, "left", network="192.0.2.1") is Outcome.COUNTED
