"""What the sandbox accepts, keeps and shows over the API."""

import re
import uuid
from email import message_from_string
from email.policy import default
from typing import Any

import pytest
from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter, refused, templated


@pytest.mark.parametrize("path", ["/email", "/email/"])
def test_an_accepted_message_is_answered_as_documented(api: Api, path: str) -> None:
    answer = api.post(path, letter())
    assert list(answer) == ["To", "SubmittedAt", "MessageID", "ErrorCode", "Message"]
    assert (answer["To"], answer["ErrorCode"], answer["Message"]) == ("ada@example.com", 0, "OK")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}-0[45]:00", answer["SubmittedAt"])
    assert uuid.UUID(answer["MessageID"]).version == 4


def test_a_batch_is_answered_in_order_with_a_verdict_on_each(api: Api) -> None:
    answers = api.post("/email/batch", [letter(To="a@example.com"), letter(To="nobody"), letter(To="c@example.com")])
    assert [answer.get("To") for answer in answers] == ["a@example.com", None, "c@example.com"]
    assert answers[1] == {"ErrorCode": 300, "Message": "Invalid 'To' address: 'nobody'."}
    assert api.post("/email/batch", []) == []


def test_search_shows_one_stream_and_by_default_outbound(api: Api) -> None:
    api.post("/email/batch", [letter(), letter(MessageStream="broadcast", To="b@example.com")])
    found = api.get("/messages/outbound", count=500, offset=0)
    assert [message["MessageStream"] for message in found["Messages"]] == ["outbound"]
    assert api.search("broadcast")["Messages"][0]["Recipients"] == ["b@example.com"]


def test_search_finds_by_one_metadata_field(api: Api) -> None:
    batch = [letter(Metadata={"b": "one" if number < 2 else "two", "s": str(number)}) for number in range(3)]
    api.post("/email/batch", batch)
    found = api.search(metadata_b="one")
    assert found["TotalCount"] == 2
    assert [message["Metadata"]["s"] for message in found["Messages"]] == ["1", "0"]
    assert api.search(metadata_b="on")["TotalCount"] == 0
    assert refused(api.call("GET", "/messages/outbound", count=1, offset=0, metadata_a="1", metadata_b="2"))[1] == 700


def test_search_finds_by_everything_else(api: Api) -> None:
    api.post("/email/batch", [letter(Tag="w47", Subject="One"), letter(To="Bo <BO@Example.com>", Subject="Two")])
    assert [message["Subject"] for message in api.search(tag="w47")["Messages"]] == ["One"]
    assert [message["Subject"] for message in api.search(recipient="bo@example.com")["Messages"]] == ["Two"]
    assert [message["Subject"] for message in api.search(subject="tw")["Messages"]] == ["Two"]
    assert api.search(fromEmail="news@example.com")["TotalCount"] == 2
    assert api.search(status="queued")["TotalCount"] == 0
    assert api.search(todate="2020-01-01")["TotalCount"] == 0
    assert api.search(fromdate="2020-01-01T00:00:00")["TotalCount"] == 2
    assert api.search(subject="two")["Messages"][0]["To"] == [{"Email": "bo@example.com", "Name": "Bo"}]


@pytest.mark.parametrize(
    "query",
    [
        {"count": 10},
        {"offset": 0},
        {"count": 0, "offset": 0},
        {"count": 501, "offset": 0},
        {"count": "x", "offset": 0},
        {"count": 500, "offset": 9501},
        {"count": 1, "offset": 0, "fromdate": "yesterday"},
        {"count": 1, "offset": 0, "status": "lost"},
    ],
)
def test_a_search_out_of_bounds_is_refused(api: Api, query: dict[str, Any]) -> None:
    assert refused(api.call("GET", "/messages/outbound", **query))[:2] == (422, 700)


def test_search_is_paged(api: Api) -> None:
    api.post("/email/batch", [letter(Subject=str(number)) for number in range(5)])
    page = api.search(count=2, offset=1)
    assert page["TotalCount"] == 5
    assert [message["Subject"] for message in page["Messages"]] == ["3", "2"]


def test_details_show_the_whole_message_and_what_became_of_it(api: Api) -> None:
    sent = api.post("/email", letter(HtmlBody="<p>Hi</p>", Metadata={"a": "b"}))
    details = api.get(f"/messages/outbound/{sent['MessageID']}/details")
    assert (details["TextBody"], details["HtmlBody"], details["Metadata"]) == ("Hi.", "<p>Hi</p>", {"a": "b"})
    assert [(event["Type"], event["Recipient"]) for event in details["MessageEvents"]] == [
        ("Delivered", "ada@example.com")
    ]
    unknown = api.call("GET", f"/messages/outbound/{uuid.uuid4()}/details")
    assert refused(unknown)[:2] == (422, 701)


def test_the_dump_is_what_a_reader_gets(api: Api) -> None:
    unsubscribe = f"<https://example.com/unsubscribe/{'x' * 150}>"
    sent = api.post(
        "/email",
        letter(
            Subject="Grüße aus dem Sandkasten, die länger sind als jede einzelne Zeile eines Kopfes sein sollte",
            HtmlBody="<p>é" + "x" * 2000 + "</p>",
            Bcc="hidden@example.com",
            Metadata={"secret": "metadata"},
            Tag="w47",
            Headers=[
                {"Name": "List-Unsubscribe", "Value": unsubscribe},
                {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
                {"Name": "Message-ID", "Value": "<ours@example.com>"},
            ],
            Attachments=[{"Name": "a.txt", "Content": "QUJD", "ContentType": "text/plain"}],
        ),
    )
    body = api.get(f"/messages/outbound/{sent['MessageID']}/dump")["Body"]
    assert f"List-Unsubscribe: {unsubscribe}\r\n" in body
    assert "hidden@example.com" not in body
    assert "metadata" not in body
    assert all(len(line) <= 998 for line in body.split("\r\n"))
    mail: Any = message_from_string(body, policy=default)
    assert mail["Subject"].startswith("Grüße aus")
    assert mail["Message-ID"] == "<ours@example.com>"
    assert mail["X-PM-Tag"] == "w47"
    assert mail["X-PM-Message-Id"] == sent["MessageID"]
    assert mail.get_body(("plain",)).get_content().strip() == "Hi."
    assert mail.get_body(("html",))["Content-Transfer-Encoding"] == "quoted-printable"
    assert "é" in mail.get_body(("html",)).get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["a.txt"]


def test_a_subject_from_a_model_cannot_add_a_header(api: Api) -> None:
    model = {"name": "a\r\nBcc: b@example.com"}
    sent = api.post("/email/withTemplate", templated(api.template(), TemplateModel=model))
    body = api.get(f"/messages/outbound/{sent['MessageID']}/dump")["Body"]
    assert "Subject: Hello a Bcc: b@example.com\r\n" in body


def test_suppressed_recipients_get_nothing_on_that_stream_only(api: Api) -> None:
    api.post("/message-streams/broadcast/suppressions", {"Suppressions": [{"EmailAddress": "Off@example.com"}]})
    broadcast = letter(To="off@example.com", MessageStream="broadcast")
    reasons = (
        "Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
    )
    assert refused(api.call("POST", "/email", broadcast)) == (
        422,
        406,
        "You tried to send to recipient(s) that have been marked as inactive."
        f" Found inactive addresses: off@example.com. {reasons}",
    )
    assert api.post("/email/batch", [broadcast])[0] == {
        "ErrorCode": 406,
        "Message": "You tried to send to a recipient that has been marked as inactive."
        f" Found inactive addresses: off@example.com. {reasons} ",
    }
    partly = api.post("/email", broadcast | {"Cc": "on@example.com"})
    assert partly["Message"] == "Message OK, but will not deliver to these inactive addresses: off@example.com."
    assert api.search("broadcast")["Messages"][0]["Recipients"] == ["on@example.com"]
    assert api.post("/email", letter(To="off@example.com"))["ErrorCode"] == 0


def test_suppressions_are_created_dumped_and_deleted(api: Api) -> None:
    path = "/message-streams/outbound/suppressions"
    entries = {"Suppressions": [{"EmailAddress": "gone@example.com"}, {"EmailAddress": "nobody"}]}
    failed = {"EmailAddress": "nobody", "Status": "Failed", "Message": "An invalid email address was provided."}
    assert api.post(path, entries)["Suppressions"] == [
        {"EmailAddress": "gone@example.com", "Status": "Suppressed", "Message": None},
        failed,
    ]
    (entry,) = api.get(f"{path}/dump", emailAddress="gone@example.com")["Suppressions"]
    assert (entry["SuppressionReason"], entry["Origin"]) == ("ManualSuppression", "Customer")
    assert (
        api.get(f"{path}/dump", SuppressionReason="HardBounce", EmailAddress="gone@example.com")["Suppressions"] == []
    )
    assert api.post(f"{path}/delete", entries)["Suppressions"][0]["Status"] == "Deleted"
    assert api.get(f"{path}/dump", EmailAddress="gone@example.com")["Suppressions"] == []
    assert refused(api.call("POST", path, {"Suppressions": [{"EmailAddress": "a@example.com"}] * 51}))[1] == 1410
    assert refused(api.call("POST", path, []))[1] == 1409
    assert refused(api.call("GET", "/message-streams/weekly/suppressions/dump"))[1] == 1226
    assert refused(api.call("GET", f"{path}/dump", SuppressionReason="x"))[1] == 1404
    assert refused(api.call("GET", f"{path}/dump", Origin="x"))[1] == 1405


def test_a_hard_bounce_suppresses_and_a_soft_one_does_not(api: Api) -> None:
    hard, soft = "hard_bounce@bounce-testing.postmarkapp.com", "SoftBounce@bounce-testing.postmarkapp.com"
    sent = api.post("/email/batch", [letter(To=hard), letter(To=soft)])
    events = api.get(f"/messages/outbound/{sent[0]['MessageID']}/details")["MessageEvents"]
    assert [event["Type"] for event in events] == ["Bounced", "SubscriptionChanged"]
    assert [answer["ErrorCode"] for answer in api.post("/email/batch", [letter(To=hard), letter(To=soft)])] == [406, 0]
    api.post("/message-streams/outbound/suppressions/delete", {"Suppressions": [{"EmailAddress": hard}]})


def test_the_black_hole_is_found_but_goes_nowhere(api: Api) -> None:
    sent = api.post("/email", letter(To="test@blackhole.postmarkapp.com"))
    assert api.search()["TotalCount"] == 1
    assert api.get(f"/messages/outbound/{sent['MessageID']}/details")["MessageEvents"] == []


def test_the_server_says_its_name(client: PostmarkClient) -> None:
    assert client.server.get().Name == "Sandbox"


def test_postmarker_sends_batches_whole_and_templated(client: PostmarkClient, sandbox: Sandbox) -> None:
    whole = client.emails.send_batch(
        *({**letter(To=f"r{number}@example.com"), "Headers": {"List-Id": "x"}} for number in range(501))
    )
    assert len(whole) == 501
    template = client.templates.create("Weekly", "About {{ tool }}", HtmlBody="<p>{{ tool }}</p>", Alias="weekly")
    sent = client.emails.send_template_batch(
        templated("weekly", TemplateModel={"tool": "R&D"}, MessageStream="broadcast", InlineCss=False)
    )
    assert sent[0]["ErrorCode"] == 0
    details = client.call("GET", f"/messages/outbound/{sent[0]['MessageID']}/details")
    assert (details["Subject"], details["HtmlBody"]) == ("About R&D", "<p>R&amp;D</p>")
    assert len(sandbox.messages) == 502
    assert sandbox.messages[-1].stream == "broadcast"
    assert template.delete() == f"Template {template.TemplateId} removed."


def test_postmarker_raises_what_is_refused(client: PostmarkClient) -> None:
    with pytest.raises(ClientError) as raised:
        client.emails.send(From="news@example.com", To="nobody", Subject="x", TextBody="x")
    assert raised.value.error_code == 300


def test_the_wire_counts_calls_and_bytes_by_path(api: Api) -> None:
    before = api.page("wire.json").json()
    body = letter()
    answer = api.call("POST", "/email/", body)
    after = api.page("wire.json").json()
    assert answer.request.body is not None
    assert after["requests"] - before["requests"] == 1
    assert after["bytes"] - before["bytes"] == len(answer.request.body)
    assert after["by_path"]["/email"]["requests"] - before["by_path"].get("/email", {"requests": 0})["requests"] == 1
