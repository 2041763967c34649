"""The door: who comes in, who does not, what either of them is told, and how often one may try."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import argon2
import pyotp
import pytest
from sqlalchemy import Engine, event

from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.editors import password, signing_in
from newsletter.editors.editor import EDITOR, Editor
from newsletter.editors.signing_in import CameIn, NotIn, Typed
from newsletter.web.desk.cookies import cookie_name
from subscribers.consent import Whence
from tests.desk.door import PASSWORD, an_account, code, disable, door, log_of
from tests.desk.world import an_editor
from tests.web.world import NOW, MakeAssembly, everything

pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_address_password_and_code_let_in_and_lead_on(assembly: Assembly) -> None:
    number = an_account(assembly)
    ana = door(assembly)
    assert ana.client.get("/desk/log").headers["location"] == "/desk/login?next=/desk/log"
    answer = ana.tries(address=" ANA@example.com ", next="/desk/log")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/log")
    assert ana.is_in()
    assert ana.client.get("/desk/login?next=/desk/log").headers["location"] == "/desk/log"
    assert log_of(assembly) == [("signed in", number, None)]


@contextmanager
def work(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done meanwhile: statements, hashes, codes."""
    done: list[str] = []

    def statement(_: Any, __: Any, text: str, *___: Any) -> None:
        done.append(text)

    def noted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **more: Any) -> Any:
            done.append(name)
            return original(*arguments, **more)

        patch.setattr(owner, name, call)

    event.listen(engine, "before_cursor_execute", statement)
    with monkeypatch.context() as patch:
        noted(argon2.PasswordHasher, "verify")
        noted(pyotp.TOTP, "generate_otp")
        yield done
    event.remove(engine, "before_cursor_execute", statement)


def test_who_is_not_let_in_is_told_the_same_after_the_same_work(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(assembly)
    disable(assembly, an_account(assembly, "gone@example.com"))
    an_editor(assembly, EDITOR, "invited@example.com")
    wrong: list[dict[str, str]] = [
        {"password": "something else"},
        {"code": "000000"},
        {"password": "something else", "code": "000000"},
        {"address": "nobody@example.com"},
        {"address": "gone@example.com"},
        {"address": "invited@example.com"},
    ]
    seen = []
    for network, changes in enumerate(wrong):
        stranger = door(assembly, network=f"203.0.113.{network}")
        csrf = stranger.csrf()
        right = {"code": code(NOW)}
        with work(stranger.client.app.state.site.engine, monkeypatch) as done:  # type: ignore[attr-defined]
            answer = stranger.tries(headers=None, csrf=csrf, **(right | changes))
        assert not stranger.is_in()
        assert "set-cookie" in answer.headers
        text = re.sub(r'(name="csrf"|id="address"[^>]*) value="[^"]*"', r"\1", answer.text)
        seen.append((answer.status_code, text, done))
    assert "That did not let you in" in seen[0][1]
    assert seen[0][2].count("verify") == 1
    assert seen[0][2].count("generate_otp") == 3
    assert all(one == seen[0] for one in seen)


def test_a_hash_that_nobody_has_takes_what_a_real_one_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real rules
    ours, nobodys = argon2.extract_parameters(password.hashed(PASSWORD)), argon2.extract_parameters(password._NOBODYS)
    assert ours == nobodys
    assert ours.memory_cost >= 19 * 1024, "less is less than OWASP asks for"
    assert not password.is_right(None, PASSWORD)


def test_what_failed_is_in_the_log_without_the_address_that_was_typed(assembly: Assembly) -> None:
    an_account(assembly)
    door(assembly).tries(password="wrong wrong wrong")
    door(assembly).tries(address="typed@example.net")
    assert log_of(assembly) == [
        ("could not sign in", None, "as Publisher, from 203.0.113.0/24"),
        ("could not sign in", None, "as nobody that there is, from 203.0.113.0/24"),
    ]
    assert "typed@example.net" not in repr(everything(assembly))


def test_a_code_is_good_once_and_no_older_one_after_it(assembly: Assembly) -> None:
    an_account(assembly)
    clock = door(assembly).clock
    used = code(clock.now)
    assert door(assembly).tries(code=f"{used[:3]} {used[3:]}").status_code == 303
    thief = door(assembly)
    assert thief.tries(code=used).status_code == 422
    clock.on(seconds=30)
    assert thief.tries(code=used).status_code == 422
    assert thief.tries(code=code(NOW.replace(minute=59, hour=7, second=30))).status_code == 422
    assert thief.tries(code=code(clock.now)).status_code == 303


def test_of_two_at_once_with_one_code_one_comes_in(engine: Engine, make_assembly: MakeAssembly) -> None:
    assembly = make_assembly(database_url=engine.url.render_as_string(hide_password=False))
    an_account(assembly)
    typed = Typed("ana@example.com", PASSWORD, code(NOW))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: signing_in.sign_in(engine, typed, Whence(), NOW), range(2)))
    assert {type(one) for one in done} == {CameIn, NotIn}


def test_a_password_of_older_rules_is_hashed_anew(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    number = an_account(assembly)
    monkeypatch.setattr(password, "_HASHER", argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert door(assembly).tries().status_code == 303
    with reading(assembly.engine) as session:
        kept = session.get_one(Editor, number).password
    assert kept is not None
    assert "m=16,t=2" in kept
    assert password.is_right(kept, PASSWORD)


def test_guessing_from_one_network_ends_and_begins_again_later(assembly: Assembly) -> None:
    an_account(assembly)
    thief = door(assembly)
    clock = thief.clock
    for _ in range(signing_in.MOST_AT_AN_ACCOUNT):
        assert thief.tries(password="wrong wrong wrong").status_code == 422
    stopped = thief.tries()
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "900")
    assert door(assembly, "198.51.100.1").tries().status_code == 303
    clock.on(minutes=15)
    assert thief.tries().status_code == 303


def test_one_network_cannot_go_through_many_accounts(assembly: Assembly) -> None:
    an_account(assembly)
    for number in range(signing_in.MOST_OF_A_NETWORK):
        thief = door(assembly, network=f"2001:db8::{number % 7}")
        assert thief.tries(address=f"reader{number}@example.com").status_code == 422
    assert door(assembly, network="2001:db8::9").tries().status_code == 429
    assert door(assembly, network="2001:db8:0:1::9").tries().status_code == 303


def test_who_guesses_from_everywhere_is_stopped_and_keeps_nobody_out_of_where_they_have_been(
    assembly: Assembly,
) -> None:
    an_account(assembly)
    home = door(assembly, "192.0.2.1")
    clock = home.clock
    assert home.tries().status_code == 303
    for number in range(1, signing_in.MOST_FROM_ELSEWHERE):
        thief = door(assembly, f"198.51.100.{number}")
        assert thief.tries(password="wrong wrong wrong").status_code == 422
    clock.on(minutes=1)
    stopped = door(assembly, "203.0.113.200").tries()
    assert (stopped.status_code, stopped.headers["retry-after"]) == (429, "3600")
    same_network = door(assembly, "192.0.2.1")
    assert same_network.tries().status_code == 303
    clock.on(minutes=1)
    home.client.cookies.delete(cookie_name(home.client.app.state.site))  # type: ignore[attr-defined]
    same_browser = door(assembly, "203.0.113.201")
    same_browser.client.cookies.update(home.client.cookies)
    assert same_browser.tries().status_code == 303


def test_who_guesses_in_one_browser_of_an_account_uses_up_nothing_of_another(assembly: Assembly) -> None:
    an_account(assembly)
    lost, kept = door(assembly, "192.0.2.1"), door(assembly, "203.0.113.9")
    for one in (lost, kept):
        assert one.tries().status_code == 303
        one.clock.on(minutes=1)
        one.client.cookies.delete(cookie_name(one.client.app.state.site))  # type: ignore[attr-defined]
    for _ in range(signing_in.MOST_AT_AN_ACCOUNT):
        assert lost.tries(password="wrong wrong wrong").status_code == 422
    assert lost.tries().status_code == 429
    assert kept.tries().status_code == 303


def test_whoever_floods_the_door_holds_few_of_the_threads_that_answer_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "PATIENCE", 1.0)

    def attempt(_: int) -> float:
        begun = time.monotonic()
        with pytest.raises(password.Busy):
            password.is_right(None, PASSWORD)
        return time.monotonic() - begun

    with ExitStack() as stack:
        for _ in range(password.AT_ONCE):  # others are being looked at, and it takes long
            stack.enter_context(password._Turn())
        many = 3 * password.MOST_WAITING
        with ThreadPoolExecutor(many) as threads:
            waited = list(threads.map(attempt, range(many)))
    assert sum(seconds >= password.PATIENCE for seconds in waited) == password.MOST_WAITING
    assert not password.is_right(None, PASSWORD), "all places are free again"
