import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import text
from structlog.testing import capture_logs

from newsletter import migrations
from newsletter.assembly import Assembly
from newsletter.web import shelf, site
from newsletter.web.app import create_app
from newsletter.web.headers import HEADERS
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES
from tests.web.conftest import browser
from tests.web.serving import serving
from tests.web.world import MakeAssembly, a_comparison, a_reader, key_to, send, way_out


def test_every_answer_carries_the_security_headers(
    client: TestClient, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(assembly, a_comparison())
    answers = [client.get(path) for path in ("/", "/issues", "/style.css", "/healthz", "/readyz", "/nothing")]
    answers += [client.post("/"), client.get("/unsubscribe/x"), client.head("/")]
    monkeypatch.setattr(shelf, "newest", None)
    answers.append(client.get("/"))
    assert [answer.status_code for answer in answers[-4:]] == [405, 404, 200, 500]
    for answer in answers:
        assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "referrer-policy" in answer.headers
        assert "cache-control" in answer.headers


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "script-src" not in policy


def test_an_error_of_ours_tells_no_details(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(shelf, "newest", broken)
    answer = client.get("/issues")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_method_is_refused_with_a_page(client: TestClient) -> None:
    for method, path in (("POST", "/"), ("DELETE", "/issues"), ("PUT", "/unsubscribe/x"), ("OPTIONS", "/healthz")):
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert "That cannot be done here" in answer.text
        assert "GET" in answer.headers["allow"]


def test_an_unknown_address_gets_a_page(client: TestClient) -> None:
    for path in ("/nothing", "/docs", "/redoc", "/unsubscribe", "/issues/", "/.env"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text
        assert answer.headers["cache-control"] == "no-store"


def test_the_style_sheet_is_served_under_the_name_that_pages_print(client: TestClient) -> None:
    answer = client.get("/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert 'href="/style.css?v=' in client.get("/").text


def test_a_process_that_is_up_says_so_whatever_the_database_does(tmp_path: Path, make_assembly: MakeAssembly) -> None:
    client = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/no/such/folder.db"))
    assert client.get("/healthz").json() == {"status": "up"}


def test_it_is_ready_with_a_database_at_the_newest_migration(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "migration": migrations.newest()}


def test_it_is_not_ready_on_an_empty_database_and_leaves_it_empty(tmp_path: Path, make_assembly: MakeAssembly) -> None:
    assembly = make_assembly(database_url=f"sqlite:///{tmp_path}/empty.db")
    client = browser(assembly)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "newsletter db upgrade" in answer.json()["reason"]
    assert client.get("/").status_code == 503
    assert migrations.current(assembly.bare_engine) is None


def test_it_is_not_ready_at_another_migration(client: TestClient, assembly: Assembly) -> None:
    with assembly.bare_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'other'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "at migration other" in answer.json()["reason"]


def test_a_database_that_is_away_is_told_plainly(tmp_path: Path, make_assembly: MakeAssembly) -> None:
    client = browser(make_assembly(database_url=f"sqlite:///{tmp_path}/no/such/folder.db"))
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reason"] == "the database cannot be reached"
    for path in ("/", "/issues", "/issues/2026-W47", "/comparisons/inkwell-vs-gantry"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "Back in a moment" in answer.text
        assert "sqlite" not in answer.text
        assert "folder" not in answer.text


def test_no_log_line_about_the_database_holds_a_readers_key(tmp_path: Path, make_assembly: MakeAssembly) -> None:
    assembly = make_assembly(database_url=f"sqlite:///{tmp_path}/no/such/folder.db")
    client = browser(assembly)
    keys = [key_to(assembly, purpose, 1) for purpose in (CONFIRM, PREFERENCES, ADDRESS)]
    with capture_logs() as lines:
        for path in (*keys, f"{way_out(assembly, 1)}/undo", f"{way_out(assembly, 1)}/reason", "/subscribe"):
            assert client.post(path, data={"email": "ana@example.com"}).status_code == 503
    assert [line["route"] for line in lines] == [
        "/confirm/{token}",
        "/preferences/{token}",
        "/address/{token}",
        "/unsubscribe/{token}/undo",
        "/unsubscribe/{token}/reason",
        "/subscribe",
    ]
    assert not any(path.split("/")[2] in repr(lines) for path in (*keys, way_out(assembly, 1)))


def _has_a_thread(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.Timeout:
        return False


def test_a_process_says_that_it_is_up_while_every_thread_waits_for_the_database(assembly: Assembly) -> None:
    threads = 40  # that the web server has for pages; more may come in than that
    with closing(sqlite3.connect(assembly.engine.url.database or "", isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with serving(create_app(assembly)) as port, ThreadPoolExecutor(threads + 5) as readers:
            url = f"http://127.0.0.1:{port}"
            form = {"email": "ana@example.com"}
            waiting = [readers.submit(requests.post, f"{url}/subscribe", form) for _ in range(threads + 5)]
            try:
                while _has_a_thread(f"{url}/style.css"):
                    pass
                assert requests.get(f"{url}/healthz", timeout=5).json() == {"status": "up"}
            finally:
                busy.execute("ROLLBACK")
            assert {each.result().status_code for each in waiting} <= {200, 429}


def test_pages_that_an_upgrade_brings_do_not_meet_the_old_program(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(site.FOLDER, pages)
    monkeypatch.setattr(site, "FOLDER", pages)
    client = browser(assembly)
    assert client.get("/subscribe").status_code == 200
    for each in pages.glob("*.html"):
        each.write_text("{{ what_only_the_new_program_knows }}")
        os.utime(each, (1, 1))
    assert client.get("/subscribe").status_code == 200
    assert client.post(way_out(assembly, a_reader(assembly))).status_code == 200


def test_it_is_made_from_the_environment_where_nothing_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{tmp_path}/own.db")
    monkeypatch.setenv("NEWSLETTER_NAME", "Letters of Ours")
    try:
        with TestClient(create_app()) as client:
            assert "Letters of Ours" in client.get("/nothing").text
    finally:
        structlog.reset_defaults()
