from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from newsletter.comparisons.comparison import (
    ComparisonRow,
    Imported,
    ReviewRow,
    SideRow,
    ToolRow,
    by_slug,
    list_comparisons,
    load,
    load_many,
    save,
)
from newsletter.comparisons.record import Comparison
from newsletter.db import writing
from tests.comparisons.samples import NOW, data, record, tool


def keep(engine: Engine, *records: Comparison) -> list[Imported]:
    with writing(engine) as session:
        done = [save(session, each, NOW) for each in records]
        session.commit()
    return done


def everything(engine: Engine) -> list[Comparison]:
    with writing(engine) as session:
        return [each.record for each in list_comparisons(session)]


def test_a_comparison_loads_as_it_was_saved(engine: Engine) -> None:
    full = record(
        "通义千问",
        "Ünï & <b>Co</b>",
        slug="a-b-2",
        url="https://example.com/a?b=c#d",
        published_at="2026-01-02T03:04:05.678901+02:00",
        tools=[
            tool("通义千问", community_ship=0, panel_ship=100, description="Two\nlines\n\n“and” 🎉"),
            tool("Ünï & <b>Co</b>", community_ship=100, panel_ship=0),
        ],
        reviews=[
            {"seat": seat, "tool": name, "verdict": verdict, "quote": f"{seat} — {name}"}
            for seat in ("zebra", "ant")
            for name, verdict in (("通义千问", "ship"), ("Ünï & <b>Co</b>", "skip"))
        ],
    )
    assert keep(engine, full) == [Imported("a-b-2", full.title, "new")]
    assert everything(engine) == [full]


def test_what_a_record_leaves_out_is_filled_in(engine: Engine) -> None:
    keep(engine, record())
    assert everything(engine) == [record(slug="haiku-vs-codestral-2-1", published_at=NOW)]


def test_saving_twice_changes_nothing(engine: Engine) -> None:
    derived = data(tools=[tool("Haiku", panel_ship=None), tool("Codestral 2.1", panel_ship=None)])
    for review in derived["reviews"]:
        review["verdict"] = "ship"
    for each in (record("A", "B"), Comparison.model_validate(derived)):
        first, second = keep(engine, each, each)
        assert (first.change, second.change, first.slug) == ("new", "unchanged", second.slug)
    with Session(engine) as session:
        counts = [len(session.exec(select(table)).all()) for table in (ToolRow, ComparisonRow, SideRow, ReviewRow)]
    assert counts == [4, 2, 4, 16]


def test_an_update_says_what_changed(engine: Engine) -> None:
    keep(engine, record())
    changed = data(title="HAIKU  vs Codestral 2.1", url="https://example.com/x")
    changed["tools"][1] |= {"panel_ship": 50, "community_ship": 12, "description": "x" * 100, "tagline": "New"}
    changed["reviews"][0] |= {"quote": "Changed my mind. " * 9, "verdict": "ship"}
    done = keep(engine, Comparison.model_validate(changed))[0]
    assert done == Imported(
        "haiku-vs-codestral-2-1",
        "HAIKU  vs Codestral 2.1",
        "updated",
        (
            "title: Haiku vs Codestral 2.1 → HAIKU  vs Codestral 2.1",
            "url: none → https://example.com/x",
            "tagline of Codestral 2.1: What Codestral 2.1 is for → New",
            "panel_ship of Codestral 2.1: 75 → 50",
            "community_ship of Codestral 2.1: none → 12",
            "description of Codestral 2.1",
            "builder's verdict on Haiku: none → ship",
            "builder's quote on Haiku",
        ),
    )
    stored = everything(engine)
    assert stored == [Comparison.model_validate(changed | {"slug": done.slug, "published_at": NOW})]


def test_another_panel_and_another_name_are_changes(engine: Engine) -> None:
    keep(engine, record(slug="x"))
    changed = data("Haiku 2", slug="x", reviews=data("Haiku 2")["reviews"][:4])
    done = keep(engine, Comparison.model_validate(changed))[0]
    assert "name of the left tool: Haiku → Haiku 2" in done.changes
    assert "seats: builder, skeptic, futurist, founder → builder, skeptic" in done.changes
    assert everything(engine)[0].seats() == ("builder", "skeptic")


def test_a_page_does_not_forget_verdicts_and_address(engine: Engine) -> None:
    known = data(url="https://example.com/x", published_at="2026-01-02T03:04:05Z")
    for number, review in enumerate(known["reviews"]):
        review["verdict"] = "skip" if number < 2 else "ship"
    keep(engine, Comparison.model_validate(known))
    assert keep(engine, record())[0].change == "unchanged"
    changed = data()
    changed["tools"][0]["panel_ship"] = 50  # then the verdicts that made 75 hold no longer
    done = keep(engine, Comparison.model_validate(changed))[0]
    assert "panel_ship of Haiku: 75 → 50" in done.changes
    assert "builder's verdict on Haiku: skip → none" in done.changes
    assert not [each for each in done.changes if "Codestral" in each]


@pytest.mark.parametrize(
    "titles",
    [
        ("C vs C#", "C++ vs C#"),
        ("通义千问 对 文心一言", "🎉 vs 🎈", "⚡ vs 🔥"),
        ("a" * 200 + " vs b", "a" * 200 + " vs c"),
        ("Word " * 50 + "vs b", "Word " * 50 + "vs c"),
    ],
)
def test_titles_that_slugify_alike_do_not_merge(engine: Engine, titles: tuple[str, ...]) -> None:
    records = [record(title=title) for title in titles]
    done = keep(engine, *records)
    assert {each.change for each in done} == {"new"}
    assert len({each.slug for each in done}) == len(titles)
    assert all(0 < len(each.slug) <= 120 for each in done)
    assert [each.slug for each in keep(engine, *records)] == [each.slug for each in done]
    assert sorted(each.title for each in everything(engine)) == sorted(each.title for each in records)


def test_a_long_slug_is_cut_at_a_word(sqlite_engine: Engine) -> None:
    slug = keep(sqlite_engine, record(title="Words " * 40))[0].slug
    assert slug == "-".join(["words"] * 20)


def test_slugs_tell_namesakes_apart(sqlite_engine: Engine) -> None:
    done = keep(sqlite_engine, record(slug="spring"), record(slug="autumn"), record(slug="haiku-vs-codestral-2-1"))
    assert [each.change for each in done] == ["new"] * 3
    assert keep(sqlite_engine, record())[0].slug == "haiku-vs-codestral-2-1"


def test_a_title_alone_is_ambiguous_among_namesakes(sqlite_engine: Engine) -> None:
    keep(sqlite_engine, record(slug="spring"), record(slug="autumn"))
    with pytest.raises(ValueError, match=r"several comparisons .* \(autumn, spring\)"):
        keep(sqlite_engine, record())


def test_tools_are_known_by_name_and_keep_what_each_comparison_printed(engine: Engine) -> None:
    one = record("C", "C#", title="One")
    other = record(
        "C++", "c#", title="Two", tools=[tool("C++"), tool("c#", panel_ship=10, tagline="Newer", category="Games")]
    )
    keep(engine, one, other)
    with Session(engine) as session:
        tools = {each.name: each.slug for each in session.exec(select(ToolRow)).all()}
    assert set(tools) == {"C", "C#", "C++"}
    assert tools["C"] == "c"
    assert len(set(tools.values())) == 3
    assert [each.tools for each in sorted(everything(engine), key=lambda each: each.title)] == [one.tools, other.tools]


def test_many_are_loaded_in_order_with_few_queries(engine: Engine) -> None:
    keep(engine, *(record(str(n), "other") for n in range(6)))
    with writing(engine) as session:
        statements: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        ids = [each.id for each in list_comparisons(session)]
        assert sum(each.startswith("SELECT") for each in statements) == 4
        wanted = [ids[3], ids[0], ids[3]]
        assert [each.title for each in load_many(session, wanted)] == [load(session, each).title for each in wanted]
        assert load_many(session, []) == []
        with pytest.raises(LookupError, match="no comparison 999"):
            load_many(session, [ids[0], 999])


def test_the_newest_is_listed_first(sqlite_engine: Engine) -> None:
    keep(
        sqlite_engine,
        *(record(name, "x", published_at=NOW + timedelta(days=day)) for name, day in (("a", 1), ("b", 3), ("c", 2))),
    )
    assert [each.tools[0].name for each in everything(sqlite_engine)] == ["b", "c", "a"]


def test_a_comparison_is_found_by_its_slug(sqlite_engine: Engine) -> None:
    keep(sqlite_engine, record(slug="here"))
    with writing(sqlite_engine) as session:
        found = by_slug(session, "here")
        assert found is not None
        assert found.record == load(session, found.id)
        assert by_slug(session, "elsewhere") is None


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (SideRow, "panel_ship", 101),
        (SideRow, "community_ship", -1),
        (SideRow, "side", 2),
        (SideRow, "tool_id", 999),
        (ReviewRow, "verdict", "maybe"),
        (ReviewRow, "position", -1),
        (ReviewRow, "side", 2),
        (ReviewRow, "comparison_id", 999),
    ],
)
def test_the_database_refuses_nonsense(
    engine: Engine, table: type[SideRow] | type[ReviewRow], column: str, value: Any
) -> None:
    keep(engine, record())
    with writing(engine) as session:
        row = session.exec(select(table)).first()
        assert row is not None
        setattr(row, column, value)
        session.add(row)
        with pytest.raises(IntegrityError):
            session.flush()
