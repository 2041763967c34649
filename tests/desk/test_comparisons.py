"""The store at the desk: what is in it, and bringing more in."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from newsletter.assembly import Assembly
from newsletter.comparisons import comparison, shelf
from newsletter.comparisons.record import Comparison
from newsletter.db import reading, writing
from newsletter.editors import log
from newsletter.issues.issue import Postponed
from tests.comparisons.samples import page, record
from tests.desk.world import At, sign_in
from tests.web.conftest import browser
from tests.web.world import W46, MakeAssembly, a_comparison, approve, draft, everything, keep, send

IMPORT = "/desk/import-comparisons"


def lines(*records: Comparison) -> str:
    return "\n".join(each.model_dump_json() for each in records)


def stored(assembly: Assembly) -> list[str]:
    with reading(assembly.engine) as session:
        return [one.record.title for one in comparison.list_comparisons(session)]


def otherwise(before: Comparison, **fields: Any) -> Comparison:
    """The same comparison with something else of its left tool."""
    left, right = before.tools
    return before.model_copy(update={"tools": (left.model_copy(update=fields), right)})


def test_each_comparison_says_where_it_is(assembly: Assembly, editor: At) -> None:
    send(assembly, a_comparison("Old", "Thing", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison())
    draft(assembly)
    keep(assembly, a_comparison("Fresh", "Bread"), a_comparison("Put", "Off"))
    with writing(assembly.engine) as session:
        off = comparison.by_slug(session, "put-vs-off")
        assert off
        session.add(Postponed(comparison_id=off.id, week="2026-W47"))
        session.commit()

    shown = editor.get("/desk/comparisons")
    rows = {row.split("</bdi>")[0].rpartition(">")[2]: row for row in shown.split("<tr>")[2:]}
    assert "/desk/issues/2026-W46" in rows["Old vs Thing"]
    assert "draft" in rows["Inkwell vs Gantry"]
    assert "past 2026-W47" in rows["Put vs Off"]
    assert "waits for the next issue" in rows["Fresh vs Bread"]


def test_a_long_list_is_paged_by_key_and_nothing_is_missed(assembly: Assembly) -> None:
    names = [f"Tool{number:02}" for number in range(7)]
    keep(assembly, *(a_comparison(name) for name in names))  # all published at one moment
    found, before = [], None
    with reading(assembly.engine) as session:
        for _ in range(4):
            one = shelf.browse(session, "", before, most=2)
            found += [each.record.tools[0].name for each in one.stored]
            before = one.next

    assert before is None
    assert found == list(reversed(names))


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [("ink", ["Inkwell vs Gantry"]), ("GANTRY", ["Inkwell vs Gantry"]), ("well", []), ("50%_", ["50%_off vs Other"])],
)
def test_the_search_looks_at_how_titles_and_tools_begin(
    assembly: Assembly, editor: At, wanted: str, titles: list[str]
) -> None:
    keep(assembly, a_comparison(), a_comparison("50%_off", "Other"), a_comparison("50x_off", "Another"))
    shown = editor.client.get("/desk/comparisons", params={"q": wanted}).text
    assert [title for title in stored(assembly) if f"<bdi>{title}</bdi>" in shown] == titles


@pytest.mark.parametrize("before", ["nonsense", "2026-11-17T12:00:00~1", "2026-11-17T12:00:00Z~99999999999999999999"])
def test_a_place_that_is_none_is_the_beginning(assembly: Assembly, editor: At, before: str) -> None:
    keep(assembly, a_comparison())
    assert "Inkwell vs Gantry" in editor.client.get("/desk/comparisons", params={"before": before}).text


def test_one_comparison_is_shown_whole_and_names_are_text(assembly: Assembly, editor: At) -> None:
    keep(assembly, a_comparison("<script>alert(1)</script>", "Gantry", slug="odd"))
    shown = editor.get("/desk/comparisons/odd")
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "The founder speaks of Gantry." in shown
    editor.get("/desk/comparisons/there-is-none", 404)


@pytest.mark.parametrize(
    ("text", "kind"),
    [(lines(a_comparison("A", "B"), a_comparison("C", "D")), ""), (page(record()), ""), (page(record()), ".txt")],
    ids=["lines", "a page", "a page, said so"],
)
def test_looking_stores_nothing_and_storing_stores_it(assembly: Assembly, editor: At, text: str, kind: str) -> None:
    before = everything(assembly)
    shown = editor.post(IMPORT, {"text": text, "kind": kind, "do": "look"})
    assert shown.status_code == 200
    assert "What would be stored" in shown.text
    assert everything(assembly) == before

    said = editor.does(IMPORT, {"text": text, "kind": kind, "do": "store"})
    assert "Stored: " in said
    assert stored(assembly)
    with reading(assembly.engine) as session:
        (entry,) = log.newest(session)
    assert (entry.act, entry.editor_id) == ("brought comparisons in", editor.editor_id)
    again = editor.does(IMPORT, {"text": text, "kind": kind, "do": "store"})
    assert "nothing that was not there already" in again


@pytest.mark.parametrize("do", ["look", "store"])
def test_what_is_wrong_is_named_with_its_line_and_nothing_of_it_is_stored(
    assembly: Assembly, editor: At, do: str
) -> None:
    text = lines(a_comparison("A", "B")) + '\n{"title": "half"}'
    answer = editor.post(IMPORT, {"text": text, "do": do})
    assert answer.status_code == 422
    assert "Line 2:" in answer.text
    assert "half" in answer.text  # what was pasted is still there
    assert not stored(assembly)


@pytest.mark.parametrize("sent", [{"text": "  "}, {"text": "x", "published_at": "next Tuesday"}])
def test_what_cannot_be_meant_is_said(editor: At, sent: dict[str, str]) -> None:
    assert 'role="alert"' in editor.post(IMPORT, {**sent, "do": "look"}).text


def test_a_page_is_published_when_the_editor_says_in_the_newsletters_zone(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly
) -> None:
    assembly = make_assembly(database_url=new_database(kind), timezone="Europe/Berlin")
    someone = sign_in(assembly, browser(assembly), "editor")
    someone.does(IMPORT, {"text": page(record()), "published_at": "2026-11-18T09:00", "do": "store"})
    with reading(assembly.engine) as session:
        (one,) = comparison.list_comparisons(session)
    assert one.record.published_at
    assert one.record.published_at.isoformat() == "2026-11-18T08:00:00+00:00"


def test_a_change_that_breaks_an_approval_is_said_before_and_after(assembly: Assembly, editor: At) -> None:
    send(assembly, a_comparison("Old", "Thing", published_at="2026-11-10T12:00:00Z"), week=W46)
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    text = lines(otherwise(a_comparison(), tagline="Something else"))

    shown = editor.post(IMPORT, {"text": text, "do": "look"}).text
    assert "tagline of Inkwell" in shown
    assert "the approval will not hold" in shown
    assert "is to be approved again" in editor.does(IMPORT, {"text": text, "do": "store"})

    old = a_comparison("Old", "Thing", published_at="2026-11-10T12:00:00Z")
    shown = editor.post(IMPORT, {"text": lines(otherwise(old, tagline="New")), "do": "look"}).text
    assert "the letter stays as it was sent" in shown
    assert "the approval will not hold" not in shown


def test_a_small_file_goes_on_as_if_it_had_been_pasted_and_a_large_one_is_stored_whole(
    assembly: Assembly, editor: At
) -> None:
    small = {"file": ("week.jsonl", lines(a_comparison("A", "B")).encode())}
    shown = editor.post(f"{IMPORT}/file", files=small).text
    assert "What would be stored" in shown
    assert 'value="store"' in shown
    assert "&#34;title&#34;:&#34;A vs B&#34;" in shown
    assert not stored(assembly)

    large = lines(*(a_comparison(f"Tool{number}") for number in range(60))).encode()
    assert len(large) > 64 * 1024
    shown = editor.post(f"{IMPORT}/file", files={"file": ("weeks.jsonl", large)}).text
    assert "choose it again" in shown
    assert not stored(assembly)
    assert editor.post(f"{IMPORT}/file/store", files={"file": ("weeks.jsonl", large)}).status_code == 303
    assert len(stored(assembly)) == 60


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"title": "half"}', "Line 1:"),
        (b"\x00\x01", "no UTF-8 text"),
        (b"", "the file is empty"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_file_is_named_and_leaves_nothing(assembly: Assembly, editor: At, content: bytes, says: str) -> None:
    before = everything(assembly)["comparisons"]
    answer = editor.post(f"{IMPORT}/file/store", files={"file": ("<b>.json", content)})
    assert answer.status_code == 422
    assert says in answer.text
    assert "<b>.json" not in answer.text
    assert everything(assembly)["comparisons"] == before


def test_a_file_that_is_too_large_is_not_read(editor: At) -> None:
    answer = editor.post(f"{IMPORT}/file/store", files={"file": ("all.txt", b"x" * (2 * 1024 * 1024 + 1))})
    assert answer.status_code == 413
    assert "larger than 2 MB" in answer.text


@pytest.mark.parametrize(
    ("zone", "at"), [("Europe/Berlin", "9999-12-31T23:59:59Z"), ("America/New_York", "0001-01-01T00:00:00Z")]
)
def test_a_date_that_has_no_name_in_our_zone_is_refused_and_no_page_breaks(
    new_database: Callable[[str], str], make_assembly: MakeAssembly, zone: str, at: str
) -> None:
    assembly = make_assembly(database_url=new_database("sqlite"), timezone=zone)
    somebody = sign_in(assembly, browser(assembly), "editor")
    dated = json.dumps(json.loads(lines(a_comparison())) | {"published_at": at})
    undated = json.dumps(json.loads(lines(a_comparison())) | {"published_at": None})
    for typed in ({"text": dated}, {"text": undated, "published_at": at}):
        answer = somebody.post(IMPORT, {**typed, "kind": ".jsonl", "do": "store"})
        assert answer.status_code == 422
    assert stored(assembly) == []
    assert somebody.get("/desk/comparisons")
