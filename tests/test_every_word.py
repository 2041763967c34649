"""Whatever pages and letters say of themselves stands in a catalog, so that it can be translated."""

import re
from datetime import date
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from newsletter.issues.retrospect import LastVote, Result, Share
from newsletter.issues.subject import preheader_line, subject_line
from newsletter.language import ISSUE, speech
from newsletter.links import Links
from newsletter.message import Letter
from newsletter.places import TEMPLATES
from newsletter.rendering.edition import Edition, Masthead
from newsletter.rendering.letter import render
from newsletter.rendering.note import FIELDS, Latest
from newsletter.rendering.personal import render_personal
from tests.own_tongue import CODE, Words, a_marked_comparison, bare, own_tongue

FILES = sorted([*TEMPLATES.glob("pages/**/*.html"), *TEMPLATES.glob("letters/**/*.mjml")])


def printed(node: nodes.Node) -> str:
    """The constant texts that an expression may print; what it looks up, calls or filters is none."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const):
        return str(node.value)
    if isinstance(node, nodes.CondExpr):
        return "".join(map(printed, filter(None, (node.expr1, node.expr2))))
    if isinstance(node, nodes.Concat):
        return "".join(map(printed, node.nodes))
    return ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_template_says_a_word_by_itself(file: Path) -> None:
    """Of all branches of a template, without anything that it looks up."""
    tree = Environment(trim_blocks=True).parse(file.read_text(encoding="utf-8"))
    html = "".join(printed(part) for output in tree.find_all(nodes.Output) for part in output.nodes)
    assert Words(html).bare() == []


MASTHEAD = Masthead(
    "«Verdicts»",
    "«1 Example Street»",
    Links("https://verdicts.example"),
    "«V»",
    (("«GitHub»", "https://example.com/us"),),
)
NO_WORDS = re.compile(r"(?:https?://|%%)\S+")
"""Addresses, and what is filled in for each reader."""


def bare_of(letter: Letter) -> list[str]:
    """What a letter says that is from no catalog."""
    texts = (letter.subject, letter.preheader, letter.text)
    found = [bare(NO_WORDS.sub("", text)) for text in texts] + Words(NO_WORDS.sub("", letter.html)).bare()
    return [each for each in found if each]


def test_no_letter_says_a_word_that_is_in_no_catalog(tmp_path: Path) -> None:
    with own_tongue(tmp_path / "locales"):
        voted = Result("gus-vs-hal", "«Gus vs Hal»", ("«Gus»", "«Hal»"), (100, 50), (60, 90), 10)
        comparisons = tuple(a_marked_comparison(*pair, 17) for pair in (("Ada", "Bob"), ("Cyd", "Dot"), ("Eve", "Fay")))
        say = speech(CODE, ISSUE)
        edition = Edition(
            "2026-W47",
            date(2026, 11, 16),
            subject_line(say, comparisons[0], None, "2026-W47"),
            preheader_line(say, comparisons[0], len(comparisons)),
            comparisons,
            MASTHEAD,
            earlier=((Share("2026-W40", 25), None), (None, None), (None, None)),
            last_vote=LastVote("2026-W46", (voted,)),
            counts_clicks=True,
            note="«Good morning»",
            language=CODE,
        )
        assert bare_of(render(edition)) == []
        for kind in FIELDS:
            assert bare_of(render_personal(kind, MASTHEAD, Latest("2026-W47", "«Ada 100%»"), CODE)) == [], kind
