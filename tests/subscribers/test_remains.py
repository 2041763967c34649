from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter.db import reading, writing
from subscribers import consent, subscriber
from subscribers.address import parse_address
from subscribers.erasure import TRACES, erase
from subscribers.preferences import AddressChange
from subscribers.remains import keys_in, remains
from subscribers.signup import SignUp
from subscribers.subscriber import ACTIVE
from tests.newsroom import IN_W46, MONDAY, TUESDAY, subscribe

ADA = parse_address("ada.lovelace@example.com")


@pytest.fixture
def erased(engine: Engine) -> Engine:
    """A database in which Ada was erased, and Bo reads on."""
    subscribe(engine, [ADA.email, "bo@example.com"])
    with writing(engine) as session:
        reader = subscriber.find(session, ADA)
        assert reader is not None
        erase(session, reader, TRACES, MONDAY)
        session.commit()
    return engine


def sign_up(at: datetime) -> SignUp:
    return SignUp(email=ADA.email, address_key=ADA.key, source="form", words="", words_version="1", at=at)


def found(session: Session) -> list[str]:
    session.flush()
    return list(remains(session))


def test_nothing_is_left_after_an_erasure(erased: Engine) -> None:
    with reading(erased) as session:
        assert found(session) == []


@pytest.mark.parametrize(
    "text",
    [
        "ada.lovelace@example.com",
        "Ada.Lovelace@EXAMPLE.com",
        "Ada Lovelace <ada.lovelace@example.com>, by phone",
        "see 'ada.lovelace@example.com'.",
        "https://example.com/?to=ada.lovelace@example.com&x",
        "bo@example.com;ada.lovelace@example.com",
        '{"email":"ada.lovelace@example.com"}',
    ],
)
def test_an_erased_address_is_found_in_any_text_and_not_repeated(erased: Engine, text: str) -> None:
    with writing(erased) as session:
        consent.note(session, 2, consent.ADDED, text, TUESDAY)
        (line,) = found(session)
        assert line == "consents 1, source: holds an address that was erased"


@pytest.mark.parametrize("text", ["bo@example.com", "grace.lovelace@example.com", "ada.lovelace at example.com", "a@b"])
def test_what_is_another_address_or_none_is_passed_over(erased: Engine, text: str) -> None:
    with writing(erased) as session:
        consent.note(session, 2, consent.ADDED, text, TUESDAY)
        assert found(session) == []


def test_addresses_are_read_from_a_text_as_they_are_compared() -> None:
    assert set(keys_in("a.da+x@gmail.com")) == {"ada+x@gmail.com"}
    assert "lena@xn--bcher-kva.example" in set(keys_in("(Lena@BÜCHER.example)"))
    assert "o'brien@example.com" in set(keys_in("o'brien@example.com"))
    assert set(keys_in("@ @@ a@ @b.c x@y.z")) == {"x@y.z"}


def test_an_address_that_was_given_again_may_stand_where_it_was_given(erased: Engine) -> None:
    later = TUESDAY + timedelta(days=1)
    with writing(erased) as session:
        session.add(sign_up(later))
        session.add(AddressChange(subscriber_id=2, email=ADA.email, address_key=ADA.key, asked_at=later))
        assert found(session) == []
        session.add(sign_up(IN_W46))
        assert (
            found(session)
            == [
                "sign_ups 2, address_key: holds an address that was erased",
                "sign_ups 2, email: holds an address that was erased",
            ][::-1]
        )
        session.rollback()
        subscriber.add(session, ADA, ACTIVE, later)
        consent.note(session, 2, consent.ADDED, f"recommended by {ADA.email}", later)
        assert found(session) == []
