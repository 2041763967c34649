"""What Postmark, or something on the way to it, may answer: the outcome, and that messages are posted once."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from newsletter.delivery import postmark_message
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Accepted, CannotAsk, NothingSent, NotSent, Outcome, Refused, Unknown
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.scripted import Request, Script, ScriptedPostmark, drop, stall

TOKEN = "hunter2-s3cret"
ITEM = {"To": "a@mail.example", "MessageID": "id-1", "SubmittedAt": "2026-11-24T09:00:00-05:00"}
REFUSED_TEMPLATE = {"ErrorCode": 1105, "Message": "100 templates at most"}


def send(server: ScriptedPostmark, count: int = 1, timeout: float = 0.3) -> list[Outcome]:
    provider = PostmarkProvider(TOKEN, server.url, timeout)
    try:
        return provider.send(LETTER, ENVELOPE, [reader(number) for number in range(count)], new_batch())
    finally:
        provider.close()


def say(status: int, content: object, kind: str = "application/json", **headers: str) -> Script:
    return lambda request: request.answer(status, content, kind, **headers)


def truncated(request: Request) -> None:
    request.answer(200, b'[{"ErrorCode":0,', length="500")
    request.close_connection = True


def to_itself(request: Request) -> None:
    request.answer(307, b"", Location=request.path)


UNKNOWN: dict[str, Script] = {
    "dropped": drop,
    "stalled": stall,
    "truncated": truncated,
    "redirected": to_itself,
    "200 HTML": say(200, b"<html>", "text/html"),
    "200 object": say(200, {"ErrorCode": 0}),
    "200 too short": say(200, []),
    "200 too long": say(200, [ITEM, ITEM]),
    "200 item without id and error": say(200, [{"Message": "OK"}]),
    "200 item that is no object": say(200, ["OK"]),
    "429": say(429, {"ErrorCode": 429, "Message": "slow down"}),
    "408": say(408, b"", "text/plain"),
    "500": say(500, {"ErrorCode": 101, "Message": "unexpected"}),
    "502 HTML": say(502, b"<html>", "text/html"),
    "503": say(503, {"ErrorCode": 100, "Message": "maintenance"}),
    "422 without a code": say(422, {"message": "gateway"}),
    "422 with a list": say(422, [1]),
}


@pytest.mark.parametrize("script", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_proves_nothing_is_unknown_and_never_posted_again(script: Script) -> None:
    with ScriptedPostmark(script) as server:
        (outcome,) = send(server)
        assert isinstance(outcome, Unknown)
        assert server.posts == 1


NOTHING_SENT: dict[str, tuple[Script, str]] = {
    "401": (say(401, {"ErrorCode": 10, "Message": f"token {TOKEN} is not valid"}), "NEWSLETTER_POSTMARK_SERVER_TOKEN"),
    "403 HTML": (say(403, b"<html>", "text/html"), "network"),
    "404": (say(404, b"<html>", "text/html"), "NEWSLETTER_POSTMARK_API_URL"),
    "413": (say(413, b"", "text/plain"), "larger"),
    "415": (say(415, {"ErrorCode": 409, "Message": "JSON required"}), "headers"),
    **{
        f"422/{code}": (say(422, {"ErrorCode": code, "Message": "no"}), advice)
        for code, advice in [
            (400, "sender signature"), (401, "confirmed"), (402, "bug"), (403, "bug"), (405, "credits"),
            (410, "bug"), (412, "approval"), (413, "may not send"), (422, "not valid"), (1235, "STREAM"),
            (1236, "STREAM"), (1480, "address"), (300, "code 300"), (9999, "code 9999"),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(("script", "advice"), NOTHING_SENT.values(), ids=NOTHING_SENT.keys())
def test_what_proves_that_nothing_was_sent_says_what_to_do(script: Script, advice: str) -> None:
    with ScriptedPostmark(script) as server:
        with pytest.raises(NothingSent, match=advice) as caught:
            send(server)
        assert server.posts == 1
        assert TOKEN not in str(caught.value)
        assert "\n" not in str(caught.value)


ITEMS: list[tuple[dict[str, Any], type[Outcome], bool | None]] = [
    ({**ITEM, "ErrorCode": 0, "Message": "OK"}, Accepted, None),
    ({**ITEM, "Message": "Message accepted, but delivery may be delayed."}, Accepted, None),
    ({**ITEM, "ErrorCode": 0, "Message": "Message OK, but will not deliver to: x"}, Accepted, None),
    ({"ErrorCode": 406, "Message": "You tried to send to a recipient that is inactive. "}, Refused, False),
    ({"ErrorCode": 300, "Message": "Invalid 'To' address: 'from@mail.example'."}, Refused, False),
    ({"ErrorCode": 300, "Message": "Zero recipients specified"}, Refused, False),
    ({"ErrorCode": 300, "Message": "Invalid 'From' address: 'x'."}, Refused, True),
    ({"ErrorCode": 300, "Message": "Invalid metadata content."}, Refused, True),
    ({"ErrorCode": 411, "Message": "attachment"}, Refused, True),
    ({"ErrorCode": 100, "Message": "maintenance"}, Refused, True),
    ({"ErrorCode": 4711, "Message": "new"}, Refused, True),
    ({"ErrorCode": 101, "Message": "unexpected"}, Unknown, None),
    ({"ErrorCode": "406"}, Unknown, None),
    ({"ErrorCode": 0, "MessageID": ""}, Unknown, None),
]  # fmt: skip


@pytest.mark.parametrize(("item", "kind", "passing"), ITEMS, ids=[str(item) for item, _, _ in ITEMS])
def test_each_message_has_its_own_verdict(item: dict[str, Any], kind: type[Outcome], passing: bool | None) -> None:
    def mixed(request: Request) -> None:
        first, *_ = request.accept()
        request.answer(200, [first, item])

    with ScriptedPostmark(mixed) as server:
        first, outcome = send(server, count=2)
        assert isinstance(first, Accepted)
        assert type(outcome) is kind
        if isinstance(outcome, Refused):
            assert outcome.passing is passing
        assert server.posts == 1


def test_one_account_trouble_for_every_message_stops_the_run() -> None:
    def all_pending(request: Request) -> None:
        request.answer(200, [{"ErrorCode": 412, "Message": "pending"} for _ in request.messages()])

    with ScriptedPostmark(all_pending) as server, pytest.raises(NothingSent, match="approval"):
        send(server, count=3)


def test_a_letter_that_postmark_will_not_store_goes_whole() -> None:
    bodies: list[dict[str, Any]] = []

    def keep(request: Request) -> None:
        bodies.extend(request.messages())
        request.answer(200, request.accept())

    with ScriptedPostmark(keep, templates=say(422, REFUSED_TEMPLATE)) as server:
        outcomes = send(server, count=2)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        assert [path for method, path, _ in server.seen if "email" in path] == ["/email/batch"]
    assert "<p>Grüße, Ada!" in bodies[0]["HtmlBody"]
    assert bodies[0]["Subject"] == LETTER.subject
    assert "TemplateAlias" not in bodies[0]


@pytest.mark.parametrize("code", [200, 422])
def test_a_template_that_is_gone_is_made_up_for_by_whole_bodies(code: int) -> None:
    error = {"ErrorCode": 1101, "Message": "template not found"}

    def gone(request: Request) -> None:
        if "Templates" not in request.path:
            request.answer(200, request.accept())
        elif code == 200:
            request.answer(200, [request.accept()[0], *[error for _ in request.messages()[1:]]])
        else:
            request.answer(422, error)

    with ScriptedPostmark(gone) as server:
        outcomes = send(server, count=3)
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 3
        assert server.posts == 2


@pytest.mark.parametrize("script", [drop, stall, say(500, {"ErrorCode": 101, "Message": "x"}), say(429, {})])
def test_a_letter_that_could_not_be_stored_leaves_nothing_sent(script: Script) -> None:
    with ScriptedPostmark(drop, templates=script) as server:
        with pytest.raises(NothingSent):
            send(server)
        assert server.posts == 0


def test_a_template_of_the_same_alias_and_other_words_is_put_right() -> None:
    def taken(request: Request) -> None:
        if request.command == "POST":
            request.answer(422, {"ErrorCode": 1122, "Message": "alias taken"})
        else:
            request.answer(200, {"Subject": "x", "HtmlBody": "y", "TextBody": "z"})

    with ScriptedPostmark(lambda request: request.answer(200, request.accept()), templates=taken) as server:
        send(server)
        assert [method for method, path, _ in server.seen if path.startswith("/templates")] == ["POST", "GET", "PUT"]


def test_a_letter_is_stored_once_by_all_threads() -> None:
    with ScriptedPostmark(lambda request: request.answer(200, request.accept())) as server:
        provider = PostmarkProvider(TOKEN, server.url, 5)
        outcomes: list[Outcome] = []

        def work() -> None:
            outcomes.extend(provider.send(LETTER, ENVELOPE, [reader()], new_batch()))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        provider.close()
        assert len(outcomes) == 4
        assert sum(path == "/templates" for _, path, _ in server.seen) == 1


def in_parts(monkeypatch: pytest.MonkeyPatch, second: Script) -> tuple[list[Outcome], int]:
    """Send 6 readers whole, 2 a call; the second call is answered by `second`."""
    monkeypatch.setattr(postmark_message.cut, "__defaults__", (2, 45_000_000))
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
    assert posts == 2


def page(*rows: str, batch: str, total: int | None = None) -> dict[str, object]:
    messages = [{"MessageID": f"id-{row}", "Metadata": {"batch": batch, "row": row}} for row in rows]
    return {"TotalCount": len(rows) if total is None else total, "Messages": messages}


def ask(script: Script, batch: str) -> tuple[dict[str, str], list[str]]:
    with ScriptedPostmark(drop, other=script) as server:
        provider = PostmarkProvider(TOKEN, server.url, 0.3)
        try:
            return dict(provider.find(ENVELOPE, batch)), [path for _, path, _ in server.seen]
        finally:
            provider.close()


def test_all_pages_are_read_and_only_this_batch_is_believed() -> None:
    batch = new_batch()

    def pages(request: Request) -> None:
        second = "offset=2" in request.path
        request.answer(200, page("c", batch=batch, total=3) if second else page("a", "b", batch=batch, total=3))

    found, paths = ask(pages, batch)
    assert found == {"a": "id-a", "b": "id-b", "c": "id-c"}
    assert all(f"metadata_batch={batch}" in path and "messagestream=broadcast" in path for path in paths)
    assert ask(say(200, page("a", batch="another")), batch)[0] == {}


@pytest.mark.parametrize(
    "script",
    [drop, stall, say(200, []), say(200, {}), say(200, b"<html>", "text/html"), say(500, {}), say(429, {}),
     say(401, {"ErrorCode": 10, "Message": "no"}), say(200, {"TotalCount": 1, "Messages": [None]})],
)  # fmt: skip
def test_a_search_that_fails_concludes_nothing(script: Script) -> None:
    with pytest.raises(CannotAsk):
        ask(script, new_batch())


def test_the_token_is_never_shown() -> None:
    provider = PostmarkProvider(TOKEN, "http://127.0.0.1:1/")
    assert TOKEN not in repr(provider)
    assert TOKEN not in repr(provider._clients.mine())
    provider.close()


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén"])
def test_a_token_that_cannot_be_one_is_refused_unshown(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        PostmarkProvider(token)
    assert not token or token not in str(caught.value)


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
    monkeypatch.setattr(postmark_message.cut, "__defaults__", (500, 3000))
    answer: Callable[[Request], None] = lambda request: request.answer(200, request.accept())  # noqa: E731
    with ScriptedPostmark(answer, templates=say(422, REFUSED_TEMPLATE)) as server:
        assert all(isinstance(outcome, Accepted) for outcome in send(server, count=count * 4))
        assert all(size <= 3000 for _, path, size in server.seen if path == "/email/batch")
        assert server.posts > 1 or count == 1
