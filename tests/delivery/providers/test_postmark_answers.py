"""What Postmark, or something on the way to it, may answer: the outcome, and that messages are posted once."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery import postmark_answers, postmark_client
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import Accepted, NotSent, Outcome, Refused, Unknown
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


def late(date: str = "Sun, 22 Nov 2026 10:00:00 GMT", **headers: str) -> Script:
    """429, with a Date of its own."""

    def script(request: Request) -> None:
        request.send_response_only(429)
        for name, value in {"Content-Length": "0", "Date": date, **headers}.items():
            request.send_header(name, value)
        request.end_headers()

    return script


def retry_after(value: str) -> dict[str, str]:
    return {"Retry-After": value}


UNKNOWN: dict[str, tuple[Script, float | None]] = {
    "dropped": (drop, None),
    "stalled": (stall, None),
    "truncated": (truncated, None),
    "redirected": (to_itself, None),
    "redirected, to nowhere": (say(302, b"", "text/plain", **retry_after("7")), None),
    "200 HTML": (say(200, b"<html>", "text/html"), None),
    "200 nothing": (say(200, b""), None),
    "200 half a JSON": (say(200, b'[{"MessageID": "id'), None),
    "200 object": (say(200, {"ErrorCode": 0}), None),
    "200 null": (say(200, None), None),
    "200 too short": (say(200, []), None),
    "200 too long": (say(200, [ITEM, ITEM]), None),
    "200 item without id and error": (say(200, [{"Message": "OK"}]), None),
    "200 item that is no object": (say(200, ["OK"]), None),
    "200 item that is a list": (say(200, [[ITEM]]), None),
    "200 item that is null": (say(200, [None]), None),
    "429": (say(429, {"ErrorCode": 429, "Message": "slow down"}), 0.0),
    "429 for seconds": (say(429, {}, **retry_after("17")), 17.0),
    "429 for a day": (say(429, {}, **retry_after("86400")), 900.0),
    "429 for no time": (say(429, {}, **retry_after("0")), 0.0),
    "429 for a while": (say(429, {}, **retry_after("a while")), 0.0),
    "429 for less than nothing": (say(429, {}, **retry_after("-5")), 0.0),
    "429 for Arabic seconds": (say(429, {}, **retry_after("\u0665".encode().decode("latin-1"))), 0.0),
    "429 until": (late(**retry_after("Sun, 22 Nov 2026 10:00:42 GMT")), 42.0),
    "429 until long ago": (late(**retry_after("Sun, 22 Nov 1026 10:00:42 GMT")), 0.0),
    "429 until next year": (late(**retry_after("Mon, 22 Nov 2027 10:00:42 GMT")), 900.0),
    "429 until, by no clock": (late(date="noon", **retry_after("Sun, 22 Nov 2026 10:00:42 GMT")), 0.0),
    "429 until, in no zone": (late(**retry_after("Sun, 22 Nov 2026 10:00:42 -0000")), 0.0),
    "408": (say(408, b"", "text/plain"), 0.0),
    "500": (say(500, {"ErrorCode": 101, "Message": "unexpected"}), 0.0),
    "502 HTML": (say(502, b"<html>", "text/html"), 0.0),
    "503": (say(503, {"ErrorCode": 100, "Message": "maintenance"}, **retry_after("60")), 60.0),
    "422 without a code": (say(422, {"message": "gateway"}), None),
    "422 with a list": (say(422, [1]), None),
    "422 with a code of letters": (say(422, {"ErrorCode": "405", "Message": ["x"]}), None),
}


@pytest.mark.parametrize(("script", "rest"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_proves_nothing_is_unknown_and_never_posted_again(script: Script, rest: float | None) -> None:
    with ScriptedPostmark(script) as server:
        (outcome,) = send(server)
        assert isinstance(outcome, Unknown)
        assert outcome.rest == rest
        assert server.posts == 1


@pytest.mark.parametrize("item", [{}, {"ErrorCode": 0}, {"ErrorCode": 405, "Message": "no credits"}])
@pytest.mark.parametrize("message_id", ["", " ", 7, True, ["id-1"], {"id": 1}, "id\x00", "two words", "x" * 201])
def test_an_id_that_cannot_be_one_neither_accepts_nor_refuses(item: dict[str, Any], message_id: object) -> None:
    with ScriptedPostmark(say(200, [{**item, "MessageID": message_id}])) as server:
        (outcome,) = send(server)
        assert isinstance(outcome, Unknown)


NOT_SENT: dict[str, tuple[Script, bool, str]] = {
    "401": (
        say(401, {"ErrorCode": 10, "Message": f"token {TOKEN} is not valid"}),
        True,
        "NEWSLETTER_POSTMARK_SERVER_TOKEN",
    ),
    "401 HTML": (say(401, b"<html>", "text/html"), True, "NEWSLETTER_POSTMARK_SERVER_TOKEN"),
    "403 HTML": (say(403, b"<html>", "text/html"), False, "network"),
    "403 with a code": (say(403, {"ErrorCode": 405, "Message": "no"}), True, "credits"),
    "404": (say(404, b"<html>", "text/html"), False, "NEWSLETTER_POSTMARK_API_URL"),
    "413": (say(413, b"", "text/plain"), True, "larger"),
    "415": (say(415, {"ErrorCode": 409, "Message": "JSON required"}), True, "bug"),
    "422 that draws": (say(422, {"ErrorCode": 405, "Message": "\x1b[2J\x00no\u2028credits"}), True, "no credits"),
    "422 without end": (say(422, {"ErrorCode": 405, "Message": "no " * 99_999}), True, "credits"),
    **{
        f"422/{code}": (say(422, {"ErrorCode": code, "Message": "no"}), lasting, advice)
        for code, lasting, advice in [
            (400, True, "sender signature"), (401, True, "confirmed"), (402, True, "bug"), (403, True, "bug"),
            (405, True, "credits"), (409, True, "bug"), (410, True, "bug"), (412, True, "approval"),
            (413, True, "may not send"), (422, True, "not valid"), (1226, True, "STREAM"), (1235, True, "STREAM"),
            (1236, True, "STREAM"), (1238, True, "UNSUBSCRIBE"), (1480, True, "address"),
            (300, False, "code 300"), (9999, False, "code 9999"),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(("script", "lasting", "advice"), NOT_SENT.values(), ids=NOT_SENT.keys())
def test_what_proves_that_nothing_was_sent_says_what_to_do(script: Script, lasting: bool, advice: str) -> None:
    with ScriptedPostmark(script) as server:
        outcomes = send(server, count=2)
        assert outcomes == outcomes[:1] * 2
        (outcome, _) = outcomes
        assert isinstance(outcome, NotSent)
        assert (outcome.lasting, outcome.rest) == (lasting, None)
        assert advice in outcome.reason
        assert server.posts == 1
        assert TOKEN not in outcome.reason
        assert outcome.reason.isprintable()
        assert len(outcome.reason) < 600


@pytest.mark.parametrize("code", [400, 401, 405, 412, 413, 422, 1226, 1235, 1236, 1238, 1480])
def test_one_message_refused_for_what_the_account_lacks_is_not_sent_and_the_others_stay_what_they_are(
    code: int,
) -> None:
    def used_up(request: Request) -> None:
        first, *_ = request.accept()
        inactive = {"ErrorCode": 406, "Message": "inactive"}
        request.answer(200, [first, inactive, {"ErrorCode": code, "Message": "no"}])

    with ScriptedPostmark(used_up) as server:
        outcomes = send(server, count=3)
        assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, NotSent]
        assert isinstance(outcomes[2], NotSent)
        assert outcomes[2].lasting
        assert f"code {code}" in outcomes[2].reason


@pytest.mark.parametrize(("count", "kind"), [(1, Refused), (3, NotSent)])
def test_what_may_be_one_odd_message_stops_a_run_only_when_all_are_alike(count: int, kind: type[Outcome]) -> None:
    def unreadable(request: Request) -> None:
        request.answer(200, [{"ErrorCode": 403, "Message": "invalid field"} for _ in request.messages()])

    with ScriptedPostmark(unreadable) as server:
        outcomes = send(server, count)
        assert {type(outcome) for outcome in outcomes} == {kind}


def test_an_id_that_stands_twice_belongs_to_nobody() -> None:
    def doubled(request: Request) -> None:
        first, second, third = request.accept()
        request.answer(200, [first, {**second, "MessageID": third["MessageID"]}, third])

    with ScriptedPostmark(doubled) as server:
        assert [type(outcome) for outcome in send(server, count=3)] == [Accepted, Unknown, Unknown]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["id-1", "id-2"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["MessageID", "ErrorCode", "Message", "Messages", "TotalCount"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(answer=JSON | st.lists(st.dictionaries(st.sampled_from(["MessageID", "ErrorCode", "Message"]), JSON)))
def test_whatever_is_answered_there_is_a_verdict_each_and_none_refused_that_may_be_taken(answer: object) -> None:
    expected = len(answer) if isinstance(answer, list) else 2
    outcomes = [verdict.outcome for verdict in postmark_answers.read(answer, expected)]
    assert len(outcomes) == expected
    ids = [outcome.message_id for outcome in outcomes if isinstance(outcome, Accepted)]
    assert len(set(ids)) == len(ids)
    for item, outcome in zip(answer if isinstance(answer, list) else [], outcomes, strict=False):
        if not isinstance(item, dict) or item.get("MessageID") is not None:
            assert isinstance(outcome, Accepted | Unknown)


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
    ({"ErrorCode": 406, "MessageID": "id-1"}, Accepted, None),
    ({"ErrorCode": True}, Unknown, None),
    ({"ErrorCode": 406.0}, Unknown, None),
    ({"ErrorCode": 406, "Message": {"deep": [[[]]]}}, Refused, False),
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


NOT_STORED: list[tuple[Script, bool, float | None]] = [
    (drop, False, None),
    (stall, False, None),
    (to_itself, False, None),
    (say(200, b"<html>", "text/html"), False, None),
    (say(500, {"ErrorCode": 101, "Message": "x"}), False, 0.0),
    (say(429, {}, **retry_after("17")), False, 17.0),
    (say(403, b"<html>", "text/html"), False, None),
    (say(401, {"ErrorCode": 10, "Message": "no"}), True, None),
    (say(422, {"ErrorCode": 1480, "Message": "no"}), True, None),
    (say(422, {"ErrorCode": 413, "Message": "no"}), True, None),
]


@pytest.mark.parametrize(("script", "lasting", "rest"), NOT_STORED)
def test_a_letter_that_could_not_be_stored_leaves_nothing_sent(
    script: Script, lasting: bool, rest: float | None
) -> None:
    with ScriptedPostmark(drop, templates=script) as server:
        outcomes = send(server, count=2)
        assert outcomes == outcomes[:1] * 2
        assert isinstance(outcomes[0], NotSent)
        assert (outcomes[0].lasting, outcomes[0].rest) == (lasting, rest)
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


def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmark_client, "LONGEST_ANSWER", 100_000)
    with ScriptedPostmark(say(200, b"[" + b" " * 200_000 + b"]")) as server:
        (outcome,) = send(server, timeout=5)
        assert isinstance(outcome, Unknown)
        assert "MB" in outcome.reason


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
