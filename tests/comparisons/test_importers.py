import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.comparisons import importers
from newsletter.comparisons.comparison import ComparisonRow, ToolRow, list_comparisons
from newsletter.comparisons.importers import BadFile, ImportFileError, Report, import_paths, read_file
from newsletter.db import reading, writing
from tests.comparisons.samples import NOW, SEEDS, data, needs_seeds, page, record, tool

REPO = Path(__file__).parents[2]


def run(engine: Engine, *paths: Path) -> Report:
    with writing(engine) as session:
        report = import_paths(session, paths, None, NOW)
        session.commit()
    return report


def slugs(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return sorted(each.record.slug or "" for each in list_comparisons(session))


def refused(path: Path) -> ImportFileError:
    with pytest.raises(ImportFileError) as caught:
        read_file(path, None)
    assert "\n" not in caught.value.reason
    assert "pydantic" not in caught.value.reason.lower()
    return caught.value


def write(path: Path, content: Any) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@needs_seeds
def test_the_real_pages_go_in_once(engine: Engine) -> None:
    first = run(engine, SEEDS)
    assert not first.bad
    assert {each.change for each in first.imported} == {"new"}
    again = run(engine, SEEDS)
    assert {each.change for each in again.imported} == {"unchanged"}
    assert slugs(engine) == sorted(each.slug for each in first.imported)
    assert "claude-haiku-open-weights-vs-mistral-8x22b-v2" in slugs(engine)


def test_the_bundled_sample_is_good() -> None:
    path = REPO / "newsletter" / "sample" / "comparisons.jsonl"
    assert len(read_file(path, None)) == len({each.title for each in read_file(path, None)}) > 0


def test_pages_and_json_without_a_date_are_given_one(tmp_path: Path) -> None:
    dated = data(published_at="2026-01-02T03:04:05+02:00")
    paths = [
        write(tmp_path / "a.txt", page(record())),
        write(tmp_path / "b.json", data()),
        write(tmp_path / "c.JSON", [dated]),
    ]
    given = [read_file(path, NOW)[0].published_at for path in paths]
    assert given[:2] == [NOW, NOW]
    assert str(given[2]) == "2026-01-02 01:04:05+00:00"
    assert [read_file(path, None)[0].published_at for path in paths[:2]] == [None, None]


def test_json_holds_one_object_or_many(tmp_path: Path) -> None:
    one, other = data(), data("A", "B")
    assert len(read_file(write(tmp_path / "a.json", one), None)) == 1
    assert len(read_file(write(tmp_path / "b.json", "\ufeff" + json.dumps([one, other], indent=2)), None)) == 2
    assert read_file(write(tmp_path / "c.json", "[\r\n]\r\n"), None) == []
    lines = f"{json.dumps(one)}\r\n\r\n{json.dumps(other)}"
    assert [each.title for each in read_file(write(tmp_path / "d.jsonl", lines), None)] == [
        "Haiku vs Codestral 2.1",
        "A vs B",
    ]


def test_where_a_comparison_went_out_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [data(issue="2026-W47"), data(issue=None)])
    assert read_file(path, None) == [record(), record()]


BAD_TOOL = data(tools=[tool("Haiku"), tool("Codestral 2.1", panel_ship=101)])
BAD_JSON = {
    "not JSON": ("a.json", '{\n "title": }', 2, "is not JSON"),
    "cut off": ("a.json", f"[\n{json.dumps(data())}", 2, "comma or ]"),
    "a number": ("a.json", "7", 1, "must be an object"),
    "no comma": ("a.json", f"[{json.dumps(data())}\n{json.dumps(data())}]", 2, "comma"),
    "open array": ("a.json", f"[{json.dumps(data())}\n", 2, "comma or ]"),
    "comma at the end": ("a.json", f"[{json.dumps(data())},\n]", 2, "is not JSON"),
    "more": ("a.json", f"{json.dumps(data())}\n\n7", 3, "more follows"),
    "NaN": ("a.json", '{"title": NaN}', 1, "NaN"),
    "infinity": ("a.json", '{"title": -Infinity}', 1, "-Infinity"),
    "same key": ("a.json", '\n{"title": "a", "title": "b"}', 2, "'title' stands twice"),
    "deep": ("a.json", "[" * 200_000, 1, "nested too deeply"),
    "deep object": ("a.jsonl", "\n" + '{"a":' * 200_000, 2, "nested too deeply"),
    "long number": ("a.json", "9" * 5000, 1, "too long"),
    "share": (
        "a.json",
        f"[{json.dumps(data())},\n{json.dumps(BAD_TOOL)}]",
        2,
        "item 2: tools.1.panel_ship must be 100",
    ),
    "share in lines": (
        "a.jsonl",
        f"{json.dumps(data())}\n\n{json.dumps(BAD_TOOL)}",
        3,
        "tools.1.panel_ship must be 100",
    ),
    "not lines": ("a.jsonl", json.dumps(data(), indent=1), 1, "is not JSON"),
    "two in a line": ("a.jsonl", "{} {}", 1, "more follows"),
    "missing": ("a.json", "{}", 1, "title is missing; tools is missing; reviews is missing"),
    "unknown": ("a.json", json.dumps(data(colour="red")), 1, "colour is not a field"),
    "one tool": ("a.json", json.dumps(data(tools=[tool("A")])), 1, "tools.1 is missing"),
    "three tools": ("a.json", json.dumps(data(tools=[tool("A")] * 3)), 1, "tools must hold 2"),
    "same tools": ("a.json", json.dumps(data(tools=[tool("Haiku"), tool("haiku")])), 1, "both tools are called"),
    "no reviews": ("a.json", json.dumps(data(reviews=[])), 1, "reviews must hold 2 or more"),
    "half a pair": ("a.json", json.dumps(data(reviews=data()["reviews"][1:])), 1, "each seat must speak once"),
    "no offset": ("a.json", json.dumps(data(published_at="2026-01-02T03:04:05")), 1, "with an offset"),
    "seconds": ("a.json", json.dumps(data(published_at=1_700_000_000)), 1, "with an offset"),
    "no day": ("a.json", json.dumps(data(published_at="2026-02-30T03:04:05Z")), 1, "published_at must be a date"),
    "no year": ("a.json", json.dumps(data(published_at="0001-01-01T00:00:00+05:00")), 1, "out of reach"),
    "slug": ("a.json", json.dumps(data(slug="A b")), 1, "slug must be small letters"),
    "url": ("a.json", json.dumps(data(url="javascript:alert(1)")), 1, "url must be an address"),
    "NUL in text": ("a.json", json.dumps(data(title="a\0b")), 1, "U+0000"),
    "two lines": ("a.json", json.dumps(data(title="a\nBcc: b")), 1, "title must be one line"),
    "half a character": ("a.json", json.dumps(data(title="a\ud800")), 1, "lone surrogate"),
    "blank": ("a.json", json.dumps(data(title=" \u00a0")), 1, "title is empty"),
    "truth": ("a.json", json.dumps(data(tools=[tool("Haiku", panel_ship=True), tool("B")])), 1, "whole number"),
}


@pytest.mark.parametrize(("name", "content", "line", "reason"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_json_is_named_with_line_and_reason(
    tmp_path: Path, name: str, content: str, line: int, reason: str
) -> None:
    error = refused(write(tmp_path / name, content))
    assert reason in error.reason
    assert error.line == line


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "empty"),
        (b"\xef\xbb\xbf\n \n", 1, "empty"),
        (b"one\r\ntwo\r\xff", 3, "not UTF-8 (byte 0xFF)"),
        ("Grüße".encode("utf-16"), 1, "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", 3, "NUL"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, name: str, content: bytes, line: int, reason: str) -> None:
    error = refused(write(tmp_path / name, content))
    assert reason in error.reason
    assert error.line == line


def test_a_bad_page_is_named_with_its_line(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "a.txt", page(record()).replace("75%", "7.5%", 1)))
    assert error.line == 7
    assert "whole percentage" in error.reason


def test_a_file_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importers, "MAX_SIZE", 1024**2)
    assert refused(write(tmp_path / "a.txt", "x" * (1024**2 + 1))).reason == "is larger than 1 MB: split it"


def test_a_path_that_leads_to_no_file_is_one_clear_line(tmp_path: Path, sqlite_engine: Engine) -> None:
    empty, pipe, link, folder = (tmp_path / name for name in ("empty", "pipe.txt", "link.txt", "folder.txt"))
    empty.mkdir()
    (empty / "README.md").write_text("x")
    folder.mkdir()
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nowhere")
    report = run(sqlite_engine, tmp_path / "no.txt", tmp_path / "no", empty, empty / "README.md", pipe, link, folder)
    assert [str(each) for each in report.bad] == [
        f"{tmp_path}/no.txt: there is no such file",
        f"{tmp_path}/no: there is no such file",
        f"{empty}: this directory holds no .txt, .json or .jsonl file",
        f"{empty}/README.md: ends with none of .txt, .json or .jsonl, which say how to read it",
        f"{pipe}: is not a file",
        f"{link}: there is no such file",
        f"{folder}: this directory holds no .txt, .json or .jsonl file",
    ]


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")  # root, who may run the tests, is never denied

    monkeypatch.setattr(importers, "_head", denied)
    assert refused(write(tmp_path / "a.txt", "x")).reason == "cannot be read: Permission denied"


def test_a_directory_is_its_files_by_name(tmp_path: Path, sqlite_engine: Engine) -> None:
    for name in ("b.txt", "a.TXT"):
        write(tmp_path / name, page(record(name[0], "other")))
    write(tmp_path / "c.jsonl", data("c", "other"))
    for ignored in ("README.md", ".hidden.txt"):
        write(tmp_path / ignored, "x")
    (tmp_path / "deeper").mkdir()
    seen: list[Path] = []
    with writing(sqlite_engine) as session:
        report = import_paths(session, [tmp_path], None, NOW, seen.append)
    assert [each.title for each in report.imported] == ["a vs other", "b vs other", "c vs other"]
    assert [path.name for path in seen] == ["a.TXT", "b.txt", "c.jsonl"]


def test_a_bad_file_leaves_nothing_and_the_good_ones_go_in(tmp_path: Path, engine: Engine) -> None:
    first = write(tmp_path / "1.json", data("One", "Two"))
    half_bad = write(tmp_path / "2.jsonl", f"{json.dumps(data('Three', 'Four'))}\n{json.dumps(BAD_TOOL)}")
    last = write(tmp_path / "3.txt", page(record("Five", "Six")))
    report = run(engine, first, half_bad, last)
    assert slugs(engine) == ["five-vs-six", "one-vs-two"]
    assert report.bad == [BadFile(half_bad, 2, "tools.1.panel_ship must be 100 or less")]
    with Session(engine) as session:
        assert sorted(session.exec(select(ToolRow.name)).all()) == ["Five", "One", "Six", "Two"]


def test_two_files_may_repeat_a_comparison_but_not_contradict(tmp_path: Path, engine: Engine) -> None:
    good = write(tmp_path / "1.txt", page(record()))
    same = write(tmp_path / "2.json", data())
    other = data(tools=[tool("Haiku", panel_ship=50), tool("Codestral 2.1")])
    contradicts = write(tmp_path / "3.jsonl", f"{json.dumps(data('New', 'Newer'))}\n{json.dumps(other)}")
    report = run(engine, good, same, contradicts)
    assert [each.change for each in report.imported] == ["new", "unchanged"]
    assert [each.path for each in report.bad] == [contradicts]
    assert "panel_ship of Haiku: 75 → 50" in report.bad[0].reason
    assert str(good) in report.bad[0].reason or str(same) in report.bad[0].reason
    assert slugs(engine) == ["haiku-vs-codestral-2-1"]


def test_namesakes_make_a_file_bad_that_does_not_say_which(tmp_path: Path, sqlite_engine: Engine) -> None:
    run(sqlite_engine, write(tmp_path / "1.json", [data(slug="spring"), data(slug="autumn")]))
    report = run(sqlite_engine, write(tmp_path / "2.txt", page(record())))
    assert "say which by its slug (autumn, spring)" in report.bad[0].reason


def test_what_is_listed_can_be_imported_again(tmp_path: Path, engine: Engine) -> None:
    run(engine, write(tmp_path / "1.txt", page(record())))
    with reading(engine) as session:
        listed = [each.record.model_dump(mode="json") | {"issue": "2026-W47"} for each in list_comparisons(session)]
    assert [each.change for each in run(engine, write(tmp_path / "2.json", listed)).imported] == ["unchanged"]


def test_a_new_date_is_only_taken_where_it_is_given(tmp_path: Path, engine: Engine) -> None:
    path = write(tmp_path / "1.txt", page(record()))
    run(engine, path)
    later = NOW.replace(day=25)
    changes = []
    for published_at in (None, later):
        with writing(engine) as session:
            changes.append(import_paths(session, [path], published_at, later).imported[0])
            session.commit()
    assert [each.change for each in changes] == ["unchanged", "updated"]
    assert changes[1].changes == (f"published_at: {NOW} → {later}",)
    with Session(engine) as session:
        row = session.exec(select(ComparisonRow)).one()
        assert (row.published_at, row.imported_at, row.updated_at) == (later, NOW, later)
