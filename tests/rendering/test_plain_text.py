"""The text part, as somebody reads it in a terminal."""

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.rendering.letter import render
from newsletter.rendering.plain_text import WIDTH, columns, wrapped
from tests.rendering.samples import GOLDEN, comparison, edition, lead, tool


def lines(name: str) -> list[str]:
    return render(GOLDEN[name]).text.splitlines()


def test_the_result_stands_in_front_and_needs_no_columns() -> None:
    start = lines("retrospect").index("Halyard vs Quayside")
    assert lines("retrospect")[start + 2 : start + 7] == [
        "75% Halyard: 3 of 4 would ship, was 50% in week 44",
        "50% Quayside: 2 of 4 would ship",
        "",
        "Halyard ($12/mo): Preview environments from one file",
        "Quayside (From $19/mo): A copy of production for every question",
    ]


words = st.sampled_from(["From", ">", ">>a", "a", "From:", "word" * 5, "中" * 20, "x" * 71, "x" * 90, "\u00a0"])


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.lists(words))
def test_no_program_on_the_way_takes_a_line_for_something_else(words: list[str]) -> None:
    made = wrapped(" ".join(words))
    for line in made:
        assert not line.startswith((" ", ">", "From ")), line
        assert line != "From"
        assert columns(line) <= WIDTH
        assert line == line.rstrip()
    kept = "".join(made).replace("· ", "").replace(" ", "")
    assert kept == "".join(words).replace("\u00a0", "")


def test_lines_break_anywhere_but_at_a_blank_that_must_not() -> None:
    assert wrapped("x" * 69 + " 75\u00a0% of them") == ["x" * 69, "75 % of them"]


def test_verdicts_are_words() -> None:
    assert "The Builder on Halyard - Ship" in lines("small")
    assert "The Builder on Quayside - Skip" in lines("small")


def test_a_verdict_that_is_not_known_is_not_made_up() -> None:
    unknown = comparison(tool("L", panel=50), tool("R", panel=25), quotes={"builder": ("x", "y")})
    assert "The Builder on L" in render(edition(unknown)).text.splitlines()


def test_nobody_has_voted_yet_is_said() -> None:
    assert lines("no-votes").count("Would you ship it? No reader has voted yet.") == 3


def test_braces_stay_and_what_looks_like_a_merge_field_gets_a_blank() -> None:
    text = render(GOLDEN["mixed-scripts"]).text
    assert "{{ x }} {% y %}" in text
    assert "% %EMAIL% %" in text


def test_no_line_is_too_wide_but_an_address() -> None:
    for name in GOLDEN:
        for line in lines(name):
            assert columns(line) <= WIDTH or line.startswith(("https://", "%%VOTE_URL%%/")), line


def test_columns_counts_what_a_terminal_shows() -> None:
    assert [columns(text) for text in ("abc", "中文", "e\u0301", "\u2068א\u2069", "👍")] == [3, 4, 1, 1, 2]


def test_the_address_of_the_full_panel_stands_alone() -> None:
    assert "https://verdicts.example/comparisons/halyard-vs-quayside" in render(edition(lead())).text.splitlines()
