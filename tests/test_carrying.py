"""Letters to one person are carried once, whoever carries them and whatever happens on the way."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func
from sqlmodel import select

from newsletter import weekly, welcome
from newsletter.db import reading
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.sender_lock import Line, enter
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.outgoing import send_issue
from newsletter.rendering.note import CONFIRM, LINK, WELCOME
from newsletter.sandbox.server import Sandbox
from newsletter.welcome import Carried, WelcomeDesk
from subscribers import signup, tokens
from subscribers.subscriber import PENDING
from tests.delivery.faulty_line import LOSE_ANSWER, LOSE_REQUEST, FaultyLine
from tests.letterbox import (
    ANA,
    BO,
    HOUR,
    MINUTE,
    at_postmark,
    carry,
    everybody,
    mail,
    queue,
    sign_up,
    states,
    token_in,
)
from tests.newsroom import LINKS, MONDAY, RULES, TUESDAY, W47, approve, at, draft, publish, subscribe


def test_an_issue_that_is_going_out_keeps_no_confirmation_waiting(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    sign_up(engine)
    with enter(engine, Line.ISSUES) as alone:
        assert alone
        assert carry(engine, desk) == Carried(sign_ups=1, letters=1)
    assert len(mail(outbox)) == 1


def test_while_another_process_carries_sign_ups_are_attended_to_and_letters_wait(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    sign_up(engine)
    with enter(engine, Line.PERSONAL) as alone:
        assert alone
        assert carry(engine, desk) == Carried(sign_ups=1, busy=True)
    assert (mail(outbox), states(engine, CONFIRM)) == ([], ["queued"])
    assert carry(engine, desk) == Carried(letters=1)
    assert len(mail(outbox)) == 1


def test_what_cannot_be_sent_now_is_said_and_sent_later(engine: Engine, desk: WelcomeDesk, sandbox: Sandbox) -> None:
    (ana,) = subscribe(engine, [ANA])
    queue(engine, desk, WELCOME, ana)
    sign_up(engine, BO)
    away = carry(engine, at_postmark(desk, "http://127.0.0.1:9/"))
    assert (away.letters, states(engine, CONFIRM), states(engine, WELCOME)) == (2, ["queued"], ["queued"])
    assert away.stopped
    assert "\n" not in away.stopped
    assert carry(engine, at_postmark(desk, sandbox.url)) == Carried(letters=2)
    assert Counter(message.recipients[0] for message in sandbox.messages) == {ANA: 1, BO: 1}


def test_a_lost_answer_is_asked_about_and_the_letter_is_there_once(
    engine: Engine, desk: WelcomeDesk, sandbox: Sandbox
) -> None:
    sign_up(engine)
    with FaultyLine(sandbox.url, LOSE_ANSWER) as line:
        for minutes in range(4):
            carry(engine, at_postmark(desk, line.url), MONDAY + minutes * MINUTE)
    assert len(sandbox.messages) == 1
    assert states(engine, CONFIRM) == ["accepted"]


def test_a_lost_request_is_sent_again_once_the_provider_has_proved_that_it_has_not_come(
    engine: Engine, desk: WelcomeDesk, sandbox: Sandbox
) -> None:
    sign_up(engine)
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        for minutes in range(4):
            carry(engine, at_postmark(desk, line.url), MONDAY + minutes * MINUTE)
    assert [message.recipients for message in sandbox.messages if message.tag == CONFIRM] == [(ANA,)]
    assert states(engine, CONFIRM) == ["accepted"]


def test_about_a_letter_in_doubt_the_provider_is_asked_once_a_minute_at_most(
    engine: Engine, desk: WelcomeDesk, sandbox: Sandbox
) -> None:
    sign_up(engine)
    unsettled = at_postmark(desk, sandbox.url)
    unsettled = replace(unsettled, post=replace(unsettled.post, settle=HOUR))
    with FaultyLine(sandbox.url, LOSE_REQUEST) as line:
        provider = PostmarkProvider("sandbox-token", line.url, timeout=20)
        unsettled = replace(unsettled, post=replace(unsettled.post, provider=provider))
        carried = [carry(engine, unsettled, MONDAY + seconds * MINUTE / 60).letters for seconds in (0, 1, 30, 61, 62)]
    assert carried == [1, 1, 0, 1, 0]  # at first it is sent, and asked about at once
    assert states(engine, CONFIRM) == ["in_doubt"]


def test_sign_ups_for_one_address_at_once_are_one_reader_and_one_letter(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    for email in (ANA, "Ana@Example.com", "ANA@example.com", BO):
        sign_up(engine, email)
    begin = threading.Barrier(4)

    def round_of(_: int) -> Carried:
        begin.wait()
        return welcome.carry(engine, desk, lambda: MONDAY)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(round_of, range(4)))
    carry(engine, desk)
    assert sorted(status for _, status in everybody(engine)) == [PENDING, PENDING]
    assert Counter(letter["To"].lower() for letter in mail(outbox)) == {ANA: 1, BO: 1}
    with reading(engine) as session:
        assert session.exec(select(func.count()).select_from(signup.SignUp)).one() == 0


def test_readers_queued_at_once_are_all_counted_and_all_written_to(
    engine: Engine, desk: WelcomeDesk, outbox: Path
) -> None:
    emails = [f"reader{number}@example.com" for number in range(12)]
    numbers = subscribe(engine, emails)
    begin = threading.Barrier(6)

    def greet(some: list[int]) -> None:
        begin.wait()
        for number in some:
            queue(engine, desk, WELCOME, number)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(greet, [numbers[start::6] for start in range(6)]))
    carry(engine, desk)
    assert Counter(letter["To"] for letter in mail(outbox)) == Counter(emails)


def test_an_issue_on_the_way_is_not_carried_as_a_letter_to_one_person(engine: Engine, desk: WelcomeDesk) -> None:
    publish(engine)
    draft(engine)
    approve(engine)
    subscribe(engine, [ANA])
    away = at_postmark(desk, "http://127.0.0.1:9/")
    assert send_issue(engine, RULES, away.post, W47, at(TUESDAY)).state == issues.SENDING
    assert carry(engine, desk) == Carried()
    with reading(engine) as session:
        assert session.exec(select(Issue.state)).one() == issues.SENDING
        assert weekly.require(session, W47).letter_id


def test_many_sign_ups_are_attended_to_page_by_page(
    engine: Engine, desk: WelcomeDesk, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(welcome, "PAGE", 3)
    for number in range(7):
        sign_up(engine, f"reader{number}@example.com")
    assert carry(engine, desk) == Carried(sign_ups=7, letters=1)
    assert len(mail(outbox)) == 7


def test_a_clock_that_passes_dates_every_link_anew(engine: Engine, desk: WelcomeDesk, outbox: Path) -> None:
    moments = iter(datetime(2026, 11, 23, 8, minute, tzinfo=UTC) for minute in range(60))
    subscribe(engine, [ANA, BO])
    for number in (1, 2):
        queue(engine, desk, LINK, number)
    welcome.carry(engine, desk, lambda: next(moments))
    made: list[Any] = [
        desk.post.tokens.read_passing(tokens.PREFERENCES, token_in(letter, LINKS.preferences("")), MONDAY)[1]
        for letter in mail(outbox)
    ]
    assert len(set(made)) == 2
