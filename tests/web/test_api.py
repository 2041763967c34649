"""Programs at the interface: what they may hand over, what they are told, and what attackers are."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi.testclient import TestClient
from sqlmodel import select
from structlog.testing import capture_logs

from newsletter import keys
from newsletter.assembly import Assembly
from newsletter.comparisons import votes
from newsletter.comparisons.comparison import ComparisonRow, list_comparisons
from newsletter.db import reading, writing
from newsletter.web.api import MAX_BODY, MOST_DETAILS, MOST_WRONG
from newsletter.web.app import create_app
from tests.web.conftest import browser
from tests.web.serving import serving
from tests.web.world import NOW, MakeAssembly, a_comparison, a_reader, draft, everything, keep, send

PATH = "/api/comparisons"


@pytest.fixture
def key(assembly: Assembly) -> str:
    return a_key(assembly)


def a_key(assembly: Assembly, name: str = "the site") -> str:
    with writing(assembly.engine) as session:
        secret = keys.make(session, name, NOW)
        session.commit()
        return secret


def body(slug: str | None = "inkwell-vs-gantry", **changes: Any) -> dict[str, Any]:
    return a_comparison().model_dump(mode="json") | {"slug": slug} | changes


def post(client: TestClient, key: str, content: Any, **headers: str) -> Any:
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
    return client.post(PATH, content=content, headers=given)


def named(*cases: tuple[str, *tuple[Any, ...]]) -> list[Any]:
    """Cases by their names."""
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


ENDLESS_SHARE = json.dumps(body()).encode().replace(b'"panel_ship": null', b'"panel_ship": 1e999', 1)


def test_a_comparison_is_new_then_unchanged_then_updated(assembly: Assembly, client: TestClient, key: str) -> None:
    first = post(client, key, body())
    assert (first.status_code, first.json()) == (
        201,
        {
            "slug": "inkwell-vs-gantry",
            "title": "Inkwell vs Gantry",
            "change": "new",
            "changes": [],
            "url": "http://127.0.0.1:8000/comparisons/inkwell-vs-gantry",
        },
    )
    before = everything(assembly)
    again = post(client, key, body())
    assert (again.status_code, again.json()["change"]) == (200, "unchanged")
    assert everything(assembly) == before
    renamed = post(client, key, body(title="Inkwell against Gantry"))
    assert (renamed.status_code, renamed.json()["change"]) == (200, "updated")
    assert renamed.json()["changes"] == ["title: Inkwell vs Gantry → Inkwell against Gantry"]
    with reading(assembly.engine) as session:
        assert [one.record.title for one in list_comparisons(session)] == ["Inkwell against Gantry"]


def test_what_is_handed_over_is_what_an_import_would_have_stored(
    client: TestClient, assembly: Assembly, key: str
) -> None:
    strange = a_comparison("Ink\u202ewell", "Gantry <b>'; DROP TABLE tools; --", slug="strange", title="\ufeff\u2067x")
    assert post(client, key, strange.model_dump(mode="json")).status_code == 201
    handed_over = everything(assembly)
    keep(assembly, strange)
    assert everything(assembly) == handed_over


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_posts_at_once_are_one_comparison(assembly: Assembly, key: str, kind: str) -> None:
    together, answers = threading.Barrier(4), []

    def one(port: int, record: dict[str, Any]) -> None:
        together.wait(10)
        headers = {"Authorization": f"Bearer {key}"}
        answers.append(requests.post(f"http://127.0.0.1:{port}{PATH}", json=record, headers=headers, timeout=30))

    # The second pair has the same tools the other way round: transactions that wait for each other.
    turned = a_comparison("Gantry", "Inkwell", slug="gantry-vs-inkwell").model_dump(mode="json")
    with serving(create_app(assembly, clock=lambda: NOW)) as port:
        threads = [threading.Thread(target=one, args=(port, record)) for record in (body(), turned) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((each.status_code, each.json()["change"], each.json()["slug"]) for each in answers) == [
        (200, "unchanged", "gantry-vs-inkwell"),
        (200, "unchanged", "inkwell-vs-gantry"),
        (201, "new", "gantry-vs-inkwell"),
        (201, "new", "inkwell-vs-gantry"),
    ]
    with reading(assembly.engine) as session:
        assert len(session.exec(select(ComparisonRow)).all()) == 2


def test_without_a_good_key_nothing_is_read_told_or_changed(assembly: Assembly, key: str) -> None:
    revoked = a_key(assembly, "another")
    with writing(assembly.engine) as session:
        keys.revoke(session, "another", NOW)
        session.commit()
        digest = keys.every(session)[0].digest
    send(assembly, a_comparison())
    before = {table: rows for table, rows in everything(assembly).items() if table != "attempts"}
    app = create_app(assembly, clock=lambda: NOW)
    wrong = [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {key}", key, f"Bearer {key}x", f"Bearer {digest}"]
    wrong += [
        f"Bearer {key}, Bearer {key}",
        f"Bearer {revoked}",
        "Bearer ' OR 1=1 --",
        "Bearer \xe9\x00",
        "Bearer " * 9999,
    ]
    with capture_logs() as logs:
        for number, header in enumerate(wrong):
            client = TestClient(app, client=(f"192.0.2.{number}", 1))
            headers = [(b"Content-Type", b"application/json")]
            headers += [] if header is None else [(b"Authorization", header.encode("latin-1"))]
            for answer in (
                client.post(PATH, json=body(title="Other"), headers=headers),
                client.get("/api/issues/2026-W47", headers=headers),
                client.get("/api/issues/1999-W01", headers=headers),  # nor is it told what there is
            ):
                assert answer.status_code == 401, header
                assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api"')
                assert answer.headers["Content-Type"] == "application/json"
                assert answer.json()["details"] == []
                assert key not in answer.text
    assert not any(each in str(logs) for each in (key, revoked, digest))
    assert {table: rows for table, rows in everything(assembly).items() if table != "attempts"} == before


def test_after_many_wrong_keys_a_network_is_told_to_wait_and_a_good_key_is_let_in(assembly: Assembly, key: str) -> None:
    at = [NOW]
    app = create_app(assembly, clock=lambda: at[0])
    near, far = (TestClient(app, client=(network, 1)) for network in ("192.0.2.1", "198.51.100.7"))
    statuses = [post(near, "watv_wrong", body()).status_code for _ in range(MOST_WRONG + 1)]
    assert statuses == [401] * MOST_WRONG + [429]
    refused = post(near, "watv_wrong", body())
    assert refused.headers["Retry-After"] == "3600"
    assert "too many wrong keys" in refused.json()["error"]
    assert post(near, key, body()).status_code == 201
    assert post(far, "watv_wrong", body()).status_code == 401
    at[0] += timedelta(hours=1)
    assert post(near, "watv_wrong", body()).status_code == 401


@pytest.mark.parametrize(
    ("content", "where", "what"),
    named(
        ("nothing", b"", "", "there is nothing in it"),
        ("half", b'{"slug": "a",\n "title"', "line 2", "is not JSON"),
        ("more", json.dumps(body()).encode() + b"{}", "line 1", "more follows the end"),
        ("NUL", b'{"a": "\0"}', "line 1", "NUL byte"),
        ("UTF-16", json.dumps(body()).encode("utf-16"), "line 1", ""),
        ("Latin-1", b'{"title": "\xe9"}', "line 1", "is not UTF-8"),
        ("deep", b"[" * 400_000, "line 1", "nested too deeply"),
        ("NaN", b'{"tools": NaN}', "line 1", "NaN is not JSON"),
        ("key twice", b'{"slug": "a", "slug": "b"}', "line 1", "'slug' stands twice"),
        ("long number", b'{"slug": ' + b"9" * 5000 + b"}", "line 1", "far too long"),
        ("array", [body()], "", "must be an object"),
        ("null", b"null", "", "must be an object"),
        ("no slug", body(slug=None), "slug", "is missing"),
        ("slug that climbs", body(slug="../../desk"), "slug", "must be small letters, digits and single hyphens"),
        ("slug with a line end", body(slug="a\n"), "slug", "must be small letters"),
        ("endless slug", body(slug="a" * 500), "slug", "is longer than 120 characters"),
        ("a field of ours", body(id=1), "id", "is not a field of this"),
        ("half a character", {**body(), "\ud800": 1}, "", "holds half a character"),
        ("endless share", ENDLESS_SHARE, "tools.0.panel_ship", "must be a whole number"),
        ("script", body(url="javascript:alert(1)"), "url", "must be an address that begins with http"),
    ),
)
def test_what_is_no_comparison_is_refused_place_by_place(
    assembly: Assembly, client: TestClient, key: str, content: Any, where: str, what: str
) -> None:
    answer = post(client, key, content)
    assert answer.status_code == 422
    assert any(each["where"] == where and what in each["what"] for each in answer.json()["details"]), answer.text
    with reading(assembly.engine) as session:
        assert list_comparisons(session) == []


def test_all_faults_are_told_at_once_and_no_more_than_fit(client: TestClient, key: str) -> None:
    answer = post(client, key, body(slug=None, title="", reviews=[{}] * 1000))
    found = answer.json()["details"]
    assert {"where": "title", "what": "is empty"} in found
    assert len(found) == MOST_DETAILS + 1
    assert found[-1]["what"].startswith("and ")
    assert len(post(client, key, {"x" * 900_000: 1}).content) < 5000


def test_a_byte_order_mark_is_passed_over(client: TestClient, key: str) -> None:
    assert post(client, key, b"\xef\xbb\xbf" + json.dumps(body()).encode()).status_code == 201


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    named(
        ("form", b"slug=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("no type", b"{}", {"Content-Type": ""}, 415),
        ("compressed", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
        ("too long", b" " * (MAX_BODY + 1), {}, 413),
        ("with a charset", json.dumps(body()).encode(), {"Content-Type": "Application/JSON; charset=utf-8"}, 201),
    ),
)
def test_only_json_of_some_length_is_read(
    client: TestClient, key: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = post(client, key, content, **headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")


def test_an_issue_is_told_with_its_votes_and_counts(assembly: Assembly, client: TestClient, key: str) -> None:
    shares = [tool.model_dump() | {"community_ship": 40} for tool in a_comparison("Nib", "Quill").tools]
    send(assembly, a_comparison(), a_comparison("Nib", "Quill", tools=shares))
    readers = [a_reader(assembly, email=f"r{n}@example.com") for n in range(3)]
    with writing(assembly.engine) as session:
        stored = {one.record.slug: one.id for one in list_comparisons(session)}
        for reader, choice in zip(readers, ("left", "both", "neither"), strict=True):
            votes.cast(session, stored["inkwell-vs-gantry"], reader, choice, NOW)
        session.commit()
    answer = client.get("/api/issues/2026-w47", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    told = answer.json()
    assert {name: told[name] for name in ("week", "state", "sent_at")} == {
        "week": "2026-W47",
        "state": "sent",
        "sent_at": "2026-11-24T08:00:00Z",
    }
    assert len(told["digest"]) == 64
    by_slug = {each["slug"]: each for each in told["comparisons"]}
    assert by_slug["inkwell-vs-gantry"] == {
        "slug": "inkwell-vs-gantry",
        "title": "Inkwell vs Gantry",
        "votes": 3,
        "tools": [
            {"name": "Inkwell", "panel_ship": 100, "community_ship": 67, "votes": 2},
            {"name": "Gantry", "panel_ship": 50, "community_ship": 33, "votes": 1},
        ],
    }
    assert [tool["community_ship"] for tool in by_slug["nib-vs-quill"]["tools"]] == [40, 40]  # as it was published
    counts = told["counts"]
    assert (counts["audience"], counts["accepted"]) == (1, 1)
    assert {"delivered", "bounced", "complained", "unsubscribed"} <= set(counts)
    assert not {"doubts", "decisions", "week"} & set(counts)
    assert "only@example.com" not in answer.text


def test_an_issue_that_readers_do_not_have_is_not_there(assembly: Assembly, client: TestClient, key: str) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    for week in ("2026-W47", "2026-W48", "2026-W54", "latest", "%00", "..%2Fcomparisons"):
        answer = client.get(f"/api/issues/{week}", headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
        assert answer.json()["error"]


def test_a_program_is_answered_in_json_whatever_goes_wrong(
    new_database: Callable[[str], str], make_assembly: MakeAssembly, tmp_path: Path
) -> None:
    client = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/no/such.db"))
    away = post(client, "watv_any", body())
    assert (away.status_code, away.headers["Retry-After"]) == (503, "60")
    answers = [away, client.get("/api/no/such"), client.get(PATH), client.get("/api")]
    assert [each.status_code for each in answers] == [503, 404, 405, 404]
    assert answers[2].headers["Allow"] == "POST"
    for each in answers:
        assert each.headers["Content-Type"] == "application/json"
        assert set(each.json()) == {"error", "details"}
        assert each.headers["X-Content-Type-Options"] == "nosniff"


def test_the_day_of_use_is_noted_and_does_not_keep_who_only_reads(
    assembly: Assembly, client: TestClient, key: str
) -> None:
    send(assembly, a_comparison())
    bearer = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/issues/2026-W47", headers=bearer).status_code == 200
    with writing(assembly.engine) as session:  # from here on nobody else can write
        assert keys.every(session)[0].used_at == NOW.replace(hour=0)
        assert client.get("/api/issues/2026-W47", headers=bearer).status_code == 200
