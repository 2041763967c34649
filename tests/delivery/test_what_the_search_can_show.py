"""The search's silence about a message counts only where the search would show it: there, and of that very batch."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter.db import reading
from newsletter.delivery import claiming, doubts
from newsletter.delivery.claiming import Batch, Claimant
from newsletter.delivery.ledger import StoredLetter
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Accepted, Envelope, Outcome, Provider, Unknown, way_of
from newsletter.delivery.reconcile import ANOTHER_WAY, DOES_NOT_SHOW
from newsletter.delivery.smtp import SmtpProvider
from tests.delivery.providers.moody import Call, Moody
from tests.delivery.readers import ENVELOPE, GONE, NOW, books, drawn_up, rows
from tests.delivery.runs import clock, run

TOKEN = "b2a7c0de-0000-4000-8000-000000000000"


def sent_there(engine: Engine, provider: Moody, letter_id: int, limit: int, *, taken: bool) -> Batch:
    """A batch that went to a provider, which took it; `taken`: whether it told us so."""
    way = way_of(provider, ENVELOPE)
    batch = claiming.claim(engine, letter_id, limit, Claimant(GONE, clock(), way=way))
    assert batch
    call = Call(0, batch.key, tuple(row_of(engine, letter_id, number) for number, _ in batch.readers), 0)
    provider.take(call)
    outcomes: list[Outcome] = [
        Accepted(f"id-0-{row}") if taken else Unknown("the answer was lost") for row in call.rows
    ]
    claiming.record(engine, letter_id, batch, outcomes, clock())
    return batch


def row_of(engine: Engine, letter_id: int, number: int) -> str:
    with reading(engine) as session:
        return session.get_one(StoredLetter, letter_id).row_key(number)


def another_account(name: str = "another") -> Moody:
    provider = Moody()
    provider.account = name
    return provider


@pytest.mark.parametrize("batches_before", [0, 1])
def test_what_is_in_doubt_at_one_account_is_not_sent_again_because_another_one_does_not_know_it(
    sqlite_engine: Engine, batches_before: int
) -> None:
    letter_id = drawn_up(sqlite_engine, 50)
    before, now = Moody(), another_account()
    for _ in range(batches_before):
        sent_there(sqlite_engine, before, letter_id, 5, taken=True)
    sent_there(sqlite_engine, before, letter_id, 5, taken=False)
    sent = run(sqlite_engine, now, letter_id)
    assert now.copies.keys() & before.copies.keys() == set()
    assert (sent.accounting.in_doubt, sent.accounting.accepted) == (5, 45)
    assert sent.needs_editor == (DOES_NOT_SHOW if batches_before else ANOTHER_WAY)


def test_an_account_with_a_new_token_that_shows_what_the_old_one_took_is_believed(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 20)
    provider = Moody()
    sent_there(sqlite_engine, provider, letter_id, 5, taken=True)
    lost = sent_there(sqlite_engine, provider, letter_id, 5, taken=False)
    provider.has[lost.key] = {}
    provider.account = "the same, by another token"
    sent = run(sqlite_engine, provider, letter_id)
    assert (sent.accounting.accepted, sent.needs_editor) == (20, None)
    assert set(provider.copies.values()) == {1}


def test_a_search_that_hides_some_of_a_batch_that_was_certainly_taken_is_not_believed_about_the_rest_of_it(
    engine: Engine,
) -> None:
    """Both in one batch: for some the answer gave an id, for the others it could not be read."""
    letter_id = drawn_up(engine, 30)

    def half_readable(call: Call) -> list[Outcome]:
        provider.take(call)
        if call.number == 1:
            provider.hidden.add(call.batch)
        return [
            Unknown("neither an id nor an error") if call.number == 1 and place % 2 else Accepted(f"id-{row}")
            for place, row in enumerate(call.rows)
        ]

    provider = Moody(half_readable)
    sent = run(engine, provider, letter_id)
    assert set(provider.copies.values()) == {1}
    assert (sent.accounting.accepted, sent.accounting.in_doubt, sent.needs_editor) == (25, 5, DOES_NOT_SHOW)


def test_what_the_search_shows_of_who_was_queued_again_meanwhile_or_given_up_is_written_down(engine: Engine) -> None:
    letter_id = drawn_up(engine, 3)
    batch = sent_there(engine, Moody(), letter_id, 3, taken=False)
    assert doubts.requeue(engine, letter_id, batch.key) == 3  # by another process, which asked a moment earlier
    assert doubts.confirm(engine, letter_id, batch.key, {1: "m-1", 2: "m-2"}, NOW) == 2
    assert [(row.state, row.batch, row.message_id) for row in rows(engine, letter_id)] == [
        ("accepted", batch.key, "m-1"),
        ("accepted", batch.key, "m-2"),
        ("queued", None, None),
    ]
    assert books(engine, letter_id).adds_up


def test_an_account_is_told_from_another_without_telling_its_token(tmp_path: Path) -> None:
    envelopes = [ENVELOPE, Envelope(ENVELOPE.sender, "news", ENVELOPE.tag, None)]
    providers: list[Provider] = [
        PostmarkProvider(TOKEN),
        PostmarkProvider(TOKEN.replace("b", "c")),
        PostmarkProvider(TOKEN, "http://127.0.0.1:8025/"),
        SmtpProvider("smtp://ana:secret@mail.example.com:587"),
        SmtpProvider("smtp://ana:secret@mail.example.org:587"),
        OutboxProvider(tmp_path / "one"),
        OutboxProvider(tmp_path / "two"),
    ]
    ways = [way_of(provider, envelope) for provider in providers for envelope in envelopes]
    assert len(set(ways)) == len(ways)
    assert way_of(PostmarkProvider(TOKEN), ENVELOPE) == ways[0]
    assert not any(TOKEN in way or "secret" in way for way in ways)
