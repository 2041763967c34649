from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from subscribers import preferences, subscriber
from subscribers.address import parse_address
from subscribers.preferences import Asked
from subscribers.subscriber import Subscriber
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES, Tokens
from tests.web.world import NOW, Parsed, a_reader, everything, key_to, queued, status_of, way_out, wishes


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def named(assembly: Assembly, reader: int, email: str = "new@example.org") -> int:
    """The id of the change that a reader asks for."""
    with writing(assembly.engine) as session:
        asking = session.get_one(Subscriber, reader)
        assert preferences.ask_address(session, asking, parse_address(email), NOW) is Asked.WRITE
        change = preferences.asked_change(session, asking)
        session.commit()
    assert change is not None
    assert change.id is not None
    return change.id


def email_of(assembly: Assembly, reader: int) -> str:
    with reading(assembly.engine) as session:
        return session.get_one(Subscriber, reader).email


def test_looking_changes_nothing(client: TestClient, assembly: Assembly) -> None:
    path = key_to(assembly, ADDRESS, named(assembly, a_reader(assembly)))
    before = everything(assembly)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<button") == 1
    assert "Nothing is done yet" in answer.text
    assert "@" not in answer.text
    assert client.head(path).status_code == 200
    assert everything(assembly) == before


def test_the_button_moves_the_reader_and_the_old_way_out_stays_good(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    path = key_to(assembly, ADDRESS, named(assembly, reader))
    answer = client.post(path)
    assert answer.status_code == 200
    assert "Your address has changed" in answer.text
    (own,) = [link["href"] for link in Parsed(answer.text).named("a") if "/preferences/" in str(link["href"])]
    assert "new@example.org" in client.get(str(own)).text
    assert wishes(assembly, reader) == [("moved", "link to the new address")]
    assert queued(assembly) == [("changed", reader)]  # once, though the button is pressed again
    after = everything(assembly)
    assert "This link has been used" in client.post(path).text
    assert everything(assembly) == after
    assert "You are unsubscribed" in client.post(way_out(assembly, reader)).text


def test_keys_from_before_a_move_open_nothing_and_a_fresh_one_goes_to_the_new_address(
    client: TestClient, assembly: Assembly
) -> None:
    reader = a_reader(assembly)
    old = key_to(assembly, PREFERENCES, reader, ago=timedelta(minutes=1))
    same_minute = key_to(assembly, PREFERENCES, reader)
    change = named(assembly, reader)
    assert client.get(old).status_code == 200
    client.post(key_to(assembly, ADDRESS, change))
    before = everything(assembly)
    expired = key_to(assembly, PREFERENCES, reader, ago=timedelta(days=60))
    wishes_of_a_thief = [{"do": "erase", "sure": "yes"}, {"do": "leave"}, {"do": "address", "email": "t@example.org"}]
    for method, below, wish in [("GET", "", {}), ("GET", "/data", {}), *(("POST", "", w) for w in wishes_of_a_thief)]:
        answer, other = (client.request(method, f"{key}{below}", data=wish) for key in (old, expired))
        assert (answer.status_code, answer.content) == (410, other.content)
    assert everything(assembly) == before
    assert "new@example.org" in client.get(same_minute).text
    assert "Look into your inbox" in client.post(old, data={"do": "link"}).text
    assert queued(assembly) == [("changed", reader), ("link", reader)]
    assert email_of(assembly, reader) == "new@example.org"


def test_a_link_to_confirm_from_before_a_move_is_no_key_either(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    old = key_to(assembly, CONFIRM, reader, ago=timedelta(days=1))
    assert "/preferences/" in client.post(old).text
    client.post(key_to(assembly, ADDRESS, named(assembly, reader)))
    for status in (subscriber.ACTIVE, subscriber.UNSUBSCRIBED):
        with writing(assembly.engine) as session:
            session.get_one(Subscriber, reader).status = status
            session.commit()
        answer = client.post(old)
        assert "out of date" in answer.text
        assert "/preferences/" not in answer.text
        assert status_of(assembly, reader) == status


@pytest.mark.parametrize("status", [subscriber.ACTIVE, subscriber.PAUSED, subscriber.UNSUBSCRIBED])
def test_who_keeps_their_address_makes_the_letter_to_the_other_one_worthless(
    client: TestClient, assembly: Assembly, status: str
) -> None:
    reader = a_reader(assembly)
    change = named(assembly, reader)
    with writing(assembly.engine) as session:
        session.get_one(Subscriber, reader).status = status
        session.commit()
    own = key_to(assembly, PREFERENCES, reader)
    assert "new@example.org" in client.get(own).text
    assert "Keep my address" in client.get(own).text
    for _ in range(2):
        answer = client.post(own, data={"do": "stay"})
        assert answer.status_code == 200
        assert "Your address stays as it is" in answer.text
        assert "new@example.org" not in answer.text
    assert "This link has been used" in client.post(key_to(assembly, ADDRESS, change)).text
    assert email_of(assembly, reader) == "ada@example.com"


def test_an_address_that_is_meanwhile_somebody_elses_is_left_to_them(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    path = key_to(assembly, ADDRESS, named(assembly, reader))
    a_reader(assembly, email="new@example.org")
    before = everything(assembly)
    answer = client.post(path)
    assert answer.status_code == 200
    assert "cannot be used" in answer.text
    assert everything(assembly) == before


def test_a_link_is_good_for_a_day(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    change = named(assembly, reader)
    before = everything(assembly)
    for method in ("GET", "POST"):
        answer = client.request(method, key_to(assembly, ADDRESS, change, ago=timedelta(days=1)))
        assert answer.status_code == 410
        assert "This link has expired" in answer.text
    assert everything(assembly) == before
    client.post(key_to(assembly, ADDRESS, change, ago=timedelta(hours=23, minutes=59)))
    assert email_of(assembly, reader) == "new@example.org"


@pytest.mark.parametrize("status", [subscriber.SUPPRESSED, subscriber.ERASED])
def test_who_is_gone_moves_nowhere(client: TestClient, assembly: Assembly, status: str) -> None:
    reader = a_reader(assembly)
    change = named(assembly, reader)
    with writing(assembly.engine) as session:
        session.get_one(Subscriber, reader).status = status
        session.commit()
    before = everything(assembly)
    assert "This link has been used" in client.post(key_to(assembly, ADDRESS, change)).text
    assert everything(assembly) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_link_changes_nothing(client: TestClient, assembly: Assembly, method: str) -> None:
    reader = a_reader(assembly)
    change = named(assembly, reader)
    good = key_to(assembly, ADDRESS, change).removeprefix("/address/")
    forged = Tokens(["somebody else's key"]).make_passing(ADDRESS, change, NOW)
    elsewhere = [assembly.tokens.make_passing(PREFERENCES, change, NOW), assembly.tokens.make("unsubscribe", change)]
    before = everything(assembly)
    for token in (good[:-1], good + "A", good.swapcase(), f"2{good}", forged, *elsewhere, "%00", "x" * 9000):
        answer = client.request(method, f"/address/{token}")
        assert answer.status_code == 404
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert everything(assembly) == before
