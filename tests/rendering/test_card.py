"""What of a comparison gets into the letter."""

from dataclasses import replace

import pytest

from newsletter.comparisons.record import SEATS, Comparison, Verdict
from newsletter.issues.retrospect import LastVote, Result, Share
from newsletter.language import ISSUE, speech
from newsletter.rendering.card import cards
from newsletter.rendering.page import NO_BREAK, headline, page
from tests.rendering.samples import comparison, edition, lead, others, tool

ENGLISH = speech("en", ISSUE)
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


def test_of_a_large_panel_the_lead_shows_four_and_those_that_split_for_sure() -> None:
    card = cards(edition(panel_of(12, split=(9, 11))))[0]
    assert [pair.reviewer for pair in card.pairs] == ["Reviewer 1", "Reviewer 2", "Reviewer 9", "Reviewer 11"]


def test_the_others_show_the_first_reviewer_that_splits() -> None:
    card = cards(edition(lead(), panel_of(5, split=(3, 4))))[1]
    assert [pair.reviewer for pair in card.pairs] == ["Reviewer 3"]
    assert [said.verdict for said in card.pairs[0].said] == ["ship", "skip"]


def test_where_nobody_is_known_to_split_reviewers_take_turns() -> None:
    unknown = [panel_of(3, known=False) for _ in range(5)]
    shown = cards(edition(lead(), *unknown))[1:]
    assert [card.pairs[0].reviewer for card in shown] == [f"Reviewer {number}" for number in (1, 2, 3, 1, 2)]
    assert {said.verdict for card in shown for said in card.pairs[0].said} == {None}


@pytest.mark.parametrize(
    ("verdicts", "turns"),
    [
        # Each seat's on the left and on the right tool, and who is heard in four comparisons one after the other.
        ({"a": "ship ship", "b": "ship skip", "c": "skip ship"}, "bcbc"),  # split: the news
        ({"a": "ship ship", "b": "ship ship", "c": "skip skip"}, "cccc"),  # alone against the panel
        ({"a": "ship ship", "b": "ship ship", "c": "- -"}, "abab"),  # known at all
        ({"a": "- -", "b": "ship -", "c": "- -"}, "abca"),
    ],
)
def test_who_tells_most_is_heard_and_who_tell_as_much_take_turns(verdicts: dict[str, str], turns: str) -> None:
    told: Verdicts = {
        seat: tuple(None if each == "-" else each for each in pair.split())  # type: ignore[misc]
        for seat, pair in verdicts.items()
    }
    shares = (67, 67) if "- -" in verdicts.values() else (None, None)
    one = comparison(
        tool("L", panel=shares[0]), tool("R", panel=shares[1]), quotes=dict.fromkeys(told, ("l", "r")), verdicts=told
    )
    assert "".join(card.pairs[0].reviewer[-1].lower() for card in cards(edition(lead(), *[one] * 4))[1:]) == turns


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
    assert (
        headline(ENGLISH, cards(edition(panel_of(4, known=False, shares=shares)))[0]).replace(NO_BREAK, " ") == expected
    )


def test_a_category_that_both_tools_share_is_named_once() -> None:
    both = comparison(
        tool("A", category="Voice", panel=0), tool("B", category="Search", panel=0), quotes={"builder": ("a", "b")}
    )
    shown = cards(edition(lead(), both))
    assert shown[0].categories == ("Developer Tools",)
    assert shown[1].categories == ("Voice", "Search")


def test_the_introduction_counts() -> None:
    assert page(edition(lead())).introduction.startswith("One head-to-head: ")
    assert page(edition(lead(), *others())).introduction.startswith("Eight head-to-heads")
    assert page(edition(*[lead()] * 13)).introduction.startswith("13 head-to-heads")


def test_the_usual_seats_are_roles() -> None:
    assert {pair.reviewer for pair in cards(edition(lead()))[0].pairs} == {f"The {seat.title()}" for seat in SEATS}


def labels(*pairs: tuple[str, str]) -> list[str]:
    made = [
        comparison(tool(a, panel=50), tool(b, panel=25), quotes={"builder": ("x", "y")}, slug="s") for a, b in pairs
    ]
    return [side.vote for card in cards(edition(*made)) for side in card.sides]


def test_a_button_names_its_tool_and_more_only_where_another_button_would_say_the_same() -> None:
    assert labels(("Ruff", "Flake8"), ("Uv", "Pip")) == [f"I’d ship {name}" for name in ("Ruff", "Flake8", "Uv", "Pip")]
    assert labels(("Ruff", "Flake8"), ("Pylint", "Ruff"))[::3] == [
        "I’d ship Ruff, not Flake8",
        "I’d ship Ruff, not Pylint",
    ]
    again = labels(("Ruff", "Flake8"), ("Ruff", "Flake8"))
    assert again[::2] == ["I’d ship Ruff (left in no. 1)", "I’d ship Ruff (left in no. 2)"]
    cut = labels((f"{'x' * 60}1", f"{'x' * 60}2"))
    assert len(set(cut)) == 2


def test_a_share_that_was_another_one_says_when() -> None:
    told = (Share("2026-W44", 50), Share("2026-W46", 50))
    sides = cards(replace(edition(lead()), earlier=(told,)))[0].sides
    assert [side.was for side in sides] == ["was 50% in week 44", None]  # the right one is at 50% still


@pytest.mark.parametrize(
    ("panel", "readers", "said"),
    [
        ((100, 50), (75, 50), "Readers are 25 points cooler on L than the panel."),
        ((50, 25), (40, 67), "Readers are 42 points warmer on R than the panel."),
        ((50, 50), (30, 70), "Readers are 20 points cooler on L than the panel."),
        ((50, 50), (59, 41), "Readers and the panel are close."),
        ((50, 50), (60, 50), "Readers are 10 points warmer on L than the panel."),
        ((50, 100), (50, 100), "Readers and the panel agree."),
    ],
)
def test_the_difference_worth_reading_is_told(panel: tuple[int, int], readers: tuple[int, int], said: str) -> None:
    last = LastVote("2026-W46", (Result("l-vs-r", "L vs R", ("L", "R"), panel, readers, 12),))
    vote = page(replace(edition(lead()), last_vote=last)).vote
    assert vote is not None
    assert vote.voted[0].difference == said


@pytest.mark.parametrize(("week", "heading"), [("2026-W46", "Last week’s vote"), ("2026-W44", "The vote of week 44")])
def test_only_the_week_before_is_last_week(week: str, heading: str) -> None:
    last = LastVote(week, (Result("l-vs-r", "L vs R", ("L", "R"), (0, 0), (0, 0), 1),))
    vote = page(replace(edition(lead()), last_vote=last)).vote
    assert vote is not None
    assert vote.heading == heading
    assert vote.url == f"https://verdicts.example/issues/{week}"
