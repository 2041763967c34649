"""What a form is sent, and what comes of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import select

from newsletter.db import reading, writing
from subscribers import consent, signup, suppression
from subscribers.address import parse_address
from subscribers.consent import Consent, Whence, Words
from subscribers.signup import Asks, Confirmed, SignUp, Wish
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, STATUSES, SUPPRESSED, UNSUBSCRIBED, Subscriber, move
from tests.newsroom import IN_W46, MONDAY, subscribe

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
WORDS = Words("1", "Send me the letter.")
BUTTON = Words("2", "Yes, send it.")
HERE = Whence("203.0.113.7", "Browser/1.0")
ANA = "ana@example.com"


def ask(engine: Engine, email: str = ANA, whence: Whence = HERE, now: datetime = MONDAY) -> bool:
    with writing(engine) as session:
        within = signup.ask(session, parse_address(email), WORDS, whence, "front page", now, language="de")
        session.commit()
        return within


def waiting(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return signup.waiting_ids(session, 0, 1000)


def attend(engine: Engine, now: datetime = MONDAY) -> list[Wish | None]:
    """Attend to everything that waits."""
    wishes = []
    for number in waiting(engine):
        with writing(engine) as session:
            wishes.append(signup.attend(session, number, now))
            session.commit()
    return wishes


def confirm(engine: Engine, number: int, made_at: datetime = MONDAY, now: datetime = MONDAY + HOUR) -> Confirmed:
    with writing(engine) as session:
        confirmed = signup.confirm(session, number, made_at, BUTTON, HERE, "confirmation link", now)
        session.commit()
        return confirmed


def reader(engine: Engine, number: int) -> Subscriber:
    with reading(engine) as session:
        return session.get_one(Subscriber, number)


def steps(engine: Engine, number: int) -> list[Consent]:
    with reading(engine) as session:
        return consent.history(session, number)


def everybody(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as session:
        return [(one.email, one.status) for one in session.exec(select(Subscriber).order_by(Subscriber.email))]


def test_a_sign_up_is_only_written_down(engine: Engine) -> None:
    assert ask(engine)
    assert everybody(engine) == []
    with reading(engine) as session:
        (stored,) = session.exec(select(SignUp)).all()
    kept = stored.model_dump(exclude={"id", "address_key"})
    assert kept == {
        "email": ANA,
        "source": "front page",
        "words": WORDS.text,
        "words_version": WORDS.version,
        "language": "de",
        "network": "203.0.113.7",
        "user_agent": "Browser/1.0",
        "at": MONDAY,
    }


def test_asking_runs_the_same_statements_whoever_is_on_the_list(engine: Engine) -> None:
    subscribe(engine, ["pending@example.com"], PENDING)
    subscribe(engine, ["active@example.com"], ACTIVE)
    subscribe(engine, ["gone@example.com"], UNSUBSCRIBED)
    subscribe(engine, ["barred@example.com"], SUPPRESSED)
    said: list[str] = []

    def listen(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    heard = []
    for name in ("nobody", "pending", "active", "gone", "barred"):
        said.clear()
        ask(engine, f"{name}@example.com")
        heard.append(tuple(said))
    assert len(set(heard)) == 1
    assert not any("subscribers" in statement for statement in heard[0])


def test_the_language_of_the_newest_form_is_a_pending_readers_and_changes_nobodys_choice(engine: Engine) -> None:
    known = {status: subscribe(engine, [f"{status}@example.com"], status)[0] for status in STATUSES}
    for email in (ANA, *(f"{status}@example.com" for status in known)):
        ask(engine, email)
    (new,) = [wish.subscriber_id for wish in attend(engine) if wish and wish.subscriber_id not in known.values()]
    assert confirm(engine, new) is Confirmed.NOW
    assert reader(engine, new).language == "de"
    chosen = {status: reader(engine, number).language for status, number in known.items()}
    assert chosen == dict.fromkeys(known) | {PENDING: "de"}


def test_a_network_may_sign_up_twenty_addresses_an_hour(engine: Engine) -> None:
    assert [ask(engine, f"reader{n}@example.com") for n in range(21)] == [True] * 20 + [False]
    assert len(waiting(engine)) == 20
    assert ask(engine, whence=Whence("203.0.113.8"))
    assert ask(engine, now=MONDAY + HOUR)


def test_an_ipv6_network_counts_as_one_whatever_its_last_half_is(engine: Engine) -> None:
    within = [ask(engine, f"r{n}@example.com", Whence(f"2001:db8:1:2::{n:x}")) for n in range(21)]
    assert within == [True] * 20 + [False]
    assert ask(engine, whence=Whence("2001:db8:1:3::1"))


def test_an_unknown_network_has_no_limit(engine: Engine) -> None:
    assert all(ask(engine, f"r{n}@example.com", Whence(None, None)) for n in range(25))


def test_beyond_five_an_hour_for_one_address_nothing_is_stored_and_nothing_told(engine: Engine) -> None:
    assert all(ask(engine, "A.na@gmail.com", Whence(f"203.0.113.{n}")) for n in range(4))
    assert all(ask(engine, "an.a@gmail.com", Whence(f"203.0.113.{n}")) for n in range(4))
    assert len(waiting(engine)) == 5


def test_what_follows_a_plus_makes_no_other_mailbox_to_fill(engine: Engine) -> None:
    assert all(ask(engine, f"ana+{n}@example.com", Whence(f"203.0.113.{n}")) for n in range(8))
    assert len(waiting(engine)) == 5
    assert ask(engine, "bo+1@example.com")
    assert len(waiting(engine)) == 6


def test_a_new_address_becomes_pending_and_is_asked_to_confirm(engine: Engine) -> None:
    ask(engine)
    (wish,) = attend(engine, MONDAY + MINUTE)
    assert wish is not None
    assert wish.asks is Asks.CONFIRMATION
    assert (reader(engine, wish.subscriber_id).email, reader(engine, wish.subscriber_id).status) == (ANA, PENDING)
    (step,) = steps(engine, wish.subscriber_id)
    assert (step.kind, step.source, step.at, step.words, step.words_version) == (
        "signed_up", "front page", MONDAY, WORDS.text, WORDS.version,
    )  # fmt: skip
    assert (step.network, step.user_agent) == ("203.0.113.7", "Browser/1.0")
    assert waiting(engine) == []


@pytest.mark.parametrize(
    ("status", "asks", "noted"),
    [
        (PENDING, Asks.CONFIRMATION, ["signed_up"]),
        (UNSUBSCRIBED, Asks.CONFIRMATION, ["signed_up"]),
        (ACTIVE, Asks.LINK, []),
        (PAUSED, Asks.LINK, []),
        (SUPPRESSED, None, []),
    ],
)
def test_what_somebody_known_is_sent_depends_on_their_status_which_stays(
    engine: Engine, status: str, asks: Asks | None, noted: list[str]
) -> None:
    (number,) = subscribe(engine, [ANA], status)
    ask(engine, "ANA@example.com")
    assert attend(engine) == [Wish(number, asks) if asks else None]
    assert everybody(engine) == [(ANA, status)]
    assert [step.kind for step in steps(engine, number)] == noted
    assert waiting(engine) == []


def test_every_status_has_been_thought_of() -> None:
    assert set(STATUSES) == {PENDING, UNSUBSCRIBED, ACTIVE, PAUSED, SUPPRESSED}


def test_an_address_that_is_suppressed_without_a_reader_is_left_alone(engine: Engine) -> None:
    with writing(engine) as session:
        suppression.suppress(session, parse_address(ANA), suppression.COMPLAINT, "a test", MONDAY)
        session.commit()
    ask(engine)
    assert attend(engine) == [None]
    assert everybody(engine) == []
    assert waiting(engine) == []


@pytest.mark.parametrize("status", [None, ACTIVE])
def test_an_address_gets_one_such_letter_an_hour(engine: Engine, status: str | None) -> None:
    if status:
        subscribe(engine, [ANA], status)
    sent = []
    for minutes in (0, 1, 59, 60):
        ask(engine, now=MONDAY + minutes * MINUTE)
        sent += [wish is not None for wish in attend(engine, MONDAY + minutes * MINUTE)]
    assert sent == [True, False, False, True]


def test_a_mailbox_gets_three_such_letters_a_day(engine: Engine) -> None:
    """However its addresses are written, and whether they are to be confirmed or on the list."""
    subscribe(engine, ["ana+2@example.com"], ACTIVE)
    sent = []
    for hours, email in (
        (0, ANA),
        (1, "ana+1@example.com"),
        (2, "ana+2@example.com"),
        (3, ANA),
        (23, "ana+3@example.com"),
        (24, ANA),
    ):
        ask(engine, email, now=MONDAY + hours * HOUR)
        sent += [wish is not None for wish in attend(engine, MONDAY + hours * HOUR)]
    assert sent == [True, True, True, False, False, True]
    ask(engine, "bo@example.com")
    assert [wish is not None for wish in attend(engine)] == [True]


def test_a_sign_up_that_somebody_else_has_attended_to_is_nothing(engine: Engine) -> None:
    ask(engine)
    (number,) = waiting(engine)
    attend(engine)
    with writing(engine) as session:
        assert signup.attend(session, number, MONDAY) is None


@pytest.mark.parametrize("status", [PENDING, UNSUBSCRIBED])
def test_the_button_makes_a_reader_and_keeps_the_proof(engine: Engine, status: str) -> None:
    (number,) = subscribe(engine, [ANA], status)  # since IN_W46
    assert confirm(engine, number) is Confirmed.NOW
    assert (reader(engine, number).status, reader(engine, number).since) == (ACTIVE, MONDAY + HOUR)
    (step,) = steps(engine, number)
    assert (step.kind, step.source, step.at) == ("confirmed", "confirmation link", MONDAY + HOUR)
    assert (step.words, step.words_version) == (BUTTON.text, BUTTON.version)
    assert (step.network, step.user_agent) == ("203.0.113.7", "Browser/1.0")


def test_the_button_makes_no_reader_of_an_address_that_was_suppressed_while_the_sign_up_was_attended_to(
    engine: Engine,
) -> None:
    ask(engine)
    with writing(engine) as attending:
        wish = signup.attend(attending, waiting(engine)[0], MONDAY)
        if engine.dialect.name == "postgresql":  # on SQLite one of the two waits for the other
            with writing(engine) as session:
                suppression.suppress(session, parse_address(ANA), suppression.COMPLAINT, "a test", MONDAY)
                session.commit()
        attending.commit()
    assert wish is not None
    expected = Confirmed.NOBODY if engine.dialect.name == "postgresql" else Confirmed.NOW
    assert confirm(engine, wish.subscriber_id) is expected


def test_pressing_it_again_changes_nothing(engine: Engine) -> None:
    (number,) = subscribe(engine, [ANA], PENDING)
    pressed = [confirm(engine, number) for _ in range(3)]
    assert pressed == [Confirmed.NOW, Confirmed.BEFORE, Confirmed.BEFORE]
    assert len(steps(engine, number)) == 1


def test_a_paused_reader_stays_paused(engine: Engine) -> None:
    (number,) = subscribe(engine, [ANA], PAUSED)
    assert confirm(engine, number) is Confirmed.BEFORE
    assert reader(engine, number).status == PAUSED


def test_nobody_suppressed_erased_or_unknown_comes_back_by_the_button(engine: Engine) -> None:
    barred, gone = subscribe(engine, [ANA, "bo@example.com"], SUPPRESSED)
    with writing(engine) as session:
        erased = session.get_one(Subscriber, gone)
        erased.status, erased.email, erased.address_key = "erased", "", f"erased:{gone}"
        session.add(erased)
        session.commit()
    assert {confirm(engine, number) for number in (barred, gone, 999)} == {Confirmed.NOBODY}
    assert [status for _, status in everybody(engine)] == ["erased", SUPPRESSED]
    assert steps(engine, barred) == steps(engine, gone) == []


@pytest.mark.parametrize(
    ("made_at", "came"),
    [
        (MONDAY - MINUTE, Confirmed.OUTDATED),
        (MONDAY, Confirmed.NOW),  # tokens tell the minute alone
        (MONDAY + MINUTE, Confirmed.NOW),
    ],
)
def test_a_link_that_is_older_than_somebodys_leaving_does_not_bring_them_back(
    engine: Engine, made_at: datetime, came: Confirmed
) -> None:
    (number,) = subscribe(engine, [ANA], ACTIVE)
    with writing(engine) as session:
        left = session.get_one(Subscriber, number)
        move(left, UNSUBSCRIBED, MONDAY + timedelta(seconds=30))
        session.add(left)
        session.commit()
    assert confirm(engine, number, made_at) is came
    assert reader(engine, number).status == (ACTIVE if came is Confirmed.NOW else UNSUBSCRIBED)


def test_who_does_not_confirm_is_to_be_forgotten_after_thirty_days_of_silence(engine: Engine) -> None:
    quiet, asked_again, _ = subscribe(engine, ["quiet@example.com", "again@example.com", "new@example.com"], PENDING)
    (newcomer,) = subscribe(engine, ["in@example.com"], ACTIVE)
    now = IN_W46 + 30 * DAY
    with writing(engine) as session:
        late = session.get_one(Subscriber, asked_again + 1)
        late.since = now - 30 * DAY + timedelta(seconds=1)
        session.add(late)
        consent.note(session, asked_again, consent.SIGNED_UP, "front page", now - 29 * DAY, WORDS)
        session.commit()

    def found(at: datetime) -> list[int | None]:
        with writing(engine) as session:
            return [one.id for one in signup.unconfirmed(session, at, 10)]

    assert found(now - timedelta(seconds=1)) == []
    assert found(now) == [quiet]
    assert newcomer not in found(now + 365 * DAY)
    with writing(engine) as session:
        assert len(signup.unconfirmed(session, now + 365 * DAY, 2)) == 2
