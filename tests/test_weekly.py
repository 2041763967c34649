from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter import approving, weekly
from newsletter.comparisons import comparison
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.issues.issue import IssueComparison
from newsletter.issues.subject import MAX_PREHEADER, MAX_SUBJECT
from newsletter.issues.week import Week
from newsletter.rendering.size import fits
from newsletter.weekly import CannotDo
from tests.comparisons.samples import record, tool
from tests.newsroom import (
    IN_W46,
    IN_W47,
    MONDAY,
    RULES,
    TUESDAY,
    W46,
    W47,
    W48,
    approve,
    draft,
    issue_of,
    publish,
    titles,
)

BERLIN = replace(RULES, zone=ZoneInfo("Europe/Berlin"))


def edit(engine: Engine, week: Week = W47, subject: str | None = None, preheader: str | None = None) -> None:
    with writing(engine) as session:
        weekly.edit(session, week, subject, preheader)
        session.commit()


def test_a_draft_takes_what_no_issue_has_the_most_divided_first(engine: Engine) -> None:
    publish(engine, "Older", panel_ship=100, at=IN_W46)
    publish(engine, "Divided", panel_ship=50, at=IN_W47)
    drafted = draft(engine)
    assert (drafted.taken, drafted.rolled_on) == (2, 0)
    assert titles(engine) == ["Divided vs Codestral", "Older vs Codestral"]
    issue = issue_of(engine)
    assert (issue.state, issue.send_at, issue.created_at) == (issues.DRAFT, TUESDAY, MONDAY)
    assert issue.subject_line == "Divided 50%, Codestral 75%: ship or skip?"
    assert issue.preheader_line == "50% of the panel would ship Divided, 75% Codestral. And 1 more."


def test_the_window_ends_with_the_week_in_the_newsletters_own_zone(sqlite_engine: Engine) -> None:
    sunday_evening = datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)
    publish(sqlite_engine, "In", at=sunday_evening)
    publish(sqlite_engine, "Out", at=sunday_evening + timedelta(seconds=1))
    draft(sqlite_engine, rules=BERLIN)
    assert titles(sqlite_engine) == ["In vs Codestral"]
    assert issue_of(sqlite_engine).send_at == datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_a_late_page_rolls_into_the_next_issue_and_never_into_two(engine: Engine) -> None:
    publish(engine, "Early")
    draft(engine)
    approve(engine)
    publish(engine, "Late", at=IN_W47)
    publish(engine, "Next", at=MONDAY)
    draft(engine, W48)
    assert titles(engine, W47) == ["Early vs Codestral"]
    assert sorted(titles(engine, W48)) == ["Late vs Codestral", "Next vs Codestral"]
    with reading(engine) as session:
        places = session.exec(select(IssueComparison.comparison_id)).all()
        assert len(places) == len(set(places)) == len(comparison.list_comparisons(session))


def test_a_draft_is_refreshed_by_what_came_since_and_what_changed(engine: Engine) -> None:
    publish(engine, "Haiku", panel_ship=100)
    draft(engine)
    first = issue_of(engine)
    publish(engine, "Fresh", panel_ship=50)
    publish(engine, "Haiku", panel_ship=0)
    assert draft(engine).taken == 2
    again = issue_of(engine)
    assert titles(engine) == ["Fresh vs Codestral", "Haiku vs Codestral"]
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert again.subject_line.startswith("Fresh 50%")


def test_a_draft_that_is_drafted_again_without_news_stays_as_it_is(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    before = issue_of(sqlite_engine).model_dump()
    draft(sqlite_engine)
    assert issue_of(sqlite_engine).model_dump() == before


def test_an_empty_week_makes_no_issue(sqlite_engine: Engine) -> None:
    publish(sqlite_engine, at=MONDAY)
    assert draft(sqlite_engine) == weekly.Drafted(None)
    with reading(sqlite_engine) as session:
        assert issues.every(session) == []


def test_a_draft_that_lost_its_last_comparison_is_deleted_and_the_comparison_comes_later(engine: Engine) -> None:
    publish(engine, at=IN_W47)
    draft(engine)
    publish(engine, at=MONDAY)
    assert draft(engine).issue is None
    assert titles(engine, W47) == []
    draft(engine, W48)
    assert titles(engine, W48) == ["Haiku vs Codestral"]


def test_what_does_not_fit_rolls_on_and_comes_first_next_time(sqlite_engine: Engine) -> None:
    count = weekly.MOST_COMPARISONS + 3
    with writing(sqlite_engine) as session:
        for number in range(count):
            left, right = f"Tool {number:02}", f"Rival {number:02}"
            long = {"tagline": "“Words & <more> words” " * 12, "category": "Category " * 5, "entry_price": "$" * 30}
            sides = [tool(left, **long), tool(right, **long)]
            made = record(left, right, tools=sides, published_at=IN_W47 + timedelta(minutes=number))
            quotes = [review.model_copy(update={"quote": "“Quoted & <b>” " * 40}) for review in made.reviews]
            comparison.save(session, made.model_copy(update={"reviews": tuple(quotes)}), IN_W47)
        session.commit()
    drafted = draft(sqlite_engine)
    assert 1 < drafted.taken < count
    assert drafted.taken + drafted.rolled_on == count
    first = titles(sqlite_engine)
    assert sorted(first) == [f"Tool {number:02} vs Rival {number:02}" for number in range(drafted.taken)]
    with reading(sqlite_engine) as session:
        assert fits(weekly.compose(session, RULES, weekly.require(session, W47)))
    publish(sqlite_engine, "Fresh", at=MONDAY)
    draft(sqlite_engine, W48)
    second = titles(sqlite_engine, W48)
    assert f"Tool {drafted.taken:02} vs Rival {drafted.taken:02}" in second
    assert set(first).isdisjoint(second)


@pytest.mark.parametrize("state", [issues.APPROVED, issues.HELD, issues.SENDING, issues.SENT])
def test_only_a_draft_can_be_drafted_anew(sqlite_engine: Engine, state: str) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        session.connection().exec_driver_sql("UPDATE issues SET state = ?", (state,))
        session.commit()
    publish(sqlite_engine, "Late")
    with pytest.raises(CannotDo, match=f"^issue 2026-W47 is {state}; only a draft"):
        draft(sqlite_engine)
    assert titles(sqlite_engine) == ["Haiku vs Codestral"]


def test_approval_binds_to_the_digest_of_what_was_previewed(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        letter = approving.preview(session, RULES, W47)
        session.commit()
    digest = approve(sqlite_engine)
    issue = issue_of(sqlite_engine)
    assert digest == issue.digest == issue.previewed_digest == letter.digest
    assert (issue.state, issue.approved_at) == (issues.APPROVED, MONDAY)


@pytest.mark.parametrize("change", ["comparison", "subject", "setting"])
def test_what_changed_since_the_preview_is_not_approved(sqlite_engine: Engine, change: str) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        approving.preview(session, RULES, W47)
        session.commit()
    rules = RULES
    if change == "comparison":
        publish(sqlite_engine, tagline="Another tagline")
    elif change == "subject":
        edit(sqlite_engine, subject="Another subject")
    else:
        rules = replace(RULES, masthead=replace(RULES.masthead, postal_address="2 Other Street"))
    with writing(sqlite_engine) as session, pytest.raises(CannotDo, match="has changed since it was previewed"):
        approving.approve(session, rules, W47, MONDAY)
    assert issue_of(sqlite_engine).state == issues.DRAFT
    approve(sqlite_engine, rules=rules)  # after another look


def test_what_is_approved_cannot_be_approved_again_nor_changed(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    approve(sqlite_engine)
    with pytest.raises(CannotDo, match="is approved; only a draft can be approved"):
        approve(sqlite_engine)
    with pytest.raises(CannotDo, match=r"is approved; only a draft can be changed \(`issues unapprove 2026-W47`\?\)"):
        edit(sqlite_engine, subject="Another")


def test_an_approval_is_taken_back_and_given_again(engine: Engine) -> None:
    publish(engine)
    draft(engine)
    approve(engine)
    with writing(engine) as session:
        approving.unapprove(session, W47)
        session.commit()
    issue = issue_of(engine)
    assert (issue.state, issue.digest, issue.approved_of, issue.approved_at) == (issues.DRAFT, None, None, None)
    with writing(engine) as session, pytest.raises(CannotDo, match="is draft; there is no approval to take back"):
        approving.unapprove(session, W47)
    publish(engine, "Late")
    assert draft(engine).taken == 2
    approve(engine)


def test_an_editor_overrules_subject_and_preheader_and_takes_it_back(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    made = issue_of(sqlite_engine)
    edit(sqlite_engine, subject="  Two tools,\n one question ", preheader="Look inside")
    draft(sqlite_engine)  # a refreshed draft keeps them
    issue = issue_of(sqlite_engine)
    assert (issue.subject_line, issue.preheader_line) == ("Two tools, one question", "Look inside")
    with reading(sqlite_engine) as session:
        letter = weekly.compose(session, RULES, issue)
        assert (letter.subject, letter.preheader) == ("Two tools, one question", "Look inside")
    edit(sqlite_engine, subject="")
    issue = issue_of(sqlite_engine)
    assert (issue.subject_line, issue.preheader_line) == (made.subject, "Look inside")
    edit(sqlite_engine, preheader=" ")
    assert issue_of(sqlite_engine).preheader_line == made.preheader


def test_an_editors_words_have_to_fit_too(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    edit(sqlite_engine, subject="s" * MAX_SUBJECT, preheader="p" * MAX_PREHEADER)
    with pytest.raises(CannotDo, match="the subject has 61 characters; 60 is the most"):
        edit(sqlite_engine, subject="s" * (MAX_SUBJECT + 1))
    with pytest.raises(CannotDo, match="the preheader has 111 characters; 110 is the most"):
        edit(sqlite_engine, preheader="p" * (MAX_PREHEADER + 1))
    assert issue_of(sqlite_engine).subject_line == "s" * MAX_SUBJECT


@pytest.mark.parametrize("written", ["Ship or skip?", " Ship  or skip?\n"])
def test_the_subject_of_the_issue_before_is_refused_however_it_is_spaced(sqlite_engine: Engine, written: str) -> None:
    publish(sqlite_engine, "A", at=IN_W46)
    draft(sqlite_engine, W46)
    edit(sqlite_engine, W46, subject="Ship or skip?")
    publish(sqlite_engine, "B")
    draft(sqlite_engine, W47)
    with pytest.raises(CannotDo, match="issue 2026-W46 has this subject"):
        edit(sqlite_engine, W47, subject=written)
    assert issue_of(sqlite_engine).own_subject is None


def test_two_issues_running_never_have_one_subject_even_if_the_first_got_it_later(sqlite_engine: Engine) -> None:
    publish(sqlite_engine, "A", at=IN_W46)
    draft(sqlite_engine, W46)
    publish(sqlite_engine, "B")
    draft(sqlite_engine, W47)
    edit(sqlite_engine, W46, subject=issue_of(sqlite_engine, W47).subject_line)
    with pytest.raises(CannotDo, match="issue 2026-W46 has this subject"):
        approve(sqlite_engine, W47)
    draft(sqlite_engine, W47)  # makes another one
    approve(sqlite_engine, W47)
    assert issue_of(sqlite_engine, W47).subject_line != issue_of(sqlite_engine, W46).subject_line


def test_an_issue_that_is_not_there_is_named_with_what_makes_it(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session, pytest.raises(CannotDo) as caught:
        weekly.require(session, W47)
    assert str(caught.value) == "there is no issue 2026-W47; `newsletter issues draft --week 2026-W47` makes one"


def test_the_clock_drafts_the_ended_week_between_its_two_slots(engine: Engine) -> None:
    publish(engine)
    seven = datetime(2026, 11, 23, 7, tzinfo=UTC)
    for outside in (seven - timedelta(seconds=1), TUESDAY, TUESDAY + timedelta(days=2)):
        assert weekly.draft_due(engine, RULES, outside) is None
        assert titles(engine) == []
    drafted = weekly.draft_due(engine, RULES, seven)
    assert drafted is not None
    assert drafted.week == "2026-W47"


def test_the_clock_leaves_a_draft_to_the_editors(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    publish(sqlite_engine, "Late")
    assert weekly.draft_due(sqlite_engine, RULES, MONDAY) is None
    assert titles(sqlite_engine) == ["Haiku vs Codestral"]


def test_the_clock_makes_nothing_of_an_empty_week(sqlite_engine: Engine) -> None:
    assert weekly.draft_due(sqlite_engine, RULES, MONDAY) is None
    with reading(sqlite_engine) as session:
        assert issues.every(session) == []


@pytest.mark.parametrize("odd", ["\x1b[31m", "\u202e", "\x00", "\udcff"])
def test_a_subject_holds_nothing_that_cannot_be_seen(sqlite_engine: Engine, odd: str) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with pytest.raises(CannotDo, match=r"the subject holds a character that cannot be seen \(U\+[0-9A-F]{4}\)"):
        edit(sqlite_engine, subject=f"Two{odd} tools")
