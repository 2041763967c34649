"""What editors change of a draft: nobody overwrites anybody, everything can be taken back, and the letter says so."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter import approving, editing, revisions, steering, weekly
from newsletter.db import reading, writing
from newsletter.editors.editor import EDITOR, Editor
from newsletter.issues import issue as issues
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.versions import Version
from newsletter.issues.week import Week
from newsletter.message import Letter
from newsletter.revisions import Stale
from newsletter.weekly import CannotDo
from tests.newsroom import IN_W46, MONDAY, RULES, W46, W47, draft, publish

Act = Callable[..., object]


@pytest.fixture
def ada(engine: Engine) -> int:
    with writing(engine) as session:
        editor = Editor(email="ada@example.com", address_key="ada", name="Ada", role=EDITOR, created_at=MONDAY)
        session.add(editor)
        session.commit()
        assert editor.id is not None
        return editor.id


@pytest.fixture
def slugs(engine: Engine) -> list[str]:
    """The comparisons of a draft of week 46, in its order."""
    for left, right in (("One", "Two"), ("Three", "Four"), ("Five", "Six")):
        publish(engine, left, right, IN_W46)
    draft(engine, W46)
    return order(engine)


def order(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return [piece.slug for piece in revisions.content(session, found(session)).comparisons]


def found(session: Session, week: Week = W46) -> Issue:
    return weekly.require(session, week)


def does(
    engine: Engine, act: Act, *arguments: object, version: int | None = None, by: int | None = None, **more: object
) -> None:
    """Change the draft of week 46 in a transaction of its own, as whoever saw its newest version."""
    with writing(engine) as session:
        seen = found(session).version if version is None else version
        if act in (editing.write, revisions.undo, revisions.redo):
            act(session, RULES, W46, seen, by, MONDAY, **more)
        else:
            act(session, RULES, W46, seen, *arguments, by, MONDAY)
        session.commit()


def letter(engine: Engine) -> Letter:
    with reading(engine) as session:
        return weekly.compose(session, RULES, found(session))


def test_the_first_of_a_new_order_leads_and_gives_the_subject(engine: Engine, slugs: list[str]) -> None:
    before = letter(engine)
    does(engine, editing.arrange, slugs[::-1])
    assert order(engine) == slugs[::-1]
    after = letter(engine)
    assert after.subject != before.subject
    assert after.text.index(title(engine, slugs[-1])) < after.text.index(title(engine, slugs[0]))


def title(engine: Engine, slug: str) -> str:
    with reading(engine) as session:
        return next(one.title for one in weekly.comparisons_of(session, found(session)) if one.slug == slug)


def test_an_order_of_other_comparisons_is_refused(engine: Engine, slugs: list[str]) -> None:
    with pytest.raises(CannotDo, match="are others by now"):
        does(engine, editing.arrange, slugs[:2])
    assert order(engine) == slugs


def test_what_is_dropped_waits_for_the_next_week_and_no_refresh_brings_it_back(
    engine: Engine, slugs: list[str]
) -> None:
    does(engine, editing.postpone, slugs[1])
    with writing(engine) as session:
        editing.refresh(session, RULES, W46, None, None, MONDAY)
        session.commit()
    assert order(engine) == [slugs[0], slugs[2]]
    with writing(engine) as session:
        next_week = weekly.draft(session, RULES, W47, MONDAY)
        assert next_week.issue is not None
        assert [piece.slug for piece in revisions.content(session, next_week.issue).comparisons] == [slugs[1]]


def test_what_was_dropped_can_be_taken_in_again(engine: Engine, slugs: list[str]) -> None:
    does(engine, editing.postpone, slugs[0])
    with reading(engine) as session:
        assert [(one.slug, one.postponed_to) for one in editing.waiting(session, RULES, W46)] == [
            (slugs[0], "2026-W46")
        ]
    does(engine, editing.take_up, slugs[0])
    assert order(engine) == [*slugs[1:], slugs[0]]
    with reading(engine) as session:
        assert editing.waiting(session, RULES, W46) == []


def test_the_last_one_cannot_be_dropped(engine: Engine, slugs: list[str]) -> None:
    for slug in slugs[1:]:
        does(engine, editing.postpone, slug)
    with pytest.raises(CannotDo, match="is all that issue 2026-W46 has"):
        does(engine, editing.postpone, slugs[0])


def test_an_editors_order_stays_when_something_new_comes_in(engine: Engine, slugs: list[str]) -> None:
    does(engine, editing.arrange, [slugs[2], slugs[0], slugs[1]])
    publish(engine, "Seven", "Eight", IN_W46)
    with writing(engine) as session:
        editing.refresh(session, RULES, W46, None, None, MONDAY)
        session.commit()
    assert order(engine) == [slugs[2], slugs[0], slugs[1], "seven-vs-eight"]


def test_the_words_of_those_show_whom_an_editor_has_chosen(engine: Engine, slugs: list[str]) -> None:
    with reading(engine) as session:
        panel = weekly.comparisons_of(session, found(session))[0].seats()
    before = letter(engine)
    does(engine, editing.quote, slugs[0], panel[-1:])
    after = letter(engine)
    assert after.digest != before.digest
    does(engine, editing.quote, slugs[0], None)
    assert letter(engine).digest == before.digest


@pytest.mark.parametrize(
    ("place", "seats", "said"),
    [(0, ["nobody"], "is not on the panel"), (1, ["builder", "skeptic"], "shows the words of 1 at most")],
)
def test_words_that_there_are_not_or_for_which_there_is_no_room_are_refused(
    engine: Engine, slugs: list[str], place: int, seats: list[str], said: str
) -> None:
    with pytest.raises(CannotDo, match=said):
        does(engine, editing.quote, slugs[place], seats)


def test_whoever_saw_an_older_version_is_told_who_changed_what_and_nothing_is_saved(
    engine: Engine, slugs: list[str], ada: int
) -> None:
    does(engine, editing.write, by=ada, subject="Ada's subject")
    with pytest.raises(Stale, match=r"changed meanwhile \(Ada wrote the subject at ") as stale:
        does(engine, editing.write, version=0, subject="Bob's subject")
    assert stale.value.version == 1
    assert letter(engine).subject == "Ada's subject"
    with reading(engine) as session:
        assert approving.last_writer(session, found(session)) == ada


def test_of_two_who_change_the_same_version_at_once_one_is_told(engine: Engine, slugs: list[str]) -> None:
    ended: list[str] = []

    def change(words: str) -> None:
        try:
            does(engine, editing.write, version=0, subject=words)
        except Stale:
            ended.append("told")
        else:
            ended.append("saved")

    threads = [threading.Thread(target=change, args=(f"Subject {number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ended) == ["saved", "told"]


def test_changes_are_taken_back_one_by_one_and_done_again(engine: Engine, slugs: list[str]) -> None:
    with reading(engine) as session:
        panel = weekly.comparisons_of(session, found(session))[0].seats()
    digests = [letter(engine).digest]
    does(engine, editing.write, subject="A subject", note="A **note**")
    digests.append(letter(engine).digest)
    changes: list[tuple[Act, tuple[object, ...]]] = [
        (editing.quote, (slugs[0], panel[:1])),
        (editing.arrange, (slugs[::-1],)),
        (editing.postpone, (slugs[1],)),
    ]
    for act, arguments in changes:
        does(engine, act, *arguments)
        digests.append(letter(engine).digest)
    assert len(set(digests)) == 5
    for digest in reversed(digests[:-1]):
        does(engine, revisions.undo)
        assert letter(engine).digest == digest
    with pytest.raises(CannotDo, match="nothing was changed"):
        does(engine, revisions.undo)
    for digest in digests[1:]:
        does(engine, revisions.redo)
        assert letter(engine).digest == digest
    with pytest.raises(CannotDo, match="nothing was taken back"):
        does(engine, revisions.redo)
    with reading(engine) as session:
        issue = found(session)
        assert (
            revisions.undoes(session, issue)
            == f"dropped {editing.waiting(session, RULES, W46)[0].title} to the next week"
        )
        assert issue.version == len(session.exec(select(Version)).all()) - 1


def test_what_another_issue_has_by_now_cannot_be_brought_back(engine: Engine, slugs: list[str]) -> None:
    does(engine, editing.postpone, slugs[1])
    with writing(engine) as session:
        weekly.draft(session, RULES, W47, MONDAY)
        session.commit()
    with pytest.raises(CannotDo, match=f"{slugs[1]} is in issue 2026-W47 by now"):
        does(engine, revisions.undo)
    assert order(engine) == [slugs[0], slugs[2]]


def test_a_change_that_changes_nothing_is_no_version(engine: Engine, slugs: list[str]) -> None:
    does(engine, editing.arrange, slugs)
    with reading(engine) as session:
        assert found(session).version == 0


def test_only_a_draft_can_be_changed(engine: Engine, slugs: list[str]) -> None:
    with writing(engine) as session:
        approving.approve(session, RULES, W46, MONDAY)
        session.commit()
    with pytest.raises(CannotDo, match="only a draft can be changed"):
        does(engine, editing.arrange, slugs[::-1])


def test_a_note_that_leaves_no_room_is_refused_and_nothing_is_kept(engine: Engine, slugs: list[str]) -> None:
    with pytest.raises(CannotDo, match="characters"):
        does(engine, editing.write, subject="A subject", note="long " * 1_000)
    with reading(engine) as session:
        issue = found(session)
        assert (issue.version, issue.own_subject, versions.history(session, issue.id or 0)) == (0, None, [])


def test_a_week_that_has_nothing_left_goes_with_its_history(engine: Engine, slugs: list[str]) -> None:
    does(engine, editing.write, subject="A subject")
    with writing(engine) as session:
        for number in issues.comparison_ids(session, found(session).id or 0):
            session.add(issues.Postponed(comparison_id=number, week="2026-W46"))
        session.flush()
        assert editing.refresh(session, RULES, W46, None, None, MONDAY).issue is None
        assert session.exec(select(Version)).all() == []


def test_what_another_issue_has_by_now_is_not_put_off_by_taking_something_back(
    engine: Engine, slugs: list[str]
) -> None:
    publish(engine, "Seven", "Eight")
    does(engine, editing.postpone, slugs[1])
    draft(engine, W47)
    with writing(engine) as session:
        editing.postpone(session, RULES, W47, 0, slugs[1], None, MONDAY)
        editing.write(session, RULES, W47, 1, None, MONDAY, subject="Mine")
        session.commit()
    does(engine, editing.take_up, slugs[1])
    with writing(engine) as session:
        revisions.undo(session, RULES, W47, 2, None, MONDAY)
        session.commit()
    does(engine, editing.refresh)
    assert slugs[1] in order(engine)


def test_a_draft_that_was_called_off_and_made_anew_can_only_take_back_what_somebody_changed(
    engine: Engine, slugs: list[str]
) -> None:
    def anew() -> str | None:
        with writing(engine) as session:
            steering.cancel(session, W46)
            editing.refresh(session, RULES, W46, None, None, MONDAY)
            session.commit()
            return revisions.undoes(session, found(session))

    assert anew() is None
    does(engine, editing.arrange, slugs[::-1])
    assert anew() is not None
    does(engine, revisions.undo)
    assert order(engine) == slugs[::-1]
