"""What readers, machines and mail servers do with a message later, and how it is told, shown and listed."""

from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, accepted, letter, refused
from tests.sandbox.test_webhooks import Endpoint

PAGE = "https://example.com/a?b=1&c=2"
HTML = (
    '<a href="https://example.com/a?b=1&amp;c=2">a</a><a href="https://example.com/b">b</a>'
    '<a href="https://example.com/a?b=1&amp;c=2">a again</a><a href="mailto:x@example.com">write</a>'
    '<a data-pm-no-track href="https://example.com/mine">mine</a>'
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture(scope="module")
def sandbox(endpoint: Endpoint) -> Iterator[Sandbox]:
    with Sandbox(webhook_url=endpoint.url) as running:
        yield running


def send(api: Api, endpoint: Endpoint, **changes: Any) -> str:
    """Send a message, and let its delivery be told; return its id."""
    tracked = {"TrackOpens": True, "TrackLinks": "HtmlOnly", "Metadata": {"row": "1"}, "Tag": "w47"}
    message = letter(**{"HtmlBody": HTML, "MessageStream": "broadcast", **tracked, **changes})
    message_id: str = api.post("/email", message)["MessageID"]
    while endpoint.next()["MessageID"] != message_id:
        pass  # what another test did not wait for
    return message_id


def events(api: Api, message_id: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = api.get(f"/messages/outbound/{message_id}/details")["MessageEvents"]
    return shown


def test_openings_and_clicks_are_told_and_shown(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint)
    assert sandbox.open(message, "Reader/1")
    assert sandbox.open(message, "Reader/1")
    assert sandbox.click(message, PAGE, "Reader/2")
    first, second, click = (endpoint.next() for _ in range(3))
    assert [(each["RecordType"], each["FirstOpen"]) for each in (first, second)] == [("Open", True), ("Open", False)]
    assert (click["RecordType"], click["OriginalLink"], click["UserAgent"]) == ("Click", PAGE, "Reader/2")
    for each in (first, second, click):
        assert "ServerID" not in each
        assert (each["MessageID"], each["Recipient"], each["Metadata"]) == (message, "ada@example.com", {"row": "1"})
    assert [each["Type"] for each in events(api, message)] == ["Delivered", "Opened", "Opened", "LinkClicked"]
    assert events(api, message)[-1]["Details"]["Link"] == PAGE


def test_a_machine_follows_every_counted_link_within_a_second(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint)
    assert sandbox.links(message) == {PAGE: True, "https://example.com/b": True, "https://example.com/mine": False}
    assert sandbox.scan(message) == 2
    clicks = [endpoint.next() for _ in range(2)]
    assert [click["OriginalLink"] for click in clicks] == [PAGE, "https://example.com/b"]
    assert clicks[0]["ReceivedAt"] < clicks[1]["ReceivedAt"]


def test_nothing_is_noted_that_was_not_asked_for(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint, TrackOpens=False, TrackLinks="None")
    assert not sandbox.open(message)
    assert not sandbox.click(message, PAGE)
    assert sandbox.scan(message) == 0
    tracked = send(api, endpoint)
    assert not sandbox.click(tracked, "https://example.com/mine")
    with pytest.raises(ValueError, match="has no link to https://example"):
        sandbox.click(tracked, "https://example.com/other")
    with pytest.raises(ValueError, match="no message nobody that has gone out"):
        sandbox.open("nobody")
    assert len(events(api, message)) == 1
    send(api, endpoint)
    assert endpoint.told.empty()


def test_a_complaint_is_told_twice_and_closes_its_stream(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint, To="cross@example.com")
    sandbox.complain(message)
    complaint, change = endpoint.next(), endpoint.next()
    assert (complaint["RecordType"], complaint["Type"], complaint["TypeCode"]) == (
        "SpamComplaint", "SpamComplaint", 100001,
    )  # fmt: skip
    assert (complaint["Inactive"], complaint["CanActivate"]) == (True, False)
    assert (change["SuppressionReason"], change["MessageID"]) == ("SpamComplaint", message)
    again = api.call("POST", "/email", letter(To="cross@example.com", MessageStream="broadcast"))
    assert refused(again)[:2] == (422, 406)
    assert [each["Type"] for each in events(api, message)] == ["Delivered", "Bounced", "SubscriptionChanged"]
    assert events(api, message)[-1]["Details"] == {"Origin": "Recipient", "SuppressSending": "True"}


def test_who_leaves_and_comes_back_is_told_each_time(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint, To="fickle@example.com")
    sandbox.leave(message)
    sandbox.come_back(message)
    left, back = endpoint.next(), endpoint.next()
    assert (left["SuppressSending"], left["SuppressionReason"], left["MessageID"], left["Metadata"]) == (
        True, "ManualSuppression", message, {"row": "1"},
    )  # fmt: skip
    assert (back["SuppressSending"], back["SuppressionReason"], back["MessageID"]) == (False, None, None)


def test_what_was_delivered_can_come_back_later(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint, To="full@example.com")
    sandbox.bounce(message, "SoftBounce")
    sandbox.bounce(message, "blocked", inactive=True)
    soft, blocked, change = (endpoint.next() for _ in range(3))
    assert [(each["Type"], each["Inactive"]) for each in (soft, blocked)] == [("SoftBounce", False), ("Blocked", True)]
    assert change["SuppressionReason"] == "HardBounce"
    with pytest.raises(ValueError, match="there is no bounce Elastic: choose from AddressChange, "):
        sandbox.bounce(message, "Elastic")


def test_what_came_back_is_listed_newest_first_and_without_our_keys(
    sandbox: Sandbox, api: Api, endpoint: Endpoint
) -> None:
    send(api, endpoint)
    api.post("/email", letter(To="SoftBounce@bounce-testing.postmarkapp.com", MessageStream="broadcast"))
    told = [endpoint.next()]
    message = send(api, endpoint, To="listed@example.com")
    sandbox.complain(message)
    told.append(endpoint.next())
    endpoint.next()
    listed = api.get("/bounces", count=500, offset=0)
    assert listed["TotalCount"] == 2
    for shown, posted in zip(listed["Bounces"], told[::-1], strict=True):
        assert shown == {name: posted[name] for name in posted if name not in ("RecordType", "Metadata", "Content")}
        assert api.get(f"/bounces/{shown['ID']}") == {**shown, "Content": ""}
    assert [each["Type"] for each in api.get("/bounces", count=1, offset=1)["Bounces"]] == ["SoftBounce"]
    for query, types in [
        ({"type": "softbounce"}, ["SoftBounce"]),
        ({"inactive": "true"}, ["SpamComplaint"]),
        ({"emailFilter": "LISTED"}, ["SpamComplaint"]),
        ({"tag": "w47"}, ["SpamComplaint"]),
        ({"messageID": message}, ["SpamComplaint"]),
        ({"messagestream": "outbound"}, []),
        ({"fromdate": "2099-01-01"}, []),
        ({"todate": "2099-01-01", "messagestream": "broadcast"}, ["SpamComplaint", "SoftBounce"]),
    ]:
        found = api.get("/bounces", count=500, offset=0, **query)
        assert [each["Type"] for each in found["Bounces"]] == types, query


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/bounces", {"count": 501, "offset": 0}, 1000),
        ("/bounces", {"count": 500, "offset": 9_501}, 1000),
        ("/bounces", {"offset": 0}, 1000),
        ("/bounces", {"count": 1, "offset": 0, "fromdate": "soon"}, 1000),
        ("/bounces/7", {}, 1001),
    ],
)
def test_a_bad_question_about_bounces_is_refused(api: Api, path: str, query: dict[str, Any], code: int) -> None:
    api.post("/email", letter(To="HardBounce@bounce-testing.postmarkapp.com"))
    assert refused(api.call("GET", path, **query))[:2] == (422, code)
    suppressed = {"Suppressions": [{"EmailAddress": "HardBounce@bounce-testing.postmarkapp.com"}]}
    api.post("/message-streams/outbound/suppressions/delete", suppressed)


def test_everything_can_be_done_by_hand(sandbox: Sandbox, api: Api, endpoint: Endpoint) -> None:
    message = send(api, endpoint, To="hand@example.com")
    page = f"{sandbox.url}inbox/{message}"

    def do(gesture: str, **fields: str) -> Any:
        return accepted(api.session.post(f"{page}/{gesture}", data=fields, timeout=5))["noted"]

    assert do("open") is True
    assert do("click", link=PAGE, agent="by hand") is True
    assert do("scan") == 2
    assert do("bounce", type="SoftBounce") is None
    for gesture in ("leave", "return", "complain"):
        do(gesture)
    told = [endpoint.next() for _ in range(9)]
    assert [each["RecordType"] for each in told] == [
        "Open", "Click", "Click", "Click", "Bounce", "SubscriptionChange", "SubscriptionChange", "SpamComplaint",
        "SubscriptionChange",
    ]  # fmt: skip
    assert told[1]["UserAgent"] == "by hand"
    facts = api.page(f"inbox/{message}?view=facts").text
    assert f'action="/inbox/{message}/complain"' in facts
    led_back = api.session.post(f"{page}/open", headers={"Accept": "text/html"}, timeout=5, allow_redirects=False)
    assert (led_back.status_code, led_back.headers["Location"]) == (303, f"/inbox/{message}?view=facts")
    for gesture, fields, status in [
        ("dance", {}, 404), ("click", {"link": "https://x.example/"}, 422), ("bounce", {"inactive": "maybe"}, 422),
    ]:  # fmt: skip
        answer = api.session.post(f"{page}/{gesture}", data=fields, timeout=5)
        assert answer.status_code == status
        assert answer.json()["error"]
    assert api.session.post(f"{sandbox.url}inbox/nobody/open", timeout=5).status_code == 404
