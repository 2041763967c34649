"""One's own account, and the log: what may be changed, with what proof, and who is out by it."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlmodel import col, select

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors import log, renewing
from newsletter.editors.editor import Editor
from newsletter.editors.log import Entry
from newsletter.editors.sessions import SignedIn
from newsletter.web.desk.account import browser_of
from tests.desk.door import PASSWORD, Door, an_account, code, door
from tests.desk.world import At
from tests.web.world import NOW, everything

NEW = "five other words to keep"


pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def ana(assembly: Assembly) -> Door:
    """Signed in."""
    an_account(assembly)
    return also_in(assembly)


def also_in(assembly: Assembly) -> Door:
    """The same account in another browser."""
    browser = door(assembly)
    browser.clock.on(minutes=1)
    assert browser.tries().status_code == 303
    return browser


def acts(assembly: Assembly) -> list[str]:
    with reading(assembly.engine) as session:
        return list(session.exec(select(Entry.act).order_by(col(Entry.id))))


def test_a_new_password_takes_the_old_one_and_ends_all_other_sessions(assembly: Assembly, ana: Door) -> None:
    other = also_in(assembly)
    form = {"csrf": ana.csrf("/desk/account"), "old": PASSWORD, "password": NEW, "again": NEW}
    answer = ana.client.post("/desk/account/password", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/account")
    assert "Your password is changed" in ana.client.get("/desk/account").text
    assert "Your password is changed" not in ana.client.get("/desk/account").text
    assert not other.is_in()
    other.clock.on(minutes=1)
    assert other.tries().status_code == 422
    assert other.tries(password=NEW).status_code == 303
    assert "changed the password" in acts(assembly)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"old": "not the one"}, "This is not your password"),
        ({"password": "short", "again": "short"}, "at least 12"),
        ({"again": "something else"}, "not the same"),
        ({"password": "ana@example.com", "again": "ana@example.com"}, "first that anybody would try"),
    ],
)
def test_a_new_password_that_will_not_do_changes_nothing(
    assembly: Assembly, ana: Door, changes: dict[str, str], said: str
) -> None:
    form = {"csrf": ana.csrf("/desk/account"), "old": PASSWORD, "password": NEW, "again": NEW}
    before = everything(assembly) | {"attempts": []}
    answer = ana.client.post("/desk/account/password", data=form | changes)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert PASSWORD not in answer.text
    assert everything(assembly) | {"attempts": []} == before


def test_a_browser_that_was_left_open_is_no_place_to_guess_the_password(assembly: Assembly, ana: Door) -> None:
    form = {"csrf": ana.csrf("/desk/account"), "old": "guessed", "password": NEW, "again": NEW}
    for _ in range(renewing.MOST):
        assert ana.client.post("/desk/account/password", data=form).status_code == 422
    stopped = ana.client.post("/desk/account/password", data=form | {"old": PASSWORD})
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "900")
    shown = re.search(r'name="secret" value="([^"]+)"', ana.client.get("/desk/account/second-step").text)
    assert shown
    step = {"csrf": form["csrf"], "old": PASSWORD, "secret": unescape(shown[1]), "code": "000000"}
    assert ana.client.post("/desk/account/second-step", data=step).status_code == 429


def test_a_new_second_step_is_taken_with_its_code_and_the_password_and_the_old_one_is_over(
    assembly: Assembly, ana: Door
) -> None:
    other = also_in(assembly)
    before = everything(assembly)
    page = ana.client.get("/desk/account/second-step").text
    assert everything(assembly) == before
    carried = re.search(r'name="secret" value="([^"]+)"', page)
    shown = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert carried
    assert shown
    secret = shown[1].replace(" ", "")
    now = ana.clock.now
    right = {"csrf": ana.csrf("/desk/account"), "old": PASSWORD, "secret": carried[1], "code": code(now, secret)}
    for wrong in ({"code": code(now)}, {"old": "guessed"}, {"secret": "forged"}):
        assert ana.client.post("/desk/account/second-step", data=right | wrong).status_code == 422
    theirs = {**right, "csrf": other.csrf("/desk/account")}
    assert other.client.post("/desk/account/second-step", data=theirs).status_code == 422, "shown to another session"
    assert ana.client.post("/desk/account/second-step", data=right).status_code == 303
    assert ana.is_in()
    assert not other.is_in()
    other.clock.on(minutes=1)
    assert other.tries().status_code == 422
    assert other.tries(code=code(other.clock.now, secret)).status_code == 303


def test_a_change_that_was_proven_against_what_is_no_longer_so_is_not_made(assembly: Assembly, ana: Door) -> None:
    with reading(assembly.engine) as session:
        proven = session.exec(select(Editor)).one()
    with writing(assembly.engine) as session:
        session.get_one(Editor, proven.id).password = "changed meanwhile"
        session.commit()
        signed_in = session.exec(select(SignedIn)).one()
        assert not renewing.change_password(session, proven, signed_in, "x", NOW)
        assert not renewing.change_second_step(session, proven, signed_in, "x", 1, NOW)


def test_ones_browsers_are_listed_and_signed_out_but_this_one(assembly: Assembly, ana: Door) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1"
    other = door(assembly, "198.51.100.9")
    other.clock.on(minutes=1)
    assert other.tries(headers={"user-agent": phone}).status_code == 303
    page = ana.client.get("/desk/account").text
    assert "Safari on iPhone" in page
    assert "198.51.100.9" in page
    assert page.count("this one") == 1
    done = ana.client.post("/desk/account/elsewhere", data={"csrf": ana.csrf("/desk/account")})
    assert done.status_code == 303
    assert ana.is_in()
    assert not other.is_in()
    assert "198.51.100.9" not in ana.client.get("/desk/account").text


def test_a_browser_is_called_what_a_person_calls_it() -> None:
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
    assert browser_of(chrome) == "Chrome on Linux"
    assert browser_of(chrome.replace("X11; Linux x86_64", "Windows NT 10.0") + " Edg/141.0") == "Edge on Windows"
    assert browser_of(None) == browser_of("curl/8") == "A browser"


def test_the_log_says_who_did_what_page_by_page_and_of_one_issue(assembly: Assembly, publisher: At) -> None:
    with writing(assembly.engine) as session:
        for number in range(log.PAGE + 5):
            week = "2026-W47" if number % 2 else "2026-W46"
            log.write(session, NOW + timedelta(seconds=number), publisher.editor_id, f"act {number}.", week=week)
        log.write(session, NOW, None, "made an account", detail="Ana, editor")
        log.write(session, NOW, publisher.editor_id, "lifted a suppression", subscriber_id=17)
        session.commit()
    page = publisher.get("/desk/log")
    assert "Publisher" in page
    assert "nobody signed in" in page
    assert 'href="/desk/readers/17"' in page
    assert "act 54." in page
    assert "act 6." not in page
    following = re.search(r'href="([^"]+)" rel="next"', page)
    assert following
    assert "act 6." in publisher.get(unescape(following[1]))
    of_one = publisher.get("/desk/log?week=2026-w47")
    assert "act 53." in of_one
    assert "act 54." not in of_one
    assert "is no ISO week" in publisher.get("/desk/log?week=soon", 422)
    assert "Nothing was done yet" in publisher.get("/desk/log?week=2026-W01")
