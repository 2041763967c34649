"""What the sandbox refuses, as Postmark does."""

import pytest

from tests.sandbox.speaking import Api, letter, refused, templated


@pytest.mark.parametrize("token", [None, "", "another-token"])
def test_a_call_without_the_right_token_is_refused(api: Api, token: str | None) -> None:
    answer = api.call("POST", "/email", letter(), {"X-Postmark-Server-Token": token})
    assert refused(answer)[:2] == (401, 10)


def test_the_test_token_validates_and_keeps_nothing(api: Api) -> None:
    headers: dict[str, str | None] = {"X-Postmark-Server-Token": "POSTMARK_API_TEST"}
    answer = api.call("POST", "/email", letter(), headers)
    assert answer.status_code == 200
    assert answer.json()["Message"] == "Test job accepted"
    assert answer.json()["ErrorCode"] == 0
    assert len(answer.json()["MessageID"]) == 36
    assert refused(api.call("POST", "/email", letter(To="nobody"), headers))[:2] == (422, 300)
    assert api.search()["TotalCount"] == 0


@pytest.mark.parametrize("header", ["Accept", "Content-Type"])
def test_a_call_that_does_not_say_json_is_refused(api: Api, header: str) -> None:
    assert refused(api.call("POST", "/email", letter(), {header: "text/html"}))[0] == 415


def test_what_is_no_json_is_refused(api: Api) -> None:
    headers = {"Accept": "application/json", "Content-Type": "application/json", "X-Postmark-Server-Token": api.token}
    answer = api.session.post(api.url + "email", data=b"{'From': 1}", headers=headers, timeout=10)
    assert refused(answer) == (422, 402, "Invalid JSON.")


def test_more_than_500_messages_are_refused(api: Api) -> None:
    expected = (422, 410, "You may only send up to 500 messages in a single batched request.")
    assert refused(api.call("POST", "/email/batch", [letter()] * 501)) == expected
    assert refused(api.call("POST", "/email/batchWithTemplates", {"Messages": [templated("x")] * 501})) == expected


def test_a_message_of_more_than_10_mb_is_refused(api: Api) -> None:
    large = {"Name": "a.txt", "Content": "AAAA" * 2_700_000, "ContentType": "text/plain"}
    assert refused(api.call("POST", "/email", letter(Attachments=[large])))[0] == 413


def test_a_request_of_more_than_50_mb_is_refused_with_an_answer(api: Api) -> None:
    headers = {"Accept": "application/json", "Content-Type": "application/json", "X-Postmark-Server-Token": api.token}
    answer = api.session.post(api.url + "email/batch", data=b" " * (50 * 1024 * 1024 + 1), headers=headers, timeout=30)
    assert refused(answer)[0] == 413


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Metadata", ["a"]),
        ("Metadata", {"a": 1}),
        ("To", ["ada@example.com"]),
        ("TrackOpens", "yes"),
        ("TrackLinks", "All"),
        ("Headers", {"List-Id": "x"}),
        ("Attachments", [{"Name": "a.txt"}]),
    ],
)
def test_a_field_of_the_wrong_type_is_named(api: Api, field: str, value: object) -> None:
    expected = (422, 403, f"Invalid request field(s): $.{field}")
    assert refused(api.call("POST", "/email", letter(**{field: value}))) == expected


def test_a_wrong_type_in_a_batch_refuses_the_whole_request(api: Api) -> None:
    answer = api.call("POST", "/email/batch", [letter(), letter(Metadata="x")])
    assert refused(answer) == (422, 403, "Invalid request field(s): $[1].Metadata")
    assert api.search()["TotalCount"] == 0


@pytest.mark.parametrize(
    "message",
    [
        letter(From="news"),
        letter(From=""),
        letter(From="a@example.com, b@example.com"),
        letter(To="ada@localhost"),
        letter(To="ädä@example.com"),
        letter(To="ada@exämple.com"),
        letter(To=""),
        letter(Cc="not an address"),
        letter(ReplyTo="nobody"),
        letter(To=",".join(f"r{number}@example.com" for number in range(51))),
        letter(TextBody=None),
        letter(TextBody="x" * (5 * 1024 * 1024 + 1)),
        letter(Subject="x" * 2001),
        letter(Subject="😀" * 1001),
        letter(Tag="x" * 1001),
        letter(From=f"{'x' * 250} <a@example.com>"),
        letter(Metadata={str(number): "x" for number in range(11)}),
        letter(Metadata={"a": "x", "A": "y"}),
        letter(Headers=[{"Name": "X-One", "Value": "a\r\nX-Two: b"}]),
        letter(Headers=[{"Name": "X One", "Value": "a"}]),
        letter(Attachments=[{"Name": "a.txt", "Content": "***", "ContentType": "text/plain"}]),
    ],
)
def test_what_breaks_a_rule_of_sending_is_refused(api: Api, message: dict[str, object]) -> None:
    assert refused(api.call("POST", "/email", message))[:2] == (422, 300)


def test_what_just_keeps_the_rules_is_accepted(api: Api) -> None:
    api.post(
        "/email",
        letter(
            Subject="😀" * 1000,
            Tag="x" * 1000,
            To=",".join(f"r{number}@example.com" for number in range(50)),
            Metadata={f"{number:020}": "x" * 80 for number in range(10)},
            ReplyTo='"Desk, the" <desk@example.com>',
            Cc=None,
            Whatever="unknown fields pass",
        ),
    )


@pytest.mark.parametrize("metadata", [{"x" * 21: "y"}, {"name": "y" * 81}])
def test_metadata_that_is_too_long_is_refused_in_postmarks_words(api: Api, metadata: dict[str, str]) -> None:
    status, code, message = refused(api.call("POST", "/email", letter(Metadata=metadata)))
    assert (status, code) == (422, 300)
    assert message == (
        "Invalid metadata content. Field names are limited to 20 characters and field values are limited to 80"
        f" characters in length. The '{next(iter(metadata))}' field in your metadata content exceeds these limits."
    )


def test_a_stream_that_does_not_exist_is_refused(api: Api) -> None:
    expected = {"ErrorCode": 1235, "Message": "The stream provided: 'weekly' does not exist on this server."}
    assert refused(api.call("POST", "/email", letter(MessageStream="weekly"))) == (422, *expected.values())
    assert api.post("/email/batch", [letter(MessageStream="weekly")]) == [expected]


def test_a_forbidden_attachment_is_refused(api: Api) -> None:
    attachment = {"Name": "a.EXE", "Content": "AAAA", "ContentType": "application/octet-stream"}
    assert refused(api.call("POST", "/email", letter(Attachments=[attachment])))[:2] == (422, 411)


def test_a_template_that_does_not_exist_is_refused(api: Api) -> None:
    expected = (1101, "The Template's 'Alias' associated with this request is not valid or was not found.")
    assert refused(api.call("POST", "/email/withTemplate", templated("nowhere"))) == (422, *expected)
    assert api.post("/email/batchWithTemplates", {"Messages": [templated("nowhere")]}) == [
        {"ErrorCode": expected[0], "Message": expected[1]}
    ]


def test_a_templated_message_has_a_model_and_no_words_of_its_own(api: Api) -> None:
    alias = api.template()
    without = templated(alias, TemplateModel=None)
    assert refused(api.call("POST", "/email/withTemplate", without))[:2] == (422, 1120)
    mixed = templated(alias, HtmlBody="<p>Hi</p>")
    assert refused(api.call("POST", "/email/withTemplate", mixed))[:2] == (422, 1123)
    neither = templated("", TemplateAlias=None)
    assert refused(api.call("POST", "/email/withTemplate", neither))[:2] == (422, 1101)


def test_a_page_from_elsewhere_cannot_point_its_own_name_here(api: Api) -> None:
    assert api.session.get(api.url, headers={"Host": "evil.example"}, timeout=10).status_code == 400
