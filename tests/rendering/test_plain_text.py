"""The text part, as somebody reads it in a terminal."""

from newsletter.rendering.letter import render
from newsletter.rendering.plain_text import WIDTH, columns
from tests.rendering.samples import GOLDEN, comparison, edition, lead, tool


def lines(name: str) -> list[str]:
    return render(GOLDEN[name]).text.splitlines()


def test_the_scoreboard_is_a_table() -> None:
    start = lines("small").index("                      Halyard                   Quayside")
    assert lines("small")[start + 1 : start + 4] == [
        "Entry price           $12/mo                    From $19/mo",
        "Panel would ship      75% (3 of 4)              50% (2 of 4)",
        "Readers would ship    61%                       40%",
    ]


def test_wide_characters_keep_the_columns_of_the_table() -> None:
    wide = comparison(tool("工具一", panel=50), tool("R", panel=25), quotes={"builder": ("中文", "x")}, slug="wide")
    text = render(edition(wide)).text
    header = next(line for line in text.splitlines() if line.startswith("   ") and "工具一" in line)
    assert columns(header[: header.index("R")]) == columns("Entry price           Free                      ")


def test_long_names_go_on_in_the_next_line() -> None:
    text = render(edition(comparison(
        tool("A name of many words that goes on and on", panel=50), tool("R", panel=25), quotes={"builder": ("x", "y")},
        title="T", slug="t",
    ))).text  # fmt: skip
    assert "                      A name of many words      R\n                      that goes on and on\n" in text


def test_verdicts_are_words() -> None:
    assert "The Builder on Halyard - Ship" in lines("small")
    assert "The Builder on Quayside - Skip" in lines("small")


def test_a_verdict_that_is_not_known_is_not_made_up() -> None:
    unknown = comparison(tool("L", panel=50), tool("R", panel=25), quotes={"builder": ("x", "y")})
    assert "The Builder on L" in render(edition(unknown)).text.splitlines()


def test_nobody_has_voted_yet_is_said() -> None:
    assert "Readers would ship    —                         —" in lines("no-votes")


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
