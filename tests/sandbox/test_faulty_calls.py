"""What a call gets that a fault strikes, and what was taken by then: real sockets, real HTTP."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, accepted, letter, refused, templated

BATCH = [letter(To=f"r{number}@example.com", Metadata={"row": str(number)}) for number in range(4)]
DELAYED = "Message accepted, but delivery may be delayed."


@pytest.fixture(autouse=True)
def no_faults_afterwards(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def send(api: Api, messages: object = BATCH, **options: Any) -> requests.Response:
    return api.session.post(
        f"{api.url}email/batch",
        json=messages,
        headers={"Accept": "application/json", "X-Postmark-Server-Token": api.token},
        **{"timeout": 10, "allow_redirects": False, **options},
    )


def raw(sandbox: Sandbox, messages: object = BATCH, before: float = 10) -> bytes:
    """Everything that comes back over one connection until the other side ends it."""
    body = json.dumps(messages).encode()
    head = (
        "POST /email/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        "Accept: application/json\r\nContent-Type: application/json\r\n"
        f"X-Postmark-Server-Token: {sandbox.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=before) as line:
        line.sendall(head.encode() + body)
        return b"".join(iter(lambda: line.recv(65536), b""))


def taken(sandbox: Sandbox) -> list[str]:
    return [message.recipients[0][:2] for message in sandbox.messages]


EVERYBODY = ["r0", "r1", "r2", "r3"]


@pytest.mark.parametrize(("fault", "left"), [("drop", []), ("accept-then-drop", EVERYBODY), ("stall:seconds=0", [])])
def test_the_line_is_cut_before_or_after_the_batch_is_taken(
    sandbox: Sandbox, api: Api, fault: str, left: list[str]
) -> None:
    sandbox.faults.set(f"{fault}{',' if ':' in fault else ':'}times=2")
    assert raw(sandbox) == b""
    assert taken(sandbox) == left
    with pytest.raises(requests.ConnectionError, match="Remote end closed connection without response"):
        send(api)
    assert taken(sandbox) == left * 2
    assert len(accepted(send(api))) == 4  # two times were asked for


def test_half_an_answer_comes_on_a_line_that_is_cut(
    sandbox: Sandbox, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.set("accept-then-truncate")
    head, _, body = raw(sandbox).partition(b"\r\n\r\n")
    promised = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len"))
    assert head.startswith(b"HTTP/1.1 200 ")
    assert len(body) == promised // 2
    assert body.startswith(b'[{"To":"r0@example.com"')
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        send(api)
    assert taken(sandbox) == EVERYBODY * 2
    assert not caplog.records


def test_a_stalled_answer_comes_late(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("accept-then-stall:seconds=0.2")
    started = time.perf_counter()
    assert [item["ErrorCode"] for item in accepted(send(api))] == [0] * 4
    assert time.perf_counter() - started >= 0.2
    assert taken(sandbox) == EVERYBODY


@pytest.mark.parametrize(("fault", "left"), [("stall", []), ("accept-then-stall", EVERYBODY)])
def test_an_answer_that_never_comes_holds_up_nobody_else(
    sandbox: Sandbox, api: Api, fault: str, left: list[str]
) -> None:
    sandbox.faults.set(f"{fault}:times=1")

    def give_up() -> None:
        with pytest.raises(TimeoutError):
            raw(sandbox, before=0.3)

    stalled = threading.Thread(target=give_up)
    stalled.start()
    while not sandbox.faults.struck[fault]:
        time.sleep(0.001)
    assert len(accepted(send(api))) == 4
    assert stalled.is_alive()
    stalled.join()
    assert taken(sandbox) == left + EVERYBODY


def test_a_sandbox_with_a_stalled_answer_stops_at_once() -> None:
    with Sandbox(faults=["accept-then-stall"]) as sandbox:
        stalled = threading.Thread(target=raw, args=(sandbox,))
        stalled.start()
        while not sandbox.messages:
            time.sleep(0.001)
        started = time.perf_counter()
        sandbox.close()
        stalled.join()
        assert time.perf_counter() - started < 3


@pytest.mark.parametrize(("fault", "left"), [("500", []), ("accept-then-500", EVERYBODY)])
def test_an_error_500_says_nothing_about_what_was_taken(
    sandbox: Sandbox, api: Api, fault: str, left: list[str]
) -> None:
    sandbox.faults.set(fault)
    status, code, words = refused(send(api))
    assert (status, code) == (500, 101)
    assert "Error ID" in words
    assert taken(sandbox) == left


@pytest.mark.parametrize(("fault", "left"), [("html-200", []), ("accept-then-html", EVERYBODY)])
def test_a_page_says_nothing_about_what_was_taken(sandbox: Sandbox, api: Api, fault: str, left: list[str]) -> None:
    sandbox.faults.set(fault)
    answer = send(api)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<html>" in answer.text
    assert taken(sandbox) == left


@pytest.mark.parametrize(("fault", "left"), [("no-code", []), ("accept-then-no-code", EVERYBODY)])
def test_an_error_without_a_code_says_nothing_about_what_was_taken(
    sandbox: Sandbox, api: Api, fault: str, left: list[str]
) -> None:
    sandbox.faults.set(f"{fault}:times=1,status=504", fault)
    answers = [send(api), send(api)]
    assert [answer.status_code for answer in answers] == [504, 502]
    assert [list(answer.json()) for answer in answers] == [["message"]] * 2
    assert taken(sandbox) == left * 2


def test_a_firewall_answers_with_a_page(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("html-403")
    answer = send(api)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "403 Forbidden" in answer.text
    assert not sandbox.messages


def test_too_many_requests_may_say_when_to_come_back(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("429:times=1", "429:retry-after=3")
    hushed, said = send(api), send(api)
    assert (hushed.status_code, hushed.headers.get("Retry-After")) == (429, None)
    assert (said.status_code, said.headers.get("Retry-After")) == (429, "3")
    assert not sandbox.messages


def test_maintenance_may_say_when_it_ends(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("503:times=1", "503:retry-after=0")
    hushed, said = send(api), send(api)
    assert refused(hushed)[:2] == refused(said)[:2] == (503, 100)
    assert (hushed.headers.get("Retry-After"), said.headers.get("Retry-After")) == (None, "0")
    assert not sandbox.messages


def test_a_redirect_leads_to_itself(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("redirect")
    answer = send(api)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{sandbox.url}email/batch")
    with pytest.raises(requests.TooManyRedirects):
        send(api, allow_redirects=True)
    assert sandbox.faults.struck["redirect"] == 1 + 31
    assert not sandbox.messages


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (10, 401, "Server token"),
        (400, 422, "News <news@example.com>"),
        (401, 422, "not been confirmed"),
        (405, 422, "credits"),
        (412, 422, "pending approval"),
        (413, 422, "may not send"),
        (422, 422, "not valid"),
        (1235, 422, "'broadcast' does not exist"),
        (1236, 422, "'broadcast' does not support sending"),
        (1480, 422, "IP address"),
    ],
)
def test_the_account_is_refused(sandbox: Sandbox, api: Api, code: int, status: int, words: str) -> None:
    sandbox.faults.set(f"refused:code={code}")
    found = refused(send(api, [letter(MessageStream="broadcast")]))
    assert found[:2] == (status, code)
    assert words in found[2]
    assert refused(api.call("POST", "/email/batchWithTemplates", {"Messages": []}))[1] == code
    assert not sandbox.messages


def test_part_of_a_batch_is_taken_and_the_answer_lost(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("accept-then-drop:part=0.5")
    assert raw(sandbox) == b""
    assert taken(sandbox) == ["r0", "r1"]
    assert api.search()["TotalCount"] == 2
    sandbox.faults.set("accept-then-500:part=0")
    send(api)
    assert len(sandbox.messages) == 2


def test_accepted_messages_may_have_no_error_code(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("delayed")
    items = [*accepted(send(api)), api.post("/email", letter(To="r4@example.com"))]
    assert [item["To"][:2] for item in items] == [*EVERYBODY, "r4"]
    assert all({*item} == {"To", "SubmittedAt", "MessageID", "Message"} for item in items)
    assert {item["Message"] for item in items} == {DELAYED}
    assert {item["MessageID"] for item in items} == {message.id for message in sandbox.messages}


def test_a_delayed_batch_still_refuses_what_is_wrong(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("delayed")
    good, bad = accepted(send(api, [letter(), letter(To="nobody")]))
    assert "ErrorCode" not in good
    assert bad["ErrorCode"] == 300


def test_a_mixed_batch_has_every_verdict(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("mixed")
    batch = [letter(To=f"r{number}@example.com") for number in range(200)]
    answer = accepted(send(api, batch))
    assert len(answer) == 200
    codes = [item.get("ErrorCode", "delayed") for item in answer]
    assert {*codes} == {0, 300, 406, "delayed"}
    assert 80 < codes.count(0) < 160
    assert 15 < codes.count("delayed") < 75
    for message, item in zip(batch, answer, strict=True):
        if item.get("ErrorCode"):
            assert {*item} == {"ErrorCode", "Message"}
            assert message["To"] in item["Message"]
        else:
            assert item["To"] == message["To"]
    assert [message.id for message in sandbox.messages] == [item["MessageID"] for item in answer if "To" in item]


def test_a_mixed_batch_may_be_refused_altogether_or_delayed_altogether(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("mixed:refuse=1,delay=0,codes=405,times=1", "mixed:refuse=0,delay=1")
    assert [item["ErrorCode"] for item in accepted(send(api))] == [405] * 4
    assert not sandbox.messages
    assert [item["Message"] for item in accepted(send(api))] == [DELAYED] * 4


def test_a_template_is_gone_for_some_of_a_batch(sandbox: Sandbox, api: Api) -> None:
    alias = api.template()
    sandbox.faults.set("mixed:refuse=1,delay=0,codes=1101")
    (item,) = api.post("/email/batchWithTemplates", {"Messages": [templated(alias)]})
    assert item["ErrorCode"] == 1101
    status, code, _ = refused(api.call("POST", "/email/withTemplate", templated(alias)))
    assert (status, code) == (422, 1101)


@pytest.mark.parametrize(("fault", "items"), [("short-answer", 3), ("long-answer", 5)])
def test_an_answer_has_not_the_length_of_its_batch(sandbox: Sandbox, api: Api, fault: str, items: int) -> None:
    sandbox.faults.set(fault)
    answer = accepted(send(api))
    assert len(answer) == items
    assert [item["MessageID"] for item in answer[:3]] == [message.id for message in sandbox.messages[:3]]
    assert taken(sandbox) == EVERYBODY
    assert api.post("/email", letter())["ErrorCode"] == 0


def test_a_refused_call_loses_its_answer_as_well(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("accept-then-drop:times=1", "short-answer")
    assert raw(sandbox, {"no": "list"}) == b""
    assert refused(send(api, {"no": "list"}))[:2] == (422, 403)
    assert not sandbox.messages


def test_templates_and_searches_meet_faults_where_it_is_said(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.set("accept-then-500:on=templates", "html-200:on=search,times=1", "drop:on=suppressions")
    alias = "made-with-a-lost-answer"
    stored = api.call("POST", "/templates", {"Name": alias, "Alias": alias, "Subject": "x", "TextBody": "x"})
    assert stored.status_code == 500
    assert "<html>" in api.call("GET", "/messages/outbound", count=1, offset=0).text
    assert api.search()["TotalCount"] == 0
    with pytest.raises(requests.ConnectionError):
        api.get("/message-streams/broadcast/suppressions/dump")
    sandbox.faults.clear()
    assert api.get(f"/templates/{alias}")["Alias"] == alias
    assert [item["ErrorCode"] for item in accepted(send(api))] == [0] * 4


def test_calls_that_are_struck_are_counted_on_the_wire(sandbox: Sandbox, api: Api) -> None:
    before = api.page("wire.json").json()["by_path"].get("/email/batch", {"requests": 0})["requests"]
    sandbox.faults.set("500")
    send(api)
    assert api.page("wire.json").json()["by_path"]["/email/batch"]["requests"] == before + 1
