"""Readers are found by their addresses and among the newest, and nobody goes through a million rows for it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlmodel import Session

from newsletter.db import reading, writing
from subscribers import looking_up, subscriber
from subscribers.address import parse_address
from subscribers.erasure import TRACES, erase
from subscribers.looking_up import Page
from subscribers.subscriber import ACTIVE, PAUSED, PENDING
from tests.newsroom import MONDAY

READERS = (
    ("ada@example.com", ACTIVE),
    ("adam@example.com", PAUSED),
    ("Ada.Lovelace@gmail.com", ACTIVE),
    ("ada_b@example.com", ACTIVE),
    ("ada%c@example.com", PENDING),
    ("bea@example.com", ACTIVE),
)


@pytest.fixture
def readers(engine: Engine) -> Engine:
    return filled(engine)


def filled(engine: Engine) -> Engine:
    with writing(engine) as session:
        for hours, (email, status) in enumerate(READERS):
            subscriber.add(session, parse_address(email), status, MONDAY + timedelta(hours=hours))
        session.commit()
    return engine


def found(engine: Engine, look: Callable[[Session], Page]) -> list[str]:
    with reading(engine) as session:
        return [one.email for one in look(session).readers]


@pytest.mark.parametrize(
    ("begins", "emails"),
    [
        ("adam", {"adam@example.com"}),
        (" ADAM@", {"adam@example.com"}),
        ("ada_", {"ada_b@example.com"}),
        ("ada%", {"ada%c@example.com"}),
        ("ada.lo", {"Ada.Lovelace@gmail.com"}),
        ("adalo", {"Ada.Lovelace@gmail.com"}),
        ("a.d.a.lovelace@googlem", {"Ada.Lovelace@gmail.com"}),
        ("b", {"bea@example.com"}),
        ("da", set()),
        ("erased:", set()),
        ("\U0010ffff", set()),
    ],
)
def test_readers_are_found_by_how_their_addresses_begin(readers: Engine, begins: str, emails: set[str]) -> None:
    assert set(found(readers, lambda session: looking_up.beginning(session, begins))) == emails


def test_pages_go_on_behind_each_other_and_miss_nobody(readers: Engine) -> None:
    looks: list[tuple[int, Callable[[Session, int | None], Page]]] = [
        (5, lambda session, behind: looking_up.beginning(session, "a", behind=behind, most=2)),
        (6, lambda session, behind: looking_up.newest(session, behind=behind, most=2)),
        (4, lambda session, behind: looking_up.newest(session, ACTIVE, behind=behind, most=1)),
    ]
    for there_are, look in looks:
        seen: list[str] = []
        behind = None
        with reading(readers) as session:
            while True:
                page = look(session, behind)
                seen += [one.email for one in page.readers]
                behind = page.next
                if behind is None:
                    break
        assert len(seen) == len(set(seen)) == there_are


def test_the_newest_come_first_and_by_status(readers: Engine) -> None:
    assert found(readers, looking_up.newest)[:2] == ["bea@example.com", "ada%c@example.com"]
    assert found(readers, lambda session: looking_up.newest(session, PAUSED)) == ["adam@example.com"]
    assert found(readers, lambda session: looking_up.beginning(session, "ada", PENDING)) == ["ada%c@example.com"]


def test_whoever_was_erased_is_found_and_counted_nowhere(readers: Engine) -> None:
    with writing(readers) as session:
        reader = subscriber.find(session, parse_address("bea@example.com"))
        assert reader is not None
        erase(session, reader, TRACES, MONDAY)
        session.commit()
    with reading(readers) as session:
        assert looking_up.counts(session) == {
            "pending": 1,
            "active": 3,
            "paused": 1,
            "unsubscribed": 0,
            "suppressed": 0,
        }
        assert looking_up.newest(session).readers[0].email == "ada%c@example.com"
        assert not looking_up.beginning(session, "").readers[5:]
        assert not looking_up.beginning(session, "a", behind=reader.id).readers


@pytest.mark.parametrize("many", [False, True], ids=["few of a status", "many of a status"])
def test_no_search_goes_through_the_table(sqlite_engine: Engine, many: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if many:
        monkeypatch.setattr(looking_up, "FEW", 2)
    filled(sqlite_engine)
    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, parameters: tuple[object, ...], *_: object) -> None:
        if statement.startswith("SELECT"):
            rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in rows)

    with sqlite_engine.connect() as own:
        own.execute(text("SELECT 1"))
        raw = own.connection.cursor()
        with reading(sqlite_engine) as session:
            session.connection()
            event.listen(sqlite_engine, "before_cursor_execute", explain)
            try:
                looking_up.beginning(session, "ada.l")
                looking_up.beginning(session, "ada", ACTIVE)
                looking_up.beginning(session, "ada@g", ACTIVE, behind=1)
                looking_up.newest(session, ACTIVE, behind=5)
                looking_up.counts(session)
            finally:
                event.remove(sqlite_engine, "before_cursor_execute", explain)
    assert len(plans) > 8
    assert [plan for plan in plans if plan.startswith("SCAN subscribers") and "COVERING INDEX" not in plan] == []
    if many:
        assert any("(address_key>? AND address_key<?)" in plan for plan in plans)
        assert not [plan for plan in plans if "TEMP B-TREE" in plan]
