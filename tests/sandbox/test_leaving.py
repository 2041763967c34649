"""The way out that the provider itself offers, and what it tells of it."""

import re
from collections.abc import Iterator
from email import message_from_string, policy
from typing import Any

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter, refused
from tests.sandbox.test_webhooks import Endpoint

DUMP = "/message-streams/broadcast/suppressions/dump"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture(scope="module")
def sandbox(endpoint: Endpoint) -> Iterator[Sandbox]:
    with Sandbox(webhook_url=endpoint.url, owns_way_out=True) as running:
        yield running


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> str:
    return f"{re.sub('[^a-z]+', '-', request.node.name)[:60]}@example.com"


def headers(api: Api, message_id: str) -> Any:
    return message_from_string(api.get(f"/messages/outbound/{message_id}/dump")["Body"], policy=policy.default)


def way_out(api: Api, endpoint: Endpoint, to: str) -> str:
    sent = api.post("/email", letter(To=to, MessageStream="broadcast", Tag="w47"))
    assert endpoint.next()["RecordType"] == "Delivery"
    mail = headers(api, sent["MessageID"])
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    match = re.fullmatch(r"<(http://127\.0\.0\.1:\d+/unsubscribe/[0-9a-f-]{36})>", mail["List-Unsubscribe"])
    assert match is not None
    return match[1]


def test_looking_changes_nothing_and_a_post_leaves(api: Api, endpoint: Endpoint, reader: str) -> None:
    url = way_out(api, endpoint, reader)
    page = requests.get(url, timeout=5)
    assert '<form action="/unsubscribe/' in page.text
    assert requests.head(url, timeout=5).status_code == 200
    assert api.get(DUMP, EmailAddress=reader)["Suppressions"] == []

    for _ in range(2):
        assert requests.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=5).status_code == 200
    (entry,) = api.get(DUMP, EmailAddress=reader)["Suppressions"]
    assert (entry["SuppressionReason"], entry["Origin"]) == ("ManualSuppression", "Recipient")
    change = endpoint.next()
    assert change["MessageID"] == url.rpartition("/")[2]
    assert (change["Recipient"], change["Origin"], change["SuppressSending"]) == (reader, "Recipient", True)
    assert endpoint.told.empty()
    assert refused(api.call("POST", "/email", letter(To=reader, MessageStream="broadcast")))[1] == 406


def test_coming_back_is_told_as_the_readers_own_wish(api: Api, endpoint: Endpoint, reader: str) -> None:
    url = way_out(api, endpoint, reader)
    page = requests.post(url, timeout=5).text
    back = re.search(r'<form action="(/resubscribe/[0-9a-f-]+)" method="post">', page)
    assert back is not None
    assert "subscribed again" in requests.post(api.url + back[1].lstrip("/"), timeout=5).text
    on, off = endpoint.next(), endpoint.next()
    assert (on["SuppressSending"], off["SuppressSending"]) == (True, False)
    assert (off["Origin"], off["SuppressionReason"]) == ("Recipient", None)
    assert api.get(DUMP, EmailAddress=reader)["Suppressions"] == []


def test_nobody_comes_back_who_did_not_leave_by_themselves(api: Api, endpoint: Endpoint, reader: str) -> None:
    url = way_out(api, endpoint, reader)
    api.post("/message-streams/broadcast/suppressions", {"Suppressions": [{"EmailAddress": reader}]})
    assert endpoint.next()["Origin"] == "Customer"
    requests.post(url.replace("unsubscribe", "resubscribe"), timeout=5)
    assert len(api.get(DUMP, EmailAddress=reader)["Suppressions"]) == 1


def test_a_header_of_the_senders_own_is_kept(api: Api, endpoint: Endpoint) -> None:
    own = [{"Name": "list-unsubscribe", "Value": "<https://example.com/u>"}]
    sent = api.post("/email", letter(MessageStream="broadcast", Headers=own))
    assert endpoint.next()["RecordType"] == "Delivery"
    mail = headers(api, sent["MessageID"])
    assert mail.get_all("List-Unsubscribe") == ["<https://example.com/u>"]
    assert mail["List-Unsubscribe-Post"] is None


def test_letters_to_one_person_have_no_way_out(api: Api, endpoint: Endpoint) -> None:
    sent = api.post("/email", letter())
    assert endpoint.next()["RecordType"] == "Delivery"
    assert headers(api, sent["MessageID"])["List-Unsubscribe"] is None
    assert requests.post(f"{api.url}unsubscribe/{sent['MessageID']}", timeout=5).status_code == 404
    assert requests.get(f"{api.url}unsubscribe/none", timeout=5).status_code == 404


def test_a_sandbox_that_is_not_asked_to_adds_nothing() -> None:
    with Sandbox() as plain, requests.Session() as session:
        api = Api(plain.url, plain.token, session)
        sent = api.post("/email", letter(MessageStream="broadcast"))
        assert headers(api, sent["MessageID"])["List-Unsubscribe"] is None
        assert api.page(f"/unsubscribe/{sent['MessageID']}").status_code == 404
