"""The template language."""

from typing import Any

import pytest

from newsletter.sandbox.mustachio import (
    ModelMismatchError,
    TemplateSyntaxError,
    compile_template,
    render,
    suggest_model,
)


def fill(source: str, **model: Any) -> str:
    return render(compile_template(source), model, escape=True)


@pytest.mark.parametrize(
    ("source", "model", "expected"),
    [
        ("{{name}} {{ name }}", {"name": "Ada"}, "Ada Ada"),
        ("{{ a.b.c }}", {"a": {"b": {"c": 1}}}, "1"),
        ("[{{ missing }}{{ a.b }}{{ none }}]", {"a": "x", "none": None}, "[]"),
        ("{{ x }}|{{{ x }}}|{{& x}}", {"x": "<&>"}, "&lt;&amp;&gt;|<&>|<&>"),
        ("{{#p}}{{ n }}{{/p}}", {"p": {"n": "in"}, "n": "out"}, "in"),
        ("{{#p}}[{{ n }}{{ ../n }}]{{/p}}", {"p": {"m": 1}, "n": "out"}, "[out]"),
        ("{{#p}}x{{/p}}{{^p}}y{{/p}}", {}, "y"),
        ("{{#p}}x{{/p}}{{^p}}y{{/p}}", {"p": []}, "y"),
        ("{{#p}}{{.}}{{/p}}{{^p}}y{{/p}}", {"p": "yes"}, "yes"),
        ("{{#each l}}{{ n }}{{^last}}, {{/last}}{{/each}}", {"l": [{"n": 1}, {"n": 2, "last": True}]}, "1, 2"),
        ("{{#each l}}{{.}}{{ ../../s }}{{/each}}", {"l": ["a", "b"], "s": ";"}, "a;b;"),
        ("{{! a comment }}{{ ../../x }}", {"x": 1}, "1"),
        ("a {{ b }} {{ .css{a{b:c}}", {"b": 1}, "a 1 {{ .css{a{b:c}}"),
        ("{{{ pm:unsubscribe }}}", {}, "{{{ pm:unsubscribe }}}"),
        ("{{ yes }}", {"yes": True}, "True"),
    ],
)
def test_a_template_is_filled(source: str, model: dict[str, Any], expected: str) -> None:
    assert fill(source, **model) == expected


@pytest.mark.parametrize(
    "source", ["{{#a}}", "{{/a}}", "{{#a}}{{/b}}", "{{#each a}}{{/a}}", "{{ a b }}", "{{ }}", "{{ a..b }}"]
)
def test_what_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        compile_template(source)


def test_only_lists_are_repeated() -> None:
    with pytest.raises(ModelMismatchError):
        fill("{{#each a}}x{{/each}}", a={"b": 1})


def test_the_suggested_model_fills_every_value() -> None:
    nodes = compile_template(
        "{{ a.b }}{{#c}}{{ d }}{{ ../e }}{{/c}}{{#each f}}{{ g }}{{ ../../h }}{{/each}}{{#i}}x{{/i}}"
    )
    assert suggest_model(nodes) == {
        "a": {"b": "b_Value"},
        "c": {"d": "d_Value"},
        "e": "e_Value",
        "f": [{"g": "g_Value"}],
        "h": "h_Value",
        "i": "i_Value",
    }
