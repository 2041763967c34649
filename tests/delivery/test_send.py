"""Sending through real HTTP to the sandbox, over a line that breaks."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import Engine, update
from sqlmodel import col, select

from newsletter.db import reading
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery
from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.reconcile import Reconciled, reconcile
from newsletter.delivery.send import Sent
from newsletter.delivery.smtp import SmtpProvider
from newsletter.message import Recipient
from newsletter.sandbox.server import Sandbox
from subscribers.subscriber import Subscriber
from tests.delivery.faulty_line import LOSE_ANSWER, LOSE_REQUEST, FaultyLine
from tests.delivery.providers.smtp_server import SmtpServer, cut
from tests.delivery.readers import ENVELOPE, books, claim, drawn_up, recipient
from tests.delivery.runs import NEVER, clock, copies, each_once, run, small_batches


async def hang_up(server: SMTP) -> str:
    cut(server)
    return "421 gone"


def test_everybody_gets_the_letter_once(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(engine, 45)
    provider = small_batches(sandbox.url, sandbox.token)

    sent = run(engine, provider, letter_id)

    assert sent == Sent(ledger.Accounting(audience=45, accepted=45))
    assert each_once(sandbox, 45)
    with reading(engine) as session:
        ids = session.exec(select(Delivery.message_id)).all()
    assert set(ids) == {message.id for message in sandbox.messages}


def test_a_second_send_sends_nothing(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 20)
    provider = small_batches(sandbox.url, sandbox.token)
    run(sqlite_engine, provider, letter_id)

    run(sqlite_engine, provider, letter_id)

    assert each_once(sandbox, 20)


def test_a_lost_answer_is_asked_about_and_never_sent_again(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(engine, 60)
    with FaultyLine(sandbox.url, None, LOSE_ANSWER, None, LOSE_ANSWER) as line:
        sent = run(engine, small_batches(line.url, sandbox.token), letter_id, settle=NEVER)

        assert line.posts == 6
    assert sent.accounting == ledger.Accounting(audience=60, accepted=60)
    assert each_once(sandbox, 60)


def test_a_lost_request_is_sent_again_once_it_has_settled_and_the_search_is_seen_to_work(
    engine: Engine, sandbox: Sandbox
) -> None:
    letter_id = drawn_up(engine, 60)
    with FaultyLine(sandbox.url, None, LOSE_REQUEST, None) as line:
        sent = run(engine, small_batches(line.url, sandbox.token), letter_id)

        assert line.posts == 7
    assert sent.accounting == ledger.Accounting(audience=60, accepted=60)
    assert each_once(sandbox, 60)


def test_what_is_sent_again_keeps_its_row_key(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 10)
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        run(sqlite_engine, small_batches(line.url, sandbox.token), letter_id)
    with reading(sqlite_engine) as session:
        stored = session.get_one(ledger.StoredLetter, letter_id)
    rows = {message.fields()["Metadata"]["row"] for message in sandbox.messages if message.tag == ENVELOPE.tag}
    assert rows == {stored.row_key(number) for number in range(1, 11)}


def test_when_nothing_was_sent_later_a_probe_to_nobody_is_the_control(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 10)
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        sent = run(sqlite_engine, small_batches(line.url, sandbox.token), letter_id)

    assert sent.accounting.accepted == 10
    probes = [message for message in sandbox.messages if message.recipients == ("test@blackhole.postmarkapp.com",)]
    assert len(probes) == 1
    assert each_once(sandbox, 10)


def test_before_the_settle_time_what_is_in_doubt_stays_so(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 20)
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        sent = run(sqlite_engine, small_batches(line.url, sandbox.token), letter_id, settle=NEVER, wait=False)

    assert sent.accounting == ledger.Accounting(audience=20, accepted=10, in_doubt=10)
    assert sent.settles_at is not None
    assert sent.settles_at > clock() + timedelta(hours=23)
    assert sum(copies(sandbox).values()) == 10


def test_a_provider_that_answers_nothing_any_more_is_left_alone(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 400)
    with FaultyLine(sandbox.url, *[LOSE_REQUEST] * 40) as line:
        sent = run(sqlite_engine, small_batches(line.url, sandbox.token), letter_id, settle=NEVER)

        assert line.posts <= 6  # three in a row, and what the other threads had under way
    assert sent.stopped is not None
    assert sent.accounting.queued >= 340
    assert sent.accounting.adds_up


def test_a_provider_that_is_not_there_leaves_the_queue_as_it_was(engine: Engine) -> None:
    letter_id = drawn_up(engine, 30)

    sent = run(engine, small_batches("http://127.0.0.1:9/", "token"), letter_id)

    assert sent.accounting == ledger.Accounting(audience=30, queued=30)
    assert sent.stopped is not None


def test_a_wrong_token_stops_the_run_with_the_providers_words(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 30)

    sent = run(sqlite_engine, small_batches(sandbox.url, "wrong-token"), letter_id)

    assert sent.accounting.queued == 30
    assert sent.stopped is not None
    assert "token" in sent.stopped.lower()
    assert "wrong-token" not in sent.stopped


def test_a_reader_the_provider_refuses_does_not_hold_up_the_others(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    import requests

    url = f"{sandbox.url}message-streams/broadcast/suppressions"
    headers = {"X-Postmark-Server-Token": sandbox.token, "Accept": "application/json"}
    requests.post(url, json={"Suppressions": [{"EmailAddress": "reader3@example.com"}]}, headers=headers, timeout=5)
    letter_id = drawn_up(sqlite_engine, 10)

    sent = run(sqlite_engine, small_batches(sandbox.url, sandbox.token), letter_id)

    assert sent.accounting == ledger.Accounting(audience=10, accepted=9, refused=1)
    with reading(sqlite_engine) as session:
        (words,) = ledger.refusals(session, letter_id)
    assert "inactive" in words


def test_a_dead_senders_batch_that_had_left_is_found(engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(engine, 10)
    provider = small_batches(sandbox.url, sandbox.token)
    with reading(engine) as session:
        stored = session.get_one(ledger.StoredLetter, letter_id)
    batch = claim(engine, letter_id, now=clock())
    readers = [recipient(stored.row_key(number), number, email) for number, email in batch.readers]
    provider.send(stored.letter(), ENVELOPE, readers, batch.key)  # and the sender dies before it writes this down

    sent = run(engine, provider, letter_id, settle=NEVER)

    assert sent.accounting == ledger.Accounting(audience=10, accepted=10)
    assert each_once(sandbox, 10)


def test_the_outbox_is_never_in_doubt(sqlite_engine: Engine, tmp_path: Path) -> None:
    letter_id = drawn_up(sqlite_engine, 10)
    claim(sqlite_engine, letter_id, now=clock())  # and the sender dies before it writes a file

    sent = run(sqlite_engine, OutboxProvider(tmp_path / "outbox"), letter_id)

    assert sent.accounting == ledger.Accounting(audience=10, accepted=10)
    assert len(list((tmp_path / "outbox").rglob("*.eml"))) == 10


def test_smtp_cannot_be_asked_so_what_is_in_doubt_is_held_and_said(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 3)
    claim(sqlite_engine, letter_id, now=clock() - timedelta(minutes=1))

    sent = run(sqlite_engine, SmtpProvider("smtp://127.0.0.1:9", timeout=2), letter_id)

    assert sent.accounting == ledger.Accounting(audience=3, in_doubt=3)
    assert sent.in_doubt_because is not None
    assert "SMTP" in sent.in_doubt_because


def test_who_unsubscribes_while_the_letter_goes_out_is_not_sent_to(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 200)
    has_left = threading.Event()

    def leave(accounting: ledger.Accounting) -> None:
        if accounting.accepted and not has_left.is_set():
            with sqlite_engine.begin() as connection:
                gone = update(Subscriber).where(col(Subscriber.id) == 200).values(status="unsubscribed")
                connection.execute(gone)
            has_left.set()

    def unhurried(row: str, number: int, address: str) -> Recipient:
        assert number < 100 or has_left.wait(30)  # on a busy machine the letter may be faster than the reader
        return recipient(row, number, address)

    provider = small_batches(sandbox.url, sandbox.token)
    run(sqlite_engine, provider, letter_id, recipient_of=unhurried, on_progress=leave)

    assert books(sqlite_engine, letter_id) == ledger.Accounting(audience=200, accepted=199, left=1)
    assert copies(sandbox)["reader199@example.com"] == 0


def test_progress_is_told_from_the_first_batch_on_and_ends_with_the_books(
    sqlite_engine: Engine, sandbox: Sandbox
) -> None:
    letter_id = drawn_up(sqlite_engine, 400)
    told: list[ledger.Accounting] = []
    provider = small_batches(sandbox.url, sandbox.token)

    run(sqlite_engine, provider, letter_id, on_progress=told.append)

    assert 2 <= len(told) < 40  # not at every batch: each count reads the whole list
    assert all(accounting.adds_up for accounting in told)
    assert 0 < told[0].accepted < 400
    assert told[-1] == books(sqlite_engine, letter_id) == ledger.Accounting(audience=400, accepted=400)


def test_trouble_in_one_thread_stops_the_others_and_is_raised(sqlite_engine: Engine, sandbox: Sandbox) -> None:
    letter_id = drawn_up(sqlite_engine, 100)

    def broken(row: str, number: int, email: str) -> Recipient:
        if number == 35:
            raise ZeroDivisionError("a defect")
        return recipient(row, number, email)

    provider = small_batches(sandbox.url, sandbox.token)
    with pytest.raises(ZeroDivisionError):
        run(sqlite_engine, provider, letter_id, recipient_of=broken)

    assert run(sqlite_engine, provider, letter_id).accounting == ledger.Accounting(audience=100, accepted=100)
    assert each_once(sandbox, 100)


def test_what_another_process_puts_back_into_the_queue_is_sent_in_the_same_run(
    sqlite_engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter_id = drawn_up(sqlite_engine, 20)

    def after_the_other(*arguments: Any) -> Reconciled:
        reconcile(*arguments)
        return reconcile(*arguments)

    monkeypatch.setattr("newsletter.delivery.send.reconcile", after_the_other)
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        sent = run(sqlite_engine, small_batches(line.url, sandbox.token), letter_id, settle=timedelta(0), wait=False)

    assert sent.accounting == ledger.Accounting(audience=20, accepted=20)
    assert each_once(sandbox, 20)


def test_a_batch_that_stops_in_its_middle_loses_nobody(sqlite_engine: Engine) -> None:
    """The server breaks the line twice: of two readers it is not known, one has it, and two are still to get it."""
    letter_id = drawn_up(sqlite_engine, 5)
    with SmtpServer() as server:
        for number in (0, 2):
            server.on_data[f"reader{number}@example.com"] = hang_up
        provider = SmtpProvider(f"smtp://127.0.0.1:{server.port}", timeout=5)

        first = run(sqlite_engine, provider, letter_id, settle=NEVER, wait=False)
        again = run(sqlite_engine, provider, letter_id, settle=NEVER, wait=False)

    assert first.stopped is not None
    assert first.accounting == ledger.Accounting(audience=5, accepted=1, in_doubt=2, queued=2)
    assert again.accounting == ledger.Accounting(audience=5, accepted=3, in_doubt=2)
