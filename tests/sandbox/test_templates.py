"""Stored letters, over the API."""

from typing import Any

import pytest
from postmarker.core import PostmarkClient

from newsletter.sandbox.server import Sandbox
from tests.sandbox.speaking import Api, letter, refused, templated


def send(api: Api, alias: str, **model: object) -> Any:
    sent = api.post("/email/withTemplate", templated(alias, TemplateModel=model))
    return api.get(f"/messages/outbound/{sent['MessageID']}/details")


def test_a_template_is_stored_and_read_back_by_number_and_alias(client: PostmarkClient, api: Api) -> None:
    made = client.templates.create("Weekly", "Hello", HtmlBody="<p>", TextBody="x", Alias="read-back")
    by_number = api.get(f"/templates/{made.TemplateId}")
    assert by_number == api.get("/templates/read-back/")
    assert (by_number["Name"], by_number["Subject"], by_number["HtmlBody"]) == ("Weekly", "Hello", "<p>")
    assert (by_number["TemplateType"], by_number["Active"]) == ("Standard", True)
    assert made.TemplateId in [template.TemplateId for template in client.templates.all()]


def test_values_are_escaped_in_html_only(api: Api) -> None:
    alias = api.template(Subject="{{ x }}", HtmlBody="{{ x }} {{{ x }}} {{& x }}", TextBody="{{ x }}")
    details = send(api, alias, x="<b> & 'c'")
    assert details["Subject"] == details["TextBody"] == "<b> & 'c'"
    assert details["HtmlBody"] == "&lt;b&gt; &amp; &#x27;c&#x27; <b> & 'c' <b> & 'c'"


def test_a_message_keeps_the_version_that_it_was_sent_with(api: Api) -> None:
    alias = api.template(Subject="First {{ name }}")
    first = api.post("/email/withTemplate", templated(alias, TemplateModel={"name": "Ada"}))
    assert api.call("PUT", f"/templates/{alias}", {"Subject": "Second {{ name }}", "Name": None}).status_code == 200
    second = send(api, alias, name="Bo")
    assert api.call("DELETE", f"/templates/{alias}").status_code == 200
    details = api.get(f"/messages/outbound/{first['MessageID']}/details")
    assert (details["Subject"], second["Subject"]) == ("First Ada", "Second Bo")


def test_a_deleted_template_cannot_be_sent_but_read_by_number(api: Api) -> None:
    alias = api.template()
    number = api.get(f"/templates/{alias}")["TemplateId"]
    deleted = api.call("DELETE", f"/templates/{number}")
    assert deleted.json() == {"ErrorCode": 0, "Message": f"Template {number} removed."}
    assert api.get(f"/templates/{number}")["Active"] is False
    for path in (f"/templates/{alias}", "/templates/999999"):
        assert refused(api.call("GET", path))[:2] == (422, 1101)
    by_number = templated("", TemplateAlias=None, TemplateId=number)
    assert refused(api.call("POST", "/email/withTemplate", by_number))[:2] == (422, 1101)
    assert refused(api.call("DELETE", f"/templates/{number}"))[:2] == (422, 1101)


def test_an_alias_belongs_to_one_template(api: Api) -> None:
    first, second = api.template(), api.template()
    body = {"Name": "x", "Subject": "x", "TextBody": "x", "Alias": first}
    assert refused(api.call("POST", "/templates", body))[:2] == (422, 1122)
    assert refused(api.call("PUT", f"/templates/{second}", {"Alias": first}))[:2] == (422, 1122)
    assert api.call("PUT", f"/templates/{second}", {"Alias": f"{second}.new"}).status_code == 200
    assert refused(api.call("GET", f"/templates/{second}"))[1] == 1101


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Name": ""}, 1120),
        ({"Subject": None}, 1120),
        ({"TextBody": None}, 1120),
        ({"Alias": "1st"}, 1122),
        ({"HtmlBody": "{{#open}}"}, 1122),
        ({"TextBody": "{{/closed}}"}, 1122),
        ({"TemplateType": "Layout"}, 1122),
        ({"LayoutTemplate": "frame"}, 1101),
        ({"HtmlBody": 7}, 403),
    ],
)
def test_a_template_that_breaks_a_rule_is_refused(api: Api, changes: dict[str, object], code: int) -> None:
    body = {"Name": "x", "Subject": "x", "TextBody": "x", **changes}
    assert refused(api.call("POST", "/templates", body))[:2] == (422, code)


def test_an_empty_template_and_a_listing_without_pages_are_refused(api: Api) -> None:
    assert refused(api.call("POST", "/templates", {}))[:2] == (422, 1109)
    assert refused(api.call("GET", "/templates"))[:2] == (422, 1100)


def test_a_server_has_a_hundred_templates_at_most() -> None:
    with Sandbox() as sandbox:
        client = PostmarkClient(server_token=sandbox.token, root_api_url=sandbox.url)
        api = Api(sandbox.url, sandbox.token, client.session)
        for _ in range(99):
            api.template()
        last = api.template()
        full = api.call("POST", "/templates", {"Name": "x", "Subject": "x", "TextBody": "x"})
        assert refused(full)[:2] == (422, 1105)
        assert api.call("DELETE", f"/templates/{last}").status_code == 200
        api.template()
        page = api.get("/templates", Count=30, Offset=90)
        assert (page["TotalCount"], len(page["Templates"])) == (100, 10)
        client.session.close()


def test_validation_renders_and_suggests_a_model(client: PostmarkClient) -> None:
    answer = client.templates.validate(
        "Hi {{ name }}", "<p>{{#each tools}}{{ title }}{{/each}}</p>", "{{#open", TestRenderModel={"name": "Ada"}
    )
    assert answer["AllContentIsValid"] is True
    assert answer["Subject"] == {"ContentIsValid": True, "ValidationErrors": [], "RenderedContent": "Hi Ada"}
    assert answer["HtmlBody"]["RenderedContent"] == "<p>title_Value</p>"
    assert answer["SuggestedTemplateModel"] == {"name": "Ada", "tools": [{"title": "title_Value"}]}


def test_validation_says_where_a_part_is_wrong(client: PostmarkClient) -> None:
    answer = client.templates.validate("Hi", "<p>\n {{#open}}</p>")
    assert (answer["AllContentIsValid"], answer["TextBody"]) == (False, None)
    assert answer["HtmlBody"]["ContentIsValid"] is False
    (error,) = answer["HtmlBody"]["ValidationErrors"]
    assert (error["Line"], error["CharacterPosition"]) == (2, 2)


def test_a_model_that_does_not_fit_is_accepted_and_shows_why(api: Api) -> None:
    alias = api.template(HtmlBody="{{#each tools}}x{{/each}}")
    details = send(api, alias, tools="no list", name="Ada")
    assert details["HtmlBody"] == ""
    page = api.page(f"inbox/{details['MessageID']}")
    assert "is repeated by the template, but is no list in the model" in page.text


def test_whole_and_templated_messages_mix_in_the_mailbox(api: Api) -> None:
    api.post("/email", letter(Subject="Whole"))
    send(api, api.template(), name="Ada")
    assert [message["Subject"] for message in api.search()["Messages"]] == ["Hello Ada", "Whole"]
