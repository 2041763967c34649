"""A test of an issue: the real mail to an editor, outside the audience, and counted nowhere."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter import arrivals, outgoing, previewing, trial
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import BY_READER, Delivery, StoredLetter, copy_of
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Accepted, NotSent, Refused, Unknown
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.message import Filler
from newsletter.post import Post
from newsletter.sandbox.mailbox import content_of
from newsletter.sandbox.server import Sandbox
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import StoredEvent
from newsletter.trial import MOST, TESTS_AN_HOUR, OnTrial, Tried
from newsletter.weekly import CannotDo
from subscribers.subscriber import ACTIVE, SUPPRESSED, Subscriber
from subscribers.tokens import UNSUBSCRIBE
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, issue_of, post, publish, subscribe

TRACKED = replace(RULES, opens=BY_READER, clicks=BY_READER)


@pytest.fixture
def carried(sandbox: Sandbox, tmp_path: Path) -> Iterator[Post]:
    provider = PostmarkProvider(sandbox.token, sandbox.url, timeout=20)
    yield replace(post(tmp_path), provider=provider)
    provider.close()


@pytest.fixture
def drafted(sqlite_engine: Engine) -> Engine:
    publish(sqlite_engine)
    draft(sqlite_engine)
    return sqlite_engine


def prepare(engine: Engine, carried: Post, *to: str, editor_id: int | None = None) -> OnTrial:
    with writing(engine) as session:
        issue = issues.find(session, W47)
        assert issue
        letter = previewing.letter_of(previewing.Look(session, TRACKED, carried, issue))
        made = trial.prepare(session, TRACKED, carried, issue, letter, to, TUESDAY, editor_id)
        session.commit()
        return made


def test_a_test_is_the_mail_that_readers_get_and_nobody_counts_it(
    drafted: Engine, carried: Post, sandbox: Sandbox
) -> None:
    subscribe(drafted, ["ana@example.com"])
    tried = trial.send(carried, prepare(drafted, carried, "Ed@example.com", "pat@example.com", "ed@example.com"))
    assert [(each.email, each.went) for each in tried] == [("Ed@example.com", True), ("pat@example.com", True)]
    with reading(drafted) as session:
        assert session.exec(select(Delivery)).all() == []
        assert ledger.accounting(session, issue_of(drafted).letter_id).audience == 0
    assert issue_of(drafted).state == issues.DRAFT

    approve(drafted, rules=TRACKED)
    outgoing.send_issue(drafted, TRACKED, carried, W47, at(TUESDAY))
    *tests, real = sandbox.messages
    with reading(drafted) as session:
        stored = session.exec(select(StoredLetter)).one()
    for message in tests:
        test, issue = message.fields(), real.fields()
        assert test.keys() == issue.keys()
        for name in test.keys() - {"To", "Tag", "Metadata", "Headers", "TemplateModel"}:
            assert test[name] == issue[name], name
        assert test["Tag"] == "2026-W47-test"
        assert [each["Name"] for each in test["Headers"]] == [each["Name"] for each in issue["Headers"]]
        (way_out,) = [each["Value"] for each in test["Headers"] if each["Name"] == "List-Unsubscribe"]
        assert carried.tokens.read(UNSUBSCRIBE, way_out.strip("<>").rpartition("/")[2]) == 0
        nobody = carried.recipient_at(issue_of(drafted).created_at)("", 0, test["To"])
        assert (content_of(message).html, content_of(message).text) == Filler(stored.letter()).fill(nobody.values)
        key = copy_of(test["Metadata"]["row"])
        assert key
        assert key[0] != stored.key
        assert key[1] == 0
    assert len({message.fields()["Metadata"]["row"] for message in tests}) == 2
    with reading(drafted) as session:
        assert ledger.accounting(session, stored.id).audience == 1


def test_what_comes_back_of_a_test_is_kept_and_hurts_nothing(engine: Engine, carried: Post, sandbox: Sandbox) -> None:
    drafted = engine
    publish(drafted)
    draft(drafted)
    (number,) = subscribe(drafted, ["ana@example.com"])
    trial.send(carried, prepare(drafted, carried, "ana@example.com", "ed@example.com"))
    bodies: list[dict[str, Any]] = []
    for message in sandbox.messages:
        of_message = {
            "MessageID": message.id,
            "Metadata": message.fields()["Metadata"],
            "Recipient": message.fields()["To"],
            "MessageStream": "broadcast",
        }
        moment = "2026-11-24T09:00:00Z"
        bodies += [
            {"RecordType": "Delivery", "DeliveredAt": moment, **of_message},
            {"RecordType": "Open", "ReceivedAt": moment, **of_message},
            {"RecordType": "Click", "ReceivedAt": moment, "OriginalLink": "https://example.com/", **of_message},
        ]
    events = [translate(json.dumps(body).encode(), None, "https://verdicts.example.com") for body in bodies]
    arrived = arrivals.take(drafted, events, "broadcast", TUESDAY)
    assert [(each.fresh, each.done, each.settled) for each in arrived] == [(True, True, None)] * 6
    with reading(drafted) as session:
        kept = session.exec(select(StoredEvent)).all()
        assert {each.letter_id for each in kept} == {None}
        assert {each.subscriber_id for each in kept} == {number, None}
        assert not [each for each in kept if each.pending]
        assert session.get_one(Subscriber, number).status == ACTIVE
        assert violations(session) == []


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (["gone@example.com", "ed@example.com"], "gone@example.com must not be written to"),
        (["no address"], "'no address' is no address"),
        (["Ed <ed@example.com>"], "is no address"),
        (["ed@example.com\r\nBcc: all@example.com"], "is no address"),
        ([f"e{number}@example.com" for number in range(MOST + 1)], "at most 10 addresses at a time"),
        ([" "], "name at least one"),
    ],
)
def test_a_test_that_may_not_be_sent_is_sent_to_nobody(
    drafted: Engine, carried: Post, sandbox: Sandbox, to: list[str], why: str
) -> None:
    subscribe(drafted, ["gone@example.com"], SUPPRESSED)
    with pytest.raises(CannotDo) as refused:
        prepare(drafted, carried, *to)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert sandbox.messages == []


def test_an_editor_sends_so_many_tests_an_hour(drafted: Engine, carried: Post) -> None:
    for _ in range(TESTS_AN_HOUR):
        prepare(drafted, carried, "ed@example.com", editor_id=1)
    with pytest.raises(CannotDo, match="within an hour"):
        prepare(drafted, carried, "ed@example.com", editor_id=1)
    assert len(prepare(drafted, carried, "ed@example.com", editor_id=2).recipients) == 1


def test_each_outcome_is_told_and_no_repr_names_an_address(drafted: Engine, carried: Post, sandbox: Sandbox) -> None:
    made = prepare(drafted, carried, "ed@example.com")
    assert "ed@example.com" not in repr(made)
    told = [
        Tried("ed@example.com", outcome).words
        for outcome in (Accepted("1"), Refused("inactive"), Unknown("no answer"), NotSent("no credits", lasting=True))
    ]
    assert told == [
        "the provider has taken it",
        "refused: inactive",
        "it is not known whether it went: no answer",
        "not sent: no credits",
    ]
    sandbox.close()
    (tried,) = trial.send(carried, made)
    assert not tried.went
    assert "ed@example.com" not in repr(tried)
