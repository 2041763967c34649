"""Who sends holds a lock; whose lock is free is dead. Real processes, real connections that are cut."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import Engine, text

from newsletter.db import is_sqlite, open_engine, sqlite_file
from newsletter.delivery import doubts, drain, ledger
from newsletter.delivery.provider import Accepted, Outcome
from newsletter.delivery.send import send
from newsletter.delivery.sender_lock import Line, Sender, enter
from tests.delivery.providers.moody import Call, Moody, take_all
from tests.delivery.readers import GONE, NOW, books, claim, drawn_up, record, try_claim
from tests.delivery.runs import entered, run, wait_for

ENTER = """
import sys
from newsletter.db import open_engine
from newsletter.delivery.send import send
from newsletter.delivery.sender_lock import enter
from tests.delivery.readers import claim
engine = open_engine(sys.argv[1])
with enter(engine) as sender:
    assert sender
    claim(engine, int(sys.argv[2]), 3, sender=sender.number)
    print(sender.number, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def postgres(new_database: Callable[[str], str]) -> Iterator[Engine]:
    engine = open_engine(new_database("postgresql"))
    yield engine
    engine.dispose()


@contextmanager
def another_process(engine: Engine, letter_id: int) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A process that sends: it has entered the line and claimed three readers; (process, its number as a sender)."""
    url = engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    process = subprocess.Popen(
        [sys.executable, "-c", ENTER, url, str(letter_id)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, int(said(process.stdout))
        finally:
            process.kill()


def said(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def cut(engine: Engine, sender: Sender) -> None:
    """The server ends the session that holds a sender's lock, as when it is restarted."""
    with engine.connect() as connection:
        ended = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = :number"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ),
            {"number": sender.number},
        )
        assert ended.scalars().all() == [True]


def test_on_sqlite_there_is_one_sender_at_a_time(sqlite_engine: Engine) -> None:
    with enter(sqlite_engine) as first:
        assert first is not None
        with enter(sqlite_engine) as second:
            assert second is None
    with enter(sqlite_engine) as third:
        assert third is not None
        assert third.is_dead(first.number)


def test_a_sender_whose_locks_file_was_deleted_sends_nothing_more_beside_the_next_one(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "CONCURRENCY", 1)
    letter_id = drawn_up(sqlite_engine, 30)

    def delete_it(call: Call) -> list[Outcome]:
        file = sqlite_file(sqlite_engine)
        assert file
        file.with_name(f"{file.name}.{Line.ISSUES.value[0]}").unlink(missing_ok=True)
        return take_all(call)

    provider = Moody(delete_it)
    with entered(sqlite_engine, provider) as sending:
        sent = send(sending, letter_id)
        assert sent.stopped == drain.LOCK_LOST
        assert not sending.sender.holds()
        with enter(sqlite_engine) as second:
            assert second is not None
            assert second.holds()
    assert (sent.accounting.accepted, sent.accounting.queued) == (10, 20)
    provider = Moody()
    assert run(sqlite_engine, provider, letter_id).accounting.accepted == 30
    assert len(provider.copies) == 20


def test_on_postgresql_there_may_be_many_who_know_of_each_other(postgres: Engine) -> None:
    with enter(postgres) as first, enter(postgres) as second:
        assert first is not None
        assert second is not None
        assert first.number != second.number
        for _ in range(2):  # to ask takes nobody's lock away
            assert not first.is_dead(second.number)
            assert not second.is_dead(first.number)
        assert first.holds()
        assert second.holds()
    with enter(postgres) as third:
        assert third is not None
        assert third.is_dead(first.number)
        assert third.is_dead(second.number)


def test_no_sender_takes_itself_for_dead(engine: Engine) -> None:
    for line in Line:
        with enter(engine, line) as sender:
            assert sender is not None
            assert not sender.is_dead(sender.number)
            assert sender.is_dead(GONE)
            assert sender.holds()


def test_whoever_has_left_the_line_holds_no_lock_any_more(engine: Engine) -> None:
    with enter(engine) as sender:
        assert sender is not None
    assert not sender.holds()


def test_letters_to_one_person_are_carried_by_one_at_a_time_and_beside_issues(engine: Engine) -> None:
    with enter(engine, Line.PERSONAL) as first, enter(engine, Line.PERSONAL) as second, enter(engine) as issues:
        assert first is not None
        assert second is None
        assert issues is not None


def test_an_error_in_the_block_lets_the_lock_go(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), enter(engine, Line.PERSONAL):
        raise ZeroDivisionError
    with enter(engine, Line.PERSONAL) as sender:
        assert sender is not None


def test_a_process_that_is_killed_is_dead_at_once_and_what_it_had_under_way_is_in_doubt(engine: Engine) -> None:
    letter_id = drawn_up(engine, 5)
    with another_process(engine, letter_id) as (process, number):
        with enter(engine) as sender:
            assert (sender is None) == is_sqlite(engine)
            if sender:
                assert not sender.is_dead(number)
                assert doubts.doubt_orphans(engine, letter_id, sender.is_dead, NOW) == 0
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        with enter(engine) as sender:
            assert sender is not None
            if not is_sqlite(engine):  # whose server sees the end of the connection a moment later
                wait_for(lambda: sender.is_dead(number))
            assert doubts.doubt_orphans(engine, letter_id, sender.is_dead, NOW) == 3
    assert books(engine, letter_id) == ledger.Accounting(audience=5, queued=2, in_doubt=3)


def test_a_process_that_lives_keeps_what_it_has_under_way(postgres: Engine) -> None:
    letter_id = drawn_up(postgres, 5)
    provider = Moody()
    with another_process(postgres, letter_id):
        sent = run(postgres, provider, letter_id, wait=False)
        assert sent.accounting == ledger.Accounting(audience=5, sending=3, accepted=2)
        assert (sent.stopped, sent.needs_editor) == (None, None)


def test_senders_in_many_threads_and_processes_share_the_queue_and_no_reader(postgres: Engine) -> None:
    letter_id = drawn_up(postgres, 303)
    url = postgres.url.render_as_string(hide_password=False).replace("+psycopg", "")

    def send_all(_: int) -> list[int]:
        with closing_engine(url) as own, enter(own) as sender:
            assert sender is not None
            taken = []
            while batch := try_claim(own, letter_id, 7, sender=sender.number):
                assert sender.holds()
                assert doubts.doubt_orphans(own, letter_id, sender.is_dead, NOW) == 0
                record(own, letter_id, batch, [Accepted("m")] * len(batch.readers))
                taken += [number for number, _ in batch.readers]
            return taken

    with another_process(postgres, letter_id), ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(send_all, range(4)))
    taken = [number for share in shares for number in share]
    assert len(taken) == len(set(taken)) == 300
    assert books(postgres, letter_id) == ledger.Accounting(audience=303, accepted=300, sending=3)


def test_a_sender_whose_connection_is_cut_is_dead_to_others_and_knows_it(postgres: Engine) -> None:
    with enter(postgres) as first, enter(postgres) as second:
        assert first is not None
        assert second is not None
        cut(postgres, first)
        assert not first.holds()
        assert not first.holds()  # the pool gives the same session no new one
        assert second.is_dead(first.number)
        assert second.holds()


def test_a_sender_that_has_lost_its_lock_calls_nobody_any_more_and_leaves_the_rest_in_the_queue(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "CONCURRENCY", 1)
    letter_id = drawn_up(postgres, 30)

    def answer(call: Call) -> list[Outcome]:
        cut(postgres, sending.sender)
        return take_all(call)

    provider = Moody(answer)
    with entered(postgres, provider) as sending:
        sent = send(sending, letter_id)
    assert len(provider.calls) == 1
    assert sent.stopped == drain.LOCK_LOST
    assert sent.needs_editor is None
    assert sent.accounting == ledger.Accounting(audience=30, accepted=10, queued=20)  # also its late answer counts
    assert run(postgres, Moody(), letter_id).accounting == ledger.Accounting(audience=30, accepted=30)


def test_what_a_cut_off_sender_had_under_way_is_called_in_doubt_and_its_answer_settles_it(postgres: Engine) -> None:
    letter_id = drawn_up(postgres, 3)
    with enter(postgres) as first, enter(postgres) as second:
        assert first is not None
        assert second is not None
        batch = claim(postgres, letter_id, sender=first.number)
        assert doubts.doubt_orphans(postgres, letter_id, second.is_dead, NOW) == 0
        cut(postgres, first)
        assert doubts.doubt_orphans(postgres, letter_id, second.is_dead, NOW) == 3
        record(postgres, letter_id, batch, [Accepted("m")] * 3)
    assert books(postgres, letter_id) == ledger.Accounting(audience=3, accepted=3)


@contextmanager
def closing_engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
