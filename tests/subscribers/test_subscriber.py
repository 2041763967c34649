from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from newsletter.db import reading, writing
from subscribers import subscriber
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, FINAL, PAUSED, STATUSES, Subscriber
from tests.newsroom import IN_W46, MONDAY, set_status, subscribe


def test_a_reader_is_found_however_the_address_is_spelled(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["Lena@bücher.example"])
    with reading(sqlite_engine) as session:
        found = subscriber.find(session, parse_address("lena@XN--BCHER-KVA.example"))
        assert found is not None
        assert (found.id, found.email, found.since) == (number, "Lena@bücher.example", IN_W46)
        assert subscriber.find(session, parse_address("lena@buecher.example")) is None


def test_an_address_is_on_the_list_once(engine: Engine) -> None:
    subscribe(engine, ["ana@example.com"])
    with writing(engine) as session, pytest.raises(IntegrityError):
        subscriber.add(session, parse_address("ANA@example.com"), PAUSED, IN_W46)


def test_a_move_dates_the_new_status_and_no_move_leaves_the_date() -> None:
    reader = Subscriber(email="ana@example.com", address_key="ana@example.com", status=ACTIVE, since=IN_W46)
    assert not subscriber.move(reader, ACTIVE, MONDAY)
    assert reader.since == IN_W46
    assert subscriber.move(reader, PAUSED, MONDAY)
    assert (reader.status, reader.since) == (PAUSED, MONDAY)


def test_only_leaving_and_suppression_are_final() -> None:
    assert set(STATUSES) - FINAL == {"pending", "active", "paused"}


def test_everybody_is_listed_once_over_the_edges_of_pages(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PAGE", 3)
    for count in (0, 2, 3, 4, 6, 7):
        with writing(sqlite_engine) as session:
            session.connection().exec_driver_sql("DELETE FROM subscribers")
            session.commit()
        emails = [f"reader{number}@example.com" for number in range(count)]
        subscribe(sqlite_engine, emails)
        with reading(sqlite_engine) as session:
            assert [one.email for one in subscriber.every(session)] == emails
    set_status(sqlite_engine, PAUSED, "reader1@example.com", "reader6@example.com")
    with reading(sqlite_engine) as session:
        assert [one.email[6] for one in subscriber.every(session, PAUSED)] == ["1", "6"]
        assert [one.email[6] for one in subscriber.every(session, ACTIVE)] == ["0", "2", "3", "4", "5"]


def test_since_survives_the_database_to_the_microsecond(sqlite_engine: Engine) -> None:
    moment = IN_W46 + timedelta(microseconds=1)
    with writing(sqlite_engine) as session:
        subscriber.add(session, parse_address("ana@example.com"), ACTIVE, moment)
        session.commit()
    with reading(sqlite_engine) as session:
        assert [one.since for one in subscriber.every(session)] == [moment]
