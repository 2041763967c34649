"""What the desk says where something is wrong: it looks like the desk, and tells nobody more than what to do."""

import pytest
from fastapi import Response
from fastapi.testclient import TestClient
from sqlalchemy import text

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.editors import editor
from newsletter.web.desk.frame import tell
from newsletter.web.headers import HEADERS
from tests.desk.world import At
from tests.web.conftest import browser
from tests.web.world import MakeAssembly


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/desk/nothing", 404, "There is nothing here"),
        ("GET", "/desk/files/nothing.css", 404, "There is nothing here"),
        ("GET", "/desk/log?before=x", 404, "There is nothing here"),
        ("GET", "/desk/readers/99999999999999999999999", 404, "There is nothing here"),
        ("PUT", "/desk/log", 405, "That cannot be done here"),
        ("POST", "/desk/logout", 403, "That is not allowed"),
    ],
)
def test_who_is_signed_in_is_told_on_a_page_of_the_desk(
    publisher: At, method: str, path: str, status: int, said: str
) -> None:
    answer = publisher.client.request(method, path)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert 'aria-label="Desk"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert ("allow" in answer.headers) == (status == 405)


def test_a_form_that_is_too_long_is_not_read(publisher: At) -> None:
    answer = publisher.client.post("/desk/logout", data={"csrf": "x" * 100_000})
    assert (answer.status_code, "That was too much" in answer.text) == (413, True)
    assert publisher.get("/desk/account")


def test_what_is_wrong_at_the_door_is_said_there(client: TestClient) -> None:
    for method, path in (("PUT", "/desk/login"), ("DELETE", "/desk/invited/x")):
        answer = client.request(method, path)
        assert (answer.status_code, "That cannot be done here" in answer.text) == (405, True)
        assert 'aria-label="Desk"' not in answer.text


def test_an_error_of_ours_tells_no_details(publisher: At, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(editor, "every", broken)
    answer = publisher.client.get("/desk/log")
    assert (answer.status_code, "Something went wrong" in answer.text) == (500, True)
    assert "secret" not in answer.text
    assert "/desk/files/desk.css" in answer.text
    assert all(name in answer.headers for name in HEADERS), "it is made outside of the middleware"


def test_records_that_are_away_are_told_plainly(assembly: Assembly, publisher: At, client: TestClient) -> None:
    with writing(assembly.engine) as session:
        session.connection().execute(text("ALTER TABLE desk_sessions RENAME TO gone"))
        session.commit()
    answer = publisher.client.get("/desk/log")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "Back in a moment" in answer.text
    assert publisher.client.get("/desk/nothing").status_code == 303
    assert client.get("/desk/login").status_code == 200


def test_what_htmx_asked_for_ends_as_the_page_loaded_anew_which_says_why(publisher: At, client: TestClient) -> None:
    part = {"HX-Request": "true", "Referer": "http://testserver/desk/log?week=2026-W47"}
    refused = publisher.client.post("/desk/account/elsewhere", headers=part)
    assert (refused.status_code, refused.headers["hx-refresh"]) == (204, "true")
    assert "not one that the desk has shown" in publisher.get("/desk/account")
    strangers = client.get("/desk/account", headers=part)
    assert (strangers.status_code, strangers.headers["hx-redirect"]) == (
        204,
        "/desk/login?next=/desk/log%3Fweek%3D2026-W47",
    )
    boosted = publisher.client.get("/desk/nothing", headers=part | {"HX-Boosted": "true"})
    assert (boosted.status_code, "There is nothing here" in boosted.text) == (404, True)


def test_a_page_that_says_much_in_any_script_still_fits_a_cookie(publisher: At) -> None:
    answer = Response()
    tell(publisher.client.app.state.site, answer, "".join(map(chr, range(0x4E00, 0x4E00 + 2_000))), wrong=True)  # type: ignore[attr-defined]
    assert len(answer.headers["set-cookie"]) < 4096


def test_a_public_page_that_is_not_there_is_not_of_the_desk(client: TestClient, make_assembly: MakeAssembly) -> None:
    for path in ("/deskevil", "/nothing"):
        answer = client.get(path)
        assert (answer.status_code, "/desk/files/" in answer.text) == (404, False)
    below = browser(make_assembly(database_url="sqlite:////no/such/folder.db"))
    assert below.get("/desk/login").status_code == 200
