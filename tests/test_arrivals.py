"""What an event proves of our own books."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import arrivals, outgoing, steering
from newsletter.arrivals import Settled
from newsletter.db import writing
from newsletter.delivery import doubts, ledger
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
from newsletter.issues import issue as issues
from newsletter.message import Letter
from newsletter.outgoing import Run
from newsletter.steering import cancel, give_up_doubtful, hold, pause
from newsletter.tracking.event import Taken
from subscribers.subscriber import ACTIVE, SUPPRESSED, UNSUBSCRIBED
from tests.begun import IDS, LETTER, all_in_doubt, assert_all_holds, begin
from tests.delivery import readers
from tests.delivery.readers import books, claim, doubt, record, row_key, rows
from tests.newsroom import RULES, TUESDAY, W47, approve, at, draft, issue_of, post, publish, set_status, subscribe


@pytest.fixture
def begun(engine: Engine, tmp_path: Path) -> Engine:
    return begin(engine, tmp_path)


def settle(engine: Engine, number: int, batch: str = "0" * 32) -> Settled | None:
    """Postmark tells of the message that a reader's copy became."""
    taken = Taken(row_key(engine, LETTER, number), batch, IDS[number])
    return arrivals.settle(engine, taken, TUESDAY)


def test_an_event_settles_doubt_and_the_last_one_closes_a_held_issue(begun: Engine) -> None:
    key = all_in_doubt(begun)
    with writing(begun) as session:
        hold(session, W47, "the search shows nothing")
        session.commit()
    for number in (1, 2):
        assert settle(begun, number, key) == Settled(LETTER, str(W47), issues.HELD)
    assert issue_of(begun).held_because == "the search shows nothing"
    assert settle(begun, 3, key) == Settled(LETTER, str(W47), issues.SENT)
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert [(row.message_id, row.batch, row.settled_at, row.reason) for row in rows(begun, LETTER)] == [
        (IDS[number], key, TUESDAY, None) for number in (1, 2, 3)
    ]
    closed = issue_of(begun)
    assert (closed.state, closed.sent_at, closed.held_because) == (issues.SENT, TUESDAY, None)
    assert_all_holds(begun)


def test_an_event_told_twice_or_of_another_message_changes_nothing_the_second_time(begun: Engine) -> None:
    key = all_in_doubt(begun)
    assert settle(begun, 1, key) is not None
    before = rows(begun, LETTER)
    assert settle(begun, 1, key) is None
    row = row_key(begun, LETTER, 1)
    assert arrivals.settle(begun, Taken(row, key, IDS[9]), TUESDAY) is None
    assert rows(begun, LETTER) == before


def test_an_issue_that_was_paused_for_its_last_doubts_is_sent(begun: Engine) -> None:
    key = all_in_doubt(begun)
    with writing(begun) as session:
        pause(session, W47)
        session.commit()
    assert [getattr(settle(begun, number, key), "state", None) for number in (1, 2, 3)] == ["paused", "paused", "sent"]


def test_an_issue_that_was_called_off_stays_so_and_its_books_are_right(begun: Engine) -> None:
    key = all_in_doubt(begun)
    with writing(begun) as session:
        cancel(session, W47)
        session.commit()
    for number in (1, 2, 3):
        assert settle(begun, number, key) == Settled(LETTER, str(W47), issues.CANCELLED)
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert_all_holds(begun)


def test_who_was_given_up_or_left_or_suppressed_meanwhile_has_had_it(begun: Engine, tmp_path: Path) -> None:
    key = all_in_doubt(begun)
    with writing(begun) as session:
        doubts.resend_all(session, LETTER)
        session.commit()
    set_status(begun, UNSUBSCRIBED, "reader1@example.com")
    set_status(begun, SUPPRESSED, "reader2@example.com")
    second = claim(begun, LETTER)
    assert doubt(begun, LETTER) == 1
    with writing(begun) as session:
        give_up_doubtful(session, W47, TUESDAY)
        session.commit()
    assert books(begun, LETTER) == Accounting(audience=3, left=1, suppressed=1, refused=1)
    assert issue_of(begun).state == issues.SENT
    for number in (1, 2):
        assert settle(begun, number, key) == Settled(LETTER, str(W47), issues.SENT)
    settle(begun, 3, second.key)
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert_all_holds(begun)


def test_who_was_queued_again_is_not_sent_to_a_second_time(begun: Engine, tmp_path: Path) -> None:
    key = all_in_doubt(begun)
    doubts.requeue(begun, LETTER, key)
    assert settle(begun, 2, key) == Settled(LETTER, str(W47), issues.SENDING)
    outgoing.send_issue(begun, RULES, post(tmp_path), W47, at(TUESDAY))
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert len(list(tmp_path.rglob("*.eml"))) == 2
    assert_all_holds(begun)


@pytest.mark.parametrize(
    "outcome", [NotSent("no line"), Unknown("no answer"), Refused("no mailbox", passing=True), Accepted("m")], ids=repr
)
def test_an_event_of_the_first_try_counts_while_the_second_is_under_way(begun: Engine, outcome: Outcome) -> None:
    first = all_in_doubt(begun)
    doubts.requeue(begun, LETTER, first)
    second = claim(begun, LETTER)
    settle(begun, 2, first)
    record(begun, LETTER, second, [Accepted("one"), outcome, Accepted("three")])
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert rows(begun, LETTER)[1].message_id == IDS[2]
    assert_all_holds(begun)


def test_an_event_may_be_faster_than_the_answer(begun: Engine) -> None:
    batch = claim(begun, LETTER)
    assert settle(begun, 1, batch.key) == Settled(LETTER, str(W47), issues.SENDING)
    assert books(begun, LETTER) == Accounting(audience=3, sending=2, accepted=1)
    record(begun, LETTER, batch, [Accepted(IDS[number]) for number, _ in batch.readers])
    assert books(begun, LETTER) == Accounting(audience=3, accepted=3)
    assert_all_holds(begun)


def test_a_message_that_a_restored_backup_knows_nothing_of_is_not_sent_again(begun: Engine, tmp_path: Path) -> None:
    settle(begun, 1, "e" * 32)
    assert (rows(begun, LETTER)[0].state, rows(begun, LETTER)[0].batch) == (ledger.ACCEPTED, None)
    outgoing.send_issue(begun, RULES, post(tmp_path), W47, at(TUESDAY))
    assert len(list(tmp_path.rglob("*.eml"))) == 2
    assert_all_holds(begun)


@pytest.mark.parametrize(
    "row",
    [
        "",
        "probe",
        "{key}",
        "{key}-",
        "{key}-99",
        "{key}--1",
        "{key}-1-1",
        "{key}-2147483647",
        "{key}-2147483648",
        "{key}-" + "9" * 19,
        "{key}-" + "9" * 60,
        "0123456789abcdef-1",
        "-1",
        "%-1",
    ],
)
def test_a_key_of_another_letter_or_of_a_reader_without_a_row_does_nothing(begun: Engine, row: str) -> None:
    subscribe(begun, ["later@example.com"])
    key = all_in_doubt(begun)
    before = rows(begun, LETTER)
    of_letter = row_key(begun, LETTER, 1).partition("-")[0]
    assert arrivals.settle(begun, Taken(row.format(key=of_letter), key, IDS[1]), TUESDAY) is None
    assert settle(begun, 4, key) is None
    assert rows(begun, LETTER) == before


def test_a_letter_to_one_person_is_settled_alike_and_belongs_to_no_issue(engine: Engine) -> None:
    subscribe(engine, ["ada@example.com"], ACTIVE)
    with writing(engine) as session:
        stored = ledger.store(session, Letter("Welcome", "", "<p>", "."), "welcome", TUESDAY)
        ledger.add(session, stored, 1)
        session.commit()
    key = claim(engine, LETTER).key
    readers.doubt(engine, LETTER)
    assert settle(engine, 1, key) == Settled(LETTER)
    assert books(engine, LETTER) == Accounting(audience=1, accepted=1)


def test_an_event_of_what_is_known_waits_for_no_writer(begun: Engine) -> None:
    batch = claim(begun, LETTER)
    record(begun, LETTER, batch, [Accepted(IDS[number]) for number, _ in batch.readers])
    with begun.connect() as writer:  # on SQLite it has the one write lock, on PostgreSQL that of every row
        writer.exec_driver_sql("UPDATE deliveries SET reason = reason")
        writer.exec_driver_sql("UPDATE issues SET held_because = held_because")
        assert settle(begun, 1, batch.key) is None


def test_two_events_at_once_close_the_issue_together(begun: Engine) -> None:
    key = all_in_doubt(begun)
    settle(begun, 1, key)
    together = threading.Barrier(2)

    def tell(number: int) -> None:
        together.wait()
        settle(begun, number, key)

    threads = [threading.Thread(target=tell, args=[number]) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issue_of(begun).state == issues.SENT
    assert_all_holds(begun)


def test_an_editor_who_decides_and_an_event_never_wait_for_each_other_in_a_ring(engine: Engine, tmp_path: Path) -> None:
    publish(engine)
    draft(engine)
    approve(engine)
    subscribe(engine, [f"reader{number}@example.com" for number in range(1, 41)])
    over = threading.Event()
    over.set()
    outgoing.send_issue(engine, RULES, post(tmp_path), W47, Run(clock=lambda: TUESDAY, stop=over))
    key = claim(engine, LETTER).key
    doubt(engine, LETTER)
    errors: list[BaseException] = []

    def events() -> None:
        try:
            for number in range(40, 0, -1):
                arrivals.settle(engine, Taken(row_key(engine, LETTER, number), key, f"m-{number}"), TUESDAY)
        except BaseException as error:  # noqa: BLE001  looked at below
            errors.append(error)

    thread = threading.Thread(target=events)
    thread.start()
    for _ in range(20):
        with writing(engine) as session:
            steering.resend_doubtful(session, W47)
            session.commit()
    thread.join()
    assert errors == []
    assert books(engine, LETTER) == Accounting(audience=40, accepted=40)
