"""The OpenAPI document against the pages: whatever is asked, nothing breaks, and only what is declared is answered."""

from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.invariants import violations
from newsletter.keys import make
from newsletter.web.app import create_app
from subscribers import preferences
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES, UNSUBSCRIBE, VOTE
from tests.web.world import NOW, a_comparison, a_reader, send

EXAMPLES = 10  # of each route and method

CHECKS = {
    # A form may be well made and still be refused: the link is unknown or old, the address is none, enough for now.
    # A comparison may be in form and yet contradict itself.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "404", "410", "422", "429"]},
    # Fields that we do not know are passed over, like every form on the web has it; links that we do not know are 404.
    "negative_data_rejection": {"expected-statuses": ["2xx", "401", "404", "405", "410", "413", "415", "422", "429"]},
}


def keys(assembly: Assembly) -> dict[str, list[str]]:
    """Purpose -> links of readers in every status, fresh and old, and one that leads to nobody."""
    found: dict[str, list[str]] = {purpose: [] for purpose in (ADDRESS, CONFIRM, PREFERENCES, UNSUBSCRIBE)}
    statuses = (PENDING, ACTIVE, PAUSED, UNSUBSCRIBED, SUPPRESSED)
    readers = [a_reader(assembly, status, f"{status}{n}@example.com") for status in statuses for n in range(3)]
    with writing(assembly.engine) as session:
        for number in readers[3:6]:
            asking = session.get_one(Subscriber, number)
            preferences.ask_address(session, asking, parse_address(f"new{number}@example.org"), NOW)
        session.commit()
    for number in (*readers, 12345):
        found[UNSUBSCRIBE].append(assembly.tokens.make(UNSUBSCRIBE, number))
        for purpose in (CONFIRM, PREFERENCES, ADDRESS):
            for ago in (0, 61):
                found[purpose].append(assembly.tokens.make_passing(purpose, number, NOW - timedelta(days=ago)))
    may_vote = readers[statuses.index(ACTIVE) * 3 :][:3]
    found[VOTE] = found["canary"] = [assembly.tokens.make(VOTE, number) for number in (*may_vote, 12345)]
    return found


def a_key(assembly: Assembly) -> str:
    """A program's key."""
    with writing(assembly.engine) as session:
        key = make(session, "a program", NOW)
        session.commit()
    return key


def ask(operation: Any, mode: GenerationMode, choice: dict[str, list[str]], key: str) -> set[int]:
    """Ask one route in many ways, well and badly made; return the statuses of its answers."""
    seen = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck]
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def one(case: Any, data: Any) -> None:
        for name in case.path_parameters or {}:
            if data.draw(st.integers(0, 4)):  # mostly a key that fits, so that more is seen than doors that stay shut
                case.path_parameters[name] = data.draw(st.sampled_from(choice[name]))
        headers = {}
        if operation.path.startswith("/api/"):
            good = data.draw(st.integers(0, 4))
            headers = {"Authorization": f"Bearer {key if good else 'wrong'}"}
            if case.method == "POST" and mode is GenerationMode.POSITIVE and data.draw(st.booleans()):
                case.body = a_comparison(slug="inkwell-vs-gantry").model_dump(mode="json")
        seen.add(case.call_and_validate(headers=headers).status_code)

    one()
    return seen


@pytest.mark.parametrize("mode", [*GenerationMode])
def test_the_pages_answer_what_they_declare_whatever_is_asked(assembly: Assembly, mode: GenerationMode) -> None:
    known, key = keys(assembly), a_key(assembly)
    send(assembly, a_comparison())
    app = create_app(assembly, clock=lambda: NOW)
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", app, config=SchemathesisConfig.from_dict({"checks": CHECKS})
    )
    slugs = ["inkwell-vs-gantry", "inkwell", "no-such"]  # of a comparison, and of a tool
    archive = {"week": ["2026-W47", "2026-W46", "latest"], "slug": slugs, "comparison": slugs}
    seen = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        try:
            statuses = ask(operation, mode, {**archive, "token": known.get(operation.path.split("/")[1], [])}, key)
        except Unsatisfiable:
            continue  # nothing can be badly made where nothing is given
        seen[operation.label] = statuses
    if mode is GenerationMode.POSITIVE:
        behind_closed_doors = [label for label, statuses in seen.items() if 200 not in statuses]
        assert behind_closed_doors == ["POST /webhooks/postmark"]
    with reading(assembly.engine) as session:
        assert violations(session) == []


def test_the_document_is_there_for_machines_and_names_every_public_route(client: TestClient) -> None:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    paths = answer.json()["paths"]
    for path in (
        "/",
        "/subscribe",
        "/subscribe/box",
        "/feed.xml",
        "/feed.json",
        "/sitemap.xml",
        "/confirm/{token}",
        "/preferences/{token}",
        "/unsubscribe/{token}",
        "/vote/{token}/{comparison}",
        "/webhooks/postmark",
        "/api/comparisons",
        "/api/issues/{week}",
    ):
        assert path in paths
    assert set(paths["/subscribe"]["post"]["requestBody"]["content"]) == {
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    }
    for path, method in (("/api/comparisons", "post"), ("/api/issues/{week}", "get")):
        assert paths[path][method]["security"] == [{"key": []}]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert not any("HTTPValidationError" in str(operation) for operation in operations)
