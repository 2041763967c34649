"""In which language a page answers, and how it stays in it."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.settings import load
from subscribers.preferences import choose_language
from subscribers.subscriber import ACTIVE, Subscriber
from subscribers.tokens import CONFIRM, PREFERENCES, VOTE
from tests.web.conftest import browser
from tests.web.world import MakeAssembly, Parsed, a_comparison, a_reader, key_to, send, sign_ups, way_out

GERMAN, ENGLISH = "Deine E-Mail-Adresse", "Your email address"


def language_of(answer: Any) -> str:
    """What an answer says that it speaks, after seeing that its page does."""
    code = str(answer.headers["content-language"])
    assert Parsed(answer.text).named("html")[0]["lang"] == code
    assert {"de": GERMAN, "en": ENGLISH}[code] in answer.text
    assert "accept-language" in answer.headers["vary"].lower()
    return code


@pytest.fixture(scope="module")
def mute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A browser at pages that have no database, and need none for the form."""
    url = f"sqlite:///{tmp_path_factory.mktemp('none')}/none.db"
    assembly = Assembly(load(_env_file=None, database_url=url))
    yield browser(assembly)
    assembly.close()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de", "de"),
        ("DE-at", "de"),
        ("fr-CH, fr;q=0.9, de;q=0.5, en;q=0.4", "de"),
        ("en;q=0.4, de; q=0.5", "de"),
        ("de;q=0.1, en", "en"),
        ("de;q=0, *", "en"),
        ("fr, tlh", "en"),
        ("", "en"),
        ("de;q=nan, de;q=inf, de;q=2, de;q=-1, ;q=1, ,,;;==", "en"),
        ("de;q=x, en;q=y", "en"),
        ("\x00\xff", "en"),
        ("fr," * 3000 + "de", "en"),  # so far nobody reads
        ("de," + "x" * 10_000, "de"),
    ],
    ids=lambda value: value[:40],
)
def test_a_page_speaks_what_the_browser_prefers(mute: TestClient, header: str, expected: str) -> None:
    assert language_of(mute.get("/subscribe", headers={b"Accept-Language": header.encode("latin-1")})) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lang=en", "en"),
        ("lang=tlh", "de"),
        ("lang=", "de"),
        ("lang=../en", "de"),
        ("lang=%FF%00", "de"),
        ("LANG=en", "de"),
    ],
)
def test_an_address_may_ask_for_a_language_that_there_is(mute: TestClient, query: str, expected: str) -> None:
    assert language_of(mute.get(f"/subscribe?{query}", headers={"Accept-Language": "de"})) == expected


def test_who_prefers_nothing_that_there_is_gets_the_newsletters_own(
    tmp_path: Path, make_assembly: MakeAssembly
) -> None:
    client = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/none.db", language="de"))
    assert language_of(client.get("/subscribe", headers={"Accept-Language": "fr"})) == "de"
    assert language_of(client.get("/subscribe", headers={"Accept-Language": "en"})) == "en"


def test_errors_speak_it_as_well(mute: TestClient) -> None:
    for answer in (mute.get("/nothing?lang=de"), mute.post("/?lang=de"), mute.get("/issues?lang=de")):
        assert answer.headers["content-language"] == "de"
        assert '<html lang="de"' in answer.text
    assert "Hier ist nichts" in mute.get("/nothing?lang=de").text


def links_within(answer: Any) -> list[str]:
    """Where a page leads within the site, and where its forms go; not the links to its other languages."""
    page = Parsed(answer.text)
    links = [str(a["href"]) for a in page.named("a") if "hreflang" not in a]
    links += [str(form["action"]) for form in page.named("form") if "action" in form]
    return [link for link in links if link.startswith("/") and not link.endswith("/data")]


def test_a_language_that_was_asked_for_is_kept_wherever_one_goes(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    send(assembly, a_comparison())
    ballot = f"/vote/{assembly.tokens.make(VOTE, reader)}/inkwell-vs-gantry"
    own = key_to(assembly, PREFERENCES, reader)
    paths = [
        "/",
        "/issues",
        "/issues/2026-W47",
        "/comparisons/inkwell-vs-gantry",
        "/subscribe",
        "/nothing",
        own,
        ballot,
    ]
    answers = [client.get(f"{path}?lang=de") for path in paths]
    answers.append(client.post(f"{ballot}?lang=de", data={"choice": "both"}))
    answers.append(client.post(f"{way_out(assembly, reader)}?lang=de"))
    answers.append(client.post(f"{key_to(assembly, CONFIRM, a_reader(assembly, ACTIVE, 'new@example.com'))}?lang=de"))
    for answer in answers:
        assert links_within(answer)
        assert [link for link in links_within(answer) if "lang=de" not in link] == [], answer.request.url.path
    # Whoever has asked for none is led to none.
    assert not any("lang=" in link for link in links_within(client.get("/", headers={"Accept-Language": "de"})))


def tongues(answer: Any) -> dict[str, str]:
    return {str(a["hreflang"]): str(a["href"]) for a in Parsed(answer.text).named("a") if "hreflang" in a}


@pytest.mark.parametrize("path", ["/", "/nothing", "//example.org/x", "/subscribe", "own"])
def test_every_page_that_one_can_look_at_leads_to_itself_in_each_language(
    client: TestClient, assembly: Assembly, path: str
) -> None:
    path = key_to(assembly, PREFERENCES, a_reader(assembly)) if path == "own" else path
    answer = client.get(f"http://testserver{path}")
    # Relative to wherever it is: no other site, and no key where it could be copied from.
    assert tongues(answer) == {"en": "?lang=en", "de": "?lang=de"}
    assert client.get(f"http://testserver{path}?lang=de").headers["content-language"] == "de"
    current = [a["hreflang"] for a in Parsed(answer.text).named("a") if a.get("aria-current") == "true"]
    assert current == ["en"]


def test_the_links_to_other_languages_keep_what_else_was_asked(client: TestClient) -> None:
    assert tongues(client.get("/?choice=left&lang=tlh&x=%22%3E"))["de"] == "?choice=left&x=%22%3E&lang=de"
    assert tongues(client.get(f"/?x={'y' * 5000}"))["de"] == "?lang=de"
    # What a form was answered with cannot be had again by a link.
    assert tongues(client.post("/subscribe", data={"email": "ana@example.com"})) == {}


@pytest.mark.parametrize(
    ("words", "query", "expected"),
    [
        ("sign-up 1", "", None),
        ("sign-up 1 de", "", "de"),  # a form on another page speaks for itself
        ("sign-up 1", "?lang=de", None),
        ("", "?lang=de", "de"),
        ("sign-up 99", "", None),
    ],
)
def test_a_sign_up_keeps_the_language_of_its_form(
    client: TestClient, assembly: Assembly, words: str, query: str, expected: str | None
) -> None:
    assert client.post(f"/subscribe{query}", data={"email": "ana@example.com", "words": words}).status_code == 200
    assert [each.language for each in sign_ups(assembly)] == [expected]


def test_the_brand_shows_on_every_page(tmp_path: Path, make_assembly: MakeAssembly) -> None:
    own = {"logo_text": "V & Co", "social_links": "GitHub https://github.com/v, Mastodon https://example.social/@v"}
    answer = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/none.db", **own)).get("/nothing")
    assert '<a class="name" href="/"><bdi>V &amp; Co</bdi></a>' in answer.text
    elsewhere = [a["href"] for a in Parsed(answer.text).named("a") if a.get("rel") == "me noopener"]
    assert elsewhere == ["https://github.com/v", "https://example.social/@v"]


def test_every_link_of_a_german_letter_leads_to_a_german_page_whatever_the_browser_speaks(
    assembly: Assembly, client: TestClient, tmp_path: Path
) -> None:
    reader = a_reader(assembly)
    with writing(assembly.engine) as session:
        choose_language(session, session.get_one(Subscriber, reader), "de")
        session.commit()
    send(assembly, a_comparison())
    (file,) = (tmp_path / "outbox" / "2026-W47").glob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    home = assembly.links.home()
    links = [line.removeprefix(home.rstrip("/")) for line in text.splitlines() if line.startswith(home)]
    assert {link.split("/")[1] for link in links} == {"issues", "comparisons", "vote", "unsubscribe", "preferences"}
    for link in links:
        answer = client.get(link, headers={"Accept-Language": "en"})
        assert (answer.status_code, answer.headers["content-language"]) == (200, "de"), link
    voted = client.post(next(link for link in links if "choice=left" in link), data={"choice": "left"})
    assert (voted.status_code, voted.headers["content-language"]) == (200, "de")
    assert mail["List-Unsubscribe"] == f"<{home.rstrip('/')}{way_out(assembly, reader)}>"
