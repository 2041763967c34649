from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import reading, writing
from subscribers import consent, preferences
from subscribers.address import parse_address
from subscribers.consent import Whence
from subscribers.preferences import AddressChange, Asked, Moved
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.suppression import MANUAL, suppress
from tests.newsroom import MONDAY, TUESDAY, subscribe

HERE = Whence("203.0.113.9", "Firefox")
NEW = parse_address("new@example.org")


def ask(session: Session, reader: int, address: str = NEW.email) -> Asked:
    return preferences.ask_address(session, session.get_one(Subscriber, reader), parse_address(address), MONDAY)


def change_of(session: Session, reader: int) -> AddressChange:
    change = preferences.asked_change(session, session.get_one(Subscriber, reader))
    assert change is not None
    return change


def test_what_is_muted_is_always_the_same_text(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        assert preferences.mute(session, reader, ["Writing", "Agents", "Writing"])
        assert not preferences.mute(session, reader, ["Agents", "Writing"])
        assert reader.muted == '["Agents","Writing"]'
        assert preferences.mute(session, reader, [])
        assert reader.muted_categories == []


def test_a_language_stays_until_another_is_chosen(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        assert not preferences.choose_language(session, reader, None)
        assert preferences.choose_language(session, reader, "de")
        assert not preferences.choose_language(session, reader, "de")
        for wrong in ("", "German", "DE", "de-AT"):
            with pytest.raises(ValueError, match="is no code of a language"):
                preferences.choose_language(session, reader, wrong)
        assert reader.language == "de"
        assert preferences.choose_language(session, reader, None)
        assert reader.language is None


def test_a_rest_ends_by_itself_once_its_time_is_over(engine: Engine) -> None:
    soon, later, open_end, active = subscribe(engine, [f"r{n}@example.com" for n in range(4)])
    with writing(engine) as session:
        preferences.pause(session, session.get_one(Subscriber, soon), 1, MONDAY)
        preferences.pause(session, session.get_one(Subscriber, later), 2, MONDAY)
        session.get_one(Subscriber, open_end).status = PAUSED
        session.commit()
    with writing(engine) as session:
        assert preferences.wake(session, MONDAY + timedelta(days=6, hours=23)) == 0
        assert preferences.wake(session, MONDAY + timedelta(weeks=1)) == 1
        assert preferences.wake(session, MONDAY + timedelta(weeks=1)) == 0
        session.commit()
    with reading(engine) as session:
        statuses = [session.get_one(Subscriber, number).status for number in (soon, later, open_end, active)]
        assert statuses == [ACTIVE, PAUSED, PAUSED, ACTIVE]
        woken = session.get_one(Subscriber, soon)
        assert (woken.paused_until, woken.since) == (None, MONDAY + timedelta(weeks=1))


@pytest.mark.parametrize("weeks", [0, -1, 13])
def test_a_rest_lasts_one_to_twelve_weeks(sqlite_engine: Engine, weeks: int) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session, pytest.raises(ValueError, match="1 to 12"):
        preferences.pause(session, session.get_one(Subscriber, number), weeks, MONDAY)


@pytest.mark.parametrize("status", [PENDING, UNSUBSCRIBED, SUPPRESSED])
def test_only_members_take_a_rest_and_only_a_rest_is_ended(sqlite_engine: Engine, status: str) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"], status)
    with writing(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        assert not preferences.pause(session, reader, 4, MONDAY)
        assert not preferences.resume(session, reader, MONDAY)
        assert reader.status == status


def test_a_rest_is_ended_by_the_reader(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        reader = session.get_one(Subscriber, number)
        assert preferences.pause(session, reader, 4, MONDAY)
        assert reader.paused_until == MONDAY + timedelta(weeks=4)
        assert preferences.resume(session, reader, TUESDAY)
        session.commit()
        assert (reader.status, reader.since) == (ACTIVE, TUESDAY)
        assert reader.paused_until is None


def test_a_reader_moves_when_they_confirm_at_the_new_address(engine: Engine) -> None:
    (number,) = subscribe(engine, ["ana@example.com"])
    with writing(engine) as session:
        assert ask(session, number) is Asked.WRITE
        change = change_of(session, number).id or 0
        session.commit()
    with writing(engine) as session:
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY) == (Moved.MOVED, number)
        session.commit()
    with writing(engine) as session:
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY) == (Moved.GONE, None)
        reader = session.get_one(Subscriber, number)
        assert (reader.email, reader.address_key, reader.status) == (NEW.email, NEW.key, ACTIVE)
        (step,) = consent.history(session, number)
        assert (step.kind, step.source, step.at, step.network) == ("moved", "a link", TUESDAY, "203.0.113.9")


def test_a_later_address_takes_the_place_of_an_earlier_one_whose_link_is_dead(engine: Engine) -> None:
    (number,) = subscribe(engine, ["ana@example.com"])
    with writing(engine) as session:
        ask(session, number, "first@example.org")
        first = change_of(session, number).id or 0
        ask(session, number, "second@example.org")
        assert change_of(session, number).email == "second@example.org"
        assert change_of(session, number).id != first
        assert preferences.move_address(session, first, HERE, "a link", TUESDAY) == (Moved.GONE, None)


def test_nobody_moves_to_an_address_at_which_somebody_else_reads(engine: Engine) -> None:
    number, _ = subscribe(engine, ["ana@example.com", "New@Example.org"])
    with writing(engine) as session:
        assert ask(session, number) is Asked.WRITE  # who asks does not learn it
        change = change_of(session, number).id or 0
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY) == (Moved.TAKEN, number)
        assert session.get_one(Subscriber, number).email == "ana@example.com"
        assert consent.history(session, number) == []


def test_an_address_may_be_spelled_anew(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        ask(session, number, "Ana@Example.com")
        change = change_of(session, number).id or 0
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY)[0] is Moved.MOVED
        assert session.get_one(Subscriber, number).email == "Ana@example.com"


def test_a_suppressed_address_is_neither_written_to_nor_moved_to(engine: Engine) -> None:
    (number,) = subscribe(engine, ["ana@example.com"])
    with writing(engine) as session:
        suppress(session, NEW, MANUAL, "a test", MONDAY)
        assert ask(session, number) is Asked.SILENT
        change = change_of(session, number).id or 0
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY) == (Moved.TAKEN, number)


@pytest.mark.parametrize("status", [SUPPRESSED, ERASED])
def test_who_must_not_be_written_to_moves_nowhere(sqlite_engine: Engine, status: str) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        ask(session, number)
        change = change_of(session, number).id or 0
        session.get_one(Subscriber, number).status = status
        session.flush()
        assert preferences.move_address(session, change, HERE, "a link", TUESDAY) == (Moved.GONE, None)


def test_a_reader_names_three_addresses_an_hour(sqlite_engine: Engine) -> None:
    (number,) = subscribe(sqlite_engine, ["ana@example.com"])
    with writing(sqlite_engine) as session:
        asked = [ask(session, number, f"new{n}@example.org") for n in range(4)]
        assert asked == [Asked.WRITE, Asked.WRITE, Asked.WRITE, Asked.TOO_OFTEN]
        assert change_of(session, number).email == "new2@example.org"


@pytest.mark.parametrize("tag", ["", "+{}"])
def test_a_mailbox_is_written_to_five_times_an_hour_whoever_names_it(sqlite_engine: Engine, tag: str) -> None:
    readers = subscribe(sqlite_engine, [f"r{n}@example.com" for n in range(6)])
    with writing(sqlite_engine) as session:
        asked = [ask(session, number, f"new{tag.format(number)}@example.org") for number in readers]
        assert asked == [Asked.WRITE] * 5 + [Asked.SILENT]
