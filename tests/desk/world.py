"""People at the desk, signed in without the door: the tests of the door go through it."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.editors import sessions
from newsletter.editors.editor import Editor
from newsletter.web.desk.cookies import cookie_name, signer
from subscribers.address import parse_address
from tests.web.world import NOW


@dataclass
class At:
    """Somebody at the desk: a browser, and who it is."""

    client: TestClient
    editor_id: int
    email: str

    def get(self, path: str, status: int = 200, **headers: str) -> str:
        """A page of the desk."""
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer.text

    def csrf(self) -> str:
        """What the forms of this session bring."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/desk"))
        assert found
        return found[1]

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        """Send a form as the desk shows it."""
        return self.client.post(path, data={"csrf": self.csrf(), **(data or {})}, **more)

    def does(self, path: str, data: dict[str, Any] | None = None) -> str:
        """Send a form, and follow to the page that says what was done."""
        answer = self.post(path, data)
        assert answer.status_code == 303, (path, answer.status_code, answer.text[:2000])
        return self.get(answer.headers["location"])


def an_editor(assembly: Assembly, role: str, email: str | None = None) -> int:
    """The id of an account."""
    address = parse_address(email or f"{role}@example.com")
    with writing(assembly.engine) as session:
        editor = Editor(email=address.email, address_key=address.key, name=role.title(), role=role, created_at=NOW)
        session.add(editor)
        session.commit()
        assert editor.id is not None
        return editor.id


def sign_in(assembly: Assembly, client: TestClient, role: str, email: str | None = None) -> At:
    """Put a session into a browser's cookies."""
    number = an_editor(assembly, role, email)
    with writing(assembly.engine) as session:
        secret = sessions.begin(session, session.get_one(Editor, number), NOW)
        session.commit()
    site = client.app.state.site  # type: ignore[attr-defined]
    client.cookies.set(cookie_name(site), signer(site).sign(secret).decode())
    return At(client, number, email or f"{role}@example.com")
