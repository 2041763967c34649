"""Every rule finds what breaks it, and no more."""

from dataclasses import replace

import pytest

from newsletter.message import Letter
from newsletter.rendering.letter import render
from newsletter.rendering.lint import lint
from newsletter.rendering.size import MOST_BYTES, fits, size_after_filling
from newsletter.theme import ratio
from tests.rendering.samples import edition, lead, others

CLEAN = render(edition(lead(), *others()[:1]))
VIEW = "https://verdicts.example/issues/2026-W47"
INK = "color:#1a1f29"


def in_html(old: str, new: str) -> Letter:
    assert old in CLEAN.html
    return replace(CLEAN, html=CLEAN.html.replace(old, new))


def in_body(more: str) -> Letter:
    return in_html("</body>", f'<div style="color:#000000">{more}</div></body>')


def in_style(css: str) -> Letter:
    return in_html("</head>", f"<style>{css}</style></head>")


def in_text(more: str) -> Letter:
    return replace(CLEAN, text=CLEAN.text + more)


CANARY = '<a href="%%CANARY_URL%%" tabindex="-1" data-pm-no-track="" style="color:#000000">Nothing</a>'

BROKEN = {
    "too large": (in_body("&nbsp;" * 12_000), "Gmail would cut it off"),
    "no subject": (replace(CLEAN, subject=" "), "there is no subject"),
    "long subject": (replace(CLEAN, subject="s" * 61), "the subject has 61 characters"),
    "long preheader": (replace(CLEAN, preheader="p" * 111), "the preheader has 111 characters"),
    "field in the subject": (replace(CLEAN, subject="Hello %%EMAIL%%"), "the subject holds a merge field"),
    "unknown field": (in_body("%%NAME%%"), "nobody fills in the merge field %%NAME%%"),
    "unknown field in the text": (in_text("%%NAME%%\n"), "nobody fills in the merge field %%NAME%%"),
    "MJML left": (in_body("<mj-text></mj-text>"), "an MJML tag is left over"),
    "braces left": (in_body("{{ name }}"), "a template's {{ is left over"),
    "tag left": (in_body("{% if %}"), "a template's {% is left over"),
    "comment left": (in_body("{# why #}"), "a template's {# is left over"),
    "no language": (in_html('<html lang="en"', '<html lang=""'), "does not say its language"),
    "unknown language": (in_html('<html lang="en"', '<html lang="und"'), "does not say its language"),
    "no direction": (in_html('<html lang="en" dir="ltr"', '<html lang="en" dir="auto"'), "does not say its direction"),
    "no title": (replace(CLEAN, html=CLEAN.html.replace("<title>", "<title hidden></title><p>")), "has no title"),
    "no alt": (in_body('<img src="https://verdicts.example/x.png">'), "an image has no alt"),
    "no role": (in_body("<table><tr><td></td></tr></table>"), 'lacks role="presentation"'),
    "two h1": (in_body("<h1>Again</h1>"), "there are 2 headings h1"),
    "no h1": (replace(CLEAN, html=CLEAN.html.replace("<h1", "<p").replace("</h1>", "</p>")), "there are 0 headings h1"),
    "skipped level": (in_body("<h2>A</h2><h4>B</h4>"), "h4 follows h2"),
    "empty heading": (in_body("<h2> </h2>"), "an empty h2"),
    "link to nowhere": (in_body('<a style="color:#000000">here</a>'), "a link leads nowhere"),
    "link without text": (in_body(f'<a href="{VIEW}"></a>'), "a link has no text"),
    "same words": (
        in_body('<a href="https://verdicts.example/" style="color:#000000">Unsubscribe</a>'),
        "2 links with",
    ),
    "not https": (in_body('<a href="http://verdicts.example/">x</a>'), "a link is not https"),
    "pale by day": (in_body('<p style="color:#999999">pale</p>'), "contrast 2.42 of #999999 on #e9edf3"),
    "pale by night": (in_body('<p style="color:#333333">dim</p>'), "in dark mode: 'dim'"),
    "pale by bgcolor": (
        in_body('<table role="presentation"><tr><td bgcolor="#111111">x</td></tr></table>'),
        "on #111111",
    ),
    "pale by class": (in_style(".card .m{color:#cccccc !important}"), "in light mode: '1 of 2"),
    "pale by a dark rule": (in_style("@media (prefers-color-scheme:dark){h3{color:#333333}}"), "of #333333 on #191e26"),
    "colourless": (in_html("</body>", "plain</body>"), "text without a colour in light mode: 'plain'"),
    "colourless link": (in_body(f'<a href="{VIEW}">View in browser</a>'), "text without a colour"),
    "unknown selector": (in_style("p:hover{color:#000000}"), "selector not understood: 'p:hover'"),
    "sibling selector": (in_style("p + p{color:#000000}"), "selector not understood"),
    "unknown colour": (in_style("p{color:red}"), "colour not understood: 'red'"),
    "unknown media": (in_style("@media speech{p{color:#000000}}"), "media query not understood: 'speech'"),
    "pale on paper": (in_style("@media print{.card .m{color:#cccccc !important}}"), "in print mode: '1 of 2"),
    "unknown rule": (in_style("@import 'x';p{color:#000000}"), "contrast cannot be checked"),
    "colour by width": (
        in_style("@media only screen and (max-width:479px){p{color:#000000}}"),
        "depends on the width",
    ),
    "opacity": (in_style("p{opacity:0.5}"), "opacity is not understood"),
    "unclosed rule": (in_style("p{color:#000000"), "a brace is never closed"),
    "a link for programs that shows": (in_body(CANARY), "the link that no person is to follow can be seen or reached"),
    "a link for programs that the keyboard reaches": (
        in_body(f'<div aria-hidden="true" style="display:none">{CANARY.replace("-1", "0")}</div>'),
        "the link that no person is to follow can be seen or reached",
    ),
    "a link for programs in the text": (in_text("%%CANARY_URL%%\n"), "missing in the HTML: %%CANARY_URL%%"),
    "a reader's link that may be rewritten": (
        in_html('?choice=left" data-pm-no-track=""', '?choice=left"'),
        "a reader's own link may be rewritten by the provider: %%VOTE_URL%%/halyard-vs-quayside?choice=left",
    ),
    "a vote missing in the text": (
        replace(CLEAN, text=CLEAN.text.replace("halyard-vs-quayside?choice=left", "")),
        "missing in the text: %%VOTE_URL%%/halyard-vs-quayside?choice=left",
    ),
    "no text": (replace(CLEAN, text=" \n"), "there is no text part"),
    "wide line": (in_text("中" * 37 + "\n"), "has 74 columns"),
    "indented line": (in_text(" words\n"), "begins or ends in a way that mail programs change: ' words'"),
    "line that looks quoted": (in_text("> words\n"), "in a way that mail programs change"),
    "line that looks like a mail's first": (in_text("From here on\n"), "in a way that mail programs change"),
    "soft line break": (in_text("words \n"), "in a way that mail programs change"),
    "link missing in the text": (
        replace(CLEAN, text=CLEAN.text.replace(VIEW, "")),
        f"a link of the HTML is missing in the text: {VIEW}",
    ),
    "field missing in the text": (
        replace(CLEAN, text=CLEAN.text.replace("%%UNSUBSCRIBE_URL%%", "")),
        "missing in the text: %%UNSUBSCRIBE_URL%%",
    ),
    "link missing in the HTML": (
        in_text("https://verdicts.example/secret\n"),
        "a link of the text is missing in the HTML: https://verdicts.example/secret",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_letter_has_the_finding(name: str) -> None:
    letter, expected = BROKEN[name]
    assert any(expected in finding for finding in lint(letter)), lint(letter)


def test_a_clean_letter_has_none() -> None:
    assert lint(CLEAN) == []


def test_other_letters_name_their_own_fields() -> None:
    letter = replace(CLEAN, text=CLEAN.text.replace("%%EMAIL%%", "%%CONFIRM_CODE%%"))
    assert lint(letter, fields=CLEAN.merge_fields | {"CONFIRM_CODE"}) == []


def test_a_trial_on_ones_own_machine_may_do_without_https() -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        trial = replace(
            CLEAN,
            html=CLEAN.html.replace("https://verdicts.example", f"http://{host}"),
            text=CLEAN.text.replace("https://verdicts.example", f"http://{host}"),
        )
        assert lint(trial) == []


def test_long_addresses_may_leave_the_line() -> None:
    address = f"{VIEW}?{'x' * 80}"
    letter = in_body(f'<a href="{address}" style="color:#000000">More</a>')
    findings = lint(replace(letter, text=f"{letter.text}{address}\n"))
    assert not any("columns" in finding or "missing" in finding for finding in findings)


def test_an_inline_colour_yields_to_an_important_rule_alone() -> None:
    paragraph = f'<p class="x" style="{INK}">words</p>'
    dark = "<style>@media (prefers-color-scheme:dark){.x{color:#ffffff !important}}</style>"
    for rule, findings in (("{color:#e9edf3}", 0), ("{color:#e9edf3 !important}", 1)):
        letter = in_html("</body>", f"{dark}<style>.x{rule}</style>{paragraph}</body>")
        assert sum("in light mode: 'words'" in finding for finding in lint(letter)) == findings


def test_a_link_for_programs_that_nobody_sees_is_no_finding() -> None:
    assert lint(in_body(f'<div aria-hidden="true" style="display:none">{CANARY}</div>')) == []


def test_what_nobody_sees_needs_no_contrast() -> None:
    assert lint(in_body('<div style="display:none;color:#e9edf3">hidden</div>')) == []


def test_contrast_is_measured_as_the_guidelines_say() -> None:
    assert ratio("#000000", "#ffffff") == pytest.approx(21)
    assert ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert ratio("#ffffff", "#777777") == ratio("#777777", "#ffffff")


def test_size_is_that_of_the_worst_readers_copy() -> None:
    letter = Letter("s", "p", "%%EMAIL%%|%%UNSUBSCRIBE_URL%%|é", "t")
    assert size_after_filling(letter) == 254 * len("&#x27;") + 200 + 4
    assert fits(Letter("s", "p", "x" * MOST_BYTES, "t"))
    assert not fits(Letter("s", "p", "x" * (MOST_BYTES + 1), "t"))
