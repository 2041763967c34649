"""What a letter is made of has a name, and whatever shows in it, or in one of its variants, is among that."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from newsletter.comparisons.record import Comparison, Review, Tool
from newsletter.issues.retrospect import NO_SHARES, Share
from newsletter.issues.subject import subject_line
from newsletter.language import ISSUE, speech
from newsletter.links import Links
from newsletter.message import Letter
from newsletter.rendering import ingredients as under_test
from newsletter.rendering.edition import Edition
from newsletter.rendering.ingredients import changes, in_short, ingredients, written
from newsletter.rendering.letter import environment, render
from newsletter.theme import load
from tests.own_templates import begin_anew, own_templates
from tests.rendering.samples import GOLDEN, MASTHEAD, edition, lead, others, retrospect

HEAD = {"NEWSLETTER_FROM": "Weekly <verdicts@example.com>", "NEWSLETTER_UNSUBSCRIBE": "own"}
WHOLE = edition(lead(), *others()[:2])
VOTE = retrospect().last_vote
LEAD, SECOND, THIRD = (f"the comparison {each.slug}" for each in WHOLE.comparisons)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Path]:
    """A copy of the templates, by which letters are rendered."""
    with own_templates(tmp_path / "templates") as folder:
        yield folder


def differ(now: Edition, was: Edition = WHOLE) -> list[str]:
    return changes(written(ingredients(was, HEAD)), ingredients(now, HEAD))


def with_lead(**fields: Any) -> Edition:
    first, *rest = WHOLE.comparisons
    return replace(WHOLE, comparisons=(Comparison.model_validate(first.model_dump() | fields), *rest))


def everything_rendered(whole: Edition) -> list[Letter]:
    """The letter, and every variant of it that leaves one comparison out."""
    return [render(whole), *(render(whole, {str(each.slug)}) for each in whole.comparisons)]


def test_the_same_edition_is_made_of_the_same_things() -> None:
    assert differ(edition(lead(), *others()[:2])) == []
    assert list(ingredients(WHOLE, HEAD)) == [
        "the comparison halyard-vs-quayside",
        "the comparison inkwell-cli-vs-margin",
        "the comparison tessellate-vs-gridworm",
        "the order of the comparisons",
        "the subject",
        "the preheader",
        "the subject of the issue before",
        "what the panel said of these tools before",
        "the vote on the issue before",
        "the editor's note",
        "the colours of the theme",
        "the setting NEWSLETTER_NAME",
        "the setting NEWSLETTER_POSTAL_ADDRESS",
        "the setting NEWSLETTER_BASE_URL",
        "the setting NEWSLETTER_LOGO_TEXT",
        "the setting NEWSLETTER_SOCIAL_LINKS",
        "the setting NEWSLETTER_LANGUAGE",
        "the setting NEWSLETTER_FROM",
        "the setting NEWSLETTER_UNSUBSCRIBE",
        "the template letters/issue.mjml",
        "the template letters/parts/card.mjml",
        "the template letters/parts/head.mjml",
        "the translation locales/de/issue.po",
        "the MJML compiler mjml-python",
        "the data on languages babel",
        "the program",
    ]


@pytest.mark.parametrize(
    ("now", "clause"),
    [
        (with_lead(title="Halyard against Quayside"), f"{LEAD} was changed"),
        (replace(WHOLE, comparisons=WHOLE.comparisons[::-1]), "the order of the comparisons was changed"),
        (replace(WHOLE, subject="Another"), "the subject was changed"),
        (replace(WHOLE, preheader="Another"), "the preheader was changed"),
        (replace(WHOLE, previous_subject=WHOLE.subject), "the subject of the issue before was changed"),
        (replace(WHOLE, masthead=replace(MASTHEAD, name="Other")), "the setting NEWSLETTER_NAME was changed"),
        (replace(WHOLE, last_vote=VOTE), "the vote on the issue before was changed"),
        (replace(WHOLE, note="A word"), "the editor's note was changed"),
        (replace(WHOLE, masthead=replace(MASTHEAD, theme=load("orchard"))), "the colours of the theme was changed"),
        (replace(WHOLE, masthead=replace(MASTHEAD, logo="W")), "the setting NEWSLETTER_LOGO_TEXT was changed"),
        (
            replace(WHOLE, masthead=replace(MASTHEAD, social=(("Code", "https://code.example/"),))),
            "the setting NEWSLETTER_SOCIAL_LINKS was changed",
        ),
        (replace(WHOLE, masthead=replace(MASTHEAD, language="de")), "the setting NEWSLETTER_LANGUAGE was changed"),
        (
            replace(WHOLE, earlier=((None, Share("2026-W46", 0)), NO_SHARES, NO_SHARES)),
            "what the panel said of these tools before was changed",
        ),
        (
            replace(WHOLE, masthead=replace(MASTHEAD, postal_address="Elsewhere")),
            "the setting NEWSLETTER_POSTAL_ADDRESS was changed",
        ),
        (
            replace(WHOLE, masthead=replace(MASTHEAD, links=Links("https://other.example"))),
            "the setting NEWSLETTER_BASE_URL was changed",
        ),
    ],
)
def test_what_changes_alone_is_named_alone(now: Edition, clause: str) -> None:
    assert differ(now) == [clause]


def test_what_an_earlier_issue_said_of_a_tool_counts_only_where_it_was_something_else() -> None:
    same = replace(WHOLE, earlier=((Share("2026-W40", 75), Share("2026-W46", 50)), NO_SHARES, NO_SHARES))
    assert differ(same) == []
    assert everything_rendered(same) == everything_rendered(WHOLE)


def test_a_setting_of_the_mails_head_is_added_changed_and_removed() -> None:
    was = written(ingredients(WHOLE, HEAD))
    reply = HEAD | {"NEWSLETTER_REPLY_TO": "desk@example.com"}
    assert changes(was, ingredients(WHOLE, reply)) == ["the setting NEWSLETTER_REPLY_TO was added"]
    assert changes(written(ingredients(WHOLE, reply)), ingredients(WHOLE, HEAD)) == [
        "the setting NEWSLETTER_REPLY_TO was removed"
    ]
    other = HEAD | {"NEWSLETTER_UNSUBSCRIBE": "provider"}
    assert changes(was, ingredients(WHOLE, other)) == ["the setting NEWSLETTER_UNSUBSCRIBE was changed"]


def test_another_set_of_comparisons_is_named_one_by_one() -> None:
    now = replace(WHOLE, comparisons=(*WHOLE.comparisons[:2], others()[2]))
    assert differ(now) == [
        "the comparison parlance-2-vs-murmur was added",
        "the order of the comparisons was changed",
        f"{THIRD} was removed",
    ]


CHANGED: dict[str, Any] = {
    "title": "Another title",
    "slug": "another-slug",
    "url": "https://example.org/another",
    "published_at": "2026-11-01T09:00:00Z",
    "issue": "2026-W01",
    "name": "Another name",
    "tagline": "Another tagline",
    "category": "Another category",
    "entry_price": "$1",
    "description": "Another description",
    "panel_ship": 74,
    "community_ship": 3,
    "seat": "Reviewer 9",
    "tool": None,  # follows the tool's name
    "verdict": "skip",
    "quote": "Another quote",
}


UNKNOWN_VERDICTS = edition(others()[5], lead())  # shares and verdicts may change each by itself


def changed_in(field: str) -> Edition:
    """The edition with one field of its lead changed; a tool's name and a seat change wherever they stand."""
    value, data = CHANGED[field], UNKNOWN_VERDICTS.comparisons[0].model_dump(mode="json")
    left = data["tools"][0]
    if field in Comparison.model_fields:
        data[field] = value
    elif field == "name":
        data["reviews"] = [each | {"tool": value} if each["tool"] == left[field] else each for each in data["reviews"]]
        left[field] = value
    elif field in Tool.model_fields:
        left[field] = value
    elif field == "seat":
        data["reviews"][0][field] = data["reviews"][1][field] = value
    else:
        data["reviews"][0][field] = value
    return replace(UNKNOWN_VERDICTS, comparisons=(Comparison.model_validate(data), *UNKNOWN_VERDICTS.comparisons[1:]))


def test_every_field_of_a_comparison_is_tried() -> None:
    containers = {"tools", "reviews"}
    there = {*Comparison.model_fields, *Tool.model_fields, *Review.model_fields} - containers
    assert there == set(CHANGED)


@pytest.mark.parametrize("field", [field for field in CHANGED if field != "tool"])
def test_a_field_counts_exactly_where_it_shows_in_the_letter_or_a_variant(field: str) -> None:
    now, was = changed_in(field), UNKNOWN_VERDICTS
    shows = everything_rendered(now) != everything_rendered(was)
    assert bool(differ(now, was)) == shows
    assert shows == (field not in {*under_test.UNSEEN, "issue"})


def test_the_subject_of_the_issue_before_counts_only_where_it_has_to_be_avoided() -> None:
    second = WHOLE.comparisons[1]
    made = subject_line(speech("en", ISSUE), second, None, WHOLE.week)
    harmless, collides = (replace(WHOLE, previous_subject=subject) for subject in ("Quite another", made))
    assert differ(harmless) == []
    assert everything_rendered(harmless) == everything_rendered(WHOLE)
    assert differ(collides) == ["the subject of the issue before was changed"]
    assert everything_rendered(collides) != everything_rendered(WHOLE)
    assert render(collides) == render(WHOLE)


@pytest.mark.parametrize("golden", GOLDEN)
def test_every_template_that_a_letter_is_rendered_by_is_named(letters: Path, golden: str) -> None:
    render(GOLDEN[golden])
    cache = environment(GOLDEN[golden].language, ISSUE).cache
    assert cache is not None
    loaded = {name for _, name in cache.keys()}  # noqa: SIM118  it is no dictionary
    assert {f"the template letters/{name}" for name in loaded} == {
        name for name in ingredients(GOLDEN[golden], HEAD) if name.startswith("the template")
    }
    assert (letters / "note.mjml").is_file()
    assert "note.mjml" not in loaded


@pytest.mark.parametrize("name", ["issue.mjml", "parts/card.mjml", "parts/head.mjml"])
def test_a_template_that_changes_is_named_even_if_it_renders_the_same_letter(letters: Path, name: str) -> None:
    was, before = written(ingredients(WHOLE, HEAD)), render(WHOLE)
    file = letters / name
    file.write_text(file.read_text(encoding="utf-8") + "{# a word to whoever reads this #}", encoding="utf-8")
    begin_anew()
    assert changes(was, ingredients(WHOLE, HEAD)) == [f"the template letters/{name} was changed"]
    assert render(WHOLE) == before


def test_a_translation_that_changes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    was = written(ingredients(WHOLE, HEAD))
    monkeypatch.setattr(under_test, "source", lambda code, domain: f"another {domain} in {code}")
    assert changes(was, ingredients(WHOLE, HEAD)) == ["the translation locales/de/issue.po was changed"]


def test_a_program_renders_and_names_the_templates_that_it_began_with(letters: Path) -> None:
    was, before = written(ingredients(WHOLE, HEAD)), render(WHOLE)
    for file in letters.rglob("*.mjml"):
        file.write_text("of another program", encoding="utf-8")
    environment.cache_clear()  # nothing that was compiled is left
    assert changes(was, ingredients(WHOLE, HEAD)) == []
    assert render(WHOLE) == before


def test_a_broken_a_new_and_a_lost_template_are_named_and_no_other(letters: Path) -> None:
    was = written(ingredients(WHOLE, HEAD))
    whole = letters / "issue.mjml"
    card, note = letters / "parts/card.mjml", letters / "note.mjml"
    whole.write_text(whole.read_text(encoding="utf-8") + '{%- include "parts/new.mjml" %}{% if %}', encoding="utf-8")
    (letters / "parts/new.mjml").write_text("", encoding="utf-8")
    card.unlink()
    note.write_text("letters to one person are no business of an issue", encoding="utf-8")
    (letters / "parts/.#head.mjml").symlink_to("an editor's lock, which leads nowhere")
    begin_anew()
    assert changes(was, ingredients(WHOLE, HEAD)) == [
        "the template letters/issue.mjml was changed",
        "the template letters/parts/new.mjml was added",
        "the template letters/parts/card.mjml was removed",
    ]


@pytest.mark.parametrize("what", [under_test.COMPILER, under_test.LOCALE_DATA, under_test.PROGRAM])
def test_another_version_is_named_with_the_one_that_it_was(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    was, before = written(ingredients(WHOLE, HEAD)), under_test.VERSIONS[what]
    monkeypatch.setitem(under_test.VERSIONS, what, "99.1")
    assert changes(was, ingredients(WHOLE, HEAD)) == [f"{what} was {before} and is 99.1"]


def test_versions_are_those_that_are_installed() -> None:
    assert {
        "the MJML compiler mjml-python": version("mjml-python"),
        "the data on languages babel": version("babel"),
        "the program": version("weekly-ai-tool-verdicts"),
    } == under_test.VERSIONS
    assert under_test.installed("a-package-that-nobody-has-installed") == "of no version"


@pytest.mark.parametrize("unreadable", ["", "{", "[]", "null", '"text"', "12"])
def test_a_record_that_cannot_be_read_counts_as_changed(unreadable: str) -> None:
    assert changes(unreadable, ingredients(WHOLE, HEAD)) == ["the record of what was approved cannot be read"]


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 more"), (40, "1, 2, 3, 4, 5 and 35 more")],
)
def test_of_many_changes_five_are_named(count: int, said: str) -> None:
    assert in_short([str(number) for number in range(1, count + 1)]) == said


def test_an_ingredient_says_nothing_of_what_it_is_made_of() -> None:
    text = written(ingredients(WHOLE, HEAD))
    assert "verdicts@example.com" not in text
    assert MASTHEAD.postal_address not in text
