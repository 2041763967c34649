from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from newsletter import wording
from newsletter.assembly import Assembly
from newsletter.web.form import MOST
from newsletter.web.joining import TRAP
from subscribers.tokens import CONFIRM
from tests.web.conftest import browser
from tests.web.world import MakeAssembly, Parsed, a_comparison, everything, key_to, send, sign_ups

NAME = "Weekly AI Tool Verdicts"


def field(value: bytes) -> bytes:
    """A form of one field, as multipart."""
    return b"--x\r\nContent-Disposition: form-data; name=email\r\n\r\n" + value + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "written", ["", "   ", "ana", "ana@", "ana@example..com", "ana @example.com", "a\0b@example.com"]
)
def test_what_is_no_address_is_told_and_can_be_mended(client: TestClient, assembly: Assembly, written: str) -> None:
    before = everything(assembly)
    answer = client.post("/subscribe", data={"email": written})
    assert answer.status_code == 422
    (field,) = [each for each in Parsed(answer.text).named("input") if each.get("name") == "email"]
    assert field["value"] == written.strip()
    assert field["aria-invalid"] == "true"
    assert "wrong" in (field["aria-describedby"] or "").split()
    assert 'id="wrong"' in answer.text
    assert everything(assembly) == before


def test_what_was_written_is_text_on_the_page(client: TestClient) -> None:
    answer = client.post("/subscribe", data={"email": '"><script>alert(1)</script>'})
    assert answer.status_code == 422
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("content", "kind_of_it"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b'{"email": "ana@example.com"}', "application/json"),
        (b"--x", "multipart/form-data"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data; name=email\r\n\r\na@b.cd",
            "multipart/form-data; boundary=x; charset=no",
        ),
        (field("a\ud800@example.com".encode("utf-7")), "multipart/form-data; boundary=x; charset=utf-7"),
        (field(b"ana@example.com"), "multipart/form-data; boundary=x; charset=undefined"),
        (field(b"ana@example.com"), 'multipart/form-data; boundary=x; charset="punycode"'),
        (b"&".join(b"a=%d" % n for n in range(2000)), "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "\xff;;"),
    ],
)
def test_what_is_no_form_is_an_empty_one(
    client: TestClient, assembly: Assembly, content: bytes, kind_of_it: str
) -> None:
    answer = client.post("/subscribe", content=content, headers={b"Content-Type": kind_of_it.encode("latin-1")})
    assert answer.status_code == 422
    assert sign_ups(assembly) == []


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=UTF-8", "; charset=utf8"])
def test_a_form_in_parts_is_read_in_utf_8(client: TestClient, assembly: Assembly, charset: str) -> None:
    kind_of_it = {"Content-Type": f"multipart/form-data; boundary=x{charset}"}
    answer = client.post("/subscribe", content=field("lena@bücher.example".encode()), headers=kind_of_it)
    assert answer.status_code == 200
    assert [each.email for each in sign_ups(assembly)] == ["lena@bücher.example"]


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_no_form_has_is_refused(client: TestClient, assembly: Assembly, chunked: bool) -> None:
    body = b"email=ana@example.com&x=" + b"a" * MOST
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/subscribe", content=iter([body]) if chunked else body, headers=headers)
    assert answer.status_code == 413
    assert "That was too much" in answer.text
    assert sign_ups(assembly) == []


def test_what_fills_in_everything_is_answered_like_everybody_and_stored_nowhere(
    client: TestClient, assembly: Assembly
) -> None:
    before = everything(assembly)
    as_always = client.post("/subscribe", data={"email": "ana@example.com"})
    after = everything(assembly)
    (trap,) = [each for each in Parsed(client.get("/subscribe").text).named("input") if each.get("tabindex") == "-1"]
    assert trap["autocomplete"] == "off"
    answer = client.post("/subscribe", data={"email": "bo@example.com", str(trap["name"]): "https://spam.example"})
    assert (answer.status_code, answer.content) == (as_always.status_code, as_always.content)
    assert everything(assembly) == after != before


def test_words_are_stored_that_the_form_says_it_has_shown_and_no_others(client: TestClient, assembly: Assembly) -> None:
    for version in ("", "sign-up 0", "'; DROP TABLE consents"):
        client.post("/subscribe", data={"email": "ana@example.com", "words": version})
    assert {(stored.words_version, stored.words) for stored in sign_ups(assembly)} == {("unknown", "")}


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, "sign-up form"),
        ("http://testserver", "sign-up form"),
        ("http://127.0.0.1:8000", "sign-up form"),
        ("null", "sign-up form"),
        ("https://[", "sign-up form"),
        ("https://blog.example.net", "sign-up form on blog.example.net"),
        ("https://" + "a" * 5000, "sign-up form on " + "a" * 100),
    ],
)
def test_a_form_on_another_site_is_named_by_its_host(
    client: TestClient, assembly: Assembly, origin: str | None, source: str
) -> None:
    client.post("/subscribe", data={"email": "ana@example.com"}, headers={"Origin": origin} if origin else {})
    assert [stored.source for stored in sign_ups(assembly)] == [source]


def test_without_a_database_the_form_is_there_and_asks_to_try_again(
    tmp_path: Path, make_assembly: MakeAssembly
) -> None:
    client = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/no/such/folder.db"))
    assert client.get("/subscribe").status_code == 200
    answer = client.post("/subscribe", data={"email": "ana@example.com"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "Back in a moment" in answer.text


def test_the_box_stands_on_every_public_page_with_its_words(client: TestClient, assembly: Assembly) -> None:
    words = wording.sign_up(NAME)
    pages = [client.get("/").text]
    send(assembly, a_comparison())
    for path in ("/", "/issues/2026-W47", "/comparisons/inkwell-vs-gantry", "/subscribe"):
        pages.append(client.get(path).text)
    for page in pages:
        parsed = Parsed(page)
        (form,) = parsed.named("form")
        assert (form["action"], form["method"]) == ("/subscribe", "post")
        assert {"type": "hidden", "name": "words", "value": words.version} in parsed.named("input")
        assert words.text in parsed.text
        ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {each["for"] for each in parsed.named("label") if "for" in each} <= set(ids)


def test_the_box_for_other_pages_is_a_form_that_works(assembly: Assembly, make_assembly: MakeAssembly) -> None:
    named = make_assembly(database_url=assembly.settings.database_url, name='Tools & "Verdicts" <weekly>')
    client = browser(named)
    shown = Parsed(client.get("/subscribe").text).text
    box = Parsed(shown[shown.index("<form") : shown.index("</form>")])
    (form,) = box.named("form")
    assert form["action"] == "http://127.0.0.1:8000/subscribe"
    assert 'Send me Tools & "Verdicts" <weekly> by email' in box.text
    typed = {"email": "ana@example.com", TRAP: ""}
    fields = {str(each["name"]): each.get("value") or typed[str(each["name"])] for each in box.named("input")}
    assert client.post("/subscribe", data=fields).status_code == 200
    (stored,) = sign_ups(named)
    assert stored.words == wording.sign_up('Tools & "Verdicts" <weekly>').text


def test_without_a_database_the_button_is_there_and_says_that_nothing_was_done(
    tmp_path: Path, make_assembly: MakeAssembly
) -> None:
    assembly = make_assembly(database_url=f"sqlite:///{tmp_path}/no/such/folder.db")
    client = browser(assembly)
    assert client.get(key_to(assembly, CONFIRM, 1)).status_code == 200
    answer = client.post(key_to(assembly, CONFIRM, 1))
    assert answer.status_code == 503
    assert "nothing has changed" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
