"""A batch that takes several calls: how it is cut, and what one call's answer means for the next."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from newsletter.delivery import postmark, postmark_message
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Unknown
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.scripted import Request, Script, ScriptedPostmark, drop
from tests.delivery.providers.test_postmark_answers import REFUSED_TEMPLATE, retry_after, say, send


def in_parts(monkeypatch: pytest.MonkeyPatch, second: Script) -> tuple[list[Outcome], int]:
    """Send 6 readers whole, 2 a call; the second call is answered by `second`."""
    monkeypatch.setattr(postmark, "cut", partial(postmark_message.cut, max_batch=2))
    lock, calls = threading.Lock(), [0]

    def script(request: Request) -> None:
        with lock:
            calls[0] += 1
        if calls[0] == 2:
            second(request)
        else:
            request.answer(200, request.accept())

    with ScriptedPostmark(script, templates=say(422, REFUSED_TEMPLATE)) as server:
        return send(server, count=6), server.posts


def test_a_part_in_doubt_leaves_the_other_parts_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, posts = in_parts(monkeypatch, drop)
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Unknown, Unknown, Accepted, Accepted]
    assert posts == 3


def test_a_part_that_certainly_failed_stops_the_rest_and_keeps_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, posts = in_parts(monkeypatch, say(401, {"ErrorCode": 10, "Message": "no"}))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 2 + [NotSent] * 4
    assert all(outcome.lasting for outcome in outcomes if isinstance(outcome, NotSent))
    assert posts == 2


def test_who_wants_to_be_left_alone_is_not_given_the_other_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, posts = in_parts(monkeypatch, say(429, {}, **retry_after("17")))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 2 + [Unknown] * 2 + [NotSent] * 2
    assert {outcome.rest for outcome in outcomes if isinstance(outcome, Unknown | NotSent)} == {17.0}
    assert posts == 2


def test_an_account_that_is_closed_in_the_midst_of_a_batch_stops_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def used_up(request: Request) -> None:
        first, *_ = request.accept()
        request.answer(200, [first, {"ErrorCode": 405, "Message": "no credits"}])

    outcomes, posts = in_parts(monkeypatch, used_up)
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 3 + [NotSent] * 3
    assert posts == 2


def test_a_message_in_a_stored_letter_is_a_few_hundred_bytes() -> None:
    letter = replace(LETTER, html="<a href='%%UNSUBSCRIBE_URL%%'>" + "x" * 60_000, text="%%UNSUBSCRIBE_URL%%")
    shared = postmark_message.common(letter, replace(ENVELOPE, reply_to=None), new_batch())
    assert len(postmark_message.template_writer(letter, shared)(reader())) <= 800


def test_calls_are_cut_by_count_and_by_bytes() -> None:
    def sizes(messages: list[bytes], **limits: int) -> list[int]:
        return [len(part) for part in postmark_message.cut(enumerate(messages), **limits)]

    assert sizes([b"x"] * 1200) == [500, 500, 200]
    assert sizes([b"x" * 100] * 5, max_call=32 + 2 * 101) == [2, 2, 1]
    assert sizes([b"x" * 100] * 5, max_call=50) == [1] * 5
    assert sizes([]) == []


@pytest.mark.parametrize("count", [1, 3])
def test_no_call_is_larger_than_was_counted(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmark, "cut", partial(postmark_message.cut, max_call=3000))
    answer: Callable[[Request], None] = lambda request: request.answer(200, request.accept())  # noqa: E731
    with ScriptedPostmark(answer, templates=say(422, REFUSED_TEMPLATE)) as server:
        assert all(isinstance(outcome, Accepted) for outcome in send(server, count=count * 4))
        assert all(size <= 3000 for _, path, size in server.seen if path == "/email/batch")
        assert server.posts > 1 or count == 1
