"""Writing the week: each change is saved at once and noted, and nobody's work is overwritten that was not seen."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlmodel import col, select

from newsletter import editing, revisions, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.editors.editor import EDITOR
from newsletter.editors.log import Entry
from newsletter.issues import versions
from newsletter.issues.issue import Issue
from newsletter.issues.subject import MAX_SUBJECT
from newsletter.revisions import Content
from newsletter.web.desk.inbox_line import LINES, in_words
from newsletter.web.desk.written import TEXTS, seats_chosen
from tests.desk.world import At
from tests.web.world import NOW, W47, Parsed, a_comparison, draft, everything, keep

PATH = f"/desk/issues/{W47}"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def drafted(assembly: Assembly) -> Assembly:
    """A week of three comparisons."""
    keep(assembly, a_comparison(), a_comparison("Ruff", "Flake8"), a_comparison("Otter", "Pike"))
    draft(assembly)
    return assembly


def stands(assembly: Assembly) -> Content:
    with reading(assembly.engine) as session:
        return revisions.content(session, weekly.require(session, W47))


def issue(assembly: Assembly) -> Issue:
    with reading(assembly.engine) as session:
        return weekly.require(session, W47)


def order(assembly: Assembly) -> list[str]:
    return [piece.slug for piece in stands(assembly).comparisons]


class Forms(HTMLParser):
    """The forms of a page: where each leads, what it brings by itself, and what can be typed into it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str], set[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}, set()))
        elif tag == "input" and given.get("type") == "hidden" and self.forms:
            self.forms[-1][1][given["name"]] = given["value"]
        elif tag in ("input", "textarea") and self.forms:
            self.forms[-1][2].add(given.get("name", ""))


def change(at: At, act: str, data: dict[str, str], page: str | None = None, **headers: str) -> Any:
    """Send one of the page's forms, filled in; `page`: as it was seen when it was opened."""
    typed = set(data) & set(TEXTS)
    for action, brings, fields in Forms(page or at.get(f"{PATH}/write")).forms:
        if action == f"{PATH}/{act}" and brings.get("slug") == data.get("slug") and typed <= fields:
            return at.client.post(action, data=brings | data, headers=headers)
    raise AssertionError(f"no form leads to {act} with {data}")


def follow(at: At, answer: Any) -> str:
    assert answer.status_code == 303, answer.text[:1500]
    return at.get(answer.headers["location"])


def log_of(assembly: Assembly) -> list[str]:
    with reading(assembly.engine) as session:
        return list(session.exec(select(Entry.act).where(Entry.week == str(W47)).order_by(col(Entry.id))))


def by_somebody_else(assembly: Assembly, sign_in_as: Callable[..., At], **texts: str) -> At:
    """Another editor, who has written some texts meanwhile."""
    other = sign_in_as(EDITOR, "zoe@example.com")
    with writing(assembly.engine) as session:
        editing.write(session, assembly.rules, W47, None, other.editor_id, NOW, **texts)
        session.commit()
    return other


def test_a_plain_browser_changes_all_that_can_be_changed(drafted: Assembly, editor: At) -> None:
    was = order(drafted)
    page = follow(editor, change(editor, "arrange", {"slug": was[2], "move": "lead"}))
    assert order(drafted) == [was[2], was[0], was[1]]
    assert "is number 1 of 3 now." in page
    follow(editor, change(editor, "arrange", {"slug": was[2], "move": "down"}))
    assert order(drafted) == [was[0], was[2], was[1]]
    page = follow(editor, change(editor, "arrange", {"slug": "", "slugs": " ".join(was)}))
    assert order(drafted) == was
    follow(editor, change(editor, "postpone", {"slug": was[1]}))
    assert order(drafted) == [was[0], was[2]]
    page = follow(editor, change(editor, "take-up", {"slug": was[1]}))
    assert order(drafted) == [was[0], was[2], was[1]]
    follow(editor, change(editor, "quote", {"slug": was[2], "seat-0": "futurist"}))
    assert stands(drafted).comparisons[1].quoted == ("futurist",)
    page = follow(editor, change(editor, "write", {"subject": "  A   subject  "}))
    assert 'value="A subject"' in page
    with reading(drafted.engine) as session:
        told = [version.what for version, name in versions.history(session, issue(drafted).id or 0) if name == "Editor"]
    assert log_of(drafted) == told[::-1]
    assert len(told) == 7 == issue(drafted).version
    for _ in range(7):
        follow(editor, change(editor, "undo", {}))
    assert (order(drafted), stands(drafted).subject) == (was, "")
    follow(editor, change(editor, "redo", {}))
    assert issue(drafted).version == 15


def test_what_changes_nothing_makes_no_version_and_no_entry(drafted: Assembly, editor: At) -> None:
    first = order(drafted)[0]
    follow(editor, change(editor, "arrange", {"slug": first, "move": "up"}))
    follow(editor, change(editor, "write", {"subject": " "}))
    page = follow(editor, change(editor, "undo", {}))
    assert "Nothing was changed in issue" in page
    assert (issue(drafted).version, log_of(drafted)) == (0, [])


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize(
    ("part", "typed", "wrong"),
    [
        ("subject", "x" * (MAX_SUBJECT + 1), "61 characters"),
        ("preheader", "a\u202eb", "cannot be seen"),
        ("note", "see [this](http://example.com)", "https pages only"),
    ],
)
def test_a_text_that_cannot_be_taken_stays_on_the_page(
    drafted: Assembly, editor: At, part: str, typed: str, wrong: str, htmx: bool
) -> None:
    before = everything(drafted)
    answer = change(editor, "write", {part: typed}, **(HTMX if htmx else {}))
    assert answer.status_code == (200 if htmx else 422)
    assert wrong in unescape(answer.text)
    if not htmx:
        assert typed in unescape(answer.text)
    assert everything(drafted) == before


def test_the_same_text_written_by_two_is_never_overwritten_unseen(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At]
) -> None:
    opened = editor.get(f"{PATH}/write")
    by_somebody_else(drafted, sign_in_as, subject="Theirs")
    answer = change(editor, "write", {"subject": "Mine"}, opened)
    assert answer.status_code == 409
    page = unescape(answer.text)
    assert "Editor changed the subject meanwhile (08:00: wrote the subject). Yours is not saved yet." in page
    assert 'value="Mine"' in page
    assert "Theirs" in page
    assert stands(drafted).subject == "Theirs"
    # Whoever tries again without having decided is asked again, though the page knows the newest version now.
    assert change(editor, "write", {"subject": "Mine"}, opened).status_code == 409
    keep_mine = re.search(r'name="keep" value="(\w+)"', answer.text)
    assert keep_mine
    follow(editor, change(editor, "write", {"subject": "Mine", "keep": keep_mine[1]}, opened))
    assert stands(drafted).subject == "Mine"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_who_save_the_same_text_at_once_one_is_asked(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At]
) -> None:
    opened = [(at, at.get(f"{PATH}/write")) for at in (editor, sign_in_as(EDITOR, "zoe@example.com"))]
    together = threading.Barrier(len(opened))

    def save(at: At, page: str) -> int:
        together.wait(10)
        return int(change(at, "write", {"subject": f"Of {at.email}"}, page).status_code)

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(save, *zip(*opened, strict=True)))
    assert sorted(answers) == [303, 409]
    assert stands(drafted).subject == f"Of {opened[answers.index(303)][0].email}"
    assert issue(drafted).version == 1


def test_two_who_write_different_texts_do_not_disturb_each_other(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At]
) -> None:
    opened = editor.get(f"{PATH}/write")
    by_somebody_else(drafted, sign_in_as, note="A note of theirs")
    answer = change(editor, "write", {"subject": "Mine"}, opened, **HTMX)
    assert (stands(drafted).subject, stands(drafted).note) == ("Mine", "A note of theirs")
    assert 'data-note="A note of theirs"' in answer.text  # and this page learns of it
    assert 'id="list"' in answer.text
    follow(editor, change(editor, "arrange", {"slug": order(drafted)[1], "move": "lead"}, opened))
    assert issue(drafted).version == 3


@pytest.mark.parametrize("act", ["arrange", "postpone", "quote"])
def test_an_order_that_was_changed_meanwhile_is_not_changed_unseen(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At], act: str
) -> None:
    opened = editor.get(f"{PATH}/write")
    other = sign_in_as(EDITOR, "zoe@example.com")
    was = order(drafted)
    follow(other, change(other, "arrange", {"slug": was[2], "move": "lead"}))
    sent = {"slug": was[1], "move": "up", "seat-0": "skeptic"}
    page = follow(editor, change(editor, act, sent, opened))
    assert re.search(r"has changed meanwhile \(Editor made .* the lead at 08:00\), so that this was not saved", page)
    assert order(drafted) == [was[2], was[0], was[1]]
    part = change(editor, act, sent, opened, **HTMX)
    assert part.status_code == 200
    assert "so that this was not saved" in part.text
    assert 'id="list"' in part.text


def test_nobody_takes_back_a_change_that_they_did_not_see(
    drafted: Assembly, editor: At, sign_in_as: Callable[..., At]
) -> None:
    follow(editor, change(editor, "write", {"subject": "Mine"}))
    opened = editor.get(f"{PATH}/write")
    by_somebody_else(drafted, sign_in_as, note="Theirs")
    assert "so that this was not saved" in follow(editor, change(editor, "undo", {}, opened))
    assert stands(drafted).note == "Theirs"


def test_a_change_answers_with_the_parts_that_are_others_now(drafted: Assembly, editor: At) -> None:
    slug = order(drafted)[1]
    answer = change(editor, "arrange", {"slug": slug, "move": "lead"}, **HTMX)
    parts = {str(tag["id"]) for _, tag in Parsed(answer.text).tags if tag.get("hx-swap-oob") == "true"}
    assert parts == {"newest", "last", "list", "inbox", "letter"}
    assert 'data-version="1"' in answer.text
    assert unescape(issue(drafted).subject) in unescape(answer.text)
    # Saving a text leaves the list alone, in which somebody may be choosing.
    answer = change(editor, "write", {"subject": "Mine"}, **HTMX)
    assert 'id="list"' not in answer.text


def test_a_note_is_shown_as_it_will_read_and_nothing_is_saved(drafted: Assembly, editor: At) -> None:
    before = everything(drafted)
    shown = editor.post(f"{PATH}/note", {"note": "A **bold** <script>alert(1)</script> word"}).text
    assert "<strong>bold</strong>" in shown
    assert "<script>" not in shown
    assert "https pages only" in editor.post(f"{PATH}/note", {"note": "[x](http://example.com)"}).text
    assert "There is no note" in editor.post(f"{PATH}/note", {"note": " "}).text
    assert "larger" not in editor.get(f"{PATH}/size", 200, **HTMX)
    assert everything(drafted) == before


def test_who_is_chosen_twice_changes_places() -> None:
    assert seats_chosen(("a", "b", "c", "d"), ["c", "b", "c", "d"]) == ["c", "b", "a", "d"]
    assert seats_chosen(("a", "b", "c", "d"), ["a", "b", "", "d"]) == ["a", "b", "d"]
    assert seats_chosen(("a", "b", ""), ["a", "b", "c"]) == ["a", "b", "c"]
    assert seats_chosen(("a",), ["b"]) == ["b"]
    assert seats_chosen(("a", "b"), ["", ""]) == []


def test_the_lead_shows_the_words_of_whom_an_editor_chose_in_that_order(drafted: Assembly, editor: At) -> None:
    lead = order(drafted)[0]
    chosen = {"seat-0": "founder", "seat-1": "skeptic", "seat-2": "", "seat-3": ""}
    follow(editor, change(editor, "quote", {"slug": lead, **chosen}))
    assert stands(drafted).comparisons[0].quoted == ("founder", "skeptic")
    letter = editor.get(f"{PATH}/letter.html")
    assert letter.index("The founder speaks") < letter.index("The skeptic speaks")
    page = follow(editor, change(editor, "quote", {"slug": lead}))
    assert stands(drafted).comparisons[0].quoted is None
    assert "Most telling words" not in page


def test_lists_of_messages_show_about_so_much() -> None:
    desk, phone, _ = LINES
    assert in_words(phone, "x" * 38, "y" * 42) == "all of the subject’s characters, all of the preheader’s"
    assert "about 38 of 60" in in_words(phone, "x" * 60, "y")
    assert desk.of_preheader("x" * 50) == 60
    assert "about 60 of 100" in in_words(desk, "x" * 50, "y" * 100)


def test_a_version_says_who_wrote_which_text(drafted: Assembly, editor: At) -> None:
    with writing(drafted.engine) as session:
        for number, subject in enumerate(("One", "Two")):
            editing.write(session, drafted.rules, W47, None, editor.editor_id, NOW, subject=subject)
            editing.write(session, drafted.rules, W47, None, None, NOW, note=f"Note {number}")
        session.commit()
        number = issue(drafted).id or 0
        wrote = {part: versions.wrote(session, number, part) for part in ("subject", "note", "preheader")}
    assert wrote["subject"] is not None
    assert (wrote["subject"][0].number, wrote["subject"][1]) == (3, "Editor")
    assert wrote["note"] is not None
    assert (wrote["note"][0].number, wrote["note"][1]) == (4, None)
    assert wrote["preheader"] is None
