"""The preview: looking changes nothing, nobody is given a reader's key who may not act for them, and tests go out."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from newsletter import linked, steering, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors.editor import EDITOR
from newsletter.editors.log import Entry
from newsletter.issues import issue as issues
from newsletter.language import available
from newsletter.outgoing import Run, send_issue
from newsletter.specimens import PURPOSES
from newsletter.web.app import create_app
from newsletter.web.desk.cookies import cookie_name
from newsletter.web.desk.framed import DEAD
from subscribers.subscriber import PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber, muting
from subscribers.tokens import PREFERENCES, UNSUBSCRIBE
from tests.desk.world import At
from tests.web.serving import serving
from tests.web.world import NOW, W47, a_comparison, a_reader, approve, draft, everything, keep

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AT = f"/desk/issues/{W47}"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def drafted(assembly: Assembly) -> Assembly:
    """A week of two categories."""
    voice = a_comparison("Ruff", "Flake8")
    tools = tuple(tool.model_copy(update={"category": "Voice"}) for tool in voice.tools)
    keep(assembly, a_comparison(), voice.model_copy(update={"tools": tools}))
    draft(assembly)
    return assembly


def chooses(assembly: Assembly, number: int, *muted: str, language: str | None = None) -> None:
    with writing(assembly.engine) as session:
        reader = session.get_one(Subscriber, number)
        reader.muted, reader.language = muting(muted), language
        session.add(reader)
        session.commit()


def frames(page: str) -> list[str]:
    return [unescape(source) for source in re.findall(r'<iframe[^>]* src="([^"]+)"', page)]


def log_of(assembly: Assembly) -> list[tuple[str, str | None, str | None]]:
    with reading(assembly.engine) as session:
        return [(one.act, one.week, one.detail) for one in session.exec(select(Entry).order_by(Entry.id))]  # type: ignore[arg-type]


def test_looking_changes_nothing_and_every_frame_shows_a_letter(drafted: Assembly, publisher: At) -> None:
    ana, bo = a_reader(drafted, email="ana@example.com"), a_reader(drafted, email="bo@example.com")
    chooses(drafted, ana, "Voice")
    chooses(drafted, bo, language="de")
    before = everything(drafted)
    for query in (
        "",
        f"?reader={ana}",
        "?without=ruff-vs-flake8",
        "?language=de",
        "?language=de&without=ruff-vs-flake8",
    ):
        page = publisher.get(f"{AT}/preview{query}")
        assert len(frames(page)) == 4
        assert '<section class="text"' in page
        for source in frames(page):
            assert "dark=" in source
            assert publisher.get(source).startswith("<!doctype html>")
        for part in ("html", "txt", "eml"):
            assert publisher.get(f"{AT}/letter.{part}{query}")
    for path in (f"{AT}/variants", "/desk/letters"):
        assert publisher.get(path)
    assert publisher.get(f"{AT}/variants", 200, **HTMX).startswith("<section")
    assert publisher.get(f"{AT}/links", 200, **HTMX).startswith("<section")
    assert everything(drafted) == before


def test_frames_differ_from_the_bytes_in_dead_links_and_one_condition_alone(drafted: Assembly, publisher: At) -> None:
    whole = publisher.get(f"{AT}/letter.html")
    assert whole.count("@media (prefers-color-scheme:dark)") == 1
    for dark, media, scheme in (("authored", "all", "dark"), ("never", "not all", "light")):
        shown = publisher.get(f"{AT}/letter.html?dark={dark}")
        expected = whole.replace("<head>", f"<head>{DEAD}")
        expected = expected.replace("@media (prefers-color-scheme:dark)", f"@media {media}")
        for before in ("color-scheme:", "color-schemes:", 'color-scheme" content="', 'color-schemes" content="'):
            expected = expected.replace(f"{before}light dark", f"{before}{scheme}")
        assert shown == expected != whole
    assert publisher.get(f"{AT}/letter.html?dark=perhaps") == whole


def test_a_letter_in_a_frame_can_do_nothing(drafted: Assembly, publisher: At) -> None:
    answer = publisher.client.get(f"{AT}/letter.html")
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'self'"} <= set(policy)
    assert (answer.headers["x-frame-options"], answer.headers["cache-control"]) == ("SAMEORIGIN", "no-store")
    assert "content-disposition" not in answer.headers
    as_a_page = publisher.client.get(f"{AT}/letter.html", headers={"Sec-Fetch-Dest": "document"})
    assert as_a_page.headers["content-disposition"] == f'attachment; filename="{W47}.html"'
    around = publisher.client.get(f"{AT}/preview").headers["content-security-policy"]
    assert f"frame-src http://testserver{AT}/;" in around
    odd = publisher.client.get(f"{AT}/preview", headers={"Host": "a; script-src *"})
    assert "script-src *" not in odd.headers.get("content-security-policy", "")


def test_in_a_browser_no_link_of_a_letter_leads_anywhere(drafted: Assembly, publisher: At, chromium: "Browser") -> None:
    reader = a_reader(drafted)
    app = create_app(drafted, clock=lambda: NOW)
    with serving(app) as port:
        at = f"http://127.0.0.1:{port}"
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
        name = cookie_name(app.state.site)
        context.add_cookies([{"name": name, "value": publisher.client.cookies[name], "url": at}])
        page = context.new_page()
        asked: list[str] = []
        page.goto(f"{at}{AT}/preview?reader={reader}")
        page.wait_for_load_state("networkidle")
        context.on("request", lambda request: asked.append(request.url))
        for frame in page.frames[1:3]:
            for link in frame.locator("a:visible").all()[:4]:
                link.scroll_into_view_if_needed()
                box = link.bounding_box()
                assert box
                for button in ("left", "middle"):
                    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, button=button)
                link.focus()
                page.keyboard.press("Enter")
        assert len(context.pages) == 1
        # A frame that came into view fetches its letter; nothing else was asked.
        assert [url for url in asked if not url.startswith(f"{at}{AT}/letter.html")] == []
        for frame in page.frames[1:3]:
            assert "Unsubscribe" in frame.locator("body").inner_text()
        context.close()


def test_only_who_may_act_for_readers_is_shown_their_keys(drafted: Assembly, publisher: At, editor: At) -> None:
    reader = a_reader(drafted, email="ana@example.com")

    def whose(desk: At, part: str) -> set[int]:
        text = unescape(desk.get(f"{AT}/letter.{part}?reader={reader}"))
        assert "ana@example.com" in text
        found = {drafted.tokens.read(UNSUBSCRIBE, token) for token in re.findall(r"/unsubscribe/([^\s?\"<]+)", text)}
        own = {
            drafted.tokens.read_passing(PREFERENCES, each, NOW)[0]
            for each in re.findall(r"/preferences/([^\s?\"<]+)", text)
        }
        assert found == own
        return found

    for part in ("html", "txt"):
        assert (whose(publisher, part), whose(editor, part)) == ({reader}, {0})
    assert drafted.tokens.make(UNSUBSCRIBE, reader) in publisher.get(f"{AT}/preview?reader={reader}")
    assert drafted.tokens.make(UNSUBSCRIBE, reader) not in editor.get(f"{AT}/preview?reader={reader}")


def test_a_reader_is_found_by_address_and_shown_by_number(drafted: Assembly, publisher: At) -> None:
    reader = a_reader(drafted, email="ana+x@example.com")
    answer = publisher.post(f"{AT}/preview", {"address": " Ana+X@Example.com "})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{AT}/preview?reader={reader}")
    for typed, why in (("nobody@example.com", "Nobody on the list"), ('"><script>', "This is no address")):
        answer = publisher.post(f"{AT}/preview", {"address": typed})
        assert answer.status_code == 422
        assert why in answer.text
        assert f'value="{typed}"' in unescape(answer.text)
        assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (PAUSED, "is paused"),
        (PENDING, "is pending"),
        (UNSUBSCRIBED, "is unsubscribed"),
        (SUPPRESSED, "is suppressed"),
        ("muted", "has muted everything in it"),
        (None, "there is no such reader"),
    ],
)
def test_of_who_gets_nothing_that_is_said(drafted: Assembly, publisher: At, status: str | None, why: str) -> None:
    number = 4711 if status is None else a_reader(drafted, "active" if status == "muted" else status)
    if status == "muted":
        chooses(drafted, number, "Voice", "Agents")
    page = publisher.get(f"{AT}/preview?reader={number}")
    assert "gets nothing of this issue" in page
    assert why in page
    assert frames(page) == []
    assert publisher.client.get(f"{AT}/letter.html?reader={number}").status_code == 404


def test_variants_are_listed_with_their_readers_before_the_send_and_after(drafted: Assembly, publisher: At) -> None:
    choices = [((), None), (("Voice",), None), (("Voice",), None), ((), "de"), (("Voice", "Agents"), None)]
    for place, (muted, language) in enumerate(choices):
        chooses(drafted, a_reader(drafted, email=f"r{place}@example.com"), *muted, language=language)

    def listed() -> dict[str, int]:
        rows = re.findall(
            r'<th scope="row"><a[^>]*>(.*?)</a></th>\s*<td class="number">([\d,]+)', publisher.get(f"{AT}/preview")
        )
        return {words: int(readers) for words, readers in rows}

    before = {"Everything": 1, "Without Ruff vs Flake8": 2, "Everything, in Deutsch": 1}
    assert listed() == before
    approve(drafted)
    run = Run(clock=lambda: NOW)
    assert send_issue(drafted.engine, drafted.rules, drafted.post, W47, run).state == issues.SENT
    assert listed() == before
    assert publisher.client.get(f"{AT}/letter.html?without=inkwell-vs-gantry").status_code == 404
    assert "no such letter was made" in publisher.get(f"{AT}/preview?without=inkwell-vs-gantry")


def test_what_there_is_not_is_said_and_is_no_loop(drafted: Assembly, publisher: At) -> None:
    for path in ("/desk/issues/2026-W46", "/desk/issues/nonsense"):
        for part in ("preview", "letter.html", "variants", "letter.eml"):
            assert publisher.client.get(f"{path}/{part}", headers={"Referer": f"{path}/preview"}).status_code == 404
    for query in ("?without=nothing", "?language=xx", "?without=ruff-vs-flake8&without=inkwell-vs-gantry"):
        assert "There is no such letter" in publisher.get(f"{AT}/preview{query}")
        assert publisher.client.get(f"{AT}/letter.html{query}").status_code == 404
    with writing(drafted.engine) as session:
        steering.cancel(session, W47)
        session.commit()
    assert "there is nothing in it" in publisher.get(f"{AT}/preview")


def test_the_page_names_what_changed_since_it_was_approved(drafted: Assembly, publisher: At) -> None:
    approve(drafted)
    with reading(drafted.engine) as session:
        digest = weekly.require(session, W47).digest
    assert digest
    page = publisher.get(f"{AT}/preview")
    assert digest in page
    assert "Nothing has changed since it was approved" in page
    keep(
        drafted,
        a_comparison(
            url=None,
            title="Inkwell vs Gantry",
            tools=[
                {"name": name, "tagline": "Anew", "category": "Agents", "entry_price": "$1", "description": "Other."}
                for name in ("Inkwell", "Gantry")
            ],
        ),
    )
    assert "the comparison inkwell-vs-gantry was changed" in publisher.get(f"{AT}/preview")


def test_the_links_are_asked_at_an_editors_word_and_what_came_of_it_is_kept(drafted: Assembly, editor: At) -> None:
    inside = "https://127.0.0.1/admin"
    with writing(drafted.engine) as session:
        weekly.write_note(
            session, drafted.rules, W47, f"See [the inside]({inside}) and [metadata](https://169.254.169.254/)."
        )
        session.commit()
    assert "Nobody has asked yet" in editor.get(f"{AT}/preview")
    page = editor.does(f"{AT}/links")
    assert page.count("it leads into a network that is not the public internet") == 2
    with reading(drafted.engine) as session:
        kept = linked.checked(session, str(W47), NOW)
    assert kept
    assert {url: answer.verdict for url, answer in kept.answers.items()} == {
        inside: "not asked",
        "https://169.254.169.254/": "not asked",
    }
    assert log_of(drafted)[-1] == ("had the links asked", str(W47), None)


def test_a_test_goes_to_who_is_named_and_the_log_names_nobody(drafted: Assembly, editor: At) -> None:
    a_reader(drafted, SUPPRESSED, "gone@example.com")
    page = editor.does(f"{AT}/test", {"to": "ed@example.com, pat@example.com", "without": "ruff-vs-flake8"})
    assert "The provider has taken 2 of 2 tests" in page
    assert "Without Ruff vs Flake8" in page
    assert len(list(Path(drafted.settings.outbox_dir).glob(f"{W47}-test/*.eml"))) == 2
    assert log_of(drafted)[-1] == ("sent a test", str(W47), "to 2 addresses")
    for typed, why in (("gone@example.com", "it is suppressed"), ("<b>", "is no address"), ("", "name at least one")):
        answer = editor.post(f"{AT}/test", {"to": typed})
        assert answer.status_code == 422
        assert why in answer.text
        (field,) = re.findall(r'<input id="to"[^>]*>', answer.text)
        assert f'value="{typed}"' in unescape(field)
    assert len(log_of(drafted)) == 1


def test_every_other_letter_is_on_one_page(sign_in_as: Callable[..., At]) -> None:
    editor = sign_in_as(EDITOR)
    sources = frames(editor.get("/desk/letters"))
    assert len(sources) == len(PURPOSES) * len(available())
    for source in sources:
        assert editor.get(source).startswith("<!doctype html>")
        assert "reader@example.com" in editor.get(source.replace(".html", ".txt"))
    for path in ("nothing/en", "confirm/xx"):
        assert editor.client.get(f"/desk/letters/{path}/letter.html").status_code == 404
