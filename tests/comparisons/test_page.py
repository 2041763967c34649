import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.comparisons.page import PageError, parse_page
from newsletter.comparisons.record import SEATS, Comparison
from tests.comparisons.samples import CHROME, SEEDS, data, needs_seeds, page, record, tool

LINES = page(record()).split("\n")
SCORECARD = LINES.index("Reviewer scorecard")


def changed(line: int, *new: str) -> str:
    """The sample page with other text in place of a line, numbered from 1."""
    return "\n".join([*LINES[: line - 1], *new, *LINES[line:]])


def error(text: str) -> PageError:
    with pytest.raises(PageError) as caught:
        parse_page(text)
    return caught.value


@needs_seeds
def test_the_real_pages_are_read_word_for_word() -> None:
    found = {}
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        comparison = parse_page(text)
        printed = re.sub(r"^Which one.*$", "Which one should you ship with? Here it is.", text, count=1, flags=re.M)
        assert page(comparison) == printed.rstrip("\n")
        found[comparison.title] = [(each.panel_ship, each.community_ship) for each in comparison.tools]
        assert comparison.seats() == SEATS
    assert found["Claude Haiku Open Weights vs Mistral 8x22B v2"] == [(50, None), (75, None)]
    assert found["Mistral 8x22B Instruct v2 vs Codestral 2.1"] == [(100, None), (100, None)]


@pytest.mark.parametrize(
    "text",
    [
        page(record(), chrome=False),
        page(record()) + "\n",
        "\ufeff" + page(record()),
        page(record()).replace("\n", "\r\n"),
        page(record()).replace("\n", "\r"),
        page(record()).replace("\n", " \t\u00a0\n\n \u00a0\n"),
        page(record()).replace("Panel ship", "PANEL SHIP").replace("Entry", "Entry:"),
        page(record(), marks='""'),
        page(record(), marks="„“"),
        page(record(), marks="«»"),
        page(record(), marks="「」"),
        page(record(), marks="\uff02\uff02"),
        changed(1, "AI tools compared"),
        changed(3, "Which should you pick? Haiku or the other one"),
        "\n".join([*LINES[:-3], "Want more verdicts?", "Sign up."]),
        "\n".join([*LINES[:-3], CHROME[1]]),
    ],
)
def test_the_site_may_wrap_a_page_otherwise(text: str) -> None:
    assert parse_page(text) == record()


_LETTERS = st.characters(
    blacklist_categories=["Cs", "Cc", "Z"], blacklist_characters='"“”„‟«»「」『』〝〞〟\uff02\ufeff'
)
_WORDS = st.lists(st.text(_LETTERS, min_size=1, max_size=8), min_size=1, max_size=3).map(" ".join)
_QUOTES = st.one_of(
    _WORDS,
    st.tuples(_WORDS, _WORDS).map(" “".join).map(lambda text: text + "” indeed"),
    st.tuples(_WORDS, _WORDS).map("\n".join),
    st.builds("“{}” they say".format, _WORDS),
)


@st.composite
def records(draw: st.DrawFn) -> Comparison:
    left, right = draw(st.lists(_WORDS, min_size=2, max_size=2, unique_by=str.casefold))
    share = st.integers(0, 100)
    tools = [
        tool(
            name,
            tagline=draw(_WORDS),
            category=draw(_WORDS),
            entry_price=draw(_WORDS),
            panel_ship=draw(share),
            community_ship=draw(share | st.none()),
            description=draw(_WORDS | st.tuples(_WORDS, _WORDS).map("\n".join)),
        )
        for name in (left, right)
    ]
    pairs = draw(st.integers(1, 5))
    seats = SEATS if pairs == 4 else tuple(f"Reviewer {n + 1}" for n in range(pairs))
    reviews = [{"seat": seat, "tool": name, "quote": draw(_QUOTES)} for seat in seats for name in (left, right)]
    return Comparison.model_validate({"title": draw(_WORDS), "tools": tools, "reviews": reviews})


@settings(max_examples=60, deadline=None)
@given(records())
def test_what_a_page_prints_is_what_is_read(comparison: Comparison) -> None:
    try:
        assert parse_page(page(comparison, chrome=False)) == comparison
    except PageError as refusal:
        assert "reads like no tool's name" in refusal.reason  # noqa: PT017  # a title such as "x vs <the tagline>"


def test_lines_of_a_description_stay_lines() -> None:
    text = changed(13, "First.", "", "Entry", "Reviewer scorecard", "Last.")
    assert parse_page(text).tools[0].description == "First.\nEntry\nReviewer scorecard\nLast."


@pytest.mark.parametrize(
    "name", ["Community", "Entry", "Panel ship", "A vs B", "Weekly AI Tool Verdicts", "50%", "通义千问"]
)
def test_a_tool_may_be_called_anything(name: str) -> None:
    comparison = record(name, "Codestral")
    assert parse_page(page(comparison)) == comparison


@pytest.mark.parametrize(
    ("printed", "quote"),
    [
        ("““Clean” is the word”", "“Clean” is the word"),
        ("“It is “clean””", "It is “clean”"),
        ('""Clean" is the word"', '"Clean" is the word'),
        ('"It is "clean""', 'It is "clean"'),
        ('"A 5" screen"', 'A 5" screen'),
        ("“One.\n\nTwo “three”\nfour.”", "One.\nTwo “three”\nfour."),
        ("“\nAlone\n”", "Alone"),
        ("“'Tis <b>R&D</b>, isn't it?”", "'Tis <b>R&D</b>, isn't it?"),
        ("„Er sagt „ja“ dazu“", "Er sagt „ja“ dazu"),
    ],
)
def test_only_the_outermost_marks_are_taken_off(printed: str, quote: str) -> None:
    assert parse_page(changed(SCORECARD + 2, *printed.split("\n"))).reviews[0].quote == quote


@pytest.mark.parametrize("pairs", [1, 3, 5])
def test_other_panels_are_numbered(pairs: int) -> None:
    quotes = [f"“Quote {n}.”" for n in range(2 * pairs)]
    comparison = parse_page("\n".join(LINES[: SCORECARD + 1] + quotes))
    assert comparison.seats() == tuple(f"Reviewer {n + 1}" for n in range(pairs))
    assert [each.quote for each in comparison.pair("Reviewer 1")] == ["Quote 0.", "Quote 1."]


def without(*numbers: int) -> str:
    return "\n".join(line for n, line in enumerate(LINES, start=1) if n not in numbers)


END = SCORECARD + 9  # the line of the last quote

BAD = {
    "empty": ("", 1, "empty"),
    "blank": (" \n\r\n\u00a0", 1, "empty"),
    "share too large": (changed(7, "101%"), 7, "whole percentage from 0% to 100%"),
    "share negative": (changed(7, "-5%"), 7, "whole percentage"),
    "share not whole": (changed(7, "74.5%"), 7, "whole percentage"),
    "share without sign": (changed(7, "75"), 7, "whole percentage"),
    "no panel share": (changed(7, "—"), 7, "whole percentage"),
    "votes too large": (changed(9, "250%"), 9, "or — without votes"),
    "votes not a number": (changed(9, "n/a"), 9, "or — without votes"),
    "right share": (changed(17, "1000%"), 17, "whole percentage"),
    "one quote too few": (without(END), END - 1, "odd (7)"),
    "no scorecard": (without(SCORECARD + 1), len(LINES) - 1, '"Reviewer scorecard"'),
    "one tool": ("\n".join(LINES[:13] + LINES[SCORECARD:]), None, "only one tool"),
    "no tool": ("\n".join(LINES[:3] + LINES[SCORECARD:]), None, "no tool"),
    "three tools": ("\n".join(LINES[:23] + LINES[13:]), 27, "3 tools"),
    "no panel label": (without(8), 9, '"Panel ship"'),
    "no community label": (without(10), 8, '"Community"'),
    "no entry label": (without(12), 8, '"Entry"'),
    "no community value": (without(9), 8, '"Community"'),
    "half of a third tool": ("\n".join(LINES[:23] + LINES[13:19] + LINES[SCORECARD:]), 28, '"Panel ship"'),
    "no tagline": (without(6), 4, "name"),
    "no tagline, no chrome": ("\n".join(LINES[1:2] + LINES[3:5] + LINES[6:]), 1, "title"),
    "no right tagline": (without(16), 12, "description"),
    "two taglines": (changed(16, "One", "Two"), 16, "name"),
    "no description": (without(13), 12, "description"),
    "no right description": (without(23), 22, "description"),
    "no title": (without(2), 1, "title"),
    "several titles": (changed(2, "One", "Two"), 2, "title"),
    "same names": (page(record()).replace("Codestral 2.1", "HAIKU"), 15, "both tools"),
    "unclosed quote": (changed(SCORECARD + 3, "“No end"), SCORECARD + 3, "not closed"),
    "unclosed last quote": (changed(END, "“No end"), END, "not closed"),
    "unclosed quote inside": (changed(SCORECARD + 3, "“A “word”"), SCORECARD + 3, "not closed"),
    "unopened quote": (changed(SCORECARD + 3, "No start”"), SCORECARD + 3, "in no quote"),
    "unopened last quote": (changed(END, "No start”"), END, "in no quote"),
    "unmarked last quotes": (changed(END, "No marks at all."), END, "in no quote"),
    "two quotes in one line": (changed(SCORECARD + 3, "“One” “Two”"), SCORECARD + 3, "more than one"),
    "two straight quotes in one line": (changed(SCORECARD + 3, '"One" "Two"'), SCORECARD + 3, "more than one"),
    "empty quote": (changed(SCORECARD + 3, "“ ”"), SCORECARD + 3, "empty"),
    "no quotes": ("\n".join(LINES[: SCORECARD + 1]), SCORECARD + 1, "quote on each tool"),
    "no quotes but the box": ("\n".join(LINES[: SCORECARD + 1] + LINES[END:]), SCORECARD + 1, "quote on each tool"),
    "a NUL": (changed(5, "Ha\0iku"), 5, "U+0000"),
    "too long": (changed(6, "x" * 301), 6, "tagline is longer than 300"),
    "prose": ("Hello,\nthis is a letter.", 2, "Reviewer scorecard"),
}


@pytest.mark.parametrize(("text", "line", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_page_is_refused_with_its_line_and_reason(text: str, line: int | None, reason: str) -> None:
    refusal = error(text)
    assert reason in refusal.reason
    assert "\n" not in refusal.reason
    if line is not None:
        assert refusal.line == line


def test_lines_are_counted_as_in_the_file() -> None:
    assert error(changed(7, "101%").replace("\n", "\r\n\r\n")).line == 13


def test_a_title_need_not_name_the_tools() -> None:
    comparison = record(title="Which one writes better code?")
    assert parse_page(page(comparison)) == comparison


def test_the_title_may_be_split_by_a_name_that_holds_vs() -> None:
    comparison = record("Man vs Machine", "Us vs Them")
    assert [each.name for each in parse_page(page(comparison)).tools] == ["Man vs Machine", "Us vs Them"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*LINES, "“", "”", "Entry", "Reviewer scorecard"]), max_size=30))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        parse_page("\n".join(lines))
    except PageError as refusal:
        assert 1 <= refusal.line <= max(1, len(lines))  # noqa: PT017


def test_data_is_what_pages_print() -> None:
    assert Comparison.model_validate(data()).panel_ship(0) == 75
