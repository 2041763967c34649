"""Invitations: what a link shows, what it takes to take one up, and when it is over."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors import accounts
from newsletter.editors.editor import EDITOR, Editor
from tests.desk.door import PASSWORD, an_account, code, door, log_of
from tests.web.world import NOW, everything

pytestmark = pytest.mark.usefixtures("quick_hashes")


def an_invitation(assembly: Assembly) -> str:
    """The path of a link."""
    with writing(assembly.engine) as session:
        _, token = accounts.add(session, "bo@example.com", "Bo", EDITOR, NOW)
        session.commit()
    return urlsplit(assembly.links.invited(token)).path


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a page, and the secret that it shows."""
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    shown = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert shown
    return {name: unescape(value) for name, value in hidden.items()} | {"shown": shown[1].replace(" ", "")}


def test_looking_at_an_invitation_changes_nothing_and_taking_it_up_lets_in_once(assembly: Assembly) -> None:
    path = an_invitation(assembly)
    before = everything(assembly)
    scanner, bo = door(assembly), door(assembly)
    assert scanner.client.get(path).status_code == 200
    answer = bo.client.get(path)
    assert everything(assembly) == before
    assert "Bo" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    shown = fields(answer.text)
    form = {"csrf": shown["csrf"], "secret": shown["secret"], "password": PASSWORD, "again": PASSWORD}
    done = bo.client.post(path, data=form | {"code": code(NOW, shown["shown"])})
    assert (done.status_code, done.headers["location"]) == (303, "/desk")
    assert bo.is_in()
    for again in (bo.client.get(path), bo.client.post(path, data=form), scanner.client.get(path)):
        assert again.status_code == 404
        assert "not good any more" in again.text
    assert [entry[0] for entry in log_of(assembly)] == ["made an account", "took an invitation up", "signed in"]
    later = door(assembly)
    later.clock.on(minutes=1)
    assert later.tries(address="Bo@Example.com", code=code(later.clock.now, shown["shown"])).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "short", "again": "short"}, "at least 12"),
        ({"again": "four words in a column"}, "not the same"),
        ({"password": "bo@example.com 1", "again": "bo@example.com 1"}, "first that anybody would try"),
        ({"code": "000000"}, "not the code"),
        ({"secret": "forged"}, "shown too long ago"),
        ({"csrf": "forged"}, "not one that the desk has shown"),
    ],
)
def test_an_invitation_is_not_taken_up_by_what_is_wrong(assembly: Assembly, wrong: dict[str, str], said: str) -> None:
    path = an_invitation(assembly)
    before = everything(assembly)
    bo = door(assembly)
    shown = fields(bo.client.get(path).text)
    right = {"csrf": shown["csrf"], "secret": shown["secret"], "password": PASSWORD, "again": PASSWORD}
    answer = bo.client.post(path, data=right | {"code": code(NOW, shown["shown"])} | wrong)
    assert answer.status_code == (403 if "csrf" in wrong else 422)
    assert said in answer.text
    assert PASSWORD not in answer.text
    assert everything(assembly) == before
    if "secret" not in wrong:
        assert fields(answer.text)["shown"] == shown["shown"], "the phone has this one already"


def test_the_second_step_of_another_invitation_is_not_taken(assembly: Assembly) -> None:
    path = an_invitation(assembly)
    with writing(assembly.engine) as session:
        _, token = accounts.add(session, "cy@example.com", "Cy", EDITOR, NOW)
        session.commit()
    bo = door(assembly)
    others = fields(bo.client.get(f"/desk/invited/{token}").text)
    form = {"csrf": others["csrf"], "secret": others["secret"], "password": PASSWORD, "again": PASSWORD}
    assert bo.client.post(path, data=form | {"code": code(NOW, others["shown"])}).status_code == 422


def test_an_invitation_ends_after_three_days_and_with_the_account(assembly: Assembly) -> None:
    path = an_invitation(assembly)
    bo = door(assembly)
    clock = bo.clock
    clock.on(days=3, seconds=-1)
    assert bo.client.get(path).status_code == 200
    clock.on(seconds=1)
    assert bo.client.get(path).status_code == 404
    assert bo.client.get("/desk/invited/none").text == bo.client.get(path).text


def test_a_new_invitation_ends_all_sessions_once_it_is_taken_up(assembly: Assembly) -> None:
    number = an_account(assembly)
    ana = door(assembly)
    assert ana.tries().status_code == 303
    with writing(assembly.engine) as session:
        token = accounts.invite(session, session.get_one(Editor, number), NOW)
        session.commit()
    assert ana.is_in()
    anew = door(assembly)
    shown = fields(anew.client.get(f"/desk/invited/{token}").text)
    form = {"csrf": shown["csrf"], "secret": shown["secret"], "password": PASSWORD, "again": PASSWORD}
    assert (
        anew.client.post(f"/desk/invited/{token}", data=form | {"code": code(NOW, shown["shown"])}).status_code == 303
    )
    assert anew.is_in()
    assert not ana.is_in()


def test_of_two_who_take_an_invitation_up_at_once_one_has_it(engine: Engine) -> None:
    with writing(engine) as session:
        _, token = accounts.add(session, "bo@example.com", "Bo", EDITOR, NOW)
        session.commit()

    def take_up(password: str) -> str | None:
        with writing(engine) as session:
            done = accounts.take_up(session, token, password, "secret", 1, NOW)
            session.commit()
            return password if done else None

    with ThreadPoolExecutor(2) as pool:
        taken = [one for one in pool.map(take_up, ("first", "second")) if one]
    with reading(engine) as session:
        assert [session.exec(select(Editor.password)).one()] == taken
