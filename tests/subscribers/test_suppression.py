import hmac
import re
import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert
from sqlmodel import Session, select

from newsletter.db import reading, writing
from subscribers import consent, subscriber, suppression
from subscribers.address import parse_address
from subscribers.fingerprint import ONLY_ROW, Fingerprints, Salt
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED
from subscribers.suppression import COMPLAINT, HARD_BOUNCE, MANUAL, PROVIDER, Suppression
from tests.newsroom import IN_W46, IN_W47, MONDAY, TUESDAY, subscribe

ADA = parse_address("ada@example.com")


def status(session: Session) -> str:
    found = subscriber.find(session, ADA)
    return found.status if found else "unknown"


def suppress(engine: Engine, reason: str = MANUAL) -> bool:
    with writing(engine) as session:
        is_new = suppression.suppress(session, ADA, reason, "a test", IN_W47)
        session.commit()
        return is_new


def say(engine: Engine, *kinds: str) -> None:
    """Let Ada say one thing after another."""
    with writing(engine) as session:
        ada = subscriber.find(session, ADA)
        assert ada is not None
        for hours, kind in enumerate(kinds):
            consent.note(session, ada.id or 0, kind, "a test", IN_W46 + timedelta(hours=hours))
        session.commit()


def test_an_address_is_suppressed_once_however_it_is_spelled(engine: Engine) -> None:
    assert suppress(engine) is True
    assert suppress(engine) is False
    with reading(engine) as session:
        found = suppression.in_force(session, parse_address("ADA@Example.com"))
        assert found is not None
        assert (found.reason, found.source, found.at) == (MANUAL, "a test", IN_W47)
        assert re.fullmatch("[0-9a-f]{64}", found.fingerprint)
        assert suppression.in_force(session, parse_address("bo@example.com")) is None


def test_its_reader_must_not_be_written_to_and_has_said_nothing(engine: Engine) -> None:
    (ada,) = subscribe(engine, [ADA.email], PAUSED)
    suppress(engine)
    with reading(engine) as session:
        assert status(session) == SUPPRESSED
        assert consent.history(session, ada) == []


def test_a_complaint_takes_the_place_of_another_reason_and_no_other_reason_of_a_complaint(engine: Engine) -> None:
    suppress(engine, PROVIDER)
    assert suppress(engine, COMPLAINT) is False
    assert suppress(engine, HARD_BOUNCE) is False
    with reading(engine) as session:
        assert [one.reason for one in session.exec(select(Suppression))] == [COMPLAINT]


@pytest.mark.parametrize(
    ("said", "reason", "ends"),
    [
        ([consent.SIGNED_UP, consent.CONFIRMED], HARD_BOUNCE, ACTIVE),
        ([consent.IMPORTED], MANUAL, ACTIVE),
        ([consent.SIGNED_UP], PROVIDER, PENDING),
        ([], MANUAL, PENDING),
        ([consent.IMPORTED, consent.LEFT, consent.REASON], MANUAL, UNSUBSCRIBED),
        ([consent.IMPORTED, consent.LEFT, consent.CONFIRMED], MANUAL, ACTIVE),
        ([consent.LEFT], MANUAL, UNSUBSCRIBED),
        ([consent.CONFIRMED], COMPLAINT, UNSUBSCRIBED),
    ],
)
def test_lifted_a_reader_is_where_their_own_words_had_left_them(
    engine: Engine, said: list[str], reason: str, ends: str
) -> None:
    subscribe(engine, [ADA.email])
    say(engine, *said)
    suppress(engine, reason)
    with writing(engine) as session:
        assert suppression.lift(session, ADA, " rang us up ", MONDAY) is True
        assert suppression.lift(session, ADA, "again", MONDAY) is False
        session.commit()
    with reading(engine) as session:
        assert status(session) == ends
        assert suppression.in_force(session, ADA) is None
        (lifted,) = suppression.of_address(session, ADA)
        assert (lifted.lifted_at, lifted.lifted_because) == (MONDAY, "rang us up")


def test_who_called_a_letter_spam_is_no_member_again_when_a_later_suppression_ends(engine: Engine) -> None:
    subscribe(engine, [ADA.email])
    say(engine, consent.CONFIRMED)
    for reason in (COMPLAINT, HARD_BOUNCE, COMPLAINT, MANUAL):
        suppress(engine, reason)
        with writing(engine) as session:
            assert suppression.lift(session, ADA, "a mistake", MONDAY) is True
            assert status(session) == UNSUBSCRIBED
            session.commit()
    with reading(engine) as session:
        ada = subscriber.find(session, ADA)
        assert ada is not None
        said = [(step.kind, step.source, step.at) for step in consent.history(session, ada.id or 0)]
        assert said[1:] == [(consent.LEFT, "the reader called a letter spam", IN_W47)]


def test_nobody_lifts_a_suppression_without_a_reason(engine: Engine) -> None:
    suppress(engine)
    with writing(engine) as session, pytest.raises(ValueError, match="say why"):
        suppression.lift(session, ADA, "  ", MONDAY)


def test_an_address_can_be_suppressed_again_after_it_was_lifted(engine: Engine) -> None:
    suppress(engine)
    with writing(engine) as session:
        suppression.lift(session, ADA, "a mistake", MONDAY)
        assert suppression.suppress(session, ADA, COMPLAINT, "the provider", TUESDAY) is True
        session.commit()
    with reading(engine) as session:
        assert [one.reason for one in suppression.of_address(session, ADA)] == [MANUAL, COMPLAINT]


def test_many_fingerprints_are_looked_up_together(engine: Engine) -> None:
    with writing(engine) as session:
        fingerprints = Fingerprints(session)
        asked = [fingerprints.of(parse_address(f"reader{number}@example.com")) for number in range(1_200)]
        in_force = set(asked[::7])
        rows = [{"fingerprint": one, "reason": MANUAL, "source": "", "at": IN_W47} for one in in_force]
        lifted = {"reason": MANUAL, "source": "", "at": IN_W47, "lifted_at": MONDAY, "lifted_because": "a mistake"}
        session.connection().execute(insert(Suppression), rows)
        session.connection().execute(insert(Suppression), [{**lifted, "fingerprint": asked[1]}])
        assert suppression.suppressed_among(session, asked) == in_force
        assert suppression.suppressed_among(session, []) == set()


def test_two_messages_about_one_address_at_once_make_one_suppression(engine: Engine) -> None:
    subscribe(engine, [ADA.email])
    ready = threading.Barrier(4)
    made: list[bool] = []

    def one_of_them() -> None:
        ready.wait()
        made.append(suppress(engine, COMPLAINT))

    threads = [threading.Thread(target=one_of_them) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(made) == [False, False, False, True]


def test_a_fingerprint_is_the_same_in_every_version(engine: Engine) -> None:
    with writing(engine) as session:
        key = session.get_one(Salt, ONLY_ROW).key
        made = Fingerprints(session).of(parse_address("Ada@Example.com"))
    assert made == hmac.digest(key.encode(), b"ada@example.com", "sha256").hex()
