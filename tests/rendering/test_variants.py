"""A variant is the letter less what is muted: no word more, and true of what is left."""

import re
from dataclasses import replace
from itertools import combinations

import pytest

from newsletter.issues.subject import preheader_line, subject_line
from newsletter.language import ISSUE, speech
from newsletter.message import Letter
from newsletter.rendering.edition import Edition
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.rendering.size import fits
from tests.rendering.samples import GOLDEN, edition, lead, others

ENGLISH, GERMAN = speech("en", ISSUE), speech("de", ISSUE)
LARGE = GOLDEN["large"]
MADE = replace(
    LARGE,
    subject=subject_line(ENGLISH, LARGE.comparisons[0], None, "2026-W47"),
    preheader=preheader_line(ENGLISH, LARGE.comparisons[0], len(LARGE.comparisons)),
)


def slugs(whole: Edition, *places: int) -> frozenset[str]:
    return frozenset(whole.comparisons[place].slug or "" for place in places)


def cards(letter: Letter) -> list[str]:
    """The cards of the text part, without their numbers."""
    body = letter.text.split("-" * 72 + "\n")[1:-1]
    return [re.sub(r"^\d+ of \d+ · ", "", card).rstrip("\n") for card in body]


def html_cards(letter: Letter) -> list[str]:
    parts = re.split(r'(?=<p class="m" style="[^"]*">\d+ of \d+ · )', letter.html)[1:]
    return [re.sub(r"\d+ of \d+ · ", "", part).split("</a></td></tr></table></div>")[0] for part in parts]


def test_nothing_left_out_is_the_letter_itself() -> None:
    assert render(MADE, frozenset()) == render(MADE) == render(MADE, frozenset({"another-issues-comparison"}))


@pytest.mark.parametrize("gone", [(0,), (3,), (0, 1), (7,), (1, 4, 6), (0, 2, 4, 6)])
def test_what_is_left_stands_as_it_does_in_the_whole_letter_but_for_its_number(gone: tuple[int, ...]) -> None:
    variant, whole = render(MADE, slugs(MADE, *gone)), render(MADE)
    assert cards(variant) == [card for place, card in enumerate(cards(whole)) if place not in gone]
    assert html_cards(variant) == [card for place, card in enumerate(html_cards(whole)) if place not in gone]
    count = 8 - len(gone)
    numbers = [f"{number} of {count} · " for number in range(1, count + 1)]
    assert re.findall(r"^\d+ of \d+ · ", variant.text, re.MULTILINE) == numbers
    assert re.findall(r"\d+ of \d+ · ", variant.html) == numbers


@pytest.mark.parametrize("place", [0, 2])
def test_of_what_is_left_out_nothing_is_said_anywhere(place: int) -> None:
    variant = render(MADE, slugs(MADE, place))
    gone = MADE.comparisons[place]
    for part in (variant.subject, variant.preheader, variant.html, variant.text):
        for words in (gone.tools[0].name, gone.tools[1].name, f"/comparisons/{gone.slug}"):
            assert words not in part


def test_while_the_lead_is_there_the_subject_is_the_issues_and_the_preheader_counts_what_is_left() -> None:
    variant = render(MADE, slugs(MADE, 1, 2))
    assert variant.subject == MADE.subject
    assert MADE.preheader.endswith(" And 7 more.")
    assert variant.preheader == MADE.preheader.replace(" And 7 more.", " And 5 more.")
    assert render(MADE, slugs(MADE, *range(1, 8))).preheader == MADE.preheader.replace(" And 7 more.", "")


def test_an_editors_own_words_stay_while_the_lead_is_there() -> None:
    own = replace(MADE, subject="A calm week", preheader="Two ties, and one surprise")
    variant = render(own, slugs(own, 1))
    assert (variant.subject, variant.preheader) == ("A calm week", "Two ties, and one surprise")


def test_without_the_lead_the_first_that_is_left_makes_subject_preheader_and_headline() -> None:
    variant = render(MADE, slugs(MADE, 0, 1))
    first = MADE.comparisons[2]
    assert (
        variant.subject
        == subject_line(ENGLISH, first, None, "2026-W47")
        == "Tessellate 75%, Gridworm 50%: ship or skip?"
    )
    assert variant.preheader == preheader_line(ENGLISH, first, 6)
    assert "Tessellate beats Gridworm, 75% to 50%" in variant.text
    assert "Six head-to-heads" in variant.text
    assert "Also in this letter:\n- Parlance 2 50% · Murmur 0%" in variant.text


def test_the_subject_of_a_variant_is_not_that_of_the_issue_before() -> None:
    made = subject_line(ENGLISH, MADE.comparisons[1], None, MADE.week)
    repeated = replace(MADE, previous_subject=made)
    assert render(MADE, slugs(MADE, 0)).subject == made
    assert (
        render(repeated, slugs(MADE, 0)).subject == subject_line(ENGLISH, MADE.comparisons[1], made, MADE.week) != made
    )


def test_one_that_is_left_alone_is_not_numbered_and_has_no_list() -> None:
    variant = render(MADE, slugs(MADE, *range(7)))
    assert "One head-to-head: would you ship it?" in variant.text
    assert not re.search(r"\d of \d+ · ", variant.text + variant.html)
    assert "Also in this letter" not in variant.text + variant.html


def test_without_all_of_them_there_is_no_letter() -> None:
    with pytest.raises(ValueError, match="2026-W47 has no comparisons"):
        render(MADE, slugs(MADE, *range(8)))


def test_every_variant_of_a_letter_is_clean_and_fits() -> None:
    whole = edition(lead(), *others()[:3])
    for count in (1, 2, 3):
        for gone in combinations(range(4), count):
            variant = render(whole, slugs(whole, *gone))
            assert lint(variant) == []
            assert fits(variant)


def test_a_variant_is_the_same_bytes_whatever_the_order_of_the_set() -> None:
    names = sorted(slugs(MADE, 1, 3, 5))
    assert render(MADE, frozenset(names)).digest == render(MADE, dict.fromkeys(reversed(names)).keys()).digest
