"""A letter as a template: what Postmark fills in is what we would have filled in, or there is no template."""

import html
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.postmark_template import alias_of, template_of
from newsletter.delivery.provider import Accepted
from newsletter.message import Filler, Letter
from newsletter.sandbox import mustachio
from newsletter.sandbox.server import Sandbox
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader

PIECES = st.lists(st.sampled_from(["{", "}", "%%NAME%%", "a", " ", "é", "\n", "%%"])).map("".join)


@settings(max_examples=300, deadline=None)
@given(source=PIECES, value=st.text(alphabet="{}<&é\"' a", max_size=8))
def test_postmark_fills_in_what_we_would(source: str, value: str) -> None:
    letter = Letter(subject="s", preheader="", html=source, text=source)
    template = template_of(letter)
    if template is None:
        return
    filled_html, filled_text = Filler(letter).fill({"NAME": value})
    model = {"name": value}
    assert mustachio.render(mustachio.compile_template(template.text), model, escape=False) == filled_text
    rendered = mustachio.render(mustachio.compile_template(template.html), model, escape=True)
    assert html.unescape(rendered) == html.unescape(filled_html)


@pytest.mark.parametrize(
    "letter",
    [
        replace(LETTER, subject="{{ x }}"), replace(LETTER, subject="}}"), replace(LETTER, text="{{"),
        replace(LETTER, text="}}"), replace(LETTER, html="{{"), replace(LETTER, html="{%%NAME%%"),
        replace(LETTER, html="%%NAME%%}"), replace(LETTER, text="{%%NAME%%}"),
    ],
)  # fmt: skip
def test_braces_that_postmark_might_read_make_no_template(letter: Letter) -> None:
    assert template_of(letter) is None


def test_style_sheets_may_close_two_braces() -> None:
    assert template_of(replace(LETTER, html="<style>@media{.a{b:c}}</style>%%NAME%%")) is not None


def test_the_alias_is_the_letters_own() -> None:
    assert alias_of(LETTER) == "letter-" + LETTER.digest[:32]


def test_a_letter_crosses_the_wire_once(sandbox: Sandbox) -> None:
    for _ in range(2):  # a second provider finds what the first has stored
        provider = PostmarkProvider(sandbox.token, sandbox.url, 5)
        for _ in range(2):
            outcomes = provider.send(LETTER, ENVELOPE, [reader(number) for number in range(3)], new_batch())
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        provider.close()
    wires = [message.fields() for message in sandbox.messages]
    assert len(wires) == 12
    assert {wire["TemplateAlias"] for wire in wires} == {alias_of(LETTER)}
    for wire in wires:
        assert set(wire) == {
            "From", "To", "ReplyTo", "TemplateAlias", "TemplateModel", "MessageStream", "Tag", "Metadata",
            "InlineCss", "TrackOpens", "TrackLinks", "Headers",
        }  # fmt: skip
        assert set(wire["TemplateModel"]) == {"name", "unsubscribe_url"}
        assert wire["InlineCss"] is False
        assert wire["TrackOpens"] is False


def test_old_templates_are_discarded_and_stored_again_when_needed(sandbox: Sandbox) -> None:
    provider = PostmarkProvider(sandbox.token, sandbox.url, 5, today=lambda: date(2026, 11, 24))
    provider.send(LETTER, ENVELOPE, [reader()], new_batch())
    other = PostmarkProvider(sandbox.token, sandbox.url, 5)
    other.send(LETTER, ENVELOPE, [reader()], new_batch())

    assert provider.tidy(before=date(2026, 11, 24)) == 0
    assert provider.tidy(before=date(2026, 11, 25)) == 1
    for one in (provider, other):  # the other does not know yet that the template is gone
        (outcome,) = one.send(LETTER, ENVELOPE, [reader()], new_batch())
        assert isinstance(outcome, Accepted)
        one.close()
