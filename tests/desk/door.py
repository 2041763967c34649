"""Coming in at the door itself: accounts with passwords and phones, and browsers that stand before it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyotp
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import col, select

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors import accounts, password
from newsletter.editors.editor import PUBLISHER, Editor
from newsletter.editors.log import Entry
from newsletter.web.app import create_app
from tests.desk.world import an_editor
from tests.web.world import NOW

PASSWORD = "four words in a row"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Rules that take no time, for tests that try often."""


@dataclass
class Clock:
    """Says what time it is, and can be set on."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def on(self, **by: float) -> None:
        self.now += timedelta(**by)


def an_account(assembly: Assembly, email: str = "ana@example.com", role: str = PUBLISHER) -> int:
    """The id of an account with `PASSWORD` and `SECRET`."""
    number = an_editor(assembly, role, email)
    with writing(assembly.engine) as session:
        editor = session.get_one(Editor, number)
        editor.password, editor.totp = password.hashed(PASSWORD), SECRET
        session.add(editor)
        session.commit()
    return number


def code(at: datetime, secret: str = SECRET) -> str:
    """What a phone shows."""
    return pyotp.TOTP(secret).at(at)


@dataclass
class Door:
    """A browser before the door."""

    client: TestClient
    clock: Clock

    def csrf(self, path: str = "/desk/login") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get(path).text)
        assert found
        return found[1]

    def tries(self, *, headers: Mapping[str, str] | None = None, **fields: str) -> Any:
        """Send the form, with everything right but what is given."""
        right = {"address": "ana@example.com", "password": PASSWORD}
        if "code" not in fields:
            right["code"] = code(self.clock.now)
        if "csrf" not in fields:
            right["csrf"] = self.csrf()
        return self.client.post("/desk/login", data=right | fields, headers=headers)

    def is_in(self) -> bool:
        return self.client.get("/desk/account").status_code == 200


_open: list[tuple[Assembly, FastAPI, Clock]] = []
"""The newest applications: to make one takes half a second, and tests come to one from many networks."""


def door(assembly: Assembly, network: str = "203.0.113.7") -> Door:
    """A browser of its own in a network; all that come to one newsletter share its clock."""
    known = next(((app, clock) for made, app, clock in _open if made is assembly), None)
    if known is None:
        clock = Clock()
        known = create_app(assembly, clock=clock), clock
        _open[:] = [(assembly, *known), *_open[:2]]
    app, clock = known
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False, client=(network, 50_000))
    return Door(client, clock)


def disable(assembly: Assembly, number: int) -> None:
    """Let nobody in by an account."""
    with writing(assembly.engine) as session:
        accounts.disable(session, session.get_one(Editor, number), NOW)
        session.commit()


def log_of(assembly: Assembly) -> list[tuple[str, int | None, str | None]]:
    """(act, by whom, detail) of all that was done, the oldest first."""
    with reading(assembly.engine) as session:
        found = session.exec(select(Entry).order_by(col(Entry.id)))
        return [(entry.act, entry.editor_id, entry.detail) for entry in found]
