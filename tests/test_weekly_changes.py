"""Whatever changes after an approval keeps the issue from going out, and is named: it, and nothing else."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from newsletter import approving, outgoing, weekly
from newsletter.assembly import assemble
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.outgoing import Outcome
from newsletter.rendering import ingredients, plain_text
from newsletter.weekly import CannotDo, Rules
from tests.newsroom import (
    IN_W46,
    RULES,
    TUESDAY,
    W46,
    W47,
    approve,
    at,
    draft,
    issue_of,
    letters,
    post,
    publish,
    subscribe,
)
from tests.own_templates import begin_anew, own_templates

PREFIX, SUFFIX = (
    "issue 2026-W47 has changed since it was approved: ",
    "; `issues unapprove 2026-W47`, preview and approve it again",
)
READER = "ana@example.com"


def ready(engine: Engine, rules: Rules = RULES) -> None:
    """An issue of two comparisons, approved, and one reader."""
    publish(engine, "Divided", panel_ship=50)
    publish(engine, "Haiku")
    draft(engine, rules=rules)
    subscribe(engine, [READER])
    approve(engine, rules=rules)


def send(engine: Engine, box: Path, rules: Rules = RULES) -> Outcome:
    return outgoing.send_issue(engine, rules, post(box), W47, at(TUESDAY))


def change(engine: Engine, what: Callable[[Session, Issue], object]) -> None:
    with writing(engine) as session:
        what(session, weekly.require(session, W47))
        session.commit()


def assert_refused(engine: Engine, box: Path, *clauses: str, rules: Rules = RULES) -> None:
    """The send is refused and names just this; it was known before; the issue stays as it is, and nothing went out."""
    before = issue_of(engine)
    with reading(engine) as session:
        assert approving.changes_since_approval(session, rules, weekly.require(session, W47)) == list(clauses)
    with pytest.raises(CannotDo) as caught:
        send(engine, box, rules)
    assert str(caught.value) == PREFIX + ", ".join(clauses) + SUFFIX
    assert issue_of(engine) == before
    assert letters(box) == []


@pytest.fixture
def approved(sqlite_engine: Engine) -> Engine:
    ready(sqlite_engine)
    return sqlite_engine


@pytest.fixture
def templates(tmp_path: Path) -> Iterator[Path]:
    with own_templates(tmp_path / "templates") as folder:
        yield folder


def test_an_approval_keeps_what_the_letter_was_made_of_and_what_is_as_it_was_goes_out(
    engine: Engine, tmp_path: Path
) -> None:
    ready(engine)
    made_of = json.loads(issue_of(engine).approved_of or "")
    assert [name for name in made_of if name.startswith("the comparison ")] == [
        "the comparison divided-vs-codestral",
        "the comparison haiku-vs-codestral",
    ]
    with reading(engine) as session:
        assert approving.changes_since_approval(session, RULES, weekly.require(session, W47)) == []
    assert send(engine, tmp_path).state == issues.SENT
    assert len(letters(tmp_path)) == 1


def test_a_comparison_that_was_imported_again_is_named(engine: Engine, tmp_path: Path) -> None:
    ready(engine)
    publish(engine, "Haiku", tagline="Another tagline")
    assert_refused(engine, tmp_path, "the comparison haiku-vs-codestral was changed")


def test_what_no_letter_shows_of_a_comparison_may_change(approved: Engine, tmp_path: Path) -> None:
    publish(approved, "Haiku", description="For the page alone.")
    assert send(approved, tmp_path).state == issues.SENT


def test_another_order_is_named_even_where_no_comparison_changed(approved: Engine, tmp_path: Path) -> None:
    def turn_round(session: Session, issue: Issue) -> None:
        assert issue.id is not None
        issues.assign(session, issue.id, issues.comparison_ids(session, issue.id)[::-1])

    change(approved, turn_round)
    assert_refused(approved, tmp_path, "the order of the comparisons was changed")


@pytest.mark.parametrize("what", ["subject", "preheader"])
def test_another_subject_or_preheader_is_named(approved: Engine, tmp_path: Path, what: str) -> None:
    change(approved, lambda _, issue: setattr(issue, f"own_{what}", "Another line"))
    assert_refused(approved, tmp_path, f"the {what} was changed")


def test_the_issue_before_is_named_where_its_subject_has_become_ours(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine, "Older", at=IN_W46)
    draft(sqlite_engine, W46)
    ready(sqlite_engine)
    with writing(sqlite_engine) as session:
        weekly.edit(session, W46, "Quite another", None)
        session.commit()
    with reading(sqlite_engine) as session:
        assert approving.changes_since_approval(session, RULES, weekly.require(session, W47)) == []
    with writing(sqlite_engine) as session:
        weekly.edit(session, W46, weekly.require(session, W47).subject_line, None)
        session.commit()
    assert_refused(sqlite_engine, tmp_path, "the subject of the issue before was changed")


SHOWN = {
    "NAME": "Another name",
    "POSTAL_ADDRESS": "2 Other Street",
    "BASE_URL": "https://other.example.com",
    "FROM": "Others <others@example.com>",
    "REPLY_TO": "desk@example.com",
    "UNSUBSCRIBE": "provider",
}
UNSEEN = {
    "SECRET_KEY": "another key",
    "TIMEZONE": "Europe/Berlin",
    "DRAFT_AT": "Mon 06:00",
    "SEND_AT": "Wed 10:00",
    "MAX_LATENESS": "7h",
    "APPROVAL": "automatic",
    "RATE_LIMIT": "50",
    "SETTLE": "20m",
    "OUTBOX_DIR": "elsewhere",
    "LOG_FORMAT": "json",
    "POSTMARK_STREAM": "another",
}
POSTMARK = {"PROVIDER": "postmark", "POSTMARK_SERVER_TOKEN": "a token", "POSTMARK_API_URL": "http://127.0.0.1:1/"}


def rules_by(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Rules:
    """The rules as settings make them that come from the environment."""
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"NEWSLETTER_{name}", value)
        with closing(assemble()) as assembly:
            return assembly.rules


@pytest.mark.parametrize("name", SHOWN)
def test_every_setting_that_shows_is_named(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ready(sqlite_engine, rules_by(monkeypatch, POSTMARK))
    rules = rules_by(monkeypatch, POSTMARK | {name: SHOWN[name]})
    happened = "added" if name == "REPLY_TO" else "changed"
    assert_refused(sqlite_engine, tmp_path, f"the setting NEWSLETTER_{name} was {happened}", rules=rules)


@pytest.mark.parametrize("name", UNSEEN)
def test_a_setting_that_no_reader_sees_may_change(approved: Engine, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    change(approved, lambda _, issue: setattr(issue, "state", issues.DRAFT))
    approve(approved, rules=rules_by(monkeypatch, POSTMARK))
    rules = rules_by(monkeypatch, POSTMARK | {name: UNSEEN[name]})
    with reading(approved) as session:
        assert approving.changes_since_approval(session, rules, weekly.require(session, W47)) == []


def test_the_head_of_the_mail_keeps_the_letter_from_going_out_though_its_digest_is_the_same(
    approved: Engine, tmp_path: Path
) -> None:
    rules = replace(RULES, shown={"NEWSLETTER_FROM": "Others <others@example.com>"})
    with reading(approved) as session:
        issue = weekly.require(session, W47)
        assert weekly.compose(session, rules, issue).digest == issue.digest
    assert_refused(approved, tmp_path, "the setting NEWSLETTER_FROM was added", rules=rules)


@pytest.mark.parametrize("shows", [True, False])
def test_a_template_is_named_whether_the_change_shows_or_not(
    templates: Path, approved: Engine, tmp_path: Path, shows: bool
) -> None:
    card = templates / "parts/card.mjml"
    source = card.read_text(encoding="utf-8")
    card.write_text(
        source.replace("Would you ship it?", "Would you have it?") if shows else f"{source}{{# seen by nobody #}}"
    )
    assert card.read_text(encoding="utf-8") != source
    begin_anew()
    with reading(approved) as session:
        issue = weekly.require(session, W47)
        assert (weekly.compose(session, RULES, issue).digest != issue.digest) == shows
    assert_refused(approved, tmp_path / "box", "the template letters/parts/card.mjml was changed")


def test_a_template_that_was_broken_since_is_named_and_not_rendered(
    templates: Path, approved: Engine, tmp_path: Path
) -> None:
    (templates / "issue.mjml").write_text("{% if %}")
    begin_anew()
    with reading(approved) as session:
        first, *_ = approving.changes_since_approval(session, RULES, weekly.require(session, W47))
    assert first == "the template letters/issue.mjml was changed"
    with pytest.raises(CannotDo, match="has changed since it was approved: the template letters/issue"):
        send(approved, tmp_path / "box")


def test_another_compiler_is_named_with_both_versions(
    approved: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ingredients.VERSIONS[ingredients.COMPILER]
    monkeypatch.setitem(ingredients.VERSIONS, ingredients.COMPILER, "99.1")
    assert_refused(approved, tmp_path, f"the MJML compiler mjml-python was {before} and is 99.1")


def test_a_program_that_renders_the_same_things_otherwise_is_named(
    approved: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "WIDTH", 71)
    assert_refused(approved, tmp_path, "the program that renders it was changed")


def test_of_many_changes_five_are_named_and_the_rest_counted(approved: Engine, tmp_path: Path) -> None:
    publish(approved, "Haiku", tagline="Another tagline")
    publish(approved, "Divided", panel_ship=50, tagline="Another tagline")
    change(approved, lambda _, issue: setattr(issue, "own_subject", "Another subject"))
    change(approved, lambda _, issue: setattr(issue, "own_preheader", "Another preheader"))
    masthead = replace(RULES.masthead, name="Another name", postal_address="2 Other Street")
    with pytest.raises(CannotDo) as caught:
        send(approved, tmp_path, replace(RULES, masthead=masthead))
    assert str(caught.value) == (
        f"{PREFIX}the comparison divided-vs-codestral was changed, the comparison haiku-vs-codestral was changed, the "
        f"subject was changed, the preheader was changed, the setting NEWSLETTER_NAME was changed and 1 more{SUFFIX}"
    )


def test_of_what_was_approved_by_an_earlier_program_the_digest_alone_decides(approved: Engine, tmp_path: Path) -> None:
    change(approved, lambda _, issue: setattr(issue, "approved_of", None))
    publish(approved, "Haiku", tagline="Another tagline")
    assert_refused(approved, tmp_path, "a comparison, a template or a setting was changed")
    publish(approved, "Haiku")
    assert send(approved, tmp_path, replace(RULES, shown={"NEWSLETTER_FROM": "Others"})).state == issues.SENT


def test_what_was_approved_of_what_cannot_be_read_does_not_go_out(approved: Engine, tmp_path: Path) -> None:
    change(approved, lambda _, issue: setattr(issue, "approved_of", '{"the comparison'))
    assert_refused(approved, tmp_path, "the record of what was approved cannot be read")


def test_the_clock_holds_what_has_changed_and_it_goes_out_once_it_is_as_it_was(engine: Engine, tmp_path: Path) -> None:
    ready(engine)
    publish(engine, "Haiku", tagline="Another tagline")
    (held,) = outgoing.send_due(engine, RULES, post(tmp_path), at(TUESDAY))
    assert (held.state, held.sent) == (issues.HELD, None)
    reason = f"{PREFIX}the comparison haiku-vs-codestral was changed{SUFFIX}"
    assert issue_of(engine).held_because == reason
    assert_refused(engine, tmp_path, "the comparison haiku-vs-codestral was changed")
    publish(engine, "Haiku")
    assert send(engine, tmp_path).state == issues.SENT
    assert len(letters(tmp_path)) == 1


def test_what_has_changed_goes_out_once_it_is_approved_again(approved: Engine, tmp_path: Path) -> None:
    publish(approved, "Haiku", tagline="Another tagline")
    rules = replace(RULES, shown={"NEWSLETTER_FROM": "Others <others@example.com>"})
    with writing(approved) as session:
        approving.unapprove(session, W47)
        session.commit()
    approve(approved, rules=rules)
    assert send(approved, tmp_path, rules).state == issues.SENT
    (mail,) = letters(tmp_path)
    assert b"Another tagline" in mail


def test_nothing_counts_as_changed_before_the_approval_nor_after_the_list_was_drawn_up(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    def changed() -> list[str]:
        with reading(sqlite_engine) as session:
            return approving.changes_since_approval(session, RULES, weekly.require(session, W47))

    publish(sqlite_engine, "Haiku")
    draft(sqlite_engine)
    publish(sqlite_engine, "Haiku", tagline="Another tagline")
    assert changed() == []
    subscribe(sqlite_engine, [READER])
    approve(sqlite_engine)
    assert changed() == []
    send(sqlite_engine, tmp_path)
    publish(sqlite_engine, "Haiku", tagline="A third tagline")
    assert changed() == []
