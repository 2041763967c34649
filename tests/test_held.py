"""What neither the provider nor the clock can settle waits for an editor, and says of how many readers."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import asking, outgoing, steering
from newsletter.asking import Decided, Decision
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.outgoing import Outcome, Run
from newsletter.post import Post
from newsletter.sandbox.server import Sandbox
from newsletter.weekly import CannotDo
from tests.newsroom import RULES, W47, approve, draft, issue_of, post, publish, subscribe

READERS = [f"reader{number}@example.com" for number in range(30)]
BATCH = 10
LATENESS = replace(RULES, max_lateness=timedelta(days=99_999))
DROPPED = ["accept-then-drop:times=1", "search-loss"]
"""The provider takes a batch, its answer is lost, and its search shows nothing from then on."""
NOT_TAKEN = ["drop:times=1", "search-loss"]


@pytest.fixture
def carried(tmp_path: Path, sandbox: Sandbox) -> Iterator[Post]:
    """By the sandbox, in batches of ten; what is unknown may be decided at once."""
    provider = PostmarkProvider(sandbox.token, sandbox.url, timeout=5)
    provider.max_batch = BATCH
    yield replace(post(tmp_path), provider=provider, settle=timedelta(milliseconds=50))
    provider.close()


def now() -> datetime:
    return datetime.now(UTC)


def ready(engine: Engine) -> None:
    publish(engine)
    draft(engine)
    subscribe(engine, READERS)
    approve(engine)


def send(engine: Engine, carried: Post) -> Outcome:
    return outgoing.send_issue(engine, LATENESS, carried, W47, Run(clock=now))


def alarm(engine: Engine, carried: Post, number: int = 1) -> list[Outcome]:
    """The first, second … alarm since, each so much later that it may ask again."""
    later = Run(clock=lambda: now() + number * 2 * asking.ASK_EVERY, wait=False)
    return outgoing.send_due(engine, LATENESS, carried, later)


def decide(engine: Engine, carried: Post, decision: Decision | None) -> Decided:
    return asking.decide(engine, carried, W47, now, decision)


def held_by(engine: Engine, sandbox: Sandbox, carried: Post, faults: list[str]) -> Outcome:
    """Send while these things go wrong, from the second batch on: there is something to ask the search for."""
    ready(engine)
    first, *others = faults
    sandbox.faults.set(f"{first},after=1", *others)
    return send(engine, carried)


def books(engine: Engine) -> Accounting:
    with reading(engine) as session:
        assert violations(session) == []
        return ledger.accounting(session, issue_of(engine).letter_id)


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == str(W47))


def test_what_asking_cannot_settle_holds_the_issue_with_the_exact_count(
    engine: Engine, sandbox: Sandbox, carried: Post
) -> None:
    outcome = held_by(engine, sandbox, carried, DROPPED)
    assert outcome.state == issues.HELD
    assert outcome.sent is not None
    assert outcome.sent.accounting == books(engine) == Accounting(audience=30, accepted=20, in_doubt=10)
    issue = issue_of(engine)
    assert issue.held_because == outcome.sent.needs_editor
    assert "search does not show" in (issue.held_because or "")
    assert copies(sandbox) == Counter(READERS)  # the provider had taken all of them; we do not know it
    with reading(engine) as session:
        document = outgoing.status(session, issue, issue.digest)
    assert (document["state"], document["in_doubt"], document["held_because"]) == ("held", 10, issue.held_because)
    assert "newsletter issues reconcile 2026-W47 --give-up" in document["decisions"]


def test_nothing_is_sent_twice_however_often_it_is_asked_and_what_shows_at_last_closes_it(
    engine: Engine, sandbox: Sandbox, carried: Post
) -> None:
    held_by(engine, sandbox, carried, DROPPED)
    for number in (1, 2):
        assert alarm(engine, carried, number) == []
        assert decide(engine, carried, None).state == issues.HELD
        assert send(engine, carried).state == issues.HELD  # an editor lets it go on; it is held again
    assert books(engine) == Accounting(audience=30, accepted=20, in_doubt=10)
    assert copies(sandbox) == Counter(READERS)
    sandbox.faults.clear()
    assert alarm(engine, carried, 3) == []  # it only asks, and that is enough
    assert books(engine) == Accounting(audience=30, accepted=30)
    issue = issue_of(engine)
    assert (issue.state, issue.held_because) == (issues.SENT, None)
    assert copies(sandbox) == Counter(READERS)


@pytest.mark.parametrize(
    ("stop", "then"), [(steering.pause, issues.SENT), (steering.cancel, issues.CANCELLED)], ids=["paused", "called off"]
)
def test_of_what_was_stopped_it_is_asked_what_is_in_doubt_and_nothing_is_sent(
    engine: Engine, sandbox: Sandbox, carried: Post, stop: Callable[[Session, Week], Issue], then: str
) -> None:
    held_by(engine, sandbox, carried, DROPPED)
    with writing(engine) as session:
        if then == issues.SENT:
            steering.resume(session, W47)
        stop(session, W47)
        session.commit()
    taken = sandbox.messages
    assert alarm(engine, carried) == []
    assert books(engine).in_doubt == BATCH
    sandbox.faults.clear()
    assert alarm(engine, carried, 2) == []
    assert books(engine) == Accounting(audience=30, accepted=30)
    assert issue_of(engine).state == then
    assert copies(sandbox) == Counter(message.recipients[0] for message in taken if message.tag)


def test_on_an_editors_word_what_is_in_doubt_is_sent_again(engine: Engine, sandbox: Sandbox, carried: Post) -> None:
    outcome = held_by(engine, sandbox, carried, NOT_TAKEN)
    assert outcome.state == issues.HELD
    assert sum(copies(sandbox).values()) == 20
    decided = decide(engine, carried, Decision.RESEND)
    assert (decided.resent, decided.given_up, decided.state) == (BATCH, 0, issues.SENDING)
    (outcome,) = alarm(engine, carried)
    assert outcome.state == issues.SENT
    assert copies(sandbox) == Counter(READERS)
    assert books(engine) == Accounting(audience=30, accepted=30)


def test_on_an_editors_word_what_is_in_doubt_is_given_up(engine: Engine, sandbox: Sandbox, carried: Post) -> None:
    held_by(engine, sandbox, carried, NOT_TAKEN)
    decided = decide(engine, carried, Decision.GIVE_UP)
    assert (decided.resent, decided.given_up, decided.state) == (0, BATCH, issues.SENT)
    assert books(engine) == Accounting(audience=30, accepted=20, refused=10)
    assert alarm(engine, carried) == []
    assert sum(copies(sandbox).values()) == 20


@pytest.mark.parametrize("decision", Decision)
def test_what_the_provider_shows_after_all_needs_no_decision(
    sqlite_engine: Engine, sandbox: Sandbox, carried: Post, decision: Decision
) -> None:
    held_by(sqlite_engine, sandbox, carried, DROPPED)
    sandbox.faults.clear()
    decided = decide(sqlite_engine, carried, decision)
    assert (decided.resent, decided.given_up, decided.state) == (0, 0, issues.SENT)
    assert books(sqlite_engine) == Accounting(audience=30, accepted=30)


@pytest.mark.parametrize("decision", Decision)
def test_nobody_decides_what_has_not_rested(
    sqlite_engine: Engine, sandbox: Sandbox, carried: Post, decision: Decision
) -> None:
    patient = replace(carried, settle=timedelta(minutes=10))
    ready(sqlite_engine)
    sandbox.faults.set(*DROPPED)
    outgoing.send_issue(sqlite_engine, LATENESS, patient, W47, Run(clock=now, wait=False))
    with pytest.raises(
        CannotDo, match=r"^10 readers of issue 2026-W47 are in doubt.*: decide after \d\d:\d\d:\d\d UTC$"
    ):
        decide(sqlite_engine, patient, decision)
    assert (books(sqlite_engine).in_doubt, issue_of(sqlite_engine).state) == (BATCH, issues.SENDING)


def test_a_provider_that_refuses_the_whole_account_holds_the_issue_in_its_own_words(
    engine: Engine, sandbox: Sandbox, carried: Post
) -> None:
    ready(engine)
    sandbox.faults.set("refused:code=405")
    outcome = send(engine, carried)
    assert outcome.state == issues.HELD
    assert books(engine) == Accounting(audience=30, queued=30)
    assert sandbox.faults.struck["refused"] <= 4  # the batches that were under way at once, not one for each reader
    assert "405" in (issue_of(engine).held_because or "")
    assert alarm(engine, carried) == []
    assert sandbox.messages == []
    sandbox.faults.clear()
    assert alarm(engine, carried) == []  # it was an editor's turn, and still is
    assert sandbox.messages == []
    assert send(engine, carried).state == issues.SENT
    assert copies(sandbox) == Counter(READERS)
