from datetime import datetime, timedelta
from itertools import permutations

import pytest

from newsletter.comparisons.record import Comparison
from newsletter.issues.ordering import Candidate, division, gap, lead_first, oldest_first
from tests.comparisons.samples import NOW, record, tool


def compared(left: int, right: int, name: str = "Haiku") -> Comparison:
    """A comparison with these panel shares."""
    tools = [tool(name, panel_ship=left), tool("Codestral", panel_ship=right)]
    return record(name, "Codestral", tools=tools, slug=name.lower())


def candidate(left: int, right: int, name: str = "Haiku", published_at: datetime = NOW) -> Candidate:
    return Candidate(hash(name), published_at, compared(left, right, name))


def names(candidates: list[Candidate]) -> list[str]:
    return [one.record.tools[0].name for one in candidates]


@pytest.mark.parametrize(
    ("left", "right", "divided", "apart"),
    [(100, 100, 0, 0), (0, 100, 0, 100), (50, 50, 100, 0), (75, 50, 75, 25), (25, 75, 50, 50), (67, 33, 66, 34)],
)
def test_division_counts_the_smaller_camps_and_gap_the_distance(
    left: int, right: int, divided: int, apart: int
) -> None:
    assert (division(compared(left, right)), gap(compared(left, right))) == (divided, apart)


def test_the_most_divided_comparison_leads_and_the_rest_keep_their_order() -> None:
    chosen = [candidate(100, 100, "A"), candidate(0, 100, "B"), candidate(50, 75, "C"), candidate(100, 75, "D")]
    assert names(lead_first(chosen)) == ["C", "A", "B", "D"]


def test_of_two_equally_divided_the_wider_gap_leads() -> None:
    assert division(compared(75, 75)) == division(compared(25, 75))
    assert names(lead_first([candidate(75, 75, "A"), candidate(25, 75, "B")])) == ["B", "A"]


def test_of_two_alike_the_older_one_leads() -> None:
    assert names(lead_first([candidate(75, 50, "A"), candidate(50, 75, "B")])) == ["A", "B"]


def test_comparisons_come_in_by_age_and_then_by_slug_whatever_the_database_says() -> None:
    later = NOW + timedelta(seconds=1)
    known = [
        candidate(50, 50, "B"),
        candidate(50, 50, "A", later),
        candidate(50, 50, "C"),
        candidate(50, 50, "D", later),
    ]
    for order in permutations(known):
        assert names(oldest_first(order)) == ["B", "C", "A", "D"]


def test_nothing_in_nothing_out() -> None:
    assert lead_first([]) == []
    assert oldest_first([]) == []
