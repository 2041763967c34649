import pytest

from newsletter.comparisons.categories import categories_of, category_key, is_muted, muted_among
from newsletter.comparisons.record import Comparison
from tests.comparisons.samples import record, tool


def of(left: str, right: str, name: str = "A") -> Comparison:
    tools = [tool(f"{name}1", category=left), tool(f"{name}2", category=right)]
    return record(f"{name}1", f"{name}2", tools=tools, slug=name.lower())


@pytest.mark.parametrize(
    "written", ["developer tools", "Developer  Tools", "\u00a0DEVELOPER\tTOOLS ", "Ｄeveloper Tools"]
)
def test_case_spacing_and_width_tell_no_two_categories_apart(written: str) -> None:
    assert category_key(written) == category_key("Developer Tools")


def test_other_words_are_other_categories() -> None:
    assert len({category_key(name) for name in ("Voice", "Voices", "Vo ice", "Voicé")}) == 4


@pytest.mark.parametrize(
    ("left", "right", "muted", "gone"),
    [
        ("Voice", "Voice", {"Voice"}, True),
        ("Voice", "voice ", {"VOICE"}, True),
        ("Voice", "Search", {"Voice"}, False),
        ("Voice", "Search", {"Search"}, False),
        ("Voice", "Search", {"Search", "Voice", "Other"}, True),
        ("Voice", "Voice", set(), False),
        ("Voice", "Voice", {"Other"}, False),
    ],
)
def test_a_comparison_is_left_out_when_every_category_of_it_is_muted(
    left: str, right: str, muted: set[str], gone: bool
) -> None:
    comparison = of(left, right)
    assert is_muted(comparison, {category_key(name) for name in muted}) is gone
    assert muted_among([comparison], muted) == ({"a"} if gone else frozenset())


def test_categories_are_listed_once_each_as_they_are_first_spelled() -> None:
    assert categories_of([of("voice", "Search"), of("Voice", "Évaluation", "B")]) == ["Search", "voice", "Évaluation"]
