"""The pages for people."""

import re
from html.parser import HTMLParser

import pytest

from tests.sandbox.speaking import Api, letter, templated

HTML = "<!doctype html><html><body><h1>Hi</h1><script>alert(1)</script></body></html>"


class Tags(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture
def sent(api: Api) -> str:
    answer = api.post(
        "/email",
        letter(
            HtmlBody=HTML,
            Tag="w47",
            Metadata={"b": "1"},
            Subject="<i>5 & 6</i>",
            Headers=[{"Name": "List-Id", "Value": "x"}],
        ),
    )
    return str(answer["MessageID"])


def test_an_empty_inbox_says_so(api: Api) -> None:
    assert "Nothing has come in yet" in api.page("").text


def test_the_list_shows_the_newest_first_and_escapes(api: Api, sent: str) -> None:
    api.post("/email", letter(Subject="Newer"))
    page = api.page("").text
    assert page.index("Newer") < page.index("&lt;i&gt;5 &amp; 6&lt;/i&gt;")
    assert f'href="/inbox/{sent}"' in page
    assert "<i>" not in page


def test_the_list_is_narrowed_and_paged(api: Api) -> None:
    batch = [letter(To=f"r{number}@example.com", Tag="w47", MessageStream="broadcast") for number in range(60)]
    api.post("/email/batch", [*batch, letter(Subject="Other")])
    assert "Other" not in api.page("?stream=broadcast&tag=w47").text
    assert "Page 1 of 2" in api.page("?tag=w47").text
    second = api.page("?tag=w47&page=2").text
    assert "r9@example.com" in second
    assert "r10@example.com" not in second
    assert 'href="/?tag=w47"' in second
    assert api.page("?recipient=R59").text.count('<th scope="row">') == 1
    assert "No message matches" in api.page("?tag=none").text
    assert "Page 2 of 2" in api.page("?page=99").text
    assert "Page 1 of 2" in api.page("?page=x").text


@pytest.mark.parametrize("view", ["letter", "text", "source", "facts", "nonsense"])
def test_a_message_is_shown_in_every_way(api: Api, sent: str, view: str) -> None:
    page = api.page(f"inbox/{sent}?view={view}")
    assert page.status_code == 200
    tags = Tags(page.text)
    assert len(tags.all("h1")) == 1
    assert [tab["aria-current"] for tab in tags.all("a") if "aria-current" in tab] == ["page"]
    expected = {"text": "Hi.", "source": "quoted-printable", "facts": "Delivered"}.get(view, "iframe")
    assert expected in page.text


def test_no_page_runs_a_script_or_asks_elsewhere(api: Api, sent: str) -> None:
    for path in ("", f"inbox/{sent}", f"inbox/{sent}?view=source", "inbox/unknown"):
        answer = api.page(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        tags = Tags(answer.text)
        assert tags.all("script") == []
        urls = [
            value
            for _, attributes in tags.found
            for name, value in attributes.items()
            if name in ("href", "src", "action")
        ]
        assert urls
        assert all(re.match(r"(/|\?|#|data:,)", url or "") for url in urls)


def test_a_letter_is_framed_without_rights(api: Api, sent: str) -> None:
    (frame,) = Tags(api.page(f"inbox/{sent}").text).all("iframe")
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    answer = api.page(frame["src"] or "")
    assert answer.text.startswith(HTML)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "sandbox allow-popups" in policy
    assert "script" not in policy


def test_the_source_can_be_downloaded(api: Api, sent: str) -> None:
    answer = api.page(f"inbox/{sent}/source.eml")
    assert answer.headers["Content-Type"] == "message/rfc822"
    assert b"\r\nList-Id: x\r\n" in answer.content


def test_every_field_has_a_label_and_every_column_a_header(api: Api, sent: str) -> None:
    page = api.page("").text
    assert page.count("<label>") == len(Tags(page).all("input")) + len(Tags(page).all("select"))
    assert all(header["scope"] in ("col", "row") for header in Tags(page).all("th"))
    assert 'lang="en"' in page


def test_an_unknown_message_is_not_found(api: Api) -> None:
    for path in ("inbox/unknown", "inbox/unknown/letter.html", "inbox/unknown/source.eml"):
        assert api.page(path).status_code == 404


def test_the_inbox_is_listed_as_json_and_emptied(api: Api, sent: str) -> None:
    api.post("/email/withTemplate", templated(api.template(), To="Bo <bo@example.com>", TemplateModel={"name": "Bo"}))
    (message,) = api.page("inbox.json?tag=w47").json()["messages"]
    assert message == {
        "MessageID": sent,
        "To": "ada@example.com",
        "Stream": "outbound",
        "Tag": "w47",
        "Metadata": {"b": "1"},
        "Subject": "<i>5 & 6</i>",
    }
    assert [message["Subject"] for message in api.page("inbox.json").json()["messages"]] == ["Hello Bo", "<i>5 & 6</i>"]
    assert api.session.delete(f"{api.url}inbox", timeout=10).json() == {"messages": []}
    assert api.search()["TotalCount"] == 0
