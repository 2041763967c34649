"""What the desk shows of a reader's letter is what the provider is handed, byte for byte: before, after, and later."""

import re
from datetime import timedelta
from typing import Any

import pytest
import requests
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.issues import issue as issues
from newsletter.outgoing import Run, send_issue
from newsletter.sandbox.server import Sandbox
from newsletter.web.app import create_app
from subscribers import audience
from subscribers.subscriber import Subscriber, muting
from tests.desk.world import At, sign_in
from tests.web.world import NOW, W47, MakeAssembly, a_comparison, a_reader, approve, draft, keep

SECRET = "a secret that is long enough for a test of ours"
READERS: list[tuple[str, tuple[str, ...], str | None]] = [
    ("ada@example.com", (), None),
    ("grace.hopper+verdicts@example.com", ("Voice",), None),
    ("O'Brien&Sons@example.com", ("Databases",), None),
    ("juergen@example.com", (), "de"),
    ("leserin@bücher.example", ("Voice",), "de"),
    ("ops_%team%@example.com", ("Voice", "Databases"), None),
    ("a{{b}}@example.com", ("Agents",), None),
    ("quiet@example.com", ("Voice", "Databases"), "de"),
    ("UPPER.Case@EXAMPLE.com", ("Agents", "Voice"), None),
    ("en@example.com", (), "en"),
]
"""Address, muted categories, language."""

Shown = dict[str, tuple[str, str, str]]
"""Address -> subject, HTML, text."""


@pytest.fixture
def assembly(make_assembly: MakeAssembly, new_database: Any, sandbox: Sandbox) -> Assembly:
    return make_assembly(
        database_url=new_database("sqlite"),
        secret_key=SECRET,
        provider="postmark",
        postmark_server_token=sandbox.token,
        postmark_api_url=sandbox.url,
        base_url="https://verdicts.example.com",
        track_opens="true",
        track_clicks="true",
        from_="Verdicts <verdicts@verdicts.example.com>",
    )


@pytest.fixture
def numbers(assembly: Assembly) -> dict[str, int]:
    """A drafted week of three categories, with a note, and its readers: address -> number."""
    keep(
        assembly,
        a_comparison(),
        *(_in_category(*names) for names in (("Ruff", "Flake8", "Voice"), ("Pg", "My", "Databases"))),
    )
    draft(assembly)
    found = {}
    for email, muted, language in READERS:
        number = a_reader(assembly, email=email)
        with writing(assembly.engine) as session:
            reader = session.get_one(Subscriber, number)
            reader.muted, reader.language = muting(muted), language
            session.add(reader)
            session.commit()
            found[reader.email] = number
    return found


def _in_category(left: str, right: str, category: str) -> Any:
    made = a_comparison(left, right)
    return made.model_copy(
        update={"tools": tuple(tool.model_copy(update={"category": category}) for tool in made.tools)}
    )


def shown(desk: At, numbers: dict[str, int]) -> Shown:
    found = {}
    for email, number in numbers.items():
        html = desk.client.get(f"/desk/issues/{W47}/letter.html?reader={number}")
        text = desk.client.get(f"/desk/issues/{W47}/letter.txt?reader={number}")
        page = desk.get(f"/desk/issues/{W47}/preview?reader={number}")
        assert (html.status_code, text.status_code) == (200, 200)
        subject = re.search(r"<dt>Subject</dt><dd><bdi>(.*?)</bdi>", page)
        assert subject
        found[email] = (subject[1].replace("&#39;", "'"), html.content.decode(), text.content.decode())
    return found


def handed_over(sandbox: Sandbox) -> Shown:
    found = {}
    headers = {"X-Postmark-Server-Token": sandbox.token, "Accept": "application/json"}
    for message in sandbox.messages:
        url = f"{sandbox.url}messages/outbound/{message.id}/details"
        details = requests.get(url, headers=headers, timeout=10).json()
        found[message.fields()["To"]] = (details["Subject"], details["HtmlBody"], details["TextBody"])
    return found


def test_ten_readers_previews_are_the_bytes_that_the_provider_was_handed(
    assembly: Assembly, numbers: dict[str, int], sandbox: Sandbox
) -> None:
    publisher = sign_in(assembly, _browser(assembly), "publisher")
    before = shown(publisher, numbers)
    assert len(before) == 10
    assert len({text for _, html, _ in before.values() for text in re.findall(r"<title>(.*?)</title>", html)}) > 2

    approve(assembly)
    assert shown(publisher, numbers) == before
    # Two days later and at another minute: nothing of a copy comes from the clock of the send.
    with writing(assembly.engine) as session:
        issues.find(session, W47).send_at = NOW + timedelta(days=2)  # type: ignore[union-attr]
        session.commit()
    later = NOW + timedelta(days=2, minutes=13)
    sent = send_issue(assembly.engine, assembly.rules, assembly.post, W47, Run(clock=lambda: later))
    assert (sent.state, sent.sent.accounting.accepted) == (issues.SENT, 10)  # type: ignore[union-attr]

    assert handed_over(sandbox) == {on_the_wire(address): parts for address, parts in before.items()}

    # Whatever they choose afterwards, what is shown is the copy that they were sent.
    with writing(assembly.engine) as session:
        for number in numbers.values():
            reader = session.get_one(Subscriber, number)
            reader.muted, reader.language = muting(["Agents"]), "de"
            session.add(reader)
        session.commit()
        assert audience.size(session) == 10
    assert shown(publisher, numbers) == before


def on_the_wire(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _browser(assembly: Assembly) -> TestClient:
    return TestClient(create_app(assembly, clock=lambda: NOW), follow_redirects=False)
