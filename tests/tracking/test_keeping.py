"""How events are stored: once, under whose copy they are, and with no more of anybody than may be kept."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update
from sqlmodel import col, select

from newsletter import arrivals, farewell
from newsletter.arrivals import Arrived
from newsletter.db import is_sqlite, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import ACCEPTED, TOTALS, Delivery, StoredLetter
from newsletter.invariants import violations
from newsletter.message import Letter
from newsletter.tracking import keeping
from newsletter.tracking.event import (
    BOUNCED_HARD,
    CLICKED,
    DELIVERED,
    DOOR,
    OPENED,
    OTHER,
    POLL,
    Event,
    key_of,
)
from newsletter.tracking.keeping import Kept
from newsletter.tracking.postmark import translate
from newsletter.tracking.scanners import FETCHER, HEAD, RULES
from newsletter.tracking.store import StoredEvent
from subscribers.address import parse_address
from subscribers.fingerprint import Fingerprints
from subscribers.subscriber import Subscriber
from tests.newsroom import TUESDAY, subscribe
from tests.tracking.test_payloads import ALL

ADA, BO = "ada@example.com", "bo@example.com"
MESSAGE = "883953f4-6105-42a2-a16a-77a8eac7948{}"
AT = datetime(2026, 11, 24, 8, 59, 59, 7, UTC)


@pytest.fixture
def sent(engine: Engine) -> Engine:
    """A letter that Ada (1) and Bo (2) have had."""
    numbers = subscribe(engine, [ADA, BO])
    assert numbers == [1, 2]
    with writing(engine) as session:
        stored = ledger.store(session, Letter("A letter", "", "<p>", "."), "2026-W47", TUESDAY)
        stored.audience = 2
        session.flush()
        rows = [
            {
                "letter_id": 1,
                "subscriber_id": number,
                "state": ACCEPTED,
                "message_id": MESSAGE.format(number),
                "settled_at": TUESDAY,
            }
            for number in numbers
        ]
        session.connection().execute(insert(Delivery), rows)
        session.commit()
    return engine


def row_of(engine: Engine, number: int) -> str:
    with reading(engine) as session:
        return session.get_one(StoredLetter, 1).row_key(number)


def event(kind: str = DELIVERED, **fields: Any) -> Event:
    """Something that has happened, told with all its words."""
    told = Event(key="", record_type="Delivery", kind=kind, at=AT, agent="Mozilla", body=f"{ADA} {BO}", stream="s")
    told = replace(told, **fields)
    return replace(told, key=fields.get("key") or key_of(*map(str, fields.values()), kind))


def keep(engine: Engine, *events: Event) -> list[Kept]:
    with writing(engine) as session:
        kept = keeping.keep(session, events, TUESDAY)
        session.commit()
    return kept


def rows(engine: Engine) -> list[StoredEvent]:
    with reading(engine) as session:
        return list(session.exec(select(StoredEvent).order_by(col(StoredEvent.id))))


def only(engine: Engine) -> StoredEvent:
    (row,) = rows(engine)
    return row


def fingerprint(engine: Engine, email: str) -> str:
    with reading(engine) as session:
        return Fingerprints(session).of(parse_address(email))


def erase(engine: Engine, number: int) -> None:
    with writing(engine) as session:
        farewell.forget(session, session.get_one(Subscriber, number), TUESDAY)
        session.commit()


def note_totals(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(StoredLetter).values(opens=TOTALS, clicks=TOTALS))


def test_all_that_an_event_says_is_stored_and_a_time_that_it_does_not_say_is_that_of_its_coming(sent: Engine) -> None:
    said = event(
        CLICKED,
        key="k" * 32,
        row=row_of(sent, 2),
        source=POLL,
        detail='a "word", \\ and 100 %',
        message_id=MESSAGE.format(2),
        link="comparisons/ox-vs-mend",
        agent="Ä/1",
        body='{"Recipient": "bo@example.com", "x": "\\u0000 😀"}',
    )
    (kept,) = keep(sent, said)
    row = only(sent)
    assert (kept.id, kept.subscriber_id, kept.pending, kept.fresh) == (row.id, 2, False, True)
    assert row.model_dump(exclude={"id"}) == {
        "key": said.key,
        "source": POLL,
        "record_type": "Delivery",
        "kind": CLICKED,
        "detail": said.detail,
        "at": AT,
        "received_at": TUESDAY,
        "letter_id": 1,
        "subscriber_id": 2,
        "fingerprint": None,
        "message_id": MESSAGE.format(2),
        "stream": "s",
        "link": said.link,
        "agent": "Ä/1",
        "machine": None,
        "rules": None,
        "pending": False,
        "body": said.body,
    }
    keep(sent, event(row=row_of(sent, 1), at=None), event(email="nobody@example.com", at=None))
    assert [row.at for row in rows(sent)] == [AT, TUESDAY, TUESDAY]


WHOSE: dict[str, tuple[dict[str, Any], int | None, int | None, str | None]] = {
    "its row names the copy, whatever its address": ({"row": 1, "email": BO}, 1, 1, None),
    "a message id and an address": ({"message_id": MESSAGE.format(2), "email": "Bo@Example.com"}, 1, 2, None),
    "another's message id": ({"message_id": MESSAGE.format(1), "email": BO}, None, 2, None),
    "an address alone": ({"email": BO}, None, 2, None),
    "a row of ours that nobody has": ({"row": 77, "email": BO}, None, 2, None),
    "another letter's row": ({"row": "0123456789abcdef-1", "email": BO}, None, 2, None),
    "a stranger": ({"row": "0123456789abcdef-1", "email": "No@example.com"}, None, None, "no@example.com"),
    "no address that can be read": ({"email": "no address"}, None, None, None),
    "nothing at all": ({}, None, None, None),
}


@pytest.mark.parametrize("name", WHOSE)
def test_it_is_found_whose_copy_it_is_about(sent: Engine, name: str) -> None:
    fields, letter, reader, stranger = WHOSE[name]
    if isinstance(fields.get("row"), int):
        fields = fields | {"row": row_of(sent, 1).partition("-")[0] + f"-{fields['row']}"}
    keep(sent, event(BOUNCED_HARD, **fields))
    row = only(sent)
    print_ = fingerprint(sent, stranger) if stranger else None
    assert (row.letter_id, row.subscriber_id, row.fingerprint) == (letter, reader, print_)
    assert row.body
    with reading(sent) as session:
        assert violations(session) == []


def test_what_is_told_twice_is_one_row_within_a_group_and_after_it(sent: Engine) -> None:
    one, other, stranger = event(row=row_of(sent, 1)), event(email=BO), event(email="no@example.com")
    first = keep(sent, one, other, replace(one, body="another telling"), stranger, other)
    assert [each.fresh for each in first] == [True, True, False, True, False]
    assert first[0].id == first[2].id
    again = keep(sent, stranger, other, one)
    assert [(each.fresh, each.id) for each in again] == [
        (False, first[3].id),
        (False, first[1].id),
        (False, first[0].id),
    ]
    assert [row.body for row in rows(sent)] == [one.body] * 3


@pytest.mark.parametrize("way", [{"row": 1}, {"message_id": MESSAGE.format(1), "email": ADA}], ids=["row", "address"])
def test_where_totals_are_wanted_an_opening_or_a_click_is_nobodys(sent: Engine, way: dict[str, Any]) -> None:
    note_totals(sent)
    if "row" in way:
        way = {"row": row_of(sent, 1), "message_id": MESSAGE.format(1), "email": ADA}
    keep(
        sent,
        event(OPENED, **way),
        event(OPENED, **way, agent="curl/8.1"),
        event(CLICKED, **way, source=DOOR, detail="HEAD"),
        event(DELIVERED, **way),
    )
    of_nobody = [row for row in rows(sent) if row.kind != DELIVERED]
    assert {(row.letter_id, row.subscriber_id, row.message_id, row.agent, row.body) for row in of_nobody} == {
        (1, None, None, None, None)
    }
    assert {row.fingerprint for row in of_nobody} == {None}
    assert {(row.machine, row.rules) for row in of_nobody} == {(None, RULES), (FETCHER, RULES), (HEAD, RULES)}
    (delivered,) = [row for row in rows(sent) if row.kind == DELIVERED]
    assert (delivered.subscriber_id, delivered.machine, delivered.rules) == (1, None, None)
    assert delivered.body


@pytest.mark.parametrize("way", ["row", "address"])
def test_of_a_reader_who_was_erased_nothing_is_kept_that_names_them(sent: Engine, way: str) -> None:
    row = row_of(sent, 1)
    erase(sent, 1)
    keep(sent, event(OPENED, row=row, email=ADA) if way == "row" else event(OPENED, email=ADA))
    stored = only(sent)
    assert (stored.agent, stored.body, stored.fingerprint) == (None, None, None)
    assert stored.subscriber_id == (1 if way == "row" else None)


@pytest.mark.parametrize("way", ["row", "address"])
def test_who_is_being_erased_at_the_moment_is_waited_for(sent: Engine, way: str) -> None:
    row = row_of(sent, 1)
    told = event(OPENED, row=row, email=ADA) if way == "row" else event(OPENED, email=ADA)
    thread = threading.Thread(target=keep, args=[sent, told])
    with writing(sent) as session:
        farewell.forget(session, session.get_one(Subscriber, 1), TUESDAY)
        thread.start()
        if not is_sqlite(sent):
            wait_for_a_lock(sent)
        session.commit()
    thread.join()
    stored = only(sent)
    assert (stored.agent, stored.body, stored.fingerprint) == (None, None, None)


def wait_for_a_lock(engine: Engine) -> None:
    give_up = time.monotonic() + 10
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            assert time.monotonic() < give_up
            time.sleep(0.01)


def posts(engine: Engine, *, of_ours: bool) -> list[Event]:
    """All examples of what is posted; `of_ours`: as if they were about Ada's copy."""
    keys = {"row": row_of(engine, 1), "batch": "0" * 32}
    change = {"MessageID": MESSAGE.format(1), "Metadata": keys} if of_ours else {}
    payloads = [example["payload"] | change for example in ALL]
    return [translate(json.dumps(payload).encode(), str(number), "") for number, payload in enumerate(payloads)]


@pytest.mark.parametrize("of_ours", [True, False], ids=["ours", "not ours"])
def test_whatever_is_posted_ends_in_the_same_rows_twice_and_in_reverse_order(sent: Engine, of_ours: bool) -> None:
    events = posts(sent, of_ours=of_ours)
    subscribe(sent, ["margareth@nasa.com"])
    before = snapshot(sent)
    take(sent, events, 1)
    after = snapshot(sent)
    assert after["events"] != before["events"]
    assert after["readers"] != before["readers"]
    for size in (1, 500):
        for turn in (events, list(reversed(events))):
            take(sent, turn, size)
            assert snapshot(sent) == after
    with sent.begin() as connection:
        for table in ("events", "suppressions", "consents"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(update(Subscriber).values(status="active"))
    assert snapshot(sent) == before
    take(sent, [*reversed(events), *events], 500)
    assert snapshot(sent) == after


def take(engine: Engine, events: list[Event], size: int) -> list[Arrived]:
    return [
        arrived
        for first in range(0, len(events), size)
        for arrived in arrivals.take(engine, events[first : first + size], "broadcast", TUESDAY)
    ]


def snapshot(engine: Engine) -> dict[str, Any]:
    """All that events change, but for when they came, and their own numbers."""
    with reading(engine) as session:
        readers = sorted((reader.email, reader.status) for reader in session.exec(select(Subscriber)))
    events = sorted((row.model_dump(exclude={"id", "received_at"}) for row in rows(engine)), key=lambda row: row["key"])
    return {"events": events, "readers": readers}


def test_what_a_database_refuses_spoils_none_of_its_group_and_is_kept_bare(sent: Engine) -> None:
    good = [event(row=row_of(sent, 1), message_id=str(number)) for number in range(5)]
    poison = [
        event("of no kind", row=row_of(sent, 1), body=ADA),
        event(row=row_of(sent, 1), detail="half a character: \ud800", body="\ud800 \0"),
        event(email="no@example.com", detail="\ud800"),
    ]
    arrived = arrivals.take(sent, [good[0], poison[0], *good[1:3], *poison[1:], *good[3:]], "broadcast", TUESDAY)
    assert [(each.fresh, each.done) for each in arrived] == [(True, True)] * 8
    stored = {row.key: row for row in rows(sent)}
    assert {stored[each.key].kind for each in good} == {DELIVERED}
    assert {(stored[each.key].record_type, stored[each.key].kind) for each in poison} == {("unstorable", OTHER)}
    assert stored[poison[1].key].body == r"'\ud800 \x00'"


def test_two_who_are_told_the_same_at_once_store_it_once_and_neither_gives_up(sent: Engine) -> None:
    events = posts(sent, of_ours=True) + posts(sent, of_ours=False)
    events += [event(BOUNCED_HARD, email=f"no{number}@example.com") for number in range(50)]
    together = threading.Barrier(2)
    results: list[list[Arrived]] = []

    def tell(told: list[Event]) -> None:
        together.wait()
        results.append(arrivals.take(sent, told, "broadcast", TUESDAY))

    threads = [threading.Thread(target=tell, args=[told]) for told in (events, list(reversed(events)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.fresh for both in results for each in both) == len({each.key for each in events}) == len(rows(sent))
    assert not any(row.pending for row in rows(sent))


def test_the_plan_of_a_group_looks_everything_up_by_keys(sqlite_engine: Engine, tmp_path: Path) -> None:
    """However many deliveries and readers there are: a group must not go through all of them."""
    connection = sqlite_engine.connect()
    statement = keeping._adding_by_copy(sqlite=True).compile(sqlite_engine)
    plan = connection.exec_driver_sql(
        f"EXPLAIN QUERY PLAN {statement}", tuple("[]" if name == "events" else "" for name in statement.positiontup)
    )
    steps = [row[3] for row in plan]
    assert not [step for step in steps if step.startswith("SCAN") and "anon" not in step], steps
    connection.close()
