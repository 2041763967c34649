"""What an attacker would try on every route of the desk, also on those that come later: see docs/security.md."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, literal, update
from sqlmodel import select

from newsletter import weekly
from newsletter.assembly import Assembly
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.db import Table, reading, writing
from newsletter.editors import accounts, sessions
from newsletter.editors.editor import EDITOR, RIGHTS, Editor
from newsletter.settings import SettingsError, load
from newsletter.web.desk.cookies import cookie_name, signer
from newsletter.weekly import CannotDo
from tests.desk import busy
from tests.desk.rights import ANYBODY, FORMS, PAGES, SIGNED_IN
from tests.desk.world import At
from tests.web.world import NOW, W47, a_comparison, draft, everything, keep

MARK = "alert(7)"
POISON = f"""\"'><script>{MARK}</script><img src=x onerror={MARK}></style></title></textarea>[a](javascript:{MARK})"""
FREE_TEXT = {
    "api_keys": ["name"],
    "comparisons": ["title"],
    "consents": ["source", "words", "network", "user_agent"],
    "deliveries": ["reason"],
    "desk_log": ["act", "detail"],
    "desk_sessions": ["network", "user_agent"],
    "editors": ["name"],
    "events": ["detail", "link", "agent"],
    "issue_versions": ["what"],
    "issues": ["subject", "preheader", "own_subject", "own_preheader", "note", "held_because"],
    "jobs": ["did", "error"],
    "letters": ["subject", "preheader"],
    "reviews": ["quote"],
    "sides": ["name", "tagline", "category", "entry_price", "description"],
    "subscribers": ["email"],
    "suppressions": ["source", "lifted_because"],
    "tools": ["name"],
}
"""Every column in which a text of somebody else's stands, or an editor's own."""

FILLED: dict[str, list[str]] = {
    "week": [str(busy.DRAFT), str(busy.SENT[-1]), str(busy.HELD)],
    "kind": ["confirm"],
    "language": ["en"],
    "name": ["desk.css"],
    "token": ["{token}"],
    "number": ["{number}"],
    "slug": ["{slug}"],
    "key": ["none"],
}
"""What stands in a path's places. A new name for a place has to be here."""


def routes(client: TestClient, method: str) -> list[str]:
    """All paths below /desk that take a method, as they stand in the code."""
    every = iter_route_contexts(client.app.routes)  # type: ignore[attr-defined]
    return [one.path for one in every if one.path and re.match(r"/desk\b", one.path) and method in (one.methods or ())]


def filled(path: str, **more: str) -> list[str]:
    """A path with something in its places, in all ways."""
    names = re.findall(r"{(\w+)}", path)
    assert set(names) <= set(FILLED), f"say in FILLED what may stand in {path}"
    ways = product(*([more[name]] if name in more else FILLED[name] for name in names))
    return [path.format_map(dict(zip(names, way, strict=True))) for way in ways]


def one_of(path: str) -> str:
    return filled(path, token="none", number="1", slug="none")[0]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []

    def note(_: Any, __: Any, text: str, *___: Any) -> None:
        asked.append(text)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_a_stranger_is_led_to_the_door_from_everywhere_and_nothing_is_read(client: TestClient) -> None:
    known = [(method, path) for method in ("GET", "POST") for path in routes(client, method)]
    assert len(known) > 20
    strange = [(method, "/desk/nothing/here") for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "X")]
    strange += [("HEAD", "/desk"), ("PUT", "/desk/log"), ("POST", "/desk/log"), ("GET", "/desk/logout")]
    engine = client.app.state.site.engine  # type: ignore[attr-defined]
    for method, path in known + strange:
        if path in ANYBODY or path == "/desk/files/{name}":
            continue
        for cookie in ("", "forged.cookie"):
            headers = {"cookie": f"desk={cookie}"} if cookie else {}
            with statements(engine) as asked:
                answer = client.request(
                    method, one_of(path), headers=headers, data={"csrf": "x"} if method == "POST" else None
                )
            assert (answer.status_code, asked) == (303, []), (method, path)
            assert re.match(r"/desk/login(\?next=/desk[\w/%.-]*)?$", answer.headers["location"]), (method, path)
            assert answer.text == ""


def test_every_form_is_in_the_table_of_rights(client: TestClient) -> None:
    assert sorted([*ANYBODY, *SIGNED_IN, *FORMS]) == sorted(routes(client, "POST"))
    assert set(PAGES) <= set(routes(client, "GET"))


@pytest.mark.parametrize("proof", ["none", "forged", "another session's", "from another site", "from another origin"])
def test_a_form_without_the_proof_of_this_session_does_nothing(
    assembly: Assembly, publisher: At, editor: At, proof: str
) -> None:
    with writing(assembly.engine) as session:
        _, token = accounts.add(session, "new@example.com", None, EDITOR, NOW)
        session.commit()
    mine = publisher.csrf()
    brought = {"none": {}, "forged": {"csrf": "x"}, "another session's": {"csrf": editor.csrf()}}.get(
        proof, {"csrf": mine}
    )
    headers = {
        "from another site": {"Sec-Fetch-Site": "same-site"},
        "from another origin": {"Origin": "https://verdicts.example.net"},
    }.get(proof, {})
    keep(assembly, a_comparison())
    draft(assembly)
    before = everything(assembly)
    for path in routes(publisher.client, "POST"):
        place = filled(path, token=token, number="1", slug="none")[0]
        for body in ({"data": brought}, {"data": brought, "files": {"file": ("x.csv", b"email\nx@example.com\n")}}):
            answer = publisher.client.post(place, headers=headers, **body)
            assert answer.status_code == 403, path
            assert "not one that the desk has shown" in answer.text
    assert everything(assembly) == before


def test_what_takes_a_right_is_refused_to_who_has_all_others(
    assembly: Assembly, editor: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    every = frozenset().union(*RIGHTS.values())
    csrf = editor.csrf()
    before = everything(assembly)
    for method, table in (("POST", FORMS), ("GET", PAGES)):
        for path, right in table.items():
            with monkeypatch.context() as patch:
                patch.setitem(RIGHTS, EDITOR, every - {right})
                body: dict[str, Any] = {"data": {"csrf": csrf}} if method == "POST" else {}
                answer = editor.client.request(method, one_of(path), **body)
            assert answer.status_code == 403, (method, path, right)
            assert "That is not allowed" in answer.text
    assert everything(assembly) == before


def test_an_editor_does_nothing_that_takes_a_publisher_and_sees_every_other_page(editor: At) -> None:
    csrf = editor.csrf()
    for path, right in FORMS.items():
        if right not in RIGHTS[EDITOR]:
            assert editor.client.post(one_of(path), data={"csrf": csrf}).status_code == 403, path
    for path in routes(editor.client, "GET"):
        refused = editor.client.get(one_of(path)).status_code == 403
        assert refused == (path in PAGES), path


def test_a_role_that_is_taken_away_is_gone_with_the_next_click(assembly: Assembly, publisher: At) -> None:
    csrf = publisher.csrf()
    with writing(assembly.engine) as session:
        accounts.give_role(session, session.get_one(Editor, publisher.editor_id), EDITOR, NOW)
        session.commit()
    assert publisher.client.post("/desk/issues/2026-W47/approve", data={"csrf": csrf}).status_code == 403


class Dangers(HTMLParser):
    """What of a page a browser would run, or follow, that was never meant so."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "iframe", "object", "embed", "base") and not (given.get("src") or "").startswith("/desk/"):
            self.found.append((tag, "src", given.get("src")))
        for name, value in attrs:
            scheme = re.sub(r"[\x00-\x20]", "", value or "").lower().partition(":")[0]
            if name.startswith("on") or scheme in ("javascript", "vbscript") or (name, value) == ("src", "x"):
                self.found.append((tag, name, value))


def poison(assembly: Assembly) -> None:
    """Write something evil wherever somebody's text stands. Behind the doors, which would take little of it."""
    with writing(assembly.engine) as session:
        for name, columns in FREE_TEXT.items():
            table = Table.metadata.tables[name]
            for column in columns:
                old = table.c[column]
                some = update(table).where(old.is_not(None)).values({column: literal(POISON) + old})
                session.connection().execute(some)
        session.commit()


def test_no_page_runs_what_somebody_has_written_and_every_answer_keeps_to_itself(
    assembly: Assembly, publisher: At
) -> None:
    found = busy.fill(assembly, publisher.editor_id)
    poison(assembly)
    with writing(assembly.engine) as session:
        _, token = accounts.add(session, "new@example.com", POISON[:90], EDITOR, NOW)
        session.commit()
    with reading(assembly.engine) as session:
        slug = session.exec(select(ComparisonRow.slug)).first()
    shown = 0
    headers = {"user-agent": POISON, "referer": f"http://testserver/desk/{POISON}"}
    for path in routes(publisher.client, "GET"):
        places = [
            place
            for number in found.values()
            for place in filled(path, token=token, number=str(number), slug=str(slug))
        ]
        for place in dict.fromkeys(places):
            answer = publisher.client.get(place, headers=headers, params={"q": POISON, "week": "", "next": POISON})
            assert answer.status_code < 500, place
            assert answer.headers["x-content-type-options"] == "nosniff", place
            if path == "/desk/files/{name}":
                continue
            assert answer.headers["cache-control"] == "no-store", place
            assert answer.headers["x-frame-options"] in ("DENY", "SAMEORIGIN"), place
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, place
            assert "base-uri 'none'" in policy, place
            assert "frame-ancestors 'self'" in policy or "frame-ancestors 'none'" in policy, place
            assert "script-src 'self'" in policy or "sandbox;" in policy, place
            kind = answer.headers.get("content-type", "")
            if kind.startswith("text/html"):
                assert not Dangers(answer.text).found, (place, Dangers(answer.text).found)
                shown += MARK in answer.text
            elif answer.status_code == 200:
                assert "attachment" in answer.headers.get("content-disposition", "") or "plain" in kind, (place, kind)
    assert shown > 10, "what was written does not even show"


def test_what_the_test_of_pages_looks_for_would_be_found() -> None:
    for evil in (f"<p>{POISON}", f'<a href=" java\nscript:{MARK}">', '<iframe src="https://evil.example">'):
        assert Dangers(evil).found
    assert not Dangers('<script src="/desk/files/desk.js"></script><a href="/desk">').found


@pytest.mark.parametrize("line", ["one\r\nBcc: all@example.com", "one\nX-Evil: 1", "one\x00", "one\x1b[2J"])
def test_no_line_break_comes_into_a_header(assembly: Assembly, line: str) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    with writing(assembly.engine) as session:
        written = [
            said_or_made(lambda: weekly.edit(session, W47, line, None).subject),
            said_or_made(lambda: weekly.edit(session, W47, None, line).preheader),
            said_or_made(lambda: accounts.add(session, "x@example.com", line, EDITOR, NOW)[0].name),
            said_or_made(lambda: accounts.add(session, f"y@example.com{line}", None, EDITOR, NOW)[0].email),
            *(said_or_made(lambda name=name: load(_env_file=None, **{name: f"News <n@example.com>{line}"}).name)  # type: ignore[misc]
              for name in ("NEWSLETTER_FROM", "reply_to", "name")),
        ]  # fmt: skip
    for one in written:
        assert one
        assert one.isprintable()
    assert sum("wants one" in one for one in written) == 3


def said_or_made(make: Callable[[], str]) -> str:
    """What came of a text, or the line that says why nothing did."""
    try:
        return make()
    except (CannotDo, accounts.Refused, SettingsError) as error:
        return str(error)


def test_a_page_of_the_desk_stands_in_no_frame_of_another_site(publisher: At, client: TestClient) -> None:
    for answer in (publisher.client.get("/desk"), client.get("/desk/login"), client.get("/desk/invited/x")):
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_the_forms_of_an_earlier_session_are_worth_nothing_in_the_next(assembly: Assembly, publisher: At) -> None:
    """Also where the database gives the next one the same number."""
    before = publisher.csrf()
    assert publisher.post("/desk/logout").status_code == 303
    with writing(assembly.engine) as session:
        secret = sessions.begin(session, session.get_one(Editor, publisher.editor_id), NOW)
        session.commit()
    site = publisher.client.app.state.site  # type: ignore[attr-defined]
    publisher.client.cookies.clear()
    publisher.client.cookies.set(cookie_name(site), signer(site).sign(secret).decode())
    assert publisher.get("/desk")
    assert publisher.client.post("/desk/logout", data={"csrf": before}).status_code == 403
