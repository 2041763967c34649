import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from newsletter.comparisons.complaints import in_one_line
from newsletter.comparisons.record import Comparison, derived_panel_ship, folded, json_schema
from tests.comparisons.samples import data, record, tool

PUBLISHED = Path(__file__).parents[2] / "docs" / "comparison.schema.json"

GOOD = {
    "plain": data(),
    "everything": data(
        slug="a-1-b",
        url="http://example.com",
        published_at="2026-01-02T03:04:05.6Z",
        issue="2026-W47",
        tools=[tool("Haiku", panel_ship=0, community_ship=100), tool("Codestral 2.1", panel_ship=50.0)],
    ),
    "nulls": data(slug=None, url=None, published_at=None, issue=None),
    "two reviews": data(reviews=data()["reviews"][:2]),
    "lines in a description": data(tools=[tool("Haiku", description="a\r\n\tb"), tool("Codestral 2.1")]),
    "spaces around": data(title=" \u00a0a "),
}

BAD = {
    "empty": {},
    "a list": [],
    "no title": {key: value for key, value in data().items() if key != "title"},
    "blank title": data(title=" \t"),
    "title of two lines": data(title="a\nb"),
    "long title": data(title="x" * 301),
    "control character": data(title="a\x1bb"),
    "NUL in a quote": data(reviews=[each | {"quote": "a\0"} for each in data()["reviews"]]),
    "bad slug": data(slug="A--b"),
    "empty slug": data(slug=""),
    "long slug": data(slug="a" * 121),
    "other address": data(url="ftp://example.com/"),
    "no offset": data(published_at="2026-01-02T03:04:05"),
    "a day": data(published_at="2026-01-02"),
    "a number": data(published_at=1_700_000_000),
    "issue": data(issue=47),
    "unknown field": data(colour="red"),
    "one tool": data(tools=[tool("Haiku")]),
    "three tools": data(tools=[tool("Haiku"), tool("B"), tool("C")]),
    "tools by name": data(tools={"a": tool("a"), "b": tool("b")}),
    "share above": data(tools=[tool("Haiku", panel_ship=101), tool("Codestral 2.1")]),
    "share below": data(tools=[tool("Haiku", panel_ship=-1), tool("Codestral 2.1")]),
    "share not whole": data(tools=[tool("Haiku", panel_ship=50.5), tool("Codestral 2.1")]),
    "share as text": data(tools=[tool("Haiku", panel_ship="50"), tool("Codestral 2.1")]),
    "share as truth": data(tools=[tool("Haiku", panel_ship=True), tool("Codestral 2.1")]),
    "no price": data(tools=[tool("Haiku", entry_price=None), tool("Codestral 2.1")]),
    "one review": data(reviews=data()["reviews"][:1]),
    "other verdict": data(reviews=[each | {"verdict": "maybe"} for each in data()["reviews"]]),
}


def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))


def test_the_published_schema_is_the_code() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == json_schema(), "run `make schema`"
    Draft202012Validator.check_schema(json.loads(json_schema()))


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_schema_and_code_take_the_same(document: Any) -> None:
    Comparison.model_validate(document)
    schema().validate(document)


@pytest.mark.parametrize("document", BAD.values(), ids=BAD.keys())
def test_schema_and_code_refuse_the_same(document: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Comparison.model_validate(document)
    assert "\n" not in in_one_line(caught.value)
    assert not schema().is_valid(document)


def judged(ships: int, of: int, **fields: Any) -> dict[str, Any]:
    """A comparison whose left tool has some "ship" among its verdicts."""
    reviews = [
        {"seat": str(n), "tool": name, "verdict": "ship" if n < ships else "skip", "quote": "x"}
        for n in range(of)
        for name in ("Haiku", "Codestral 2.1")
    ]
    return data(reviews=reviews, tools=[tool("Haiku", **fields), tool("Codestral 2.1", panel_ship=None)])


@pytest.mark.parametrize(("ships", "of", "share"), [(0, 4, 0), (1, 3, 33), (2, 3, 67), (1, 8, 13), (4, 4, 100)])
def test_a_share_is_derived_from_known_verdicts(ships: int, of: int, share: int) -> None:
    comparison = Comparison.model_validate(judged(ships, of, panel_ship=None))
    assert comparison.panel_ship(0) == derived_panel_ship(comparison, "Haiku") == share


def test_a_published_share_may_be_rounded_otherwise() -> None:
    for share in (12, 13):
        assert Comparison.model_validate(judged(1, 8, panel_ship=share)).panel_ship(0) == share


def test_a_published_share_may_not_contradict_the_verdicts() -> None:
    with pytest.raises(ValidationError, match="verdicts make 25"):
        Comparison.model_validate(judged(1, 4, panel_ship=50))
    partly = judged(3, 4, panel_ship=0)
    partly["reviews"][-2]["verdict"] = None
    with pytest.raises(ValidationError, match="verdicts make 75 to 100"):
        Comparison.model_validate(partly)


def test_a_share_must_be_known() -> None:
    with pytest.raises(ValidationError, match="panel_ship of 'Haiku' is missing"):
        record(tools=[tool("Haiku", panel_ship=None), tool("Codestral 2.1")])


def test_reviews_are_put_in_order() -> None:
    assert record(reviews=list(reversed(data()["reviews"]))).reviews[0].tool == "Haiku"


def test_folding_forgets_case_space_and_width() -> None:
    assert folded(" Straße\u00a0\tＡＩ ") == folded("STRASSE ai")
