"""The compiler is silent; our check in front of it is not."""

from dataclasses import replace

import pytest

from newsletter.rendering import letter, personal
from newsletter.rendering.elements import parse
from newsletter.rendering.mjml import _EVERYWHERE, _HTML, _MJML, DEEPEST, CompileError, compile_mjml
from newsletter.rendering.note import CONFIRM
from tests.rendering.samples import GOLDEN, MASTHEAD

TEXT = "<mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"


def document(body: str, head: str = "") -> str:
    return f'<mjml lang="en" dir="ltr"><mj-head>{head}</mj-head><mj-body>{body}</mj-body></mjml>'


REFUSED = {
    "unknown MJML tag": (document("<mj-carousel></mj-carousel>"), "<mj-carousel> is not one of the tags"),
    "unknown HTML tag": (document(TEXT.format("<script>x</script>")), "<script> is not one of the tags"),
    "unknown attribute": (document("<mj-section foo='1'></mj-section>"), "<mj-section> has no attribute foo"),
    "event handler": (document(TEXT.format("<p onclick='x'>y</p>")), "<p> has no attribute onclick"),
    "attribute twice": (document(TEXT.format("<p class='a' class='b'>y</p>")), "<p> has class twice"),
    "attribute without value": (document(TEXT.format("<p class>y</p>")), "class of <p> has no value"),
    "wrong parent": (document("<mj-column></mj-column>"), "<mj-column> cannot stand inside of <mj-body>"),
    "alone": ("<mj-text></mj-text>", "<mj-text> stands alone"),
    "HTML in the structure": (document("<p>y</p>"), "<p> stands outside of <mj-text>"),
    "stray text": (document("stray"), "text between structural tags: 'stray'"),
    "comment in the structure": (document("<!-- x -->"), "a comment between structural tags"),
    "comment in content": (document(TEXT.format("<!-- x -->")), "a comment would be dropped"),
    "mismatched end": (document(TEXT.format("<p>x</div>")), "</div> closes <p>"),
    "end of nothing": ("</mjml>", "</mjml> closes <nothing>"),
    "never closed": ('<mjml lang="en"><mj-body>', "<mj-body> is never closed"),
    "closes itself": (document(TEXT.format("<p/>")), "<p/> closes itself"),
    "picture": (document(TEXT.format("<img src='x' alt=''>")), "<img> is not one of the tags"),
    "short colour": (document("<mj-section background-color='#fff'></mj-section>"), "a colour without six digits"),
    "short colour in a style": (document(TEXT.format("<p style='color:#abcd'>x</p>")), "a colour without six digits"),
    "too deep": (document(TEXT.format("<div>" * DEEPEST)), "nested deeper than"),
    "doctype": (document("<!doctype html>"), "has no place in MJML"),
    "instruction": (document("<?xml version='1.0'?>"), "has no place in MJML"),
    "cdata": (document(TEXT.format("<![CDATA[x]]>")), "has no place in MJML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_compiler_would_let_through_is_refused(name: str) -> None:
    source, reason = REFUSED[name]
    with pytest.raises(CompileError) as refusal:
        compile_mjml(source)
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith("line 1, column ")


RICH = "*a* **b** `c` [d](https://d.example/)\\\n> e\n\n- f\n\n3. g\n"


def test_all_that_is_allowed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def seen(source: str) -> str:
        sources.append(source)
        return compile_mjml(source)

    monkeypatch.setattr(letter, "compile_mjml", seen)
    monkeypatch.setattr(personal, "compile_mjml", seen)
    letter.render(replace(GOLDEN["german"], note=RICH, counts_clicks=True))
    personal.render_personal(CONFIRM, replace(MASTHEAD, name="One that no other test has"))
    used: dict[str, set[str]] = {}
    for source in sources:
        for element in parse(source).walk():
            used.setdefault(element.tag, set()).update(element.attributes)
    anywhere = set().union(*used.values())
    assert set(_HTML) | set(_MJML) == set(used) - {""}
    assert anywhere >= _EVERYWHERE
    for tag, attributes in {**_HTML, **{tag: own for tag, (_, own) in _MJML.items()}}.items():
        assert set(attributes.split()) <= used[tag], tag


def test_what_the_compiler_refuses_is_a_compile_error_too() -> None:
    with pytest.raises(CompileError, match="the MJML compiler refused"):
        compile_mjml(document(TEXT.format("a < b")))


def test_words_on_two_lines_stay_two_words() -> None:
    html = compile_mjml(document(TEXT.format("<strong>one</strong>\n<em>two</em>\r\n  <em>three</em>")))
    assert "<strong>one</strong> <em>two</em> <em>three</em>" in html


def test_white_space_between_structural_tags_is_no_matter() -> None:
    head = (
        "<mj-title>T</mj-title><mj-attributes><mj-all font-family='Arial'/><mj-text color='#111111'/></mj-attributes>"
    )
    tight = document(TEXT.format("x"), head)
    for gap in (" ", "\t", "\n", "\r\n", "  \n  "):
        assert compile_mjml(gap + tight.replace("><", f">{gap}<") + gap) == compile_mjml(tight)


def test_nothing_is_fetched_from_elsewhere() -> None:
    html = compile_mjml(document(TEXT.format("x")))
    assert "<link" not in html
    assert "@import" not in html
