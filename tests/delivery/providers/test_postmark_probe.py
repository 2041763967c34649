"""A message to nobody: what Postmark may answer to it, and what is said where it cannot be sent."""

from dataclasses import replace

import pytest

from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import CannotAsk, Envelope
from tests.delivery.providers.letters import ENVELOPE, new_batch
from tests.delivery.providers.scripted import Request, ScriptedPostmark


def probed(status: int, content: object, envelope: Envelope = ENVELOPE) -> list[tuple[str, str, int]]:
    def answer(request: Request) -> None:
        request.answer(status, content)

    with ScriptedPostmark(answer, other=answer) as server:
        provider = PostmarkProvider("token", server.url, 5)
        try:
            provider.probe(envelope, new_batch())
        finally:
            provider.close()
        return server.seen


def test_a_probe_is_posted_once_and_alone() -> None:
    assert [(method, path) for method, path, _ in probed(200, {"MessageID": "m"})] == [("POST", "/email")]


@pytest.mark.parametrize("answer", [{}, {"MessageID": ""}, [], "m", {"ErrorCode": 0}])
def test_a_probe_without_an_id_was_none(answer: object) -> None:
    with pytest.raises(CannotAsk, match=r"^Postmark answered the probe without a MessageID$"):
        probed(200, answer)


def test_a_probe_that_is_refused_says_why() -> None:
    with pytest.raises(CannotAsk, match=r"^Postmark refused the request \(HTTP 422, code 405: none left\): "):
        probed(422, {"ErrorCode": 405, "Message": "none left"})


def test_a_probe_without_an_answer_that_can_be_read_says_so() -> None:
    with pytest.raises(CannotAsk, match=r"^Postmark could not be asked: HTTP 200 with an answer that is not JSON$"):
        probed(200, b"<html>")


def test_a_sender_that_is_no_mailbox_has_no_probe() -> None:
    with pytest.raises(CannotAsk, match=r"^not an e-mail address: "):
        probed(200, {"MessageID": "m"}, replace(ENVELOPE, sender="nobody"))
