"""A letter says what the edition says, whatever that is, and is the same everywhere."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.issues.retrospect import MOST, LastVote, Result, Share
from newsletter.links import Links
from newsletter.rendering import letter as under_test
from newsletter.rendering.armour import clean
from newsletter.rendering.elements import parse
from newsletter.rendering.letter import render
from newsletter.rendering.markdown import problem
from newsletter.rendering.mjml import compile_mjml
from newsletter.rendering.size import ALWAYS_FIT, MOST_BYTES, fits, size_after_filling
from tests.rendering.samples import GOLDEN, MASTHEAD, NOTE, comparison, edition, lead, others, retrospect, stuffed, tool

UNITS = {"Latin": "a",
         "words": "W& ", "Cyrillic": "ы", "Chinese": "中", "four bytes": "𝔘", "escapes": "{", "quotes": '"',
         "Hebrew": "א", "marks": "a\u0301\u0302", "families": "👩‍👩‍👧‍👦", "fields": "%%A%%"}  # fmt: skip


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_seven_comparisons_fit_whatever_their_texts(unit: str) -> None:
    social = tuple((f"{number}{unit * 40}", f"https://{number}.example/{'s' * 60}") for number in range(6))
    masthead = replace(
        MASTHEAD,
        name=unit * 300,
        postal_address=unit * 300,
        links=Links("https://" + "v" * 60 + ".example"),
        social=social,
    )
    note = "* *a*\n" * 200
    assert problem(note) is None
    assert problem(note * 2) is not None
    voted = Result("s" * 120, unit * 300, (f"1{unit * 300}", f"2{unit * 300}"), (100, 0), (0, 100), 1_000_000)
    for seats in (6, 12):
        worst = [stuffed(unit, seats=seats, number=number) for number in range(ALWAYS_FIT)]
        letter = render(
            replace(
                edition(*worst, masthead=masthead, subject=unit * 300, preheader=unit * 300),
                earlier=((Share("2025-W52", 99), Share("2025-W52", 98)),) * ALWAYS_FIT,
                last_vote=LastVote("2025-W52", (voted,) * MOST),
                counts_clicks=True,
                note=note,
                language="de",  # the longer words, and every text of others is marked as theirs
            )
        )
        assert fits(letter), size_after_filling(letter)


def test_twelve_usual_comparisons_fit() -> None:
    usual = [lead(), *others(), *others()[:4]]
    assert len(usual) == 12
    told = replace(
        edition(*usual),
        earlier=((Share("2026-W44", 1), None),) * 12,
        note=NOTE,
        last_vote=retrospect().last_vote,
        counts_clicks=True,
    )
    assert size_after_filling(render(told)) <= MOST_BYTES - 8 * 1024


def test_a_letter_too_large_is_rendered_all_the_same() -> None:
    letter = render(edition(*(stuffed("& ", number=number % 10) for number in range(20))))
    assert not fits(letter)


def test_an_edition_without_comparisons_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-W47 has no comparisons"):
        render(edition())


def test_the_subject_and_the_preheader_go_through() -> None:
    letter = render(edition(lead(), subject="R&D <beats> {{ you }}", preheader="a\nb  c"))
    assert letter.subject == "R&D <beats> {{ you }}"
    assert letter.preheader == "a b c"


def test_a_merge_field_in_the_subject_is_broken() -> None:
    assert render(edition(lead(), subject="Dear %%EMAIL%%")).subject == "Dear % %EMAIL% %"


def test_a_letter_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(source: str) -> str:
        calls.append(source)
        return compile_mjml(source)

    monkeypatch.setattr(under_test, "compile_mjml", counted)
    render(GOLDEN["large"])
    assert len(calls) == 1


def test_the_same_edition_gives_the_same_bytes_on_any_machine() -> None:
    code = (
        "from tests.rendering.samples import GOLDEN\nfrom newsletter.rendering.letter import render\n"
        "print(*(render(GOLDEN[name]).digest for name in sorted(GOLDEN)))"
    )
    elsewhere = {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "LC_ALL": "C"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | elsewhere, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == [render(GOLDEN[name]).digest for name in sorted(GOLDEN)]


def test_days_show_the_months_and_years_that_they_need() -> None:
    for first, shown in (
        (date(2026, 11, 16), "16–22 November 2026"),
        (date(2026, 11, 30), "30 November – 6 December 2026"),
        (date(2026, 12, 28), "28 December 2026 – 3 January 2027"),
    ):
        assert shown in render(replace(edition(lead()), first_day=first)).text


TRAPS = ["%%EMAIL%%", "%%", "%", "{{", "}}", "{%", "{#", "<b>", "</div>", "<!--", "]]>", "&amp;", "&", '"', "'",
         "<mj-raw>", "[if mso]>", "א", "\u202e", "\u0301", "中", "👩‍👧", "\r\n", "\t", "\x00", "\u2028",
         "https://x.example/", "javascript:", "A", "_", " ", "\\", "`", "$"]  # fmt: skip
texts = st.lists(
    st.one_of(st.sampled_from(TRAPS), st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=5
).map(lambda parts: "x" + "".join(parts))
lines = texts.map(lambda text: " ".join(text.replace("\x00", "").split()))  # as records have them
quotes = lines.map(lambda line: line.replace(" ", "\n"))
plain = render(
    edition(comparison(tool("L", panel=50), tool("R", panel=100), quotes={"builder": ("x", "x")}, title="x", slug="x"))
)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(lines, lines, lines, quotes, texts)
def test_no_text_becomes_markup_or_a_merge_field(name: str, line: str, title: str, quote: str, masthead: str) -> None:
    record = comparison(
        tool(f"1{name}", tagline=line, category=line, price=line, panel=50),
        tool(f"2{name}", tagline=line, category=line, price=line, panel=100),
        quotes={"builder": (quote, quote)},
        title=title,
        slug="x",
    )
    letter = render(
        edition(record, masthead=replace(MASTHEAD, name=masthead, postal_address=line), subject=title, preheader=quote)
    )
    tree = parse(letter.html)
    tags = [element.tag for element in tree.walk()]
    assert tags == [element.tag for element in parse(plain.html).walk()]
    assert letter.merge_fields == {"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL", "VOTE_URL"}
    assert letter.html.count("%%") == plain.html.count("%%")
    assert letter.text.count("%%EMAIL%%") == 1
    assert "{{" not in letter.html
    shown = {element.text() for element in tree.walk()}
    assert any(text.endswith(f" · {clean(line)}") for text in shown)
    assert f"“{clean(quote)}”" in shown
    assert {clean(title)} == {element.text() for element in tree.walk() if element.tag in ("h2", "title")}
