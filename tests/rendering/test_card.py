"""What of a comparison gets into the letter."""

import pytest

from newsletter.comparisons.record import SEATS, Comparison, Verdict
from newsletter.rendering.card import cards
from newsletter.rendering.page import NO_BREAK, headline, page
from tests.rendering.samples import comparison, edition, lead, others, tool

Verdicts = dict[str, tuple[Verdict, Verdict]]


def panel_of(
    size: int, *, split: tuple[int, ...] = (), known: bool = True, shares: tuple[int, int] = (50, 50)
) -> Comparison:
    seats = [f"Reviewer {number}" for number in range(1, size + 1)]
    verdicts: Verdicts = {
        seat: ("ship", "skip") if number in split else ("ship", "ship") for number, seat in enumerate(seats, start=1)
    }
    shown = (None, None) if known else shares
    return comparison(
        tool("L", panel=shown[0]), tool("R", panel=shown[1]), quotes=dict.fromkeys(seats, ("l", "r")),
        verdicts=verdicts if known else None,
    )  # fmt: skip


def test_the_lead_hears_everybody_in_the_panels_order() -> None:
    card = cards(edition(lead()))[0]
    assert [pair.reviewer for pair in card.pairs] == ["The Builder", "The Skeptic", "The Futurist", "The Founder"]
    assert card.unseen == 0


def test_of_a_large_panel_the_lead_shows_four_and_those_that_split_for_sure() -> None:
    card = cards(edition(panel_of(12, split=(9, 11))))[0]
    assert [pair.reviewer for pair in card.pairs] == ["Reviewer 1", "Reviewer 2", "Reviewer 9", "Reviewer 11"]
    assert card.unseen == 8


def test_the_others_show_the_first_reviewer_that_splits() -> None:
    card = cards(edition(lead(), panel_of(5, split=(3, 4))))[1]
    assert [pair.reviewer for pair in card.pairs] == ["Reviewer 3"]
    assert [said.verdict for said in card.pairs[0].said] == ["ship", "skip"]


def test_where_nobody_is_known_to_split_reviewers_take_turns() -> None:
    unknown = [panel_of(3, known=False) for _ in range(5)]
    shown = cards(edition(lead(), *unknown))[1:]
    assert [card.pairs[0].reviewer for card in shown] == [f"Reviewer {number}" for number in (1, 2, 3, 1, 2)]
    assert {said.verdict for card in shown for said in card.pairs[0].said} == {None}


def test_a_share_is_shown_in_heads_where_it_is_a_whole_number_of_them() -> None:
    for size, share, heads in (
        (4, 50, 2),
        (3, 67, 2),
        (4, 0, 0),
        (4, 100, 4),
        (4, 60, None),
        (12, 37, None),
        (1, 100, 1),
    ):
        card = cards(edition(panel_of(size, known=False, shares=(share, 100))))[0]
        assert card.sides[0].ships == heads, (size, share)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((75, 50), "L beats R, 75% to 50%"),
        ((0, 25), "R beats L, 25% to 0%"),
        ((50, 50), "L and R: a tie at 50%"),
        ((100, 100), "L and R: the panel would ship both"),
        ((0, 0), "L and R: the panel would ship neither"),
    ],
)
def test_the_headline_says_how_the_lead_ended(shares: tuple[int, int], expected: str) -> None:
    assert headline(cards(edition(panel_of(4, known=False, shares=shares)))[0]).replace(NO_BREAK, " ") == expected


def test_a_category_that_both_tools_share_is_named_once() -> None:
    both = comparison(
        tool("A", category="Voice", panel=0), tool("B", category="Search", panel=0), quotes={"builder": ("a", "b")}
    )
    shown = cards(edition(lead(), both))
    assert shown[0].categories == ("Developer Tools",)
    assert shown[1].categories == ("Voice", "Search")


def test_the_introduction_counts() -> None:
    assert page(edition(lead())).introduction.startswith("One head-to-head and")
    assert page(edition(lead(), *others())).introduction.startswith("Eight head-to-heads")
    assert page(edition(*[lead()] * 13)).introduction.startswith("13 head-to-heads")


def test_the_usual_seats_are_roles() -> None:
    assert {pair.reviewer for pair in cards(edition(lead()))[0].pairs} == {f"The {seat.title()}" for seat in SEATS}
