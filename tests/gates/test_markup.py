"""html-validate and caniemail, on letters and pages: one run of Node for all of them."""

import tomllib
from typing import Any

import pytest
from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from tests.gates.letters import LETTERS, filled
from tests.gates.pages import every_page
from tests.gates.tools import CHECKS, check

ALLOWED = tomllib.loads((CHECKS / "clients.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return check({name: filled(name) for name in LETTERS}, {})


def test_the_markup_of_letters_is_sound(found: dict[str, Any]) -> None:
    assert {name: wrong for name, wrong in found["markup"].items() if wrong} == {}
    assert set(found["markup"]) == set(LETTERS)


def test_what_clients_lack_of_our_letters_is_known_and_has_a_reason(found: dict[str, Any]) -> None:
    lacking = {name: set(used["lacking"]) for name, used in found["features"].items() if used["lacking"]}
    allowed = {
        name: {f"{family}.{one}" for family, those in given.items() if family != "reason" for one in those.split()}
        for name, given in ALLOWED["lacking"].items()
    }
    assert lacking == allowed
    assert set(found["features"]) - set(lacking) == set(ALLOWED["known"])
    assert all(len(given["reason"]) > 10 for given in ALLOWED["lacking"].values())


def test_the_checkers_see_what_is_wrong() -> None:
    bad = filled("small").replace("<h1", '<img src="x"><h1', 1).replace("</h1>", "</h2>", 1)
    found = check({"bad": bad.replace("<p>", '<p style="display:grid">', 1)}, {"page": "<!doctype html><p style='x'>"})
    assert {"close-order", "wcag/h37"} <= {told.split(":")[0] for told in found["markup"]["bad"]}
    assert any(told.startswith("no-inline-style") for told in found["markup"]["page"])
    assert "outlook.windows" in found["features"]["display:grid"]["lacking"]


def test_the_markup_of_every_page_is_sound(assembly: Assembly, client: TestClient) -> None:
    pages = every_page(assembly, client)
    markup = check({}, pages)["markup"]
    assert {path: wrong for path, wrong in markup.items() if wrong} == {}
    assert set(markup) == set(pages)
