"""Sessions and their cookies: where they come from, how long they last, and where the door leads."""

import re

import pytest
from sqlmodel import select

from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.editors.editor import EDITOR
from newsletter.editors.sessions import SignedIn
from newsletter.web.desk.cookies import cookie_name
from tests.desk.door import an_account, disable, door
from tests.web.world import MakeAssembly

pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_a_session_that_was_planted_is_over_once_somebody_signs_in(assembly: Assembly) -> None:
    an_account(assembly)
    thief_account = an_account(assembly, "thief@example.com", EDITOR)
    thief, victim = door(assembly), door(assembly)
    assert thief.tries(address="thief@example.com").status_code == 303
    name = cookie_name(thief.client.app.state.site)  # type: ignore[attr-defined]
    planted = thief.client.cookies[name]
    csrf = victim.csrf()
    victim.client.cookies.set(name, planted)
    victim.tries(csrf=csrf)
    assert victim.client.cookies.get(name, domain="testserver.local") not in (None, planted)
    assert not thief.is_in()
    with reading(assembly.engine) as session:
        assert session.exec(select(SignedIn.editor_id)).all() != [thief_account]


@pytest.mark.parametrize("how", ["no cookie", "another's proof", "from elsewhere", "from another origin"])
def test_nobody_can_be_sent_in_with_somebody_elses_account(assembly: Assembly, how: str) -> None:
    an_account(assembly)
    thief, victim = door(assembly), door(assembly)
    headers = {
        "from elsewhere": {"Sec-Fetch-Site": "cross-site"},
        "from another origin": {"Origin": "https://x.example"},
    }
    csrf = thief.csrf() if how == "another's proof" else victim.csrf()
    if how == "another's proof":
        victim.csrf()
    if how == "no cookie":
        victim.client.cookies.clear()
    answer = victim.tries(csrf=csrf, headers=headers.get(how))
    assert answer.status_code == 403
    assert "not one that the desk has shown" in answer.text
    assert not victim.is_in()


def test_cookies_are_out_of_reach_and_behind_tls_nobody_can_plant_them(
    make_assembly: MakeAssembly, assembly: Assembly
) -> None:
    an_account(assembly)
    url = assembly.settings.database_url
    for base_url, prefix in (("http://127.0.0.1:8000", ""), ("https://verdicts.example.com", "__Host-")):
        known = door(make_assembly(database_url=url, base_url=base_url))
        known.client.base_url = base_url
        known.clock.on(minutes=len(prefix))
        answer = known.tries()
        assert answer.status_code == 303
        known.client.cookies.set(f"{prefix}desk", known.client.cookies[f"{prefix}desk"])
        out = known.client.post("/desk/logout", data={"csrf": known.csrf("/desk/account")})
        given = answer.headers.get_list("set-cookie") + out.headers.get_list("set-cookie")
        assert [one.partition("=")[0] for one in given] == [
            f"{prefix}{name}" for name in ("desk", "desk-known", "desk-door", "desk")
        ]
        for one in given:
            assert "HttpOnly" in one
            assert "SameSite=lax" in one
            assert "Path=/" in one
            assert "Domain" not in one
            assert ("Secure" in one) == bool(prefix), "a browser takes no __Host- cookie away without it"


def test_a_session_outlives_its_key_as_long_as_the_key_is_among_the_old_ones(
    make_assembly: MakeAssembly, assembly: Assembly
) -> None:
    url = assembly.settings.database_url
    an_account(assembly)
    before = door(make_assembly(database_url=url, secret_key="old-key-of-the-newsletter"))
    csrf = before.csrf()
    assert before.tries(csrf=csrf).status_code == 303
    shown = before.csrf("/desk/account")
    for key, good in (
        ("new-key-of-the-newsletter, old-key-of-the-newsletter", True),
        ("new-key-of-the-newsletter", False),
    ):
        after = door(make_assembly(database_url=url, secret_key=key))
        after.client.cookies.update(before.client.cookies)
        assert after.is_in() == good
        if good:
            assert after.client.post("/desk/account/elsewhere", data={"csrf": shown}).status_code == 303


def test_whoever_is_disabled_is_out_with_the_next_click_and_so_is_a_session_that_is_too_old(assembly: Assembly) -> None:
    number = an_account(assembly)
    ana, idle = door(assembly), door(assembly)
    clock = ana.clock
    assert ana.tries().status_code == 303
    clock.on(minutes=1)
    assert idle.tries().status_code == 303
    for _ in range(3):
        clock.on(hours=11)
        assert ana.is_in()
    assert not idle.is_in()
    for _ in range(13):
        clock.on(hours=11)
        ana.is_in()
    assert not ana.is_in()
    assert ana.tries().status_code == 303
    disable(assembly, number)
    assert not ana.is_in()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/desk/../unsubscribe/x",
        "/desk/%2e%2E/x",
        "/desk//evil.example",
        "javascript:alert(1)",
        "/desk\r\nX-Evil: 1",
        "/deskevil",
        "/desk@evil.example",
        "/desk/é",
    ],
)
def test_the_door_leads_nowhere_but_to_the_desk(assembly: Assembly, elsewhere: str) -> None:
    an_account(assembly)
    ana = door(assembly)
    page = ana.client.get("/desk/login", params={"next": elsewhere})
    assert re.search(r'name="next" value="([^"]*)"', page.text)[1] == "/desk"  # type: ignore[index]
    answer = ana.tries(next=elsewhere)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    assert "x-evil" not in answer.headers
    assert ana.client.get("/desk/login", params={"next": elsewhere}).headers["location"] == "/desk"


def test_pages_below_a_path_lead_to_each_other_below_it(make_assembly: MakeAssembly, assembly: Assembly) -> None:
    an_account(assembly)
    below = door(make_assembly(database_url=assembly.settings.database_url, base_url="http://example.com/letters"))
    assert below.client.get("/desk/log").headers["location"] == "/letters/desk/login?next=/desk/log"
    assert below.tries(next="/desk/log").headers["location"] == "/letters/desk/log"
    refused = below.client.post("/desk/logout", headers={"Referer": "http://example.com/letters/desk/log"})
    assert 'href="/letters/desk/log"' in refused.text


def test_what_no_browser_sends_is_answered_like_a_strangers(assembly: Assembly) -> None:
    stranger = door(assembly)
    name = cookie_name(stranger.client.app.state.site)  # type: ignore[attr-defined]
    for cookie in ("", ".", "a.b.c", "\xe9.\xff", "x" * 30_000, '"'):
        headers = [
            (
                b"cookie",
                f"{name}={cookie}; desk-said={cookie}; desk-known={cookie}; desk-door={cookie}".encode("latin-1"),
            )
        ]
        assert stranger.client.get("/desk", headers=headers).status_code == 303
        assert stranger.client.get("/desk/login", headers=headers).status_code == 200
        assert stranger.client.post("/desk/login", headers=headers, data={"csrf": "x"}).status_code == 403
    assert stranger.tries(address="\x00", password="\x00", code="\u0661" * 6).status_code == 422
    assert stranger.tries(address="a" * 5_000, password="é" * 5_000, code="1" * 5_000).status_code == 422
    assert stranger.client.post("/desk/login", data={"address": "a" * 100_000}).status_code == 413
