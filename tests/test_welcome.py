"""Letters to one person: each wish is one letter, to whom it may go and with what they need."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import welcome
from newsletter.db import reading, writing
from newsletter.delivery.ledger import StoredLetter
from newsletter.outgoing import send_issue
from newsletter.rendering.note import ADDRESS, CHANGED, CONFIRM, LINK, NOTICE, WELCOME
from newsletter.sandbox.mailbox import content_of
from newsletter.sandbox.server import Sandbox
from newsletter.welcome import Carried, WelcomeDesk
from subscribers import tokens
from subscribers.consent import Whence
from subscribers.preferences import AddressChange, Moved, move_address, moved_since
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from tests.letterbox import (
    ANA,
    BO,
    DAY,
    MINUTE,
    at_postmark,
    carry,
    everybody,
    mail,
    name_address,
    queue,
    sign_up,
    states,
    text_of,
    token_in,
)
from tests.newsroom import LINKS, MONDAY, RULES, TUESDAY, W47, approve, at, draft, publish, set_status, subscribe


def test_a_sign_up_becomes_a_pending_reader_and_one_letter_whose_link_confirms(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    sign_up(engine)
    assert carry(engine, desk, MONDAY + MINUTE) == Carried(sign_ups=1, letters=1)
    assert everybody(engine) == [(ANA, PENDING)]
    (letter,) = mail(outbox)
    assert letter["To"] == ANA
    assert letter["Subject"] == "Please confirm: Weekly AI Tool Verdicts"
    token = token_in(letter, LINKS.confirm(""))
    number, made_at = desk.post.tokens.read_passing(tokens.CONFIRM, token, MONDAY + 7 * DAY)
    assert made_at == MONDAY + MINUTE  # when it was filled, not when they asked
    with reading(engine) as session:
        assert session.get_one(Subscriber, number).email == ANA

    assert carry(engine, desk, MONDAY + 2 * MINUTE) == Carried()
    assert len(mail(outbox)) == 1


@pytest.mark.parametrize("own_unsubscribe", [True, False])
def test_only_a_welcome_has_the_way_out_in_its_head_and_no_letter_is_a_lists(
    engine: Engine, desk: WelcomeDesk, outbox: Path, own_unsubscribe: bool
) -> None:
    desk = replace(desk, post=replace(desk.post, own_unsubscribe=own_unsubscribe))
    new, member, other, moving = subscribe(engine, [ANA, BO, "other@example.com", "moving@example.com"])
    set_status(engine, PENDING, ANA)
    name_address(engine, moving, "moved@example.com")
    for kind, number in ((CONFIRM, new), (WELCOME, member), (LINK, other), (ADDRESS, moving)):
        queue(engine, desk, kind, number)
    carry(engine, desk)
    heads = {kind: mail(outbox, kind)[0] for kind in (CONFIRM, WELCOME, LINK, ADDRESS)}
    assert {kind for kind, head in heads.items() if "List-Unsubscribe" in head} == (
        {WELCOME} if own_unsubscribe else set()
    )
    assert not any("List-Id" in head for head in heads.values())
    assert {kind: head["To"] for kind, head in heads.items()} == {
        CONFIRM: ANA,
        WELCOME: BO,
        LINK: "other@example.com",
        ADDRESS: "moved@example.com",
    }


def test_letters_to_one_person_take_the_transactional_stream(
    engine: Engine, desk: WelcomeDesk, sandbox: Sandbox
) -> None:
    sign_up(engine)
    carry(engine, at_postmark(desk, sandbox.url))
    (message,) = sandbox.messages
    assert (message.stream, message.tag, message.recipients) == ("outbound", CONFIRM, (ANA,))
    assert content_of(message).failure is None
    assert LINKS.confirm("") in content_of(message).html


def test_a_welcome_has_the_latest_issue_once_there_is_one(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    ana, bo = subscribe(engine, [ANA, BO])
    queue(engine, desk, WELCOME, ana)
    publish(engine)
    draft(engine)
    approve(engine)
    queue(engine, desk, WELCOME, bo)  # still a draft: nobody may hear of it
    carry(engine, desk)
    assert [LINKS.issue("2026-W47") in text_of(letter) for letter in mail(outbox, WELCOME)] == [False, False]

    send_issue(engine, RULES, desk.post, W47, at(TUESDAY))
    (late,) = subscribe(engine, ["late@example.com"])
    queue(engine, desk, WELCOME, late, TUESDAY)
    carry(engine, desk, TUESDAY)
    (letter,) = [letter for letter in mail(outbox, WELCOME) if letter["To"] == "late@example.com"]
    assert LINKS.issue("2026-W47") in text_of(letter)


def test_readers_of_one_wording_share_a_letter_and_who_needs_it_again_gets_another(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    ana, bo = subscribe(engine, [ANA, BO])
    for now in (MONDAY, MONDAY + DAY, MONDAY + 2 * DAY):
        queue(engine, desk, LINK, ana, now)
        carry(engine, desk, now)
    queue(engine, desk, LINK, bo, MONDAY + 3 * DAY)
    carry(engine, desk, MONDAY + 3 * DAY)
    with reading(engine) as session:
        audiences = session.exec(select(StoredLetter.audience).order_by(col(StoredLetter.id))).all()
    assert audiences == [1, 1, 2]
    assert Counter(letter["To"] for letter in mail(outbox)) == {ANA: 3, BO: 1}


def test_readers_are_written_to_in_their_language_and_those_of_one_share_a_letter(
    sqlite_engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    chosen = {ANA: "de", BO: None, "cy@example.com": "de", "di@example.com": "en", "gone@example.com": "tlh"}
    numbers = subscribe(sqlite_engine, list(chosen))
    with writing(sqlite_engine) as session:
        for number, language in zip(numbers, chosen.values(), strict=True):
            session.get_one(Subscriber, number).language = language
        session.commit()
    for number in numbers:
        queue(sqlite_engine, desk, LINK, number)
    carry(sqlite_engine, desk)
    with reading(sqlite_engine) as session:
        audiences = session.exec(select(StoredLetter.audience).order_by(col(StoredLetter.id))).all()
    assert audiences == [2, 3]  # nobody has that last language: its reader gets the newsletter's own
    subjects = {letter["To"]: str(letter["Subject"]) for letter in mail(outbox)}
    german = {reader for reader, subject in subjects.items() if subject.startswith("Deine Seite bei")}
    assert german == {ANA, "cy@example.com"}
    assert set(subjects) == set(chosen)


def test_a_letter_that_still_waits_is_not_queued_twice(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    (ana,) = subscribe(engine, [ANA])
    queue(engine, desk, LINK, ana)
    queue(engine, desk, LINK, ana)
    queue(engine, desk, WELCOME, ana)
    carry(engine, desk)
    assert sorted(path.parent.name for path in outbox.glob("*/*.eml")) == [LINK, WELCOME]


def test_what_is_rolled_back_sends_nothing(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    (ana,) = subscribe(engine, [ANA])
    with writing(engine) as session:
        welcome.greet(session, desk, ana, MONDAY)
    assert carry(engine, desk) == Carried()
    assert mail(outbox) == []


@pytest.mark.parametrize(
    ("kind", "before", "then", "state"),
    [
        (CONFIRM, PENDING, ACTIVE, "left"),
        (CONFIRM, PENDING, SUPPRESSED, "suppressed"),
        (CONFIRM, UNSUBSCRIBED, UNSUBSCRIBED, "accepted"),
        (WELCOME, ACTIVE, UNSUBSCRIBED, "left"),
        (WELCOME, ACTIVE, PAUSED, "left"),
        (LINK, ACTIVE, UNSUBSCRIBED, "accepted"),
        (LINK, PAUSED, SUPPRESSED, "suppressed"),
        (CHANGED, PAUSED, UNSUBSCRIBED, "accepted"),
        (CHANGED, ACTIVE, SUPPRESSED, "suppressed"),
    ],
)
def test_whom_a_letter_may_go_to_is_asked_again_when_it_leaves(
    sqlite_engine: Engine, desk: WelcomeDesk, outbox: Path, kind: str, before: str, then: str, state: str
) -> None:
    (ana,) = subscribe(sqlite_engine, [ANA], before)
    queue(sqlite_engine, desk, kind, ana)
    set_status(sqlite_engine, then, ANA)
    carry(sqlite_engine, desk)
    assert states(sqlite_engine, kind) == [state]
    assert len(mail(outbox)) == (state == "accepted")


def test_who_asks_for_a_link_gets_one_an_hour_at_the_address_that_we_have(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    numbers = subscribe(engine, [ANA], ACTIVE) + subscribe(engine, [BO], UNSUBSCRIBED)
    for minutes in (0, 30, 59, 60):
        with writing(engine) as session:
            for number in numbers:
                welcome.ask_link(session, desk, number, MONDAY + minutes * MINUTE)
            session.commit()
        carry(engine, desk, MONDAY + minutes * MINUTE)
    assert Counter(letter["To"] for letter in mail(outbox, LINK)) == {ANA: 2, BO: 2}
    letter = next(letter for letter in mail(outbox, LINK) if letter["To"] == ANA)
    token = token_in(letter, LINKS.preferences(""))
    assert desk.post.tokens.read_passing(tokens.PREFERENCES, token, MONDAY)[0] == numbers[0]


def test_nobody_erased_suppressed_or_unknown_gets_a_link(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    barred, gone = subscribe(engine, [ANA, BO], SUPPRESSED)
    with writing(engine) as session:
        erased = session.get_one(Subscriber, gone)
        erased.status, erased.email, erased.address_key = ERASED, "", f"erased:{gone}"
        session.add(erased)
        session.commit()
    with writing(engine) as session:
        for number in (barred, gone, 999):
            welcome.ask_link(session, desk, number, MONDAY)
            welcome.ask_again(session, desk, number, MONDAY)
        session.commit()
    carry(engine, desk)
    assert mail(outbox) == []


@pytest.mark.parametrize(
    ("status", "kind"), [(PENDING, CONFIRM), (UNSUBSCRIBED, CONFIRM), (ACTIVE, LINK), (PAUSED, LINK)]
)
def test_an_expired_confirmation_is_answered_by_what_the_reader_needs_once_an_hour(
    engine: Engine, desk: WelcomeDesk, outbox: Path, status: str, kind: str
) -> None:
    (ana,) = subscribe(engine, [ANA], status)
    for minutes in (0, 59, 60):
        with writing(engine) as session:
            welcome.ask_again(session, desk, ana, MONDAY + minutes * MINUTE)
            session.commit()
        carry(engine, desk, MONDAY + minutes * MINUTE)
    assert len(mail(outbox, kind)) == len(mail(outbox)) == 2


def test_a_form_and_an_expired_link_share_the_one_letter_an_hour(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    (ana,) = subscribe(engine, [ANA], PENDING)
    sign_up(engine)
    carry(engine, desk)
    with writing(engine) as session:
        welcome.ask_again(session, desk, ana, MONDAY + MINUTE)
        session.commit()
    carry(engine, desk, MONDAY + MINUTE)
    assert len(mail(outbox)) == 1


def test_a_new_address_is_asked_at_that_address_and_only_at_the_last_one_named(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    (ana,) = subscribe(engine, [ANA])
    name_address(engine, ana, "first@example.com")
    queue(engine, desk, ADDRESS, ana)
    change = name_address(engine, ana, "second@example.com")
    queue(engine, desk, ADDRESS, ana)
    carry(engine, desk)
    (letter,) = mail(outbox)
    assert letter["To"] == "second@example.com"
    token = token_in(letter, LINKS.address(""))
    assert desk.post.tokens.read_passing(tokens.ADDRESS, token, MONDAY)[0] == change

    third = name_address(engine, ana, "third@example.com")
    queue(engine, desk, ADDRESS, ana)
    carry(engine, desk)
    letters = {letter["To"]: letter for letter in mail(outbox)}
    assert set(letters) == {"second@example.com", "third@example.com"}
    token = token_in(letters["third@example.com"], LINKS.address(""))
    assert desk.post.tokens.read_passing(tokens.ADDRESS, token, MONDAY)[0] == third


def test_a_change_of_address_that_is_gone_is_not_asked_about(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    (ana,) = subscribe(engine, [ANA])
    name_address(engine, ana, "new@example.com")
    queue(engine, desk, ADDRESS, ana)
    with writing(engine) as session:
        session.delete(session.exec(select(AddressChange)).one())
        session.commit()
    carry(engine, desk)
    assert states(engine, ADDRESS) == ["left"]
    assert mail(outbox) == []


def test_the_present_address_hears_first_that_another_one_was_named_and_not_which(
    engine: Engine, desk: WelcomeDesk, sandbox: Sandbox
) -> None:
    (ana,) = subscribe(engine, [ANA])
    name_address(engine, ana, "thief@example.org")
    for _ in range(2):  # one that waits is enough
        with writing(engine) as session:
            welcome.ask_address(session, desk, ana, MONDAY)
            welcome.tell_of_change(session, desk, ana, MONDAY)
            session.commit()
    carry(engine, at_postmark(desk, sandbox.url))
    sent = [(message.tag, message.recipients) for message in sandbox.messages]
    assert sent == [(NOTICE, (ANA,)), (ADDRESS, ("thief@example.org",))]
    content = content_of(sandbox.messages[0])
    assert content.failure is None
    assert LINKS.preferences("") in content.html
    assert "thief" not in content.html + content.text


def test_a_new_address_is_told_of_the_change_with_a_key_that_is_good_and_the_old_one_hears_nothing(
    sqlite_engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    (ana,) = subscribe(sqlite_engine, [ANA])
    change = name_address(sqlite_engine, ana, "new@example.org")
    queue(sqlite_engine, desk, NOTICE, ana)  # still waits when the change is made
    with writing(sqlite_engine) as session:
        moved = move_address(session, change, Whence(), "a test", MONDAY + MINUTE)
        welcome.tell_changed(session, desk, ana, MONDAY + MINUTE)
        session.commit()
    assert moved == (Moved.MOVED, ana)
    carry(sqlite_engine, desk, MONDAY + 2 * MINUTE)
    (letter,) = mail(outbox)
    assert (letter["To"], letter["Subject"]) == (
        "new@example.org",
        "Your address was changed: Weekly AI Tool Verdicts",
    )
    assert ANA not in letter.as_string()
    token = token_in(letter, LINKS.preferences(""))
    number, made_at = desk.post.tokens.read_passing(tokens.PREFERENCES, token, MONDAY + DAY)
    with reading(sqlite_engine) as session:
        assert (number, moved_since(session, ana, made_at)) == (ana, False)
