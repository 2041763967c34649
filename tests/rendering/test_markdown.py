"""An editor's note: what shows of Markdown, and that nothing else comes of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.rendering.elements import parse
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.rendering.markdown import MOST_BYTES, MOST_CHARACTERS, mail_html, plain, problem, web_html
from tests.rendering.samples import NOTE, comparison, edition, lead, tool

P = '<p dir="auto">'

SHOWN = {
    "emphasis": ("*a* **b** _c_", f"{P}<em>a</em> <strong>b</strong> <em>c</em></p>"),
    "a link": ("[a](https://x.example/?a=1&b=2)", f'{P}<a href="https://x.example/?a=1&amp;b=2">a</a></p>'),
    "a bare link": ("<https://x.example/>", f'{P}<a href="https://x.example/">https://x.example/</a></p>'),
    "a link without words": ("[](http://x.example/)", f'{P}<a href="http://x.example/">http://x.example/</a></p>'),
    "lists": ("- a\n- b\n\n3. c", '<ul><li dir="auto">a</li><li dir="auto">b</li></ul>'
              '<ol start="3"><li dir="auto">c</li></ol>'),
    "code": ("`a & {{ b }}`", f"{P}<code>a &amp; &#123;&#123; b &#125;&#125;</code></p>"),
    "a quote": ("> a\n> b", f"<blockquote>{P}a b</p></blockquote>"),
    "line breaks": ("a\\\nb  \nc\nd", f"{P}a<br>b<br>c d</p>"),
    "a heading is a paragraph": ("# a\n\nb\n===", f"{P}a</p>{P}b</p>"),
    "a picture is its words": ("![a *b*](https://x.example/b.png)", f"{P}a b</p>"),
    "a rule is nothing": ("a\n\n---\n\nb", f"{P}a</p>{P}b</p>"),
    "indented code is code": ("    a\n    <b>", f"{P}<code>a<br>&lt;b&gt;</code></p>"),
    "markup is text": ("<b onclick='x'>a</b> <!-- b -->",
                       f"{P}&lt;b onclick=&#39;x&#39;&gt;a&lt;/b&gt; &lt;!-- b --&gt;</p>"),
    "a script is text": ("<script>a</script>", f"{P}&lt;script&gt;a&lt;/script&gt;</p>"),
    "a link to elsewhere is its words": ("[a](javascript:b) [c](mailto:d@e.f) [g](/h) [i](data:j)", f"{P}a c g i</p>"),
    "a link that is none": ("[a](https://) [b](https://[c)", f"{P}a b</p>"),
    "merge fields": ("%%EMAIL%% [a](https://x.example/%%EMAIL%%)", f"{P}&#37;&#37;EMAIL&#37;&#37; "
                     '<a href="https://x.example/&#37;25%25EMAIL&#37;25%25">a</a></p>'),
    "what nobody sees goes": ("a\u202eb\x07c\x85d&#x202e;&#x2066;e ![&#x202e;f](g)", f"{P}abc de f</p>"),
    "nothing is deeper than three": (">>>> *a **b *c **d** c* b** a*", "<blockquote>" * 3 + f" {P}<em>a <strong>b "
                                     "<em>c d c</em> b</strong> a</em></p> " + "</blockquote>" * 3),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_a_web_page_shows(name: str) -> None:
    source, expected = SHOWN[name]
    assert web_html(source) == expected


def test_the_text_part_says_the_same_as_people_write_it() -> None:
    written = "Hi *a* **b** `c`\\\nd\n\n> e [f](https://f.example/) [g](https://g.example/)\n\n- h\n  1. i\n- j\n\n7. k"
    assert plain(written) == [
        ("Hi _a_ *b* `c`\nd", ()),
        ("“e f g”", (("f", "https://f.example/"), ("g", "https://g.example/"))),
        ("- h", ()),
        ("1. i", ()),
        ("- j", ()),
        ("7. k", ()),
    ]


def test_a_note_is_in_both_parts_of_the_letter_with_its_links() -> None:
    letter = render(replace(edition(lead()), note=NOTE))
    assert "<strong>two comparisons wait</strong>" in letter.html
    assert "*two comparisons wait*" in letter.text
    assert "\nhttps://verdicts.example/method\n" in letter.text
    assert render(replace(edition(lead()), note=" \n")) == render(edition(lead()))


@pytest.mark.parametrize(
    "note",
    [
        "[a](https://x.example/a_(b)) and [c](https://x.example/c.)",
        "`https://x.example/`, *https://y.example* and [`https://z.example/`](https://x.example/)",
        "<https://bücher.example/ü> [https://münchen.example](https://münchen.example)",
        "*a **b " * 120 + "c" + "** d*" * 120,
        "*" * 600 + "a" + "*" * 600,
    ],
    ids=["links that end in a sign", "addresses that are marked", "addresses in letters", "deep emphasis", "stars"],
)
def test_a_note_that_is_taken_is_fit_to_go_out(note: str) -> None:
    assert problem(note) is None
    assert lint(render(replace(small, note=note))) == []


PARTS = ["%%EMAIL%%", "{{", "{%", "<b>", "<!--", "]]>", "&amp;", "![", "[a](", "](https://x.example/", ")", "*", "**",
         "_", "`", "```\n", "\n", "\n\n", "> ", "- ", "1. ", "    ", "#", "א", "\u202e", "\\", "https://x.example ",
         "word ", "<https://y.example>", "|", "~~", "\r", "\x00", "'", '"', "</div>",
         "<mj-raw>", "From ", "&#37;"]  # fmt: skip
small = edition(comparison(tool("L", panel=50), tool("R", panel=0), quotes={"builder": ("x", "y")}, slug="x"))
plain_tags = {element.tag for element in parse(render(small).html).walk()}


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_nothing_but_what_is_allowed_comes_of_a_note(note: str) -> None:
    letter = render(replace(small, note=note))
    document = parse(letter.html)
    allowed = {"p", "em", "strong", "a", "ul", "ol", "li", "code", "blockquote", "br"}
    assert {element.tag for element in document.walk()} <= plain_tags | allowed
    assert letter.merge_fields == {"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL", "VOTE_URL"}
    assert letter.text.count("%%EMAIL%%") == 1
    assert not any(token in letter.html for token in ("{{", "{%", "{#"))
    assert [finding for finding in lint(letter) if "same text" not in finding] == []
    for element in parse(str(web_html(note))).walk():
        assert element.tag in allowed | {""}
        assert set(element.attributes) <= {"dir", "href", "start"}


def test_a_note_that_is_too_long_or_too_rich_is_refused_with_what_to_do() -> None:
    assert problem("中" * MOST_CHARACTERS) is None
    assert problem("a" * 2001) == "the note has 2,001 characters; 2,000 is the most that a letter has room for"
    refusal = problem("* a\n" * 500)
    assert refusal is not None
    assert refusal.startswith("the note takes ")
    assert refusal.endswith(" bytes in a letter, more than 6,144; make it shorter or plainer")
    assert problem("a\n\n[b](https://x.example/) <HTTP://y.example/>") == (
        "the note links to HTTP://y.example/; a letter has links to https pages only"
    )
    assert problem("[a]: https://x.example/\n\n---") == (
        "nothing of the note shows: it has no words; write some, or empty it"
    )
    assert problem("") is None
    assert len(mail_html("中" * MOST_CHARACTERS, "#000000").encode()) <= MOST_BYTES
