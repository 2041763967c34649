"""Subjects and preheaders, letter by letter: which one is taken, and how names are cut that do not fit."""

import pytest

from newsletter.issues.subject import MAX_PREHEADER, preheader_line, subject_line
from tests.issues.test_subject import ENGLISH, WEEK, compared


def subject(left: str, right: str = "Codestral", a: int = 50, b: int = 75, previous: str | None = None) -> str:
    return subject_line(ENGLISH, compared(left, right, a, b), previous, WEEK)


def test_subjects_are_tried_from_the_fullest_down_to_the_bare_names() -> None:
    for letters, before, taken in (
        (26, None, " 50%, Codestral 75%: ship or skip?"),
        (27, None, " 50%, Codestral 75%"),
        (27, " 50%, Codestral 75%", " vs Codestral: ship or skip?"),
        (32, " 50%, Codestral 75%", " vs Codestral: ship or skip?"),
        (41, None, " 50%, Codestral 75%"),
        (42, None, " vs Codestral"),
        (47, None, " vs Codestral"),
    ):
        name = "W" * letters
        assert subject(name, previous=before and name + before) == name + taken


def test_two_issues_with_the_same_long_names_are_told_apart_by_the_week() -> None:
    long = "W" * 80
    first = subject(long)
    assert first == "W" * 40 + "… 50%, Codestral 75%"
    assert subject(long, previous=first) == "W" * 40 + "… vs Codestral (W47)"


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("The extraordinarily capable coding companions of tomorrow and after", "The extraordinarily capable coding…"),
        ("Exactly8 " + "w" * 60, "Exactly8…"),
        ("Seven77 " + "w" * 60, "Seven77 " + "w" * 32 + "…"),
        ("Appliance, " + "w" * 60, "Appliance…"),
        ("ApplianX " + "w" * 60, "ApplianX…"),
        ("(Appliance) – " + "w" * 60, "(Appliance)…"),
        ("-Appliance " + "w" * 60, "-Appliance…"),
        ("w" * 81, "w" * 39 + "…"),
        ("w" * 70 + " …", "w" * 40 + "…"),
    ],
)
def test_a_name_loses_its_last_words_and_only_then_letters_and_ends_in_an_ellipsis(name: str, cut: str) -> None:
    assert subject(name) == f"{cut} 50%, Codestral 75%"


def test_of_two_names_the_longer_one_gives_way_and_of_two_alike_the_left_one() -> None:
    assert subject("w" * 40, "m" * 40, 100, 50) == "w" * 22 + "… 100%, " + "m" * 24 + "… 50%"
    assert subject("Short", "m" * 80) == "Short 50%, " + "m" * 44 + "… 75%"


def test_the_preheader_takes_all_the_room_that_there_is_before_it_cuts_a_name() -> None:
    around = len("50% of the panel would ship , 75% Codestral. And 4 more.")
    fits = "w" * (MAX_PREHEADER - around)
    whole = preheader_line(ENGLISH, compared(fits, "Codestral", 50, 75), 5)
    assert whole == f"50% of the panel would ship {fits}, 75% Codestral. And 4 more."
    assert len(whole) == MAX_PREHEADER
    assert preheader_line(ENGLISH, compared(fits + "w", "Codestral", 50, 75), 5) == whole.replace("ww,", "w…,")


@pytest.mark.parametrize(("count", "more"), [(1, ""), (2, " And 1 more."), (3, " And 2 more.")])
def test_the_preheader_says_how_many_follow_the_lead(count: int, more: str) -> None:
    said = preheader_line(ENGLISH, compared("Haiku", "Codestral", 50, 75), count)
    assert said == "50% of the panel would ship Haiku, 75% Codestral." + more
