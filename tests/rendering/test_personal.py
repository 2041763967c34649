"""Letters to one person, committed like an issue's. `UPDATE_GOLDEN=1 pytest tests/rendering` writes them anew."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.language import PAGES, speech
from newsletter.links import Links
from newsletter.message import Filler, Letter
from newsletter.rendering.elements import parse
from newsletter.rendering.lint import lint
from newsletter.rendering.note import ADDRESS, CHANGED, CONFIRM, FIELDS, LINK, NOTICE, WELCOME, Latest
from newsletter.rendering.personal import render_personal
from newsletter.rendering.plain_text import CHANGED_ON_THE_WAY, WIDTH, columns
from tests.rendering.samples import MASTHEAD

HERE = Path(__file__).parent / "personal"
LATEST = Latest("2026-W47", "Ox beats Mend, 100% to 25%")
STRANGE = replace(
    MASTHEAD,
    name="<b>R&D</b> {{ weekly }} %%EMAIL%% דיווח " + "long" * 20,
    postal_address="%%CONFIRM_URL%% & Söhne",
    social=(("{{ Git }}<b>", "https://example.com/?a=%20&b"), ("Mastodon", "https://example.social/@us")),
)

CASES: dict[str, tuple[str, Letter]] = {
    "confirm": (CONFIRM, render_personal(CONFIRM, MASTHEAD)),
    "welcome": (WELCOME, render_personal(WELCOME, MASTHEAD, LATEST)),
    "welcome-first": (WELCOME, render_personal(WELCOME, MASTHEAD)),
    "link": (LINK, render_personal(LINK, MASTHEAD)),
    "address": (ADDRESS, render_personal(ADDRESS, MASTHEAD)),
    "notice": (NOTICE, render_personal(NOTICE, MASTHEAD)),
    "changed": (CHANGED, render_personal(CHANGED, MASTHEAD)),
    "confirm.de": (CONFIRM, render_personal(CONFIRM, MASTHEAD, language="de")),
    "welcome.de": (WELCOME, render_personal(WELCOME, MASTHEAD, LATEST, "de")),
    "changed.de": (CHANGED, render_personal(CHANGED, replace(MASTHEAD, logo="Ship / Skip"), language="de")),
    "strange": (WELCOME, render_personal(WELCOME, STRANGE, Latest("2026-W47", "%%EMAIL%% <i>{{ x }}</i> ניצחון"))),
}
VALUES = {
    "EMAIL": "o'neill&co@example.com",
    "CONFIRM_URL": "https://v.example/confirm/1",
    "PREFERENCES_URL": "https://v.example/preferences/1",
    "ADDRESS_URL": "https://v.example/address/1",
    "UNSUBSCRIBE_URL": "https://v.example/unsubscribe/1",
}
BUTTONS = {
    "confirm": "https://v.example/confirm/1",
    "welcome": "https://verdicts.example/issues/2026-W47",
    "welcome-first": "https://v.example/preferences/1",
    "link": "https://v.example/preferences/1",
    "address": "https://v.example/address/1",
    "notice": "https://v.example/preferences/1",
    "changed": "https://v.example/preferences/1",
    "welcome.de": "https://verdicts.example/issues/2026-W47?lang=de",
}


def said(name: str) -> str:
    """The text of a letter on one line."""
    return CASES[name][1].text.replace("\n", " ")


@pytest.mark.parametrize("name", CASES)
def test_a_golden_letter_is_what_it_was(name: str) -> None:
    _, letter = CASES[name]
    for suffix, made in (("html", letter.html), ("txt", f"{letter.subject}\n{letter.preheader}\n\n{letter.text}")):
        path = HERE / f"{name}.{suffix}"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(made, encoding="utf-8", newline="\n")
        assert made == path.read_text(encoding="utf-8"), f"{path.name} changed: look at it, then run make golden"


def test_no_golden_letter_is_left_from_a_case_that_is_gone() -> None:
    assert {path.name.removesuffix(path.suffix) for path in HERE.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_letter_has_no_findings_and_exactly_its_kinds_merge_fields(name: str) -> None:
    kind, letter = CASES[name]
    assert lint(letter, FIELDS[kind]) == []
    assert letter.merge_fields == FIELDS[kind]


@pytest.mark.parametrize("name", BUTTONS)
def test_a_letter_has_one_button_and_it_is_a_link_with_padding_of_its_own(name: str) -> None:
    html, text = Filler(CASES[name][1]).fill(VALUES)
    buttons = [
        link
        for link in parse(html).walk()
        if link.tag == "a" and re.search(r"background(-color)?:", link.attributes.get("style", ""))
    ]
    (button,) = buttons
    assert button.attributes["href"] == BUTTONS[name]
    assert "padding:13px 30px" in button.attributes["style"]
    assert f"{button.text()}:\n{BUTTONS[name]}\n" in text


@pytest.mark.parametrize("name", CASES)
def test_the_address_stands_in_both_parts_once(name: str) -> None:
    html, text = Filler(CASES[name][1]).fill(VALUES)
    assert html.count("o&#x27;neill&amp;co@example.com") == 1
    assert text.count("o'neill&co@example.com") == 1


def test_whoever_did_not_ask_is_told_what_to_do() -> None:
    for name in ("confirm", "link", "address"):
        for part in (CASES[name][1].html, CASES[name][1].text.replace("\n", " ")):
            assert "do nothing" in part
    assert "Was it not you? Then somebody pressed the button" in said("changed")
    for part in (CASES["notice"][1].html, CASES["notice"][1].text.replace("\n", " ")):
        assert "Was it not you? Open your own page" in part


def test_the_time_that_a_link_has_is_said() -> None:
    assert "works for seven days" in said("confirm")
    assert "gilt sieben Tage" in said("confirm.de")
    assert "works for one day" in said("address")
    for name in ("link", "notice", "changed"):
        assert "works for 60 days" in said(name)
    assert "gilt 60 Tage" in said("changed.de").replace("\u00a0", " ")
    assert "forgotten after 30 days" in said("confirm")


def test_a_name_is_text_whatever_it_holds() -> None:
    _, letter = CASES["strange"]
    assert "<b>R" not in letter.html
    assert "{{" not in letter.html
    assert "%%" not in letter.subject
    assert "% %EMAIL% %" in letter.text


def test_a_welcome_names_the_latest_issue_and_no_other_letter_does() -> None:
    assert "“Ox beats Mend, 100% to 25%”" in CASES["welcome"][1].text.replace("\n", " ")
    assert render_personal(CONFIRM, MASTHEAD, LATEST) == render_personal(CONFIRM, MASTHEAD)


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_at_most_72_columns_wide_and_may_be_flowed(name: str) -> None:
    _, text = Filler(CASES[name][1]).fill({**VALUES, "EMAIL": "reader@example.com"})
    wide = [line for line in text.splitlines() if columns(line) > WIDTH and "://" not in line]
    assert wide == []
    # What format=flowed (RFC 3676) would join, or take for a quotation.
    assert [line for line in text.splitlines() if line.endswith(" ") or CHANGED_ON_THE_WAY.match(line)] == []


@pytest.mark.parametrize("name", ["confirm.de", "welcome.de", "changed.de"])
def test_a_letter_in_another_language_says_so_and_what_of_it_is_not(name: str) -> None:
    _, letter = CASES[name]
    elements = list(parse(letter.html).walk())
    (root,) = [element for element in elements if element.tag == "html"]
    assert (root.attributes["lang"], root.attributes["dir"]) == ("de", "ltr")
    foreign = [element.text() for element in elements if element.attributes.get("lang") == "en"]
    assert foreign == (["„Ox beats Mend, 100% to 25%“"] if name == "welcome.de" else [])


def test_the_newsletters_own_language_is_that_of_whoever_chose_none_and_its_links_need_no_word_of_it() -> None:
    german = replace(MASTHEAD, language="de")
    assert render_personal(WELCOME, german, LATEST) == render_personal(WELCOME, german, LATEST, "de")
    assert "?lang=" not in render_personal(WELCOME, german, LATEST).html
    assert "/2026-W47?lang=en" in render_personal(WELCOME, german, LATEST, "en").html
    assert 'lang="en"' not in render_personal(WELCOME, german, LATEST).html  # its subject is German, too


def test_what_a_notice_says_to_press_is_what_the_page_has() -> None:
    button = "Keep my address"
    for language in ("en", "de"):
        words = render_personal(NOTICE, MASTHEAD, language=language).text.replace("\n", " ")
        assert speech(language, PAGES)(button) in words


def test_the_head_has_the_logos_text_and_the_foot_where_else_we_are() -> None:
    masthead = replace(MASTHEAD, logo="Ship / Skip", social=(("Mastodon", "https://example.social/@us"),))
    letter = render_personal(CONFIRM, masthead)
    assert letter.text.startswith("Ship / Skip\n")
    assert letter.subject.endswith(MASTHEAD.name)
    assert "Mastodon:\nhttps://example.social/@us\n" in letter.text
    assert lint(letter, FIELDS[CONFIRM]) == []


def test_an_unknown_kind_or_language_is_refused() -> None:
    with pytest.raises(KeyError):
        render_personal("farewell", MASTHEAD)
    with pytest.raises(KeyError):
        render_personal(CONFIRM, MASTHEAD, language="tlh")


def test_links_follow_the_base_url() -> None:
    moved = replace(MASTHEAD, links=Links("https://example.com/letters"))
    assert "https://example.com/letters/issues/2026-W47" in render_personal(WELCOME, moved, LATEST).html
