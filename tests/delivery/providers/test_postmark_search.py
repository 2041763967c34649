"""What Postmark's search shows of a batch: all of it, held back or not, or nothing is concluded."""

from typing import Any

import pytest

from newsletter.delivery.postmark import MOST_PAGES, PostmarkProvider
from newsletter.delivery.provider import CannotAsk
from tests.delivery.providers.letters import ENVELOPE, new_batch
from tests.delivery.providers.scripted import Request, Script, ScriptedPostmark, drop, stall

TOKEN = "hunter2-s3cret"


def say(status: int, content: object, kind: str = "application/json") -> Script:
    return lambda request: request.answer(status, content, kind)


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


def test_what_postmark_has_taken_and_holds_back_is_found() -> None:
    batch = new_batch()

    def under_review(request: Request) -> None:
        held, second = "status=queued" in request.path, "offset=1" in request.path
        if not held:
            request.answer(200, page("a", batch=batch))
        else:
            request.answer(200, page("c" if second else "b", batch=batch, total=2))

    found, paths = ask(under_review, batch)
    assert found == {"a": "id-a", "b": "id-b", "c": "id-c"}
    assert len(paths) == 3
    assert all("messagestream=broadcast" in path for path in paths)


def test_a_search_of_which_one_half_fails_concludes_nothing() -> None:
    batch = new_batch()

    def half(request: Request) -> None:
        if "status=queued" in request.path:
            request.answer(500, {})
        else:
            request.answer(200, page("a", batch=batch))

    with pytest.raises(CannotAsk):
        ask(half, batch)


@pytest.mark.parametrize("ids", [("id-1", "id-2"), ("id-2", "id-1")])
def test_of_two_messages_for_one_row_the_same_is_named_each_time(ids: tuple[str, str]) -> None:
    batch = new_batch()
    messages = [{"MessageID": one, "Metadata": {"batch": batch, "row": "a"}} for one in ids]
    assert ask(say(200, {"TotalCount": 2, "Messages": messages}), batch)[0] == {"a": "id-1"}


def test_other_peoples_mail_is_passed_over() -> None:
    batch = new_batch()
    others: list[Any] = [{"MessageID": "x"}, {"MessageID": "y", "Metadata": None}, {"Metadata": {"batch": "z"}}]
    own = {"MessageID": "id-a", "Metadata": {"batch": batch, "row": "a"}}
    assert ask(say(200, {"TotalCount": 4, "Messages": [*others, own]}), batch)[0] == {"a": "id-a"}


BATCH = "b" * 32
OWN = {"batch": BATCH, "row": "a"}
UNREADABLE: dict[str, Script] = {
    "dropped": drop,
    "stalled": stall,
    "HTML": say(200, b"<html>", "text/html"),
    "500": say(500, {}),
    "429": say(429, {}),
    "401": say(401, {"ErrorCode": 10, "Message": "no"}),
    "null": say(200, None),
    "a list": say(200, []),
    "nothing in it": say(200, {}),
    "a count of letters": say(200, {"TotalCount": "1", "Messages": []}),
    "a count that is none": say(200, {"TotalCount": True, "Messages": []}),
    "messages by name": say(200, {"TotalCount": 1, "Messages": {"a": 1}}),
    "a message that is null": say(200, {"TotalCount": 1, "Messages": [None]}),
    "metadata in a list": say(200, {"TotalCount": 1, "Messages": [{"MessageID": "x", "Metadata": [OWN]}]}),
    "no id": say(200, {"TotalCount": 1, "Messages": [{"Metadata": OWN}]}),
    "an id that is none": say(200, {"TotalCount": 1, "Messages": [{"MessageID": "a\x00b", "Metadata": OWN}]}),
    "no row": say(200, {"TotalCount": 1, "Messages": [{"MessageID": "x", "Metadata": {"batch": BATCH}}]}),
    "a row that is none": say(
        200, {"TotalCount": 1, "Messages": [{"MessageID": "x", "Metadata": {**OWN, "row": "9" * 5000}}]}
    ),
    "more counted than shown": say(200, {"TotalCount": 2, "Messages": []}),
}


@pytest.mark.parametrize("script", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_search_that_fails_concludes_nothing(script: Script) -> None:
    with pytest.raises(CannotAsk) as caught:
        ask(script, BATCH)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_a_list_without_end_is_left_after_some_pages() -> None:
    calls = [0]

    def endless(request: Request) -> None:
        calls[0] += 1
        request.answer(200, page("a", batch=BATCH, total=10**9))

    with pytest.raises(CannotAsk, match="more messages"):
        ask(endless, BATCH)
    assert calls == [MOST_PAGES]
