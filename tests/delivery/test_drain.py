"""A provider that refuses us, has too much to do, or says nothing; an end from outside; a database that is busy."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from newsletter.db import is_sqlite, open_engine, reading, writing
from newsletter.delivery import drain, ledger, pacing
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.pacing import Limit
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from newsletter.delivery.send import Sent
from newsletter.delivery.throttle import PaceRow
from newsletter.message import Recipient
from tests.delivery.providers.moody import Call, Moody, take_all
from tests.delivery.readers import books, drawn_up, recipient
from tests.delivery.runs import NEVER, clock, run, wait_for

PAUSE = 0.01  # seconds, in place of those that a real provider is given
BUSY = "too many requests"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "FIRST_PAUSE", PAUSE)
    monkeypatch.setattr(pacing, "JITTER", 0.0)
    monkeypatch.setattr(drain, "LOOK", 0.005)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "CONCURRENCY", 1)


def all_of(call: Call, outcome: Outcome) -> list[Outcome]:
    return [outcome] * len(call.rows)


def script(*outcomes: Outcome | None) -> Callable[[Call], list[Outcome]]:
    """The outcome of all of each call in turn; None, and after the last one: it takes all."""

    def answer(call: Call) -> list[Outcome]:
        outcome = outcomes[call.number - 1] if call.number <= len(outcomes) else None
        return take_all(call) if outcome is None else all_of(call, outcome)

    return answer


def test_what_only_a_person_can_mend_ends_the_send_at_the_first_batch_with_the_providers_words(engine: Engine) -> None:
    letter_id = drawn_up(engine, 200)
    provider = Moody(lambda call: all_of(call, NotSent("the token is not valid", lasting=True, rest=3.0)))
    sent = run(engine, provider, letter_id)
    assert (sent.stopped, sent.needs_editor) == ("the token is not valid", "the token is not valid")
    assert sent.accounting == Accounting(audience=200, queued=200)
    assert len(provider.calls) <= drain.CONCURRENCY


def test_what_is_not_sent_and_not_asked_to_wait_ends_the_run_and_needs_no_editor(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 200)
    provider = Moody(lambda call: all_of(call, NotSent("not reached")))
    sent = run(sqlite_engine, provider, letter_id)
    assert (sent.stopped, sent.needs_editor) == ("not reached", None)
    assert sent.accounting == Accounting(audience=200, queued=200)
    assert len(provider.calls) <= drain.CONCURRENCY
    assert run(sqlite_engine, Moody(), letter_id).accounting == Accounting(audience=200, accepted=200)


@pytest.mark.usefixtures("one_thread")
def test_a_batch_that_stops_in_its_middle_for_good_ends_the_run_though_some_of_it_was_taken(
    sqlite_engine: Engine,
) -> None:
    letter_id = drawn_up(sqlite_engine, 30)
    provider = Moody(lambda call: [Accepted("m"), *all_of(call, NotSent("disk full"))[1:]])
    sent = run(sqlite_engine, provider, letter_id)
    assert (sent.stopped, sent.accounting) == ("disk full", Accounting(audience=30, accepted=1, queued=29))
    assert len(provider.calls) == 1


@pytest.mark.usefixtures("one_thread")
def test_where_it_has_too_much_to_do_batches_halve_and_pauses_double_until_it_answers_and_then_grow(
    engine: Engine,
) -> None:
    letter_id = drawn_up(engine, 300)
    busy = NotSent(BUSY, rest=0.0)
    provider = Moody(script(None, busy, busy, busy, None), max_batch=80)
    sent = run(engine, provider, letter_id)
    assert sent == Sent(Accounting(audience=300, accepted=300))
    assert provider.sizes == [80, 80, 40, 20, 10, 16, 25, 38, 58, 73]
    assert [pause >= 2**n * PAUSE for n, pause in enumerate(provider.pauses[1:4])] == [True] * 3
    assert set(provider.copies.values()) == {1}


@pytest.mark.usefixtures("one_thread")
def test_it_is_left_alone_for_as_long_as_it_asks(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 30)
    provider = Moody(script(NotSent(BUSY, rest=0.3), Unknown("overloaded", rest=0.2)))
    run(sqlite_engine, provider, letter_id, wait=False)
    assert provider.pauses[0] >= 0.3
    assert provider.pauses[1] >= 0.2
    assert provider.sizes[:2] == [10, 10]


def test_after_the_first_trouble_one_call_at_a_time_is_made_until_it_answers(engine: Engine) -> None:
    letter_id = drawn_up(engine, 200)
    together = threading.Barrier(drain.CONCURRENCY)

    def answer(call: Call) -> list[Outcome]:
        if call.number <= drain.CONCURRENCY:
            together.wait(10)
            return all_of(call, NotSent(BUSY, rest=0.0))
        time.sleep(0.1 if call.number <= 8 else 0)  # time for another thread to come in
        alone.append(provider.under_way == 1)
        if call.number <= 7:
            return all_of(call, NotSent(BUSY, rest=0.0))
        answered.set()
        return take_all(call)

    alone: list[bool] = []
    answered = threading.Event()
    provider = Moody(answer)
    sent = run(engine, provider, letter_id)
    assert sent == Sent(Accounting(audience=200, accepted=200))
    assert provider.most == drain.CONCURRENCY
    assert alone[:4] == [True] * 4  # the fifth to the eighth: none answered before


@pytest.mark.usefixtures("one_thread")
def test_after_so_many_times_not_now_it_is_left_alone_and_another_run_may_try(engine: Engine) -> None:
    letter_id = drawn_up(engine, 30)
    provider = Moody(lambda call: all_of(call, NotSent(BUSY, rest=0.0)))
    sent = run(engine, provider, letter_id)
    assert sent.stopped == f"{drain.MAX_BUSY} batches in a row were sent away: {BUSY}"
    assert (sent.needs_editor, sent.accounting) == (None, Accounting(audience=30, queued=30))
    assert len(provider.calls) == drain.MAX_BUSY
    assert run(engine, Moody(), letter_id).accounting == Accounting(audience=30, accepted=30)


@pytest.mark.usefixtures("one_thread")
def test_after_so_many_batches_without_any_answer_it_is_left_alone(engine: Engine) -> None:
    letter_id = drawn_up(engine, 300)
    provider = Moody(lambda call: all_of(call, Unknown("no answer")), max_batch=80)
    sent = run(engine, provider, letter_id, settle=NEVER)
    assert sent.stopped == f"{drain.MAX_SILENT} batches in a row had no answer: no answer"
    assert provider.sizes == [80, 40, 20]  # less is in doubt each time
    assert sent.accounting == Accounting(audience=300, in_doubt=140, queued=160)


@pytest.mark.usefixtures("one_thread")
def test_an_answer_in_between_begins_the_count_anew(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 100)
    silent, refused = Unknown("no answer"), Refused("inactive")
    provider = Moody(script(silent, silent, refused, silent, silent, None))
    sent = run(sqlite_engine, provider, letter_id, settle=NEVER, wait=False)
    assert sent.stopped is None
    assert sent.accounting == Accounting(audience=100, in_doubt=40, refused=10, accepted=50)


def test_an_end_from_outside_lets_what_is_under_way_be_recorded_and_claims_nothing_more(engine: Engine) -> None:
    letter_id = drawn_up(engine, 200)
    stop, go_on = threading.Event(), threading.Event()

    def slowly(call: Call) -> list[Outcome]:
        assert go_on.wait(10)
        return take_all(call)

    provider = Moody(slowly)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(run, engine, provider, letter_id, stop=stop)
        wait_for(lambda: len(provider.calls) == drain.CONCURRENCY)
        stop.set()
        go_on.set()
        sent = sending.result(10)
    assert sent.stopped == "it was asked to end"
    assert sent.accounting == Accounting(audience=200, accepted=40, queued=160)
    assert len(provider.calls) == drain.CONCURRENCY


def test_calls_that_hang_are_not_waited_for_longer_than_the_grace_and_the_next_run_asks_about_them(
    engine: Engine,
) -> None:
    letter_id = drawn_up(engine, 60)
    stop, let_go = threading.Event(), threading.Event()

    def hanging(call: Call) -> list[Outcome]:
        if call.number % 2:
            provider.take(call)  # the provider has it; its answer is long in coming
        assert let_go.wait(30)
        return take_all(call) if call.number % 2 else all_of(call, Unknown("cut"))

    provider = Moody(hanging)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(run, engine, provider, letter_id, stop=stop, grace=0.2)
        wait_for(lambda: len(provider.calls) == drain.CONCURRENCY)
        begun = time.monotonic()
        stop.set()
        sent = sending.result(10)
        assert 0.2 <= time.monotonic() - begun < 3
    assert sent.stopped == "it was to end, and the provider had not answered everything yet"
    assert sent.accounting == Accounting(audience=60, sending=40, queued=20)

    after = Moody()
    after.has = provider.has
    asked = run(engine, after, letter_id, settle=NEVER, wait=False)
    assert asked.accounting == Accounting(audience=60, accepted=40, in_doubt=20)
    let_go.set()  # late answers, of a sender that has left the line
    wait_for(lambda: not any(thread.name.startswith("send-") for thread in threading.enumerate()))
    assert len(provider.calls) == drain.CONCURRENCY
    assert books(engine, letter_id) == asked.accounting
    assert set(after.copies.values()) == {1}


def test_a_send_that_is_to_end_before_it_begins_calls_nobody(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 10)
    stop = threading.Event()
    stop.set()
    provider = Moody()
    sent = run(sqlite_engine, provider, letter_id, stop=stop)
    assert (provider.calls, sent.accounting) == ([], Accounting(audience=10, queued=10))


def test_it_ends_also_while_it_rests_or_waits_for_its_turn(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 100)
    for answer, others in (
        (lambda call: all_of(call, NotSent(BUSY, rest=600.0)), {}),
        (take_all, {"limit": Limit(rate=0.01)}),
        (lambda call: all_of(call, Unknown("cut")), {"settle": NEVER}),
    ):
        stop = threading.Event()
        provider = Moody(answer)
        with ThreadPoolExecutor(1) as threads:
            sending = threads.submit(run, sqlite_engine, provider, letter_id, stop=stop, **others)
            wait_for(lambda provider=provider: len(provider.calls) > 0)  # type: ignore[misc]
            time.sleep(0.05)
            stop.set()
            sending.result(5)


def test_what_a_provider_raises_ends_the_send_and_the_next_one_finds_what_was_taken(engine: Engine) -> None:
    letter_id = drawn_up(engine, 100)

    def breaks_its_word(call: Call) -> list[Outcome]:
        if call.number == 3:
            provider.take(call)
            raise ZeroDivisionError("a defect")
        return take_all(call)

    provider = Moody(breaks_its_word)
    with pytest.raises(ZeroDivisionError):
        run(engine, provider, letter_id)
    found = books(engine, letter_id)
    assert found.sending == 10
    after = Moody()
    after.has = provider.has
    assert run(engine, after, letter_id, settle=NEVER).accounting == Accounting(audience=100, accepted=100)
    assert set(after.copies.values()) == {1}


@pytest.fixture
def impatient(database_url: str) -> Iterator[Engine]:
    """An engine that does not wait long for another's lock."""
    engine = open_engine(database_url)
    sql = "PRAGMA busy_timeout = 20" if is_sqlite(engine) else "SET lock_timeout = '20ms'"

    @event.listens_for(engine, "connect")
    def hurry(connection: object, _: object) -> None:
        with closing(connection.cursor()) as cursor:  # type: ignore[attr-defined]
            cursor.execute(sql)
        if not is_sqlite(engine):
            connection.commit()  # type: ignore[attr-defined]

    yield engine
    engine.dispose()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("long", [False, True])
def test_outcomes_that_the_database_does_not_take_are_written_again_a_moment_later(
    engine: Engine, impatient: Engine, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    monkeypatch.setattr(drain, "RECORD_PAUSES", (0.05, 0.05) if long else (0.05, 2.0))
    letter_id = drawn_up(engine, 10)
    let_go, held = threading.Event(), threading.Event()

    def somebody_else() -> None:
        with writing(engine) as session:
            if not is_sqlite(engine):
                session.connection().exec_driver_sql("LOCK TABLE deliveries IN EXCLUSIVE MODE")
            session.connection()
            held.set()
            let_go.wait(30)

    def answer(call: Call) -> list[Outcome]:
        other.start()
        assert held.wait(10)
        if not long:
            threading.Timer(0.15, let_go.set).start()
        return take_all(call)

    other = threading.Thread(target=somebody_else)
    provider = Moody(answer)
    if long:
        with pytest.raises(Exception, match=r"locked|lock timeout"):
            run(impatient, provider, letter_id)
    else:
        assert run(impatient, provider, letter_id).accounting == Accounting(audience=10, accepted=10)
    let_go.set()
    other.join()
    after = Moody()
    after.has = provider.has
    assert run(engine, after, letter_id, settle=NEVER).accounting == Accounting(audience=10, accepted=10)
    assert set(after.copies.values()) == {1}


def test_a_letter_that_is_closed_in_its_midst_goes_out_no_further_and_what_was_under_way_is_recorded(
    engine: Engine,
) -> None:
    letter_id = drawn_up(engine, 200)
    closed = threading.Event()
    together = threading.Barrier(drain.CONCURRENCY)

    def answer(call: Call) -> list[Outcome]:
        if together.wait(10) == 0:
            with writing(engine) as session:
                ledger.set_open(session, letter_id, is_open=False)
                session.commit()
            closed.set()
        assert closed.wait(10)
        return take_all(call)

    provider = Moody(answer)
    sent = run(engine, provider, letter_id)
    assert (sent.stopped, sent.accounting) == (None, Accounting(audience=200, accepted=40, queued=160))
    assert len(provider.calls) == drain.CONCURRENCY


def test_under_a_limit_no_more_time_is_taken_than_the_readers_need(engine: Engine) -> None:
    """Or a letter to one person would keep the next one waiting for the time that a whole batch takes."""
    letter_id = drawn_up(engine, 25)
    provider = Moody(max_batch=500)
    begun = clock()
    sent = run(engine, provider, letter_id, limit=Limit(rate=100.0))
    assert clock() - begun < timedelta(seconds=0.9)  # a thread that found nothing left did not wait for its turn
    assert (provider.sizes, sent.accounting) == ([25], Accounting(audience=25, accepted=25))
    with reading(engine) as session:
        assert timedelta(seconds=0.25) <= session.exec(select(PaceRow.free_at)).one() - begun < timedelta(seconds=1)


def test_under_a_limit_batches_are_of_one_slot_and_wait_for_it(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 45)
    provider = Moody(max_batch=500)
    run(sqlite_engine, provider, letter_id, limit=Limit(rate=20.0))
    assert provider.sizes == [20, 20, 5]
    assert provider.calls[-1].at - provider.calls[0].at >= 1.9


@pytest.mark.parametrize(("readers", "threads"), [(10, 1), (11, 2), (100, drain.CONCURRENCY)])
def test_no_more_threads_are_started_than_there_are_batches(sqlite_engine: Engine, readers: int, threads: int) -> None:
    seen: list[int] = []

    def answer(call: Call) -> list[Outcome]:
        time.sleep(0.05)
        seen.append(sum(thread.name.startswith("send-") for thread in threading.enumerate()))
        return take_all(call)

    run(sqlite_engine, Moody(answer), drawn_up(sqlite_engine, readers))
    assert max(seen) == threads


def test_a_batch_of_which_something_cannot_be_read_before_the_call_is_not_in_doubt(sqlite_engine: Engine) -> None:
    letter_id = drawn_up(sqlite_engine, 30)
    cut = iter([True])

    def unreadable(row: str, number: int, email: str) -> Recipient:
        if next(cut, False):
            raise OperationalError("SELECT 1", {}, Exception("disk I/O error\nat reader0@example.com"))
        return recipient(row, number, email)

    provider = Moody()
    sent = run(sqlite_engine, provider, letter_id, recipient_of=unreadable)
    assert sent.stopped == "what a letter is filled with could not be read: disk I/O error"
    assert (sent.accounting.in_doubt, sent.accounting.sending, sent.needs_editor) == (0, 0, None)
    assert run(sqlite_engine, provider, letter_id).accounting.accepted == 30
    assert set(provider.copies.values()) == {1}
