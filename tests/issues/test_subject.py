import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.comparisons.record import MAX_LINE, Comparison, folded
from newsletter.issues.subject import MAX_PREHEADER, MAX_SUBJECT, preheader_line, subject_line
from newsletter.language import ISSUE, speech
from tests.comparisons.samples import record, tool

WEEK = "2026-W47"
ENGLISH, GERMAN = speech("en", ISSUE), speech("de", ISSUE)

# Letters of any script, digits, marks, blanks, symbols; also long ones, and without any place to cut.
_texts: st.SearchStrategy[str] = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=80),
    st.text("ab -–…%{}", min_size=1, max_size=MAX_LINE),
    st.integers(1, MAX_LINE).map(lambda count: "W" * count),
)
names = _texts.map(str.strip).filter(lambda text: text and len(folded(text)) <= MAX_LINE)
shares = st.integers(0, 100)


def compared(left: str, right: str, a: int, b: int) -> Comparison:
    tools = [tool(name, panel_ship=share, tagline="A tagline") for name, share in ((left, a), (right, b))]
    return record(left, right, title="A title", tools=tools)


@st.composite
def comparisons(draw: Callable[[st.SearchStrategy[str]], str]) -> Comparison:
    left = draw(names)
    right = draw(names.filter(lambda other: folded(other) != folded(left)))
    return compared(left, right, *draw(st.tuples(shares, shares)))  # type: ignore[arg-type]


@given(lead=comparisons(), count=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_any_names_fit_into_subject_and_preheader(lead: Comparison, count: int) -> None:
    first = subject_line(ENGLISH, lead, None, WEEK)
    second = subject_line(ENGLISH, lead, first, "2026-W48")
    preheader = preheader_line(ENGLISH, lead, count)
    assert 0 < len(first) <= MAX_SUBJECT
    assert 0 < len(second) <= MAX_SUBJECT
    assert second != first
    assert len(preheader) <= MAX_PREHEADER
    assert f"{lead.panel_ship(0)}%" in preheader
    assert preheader.endswith(f" And {count - 1} more." if count > 1 else ".")


def test_the_subject_says_who_and_how_the_panel_split() -> None:
    lead = compared("Haiku", "Codestral 2.1", 50, 75)
    assert subject_line(ENGLISH, lead, None, WEEK) == "Haiku 50%, Codestral 2.1 75%: ship or skip?"


def test_the_preheader_says_the_shares_as_published_and_how_many_follow() -> None:
    assert preheader_line(ENGLISH, compared("Haiku", "Codestral", 67, 33), 1) == (
        "67% of the panel would ship Haiku, 33% Codestral."
    )
    assert preheader_line(ENGLISH, compared("Haiku", "Codestral", 100, 100), 3) == (
        "100% of the panel would ship Haiku, and as many Codestral. And 2 more."
    )


def test_long_names_cost_the_question_before_they_are_cut() -> None:
    lead = compared("Twenty characters it", "Another twenty chars", 50, 75)
    assert subject_line(ENGLISH, lead, None, WEEK) == "Twenty characters it 50%, Another twenty chars 75%"


def test_a_name_is_cut_at_a_word_and_says_so() -> None:
    lead = compared("Haiku", "The extraordinarily capable coding companion of tomorrow and after", 50, 75)
    assert subject_line(ENGLISH, lead, None, WEEK) == "Haiku 50%, The extraordinarily capable coding companion… 75%"


def test_the_subject_before_is_never_repeated_however_often_the_same_comparison_leads() -> None:
    for lead in (compared("Haiku", "Codestral", 50, 75), compared("W" * 200, "M" * 200, 50, 75)):
        previous = None
        for number in range(40, 53):
            subject = subject_line(ENGLISH, lead, previous, f"2026-W{number}")
            assert subject != previous
            assert len(subject) <= MAX_SUBJECT
            previous = subject


@pytest.mark.parametrize("name", ["{left}", "%s", "100%", "<b>&amp;</b>", "“quoted”"])
def test_names_are_text_and_no_template(name: str) -> None:
    lead = compared(name, "Codestral", 50, 75)
    assert subject_line(ENGLISH, lead, None, WEEK).startswith(f"{name} 50%, ")
    assert re.fullmatch(
        f"50% of the panel would ship {re.escape(name)}, 75% Codestral.", preheader_line(ENGLISH, lead, 1)
    )


def test_a_german_letter_has_a_german_subject_and_preheader_of_the_same_shape() -> None:
    lead = compared("Haiku", "Codestral 2.1", 50, 75)
    assert subject_line(GERMAN, lead, None, WEEK) == "Haiku 50 %, Codestral 2.1 75 %: einsetzen oder lassen?"
    assert preheader_line(GERMAN, lead, 3) == (
        "50 % der Jury würden Haiku einsetzen, 75 % Codestral 2.1. Und noch 2 weitere."
    )
    for long in (compared("W" * 200, "M" * 200, 100, 100), compared("{a}", "%", 0, 0)):
        assert len(subject_line(GERMAN, long, None, WEEK)) <= MAX_SUBJECT
        assert len(preheader_line(GERMAN, long, 20)) <= MAX_PREHEADER
