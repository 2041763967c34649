"""What was said of a tool over time, and an archive of two years: how much its pages ask and weigh."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from newsletter.assembly import Assembly
from newsletter.comparisons import comparison
from newsletter.db import writing
from newsletter.issues import issue as issues
from tests.issues.test_what_readers_have import make
from tests.web.test_archive import begin, cast
from tests.web.world import NOW, W46, W47, Parsed, a_comparison, approve, draft, keep, send


def test_a_tool_has_a_page_with_all_that_was_said_of_it(client: TestClient, assembly: Assembly) -> None:
    assert client.get("/tools/gantry").status_code == 404
    send(assembly, a_comparison("Other", "Gantry", published_at="2026-11-10T12:00:00Z"), week=W46)
    cast(assembly, "other-vs-gantry", "left", "right", "both", "neither", "neither")
    once = client.get("/tools/gantry").text
    assert "<polyline" not in once
    keep(assembly, a_comparison("Gantry", "Inkwell"))
    draft(assembly)
    assert client.get("/tools/inkwell").status_code == 404  # nobody has been told yet
    assert client.get("/tools/gantry").text == once
    send(assembly)
    page = Parsed(client.get("/tools/gantry").text)
    shown = " ".join(page.text.split())
    for row in ("week 47 of 2026 Inkwell 100% —", "week 46 of 2026 Other 50% 40%"):
        assert row in shown
    assert shown.index("week 47 of") < shown.index("week 46 of")
    assert [line["points"] for line in page.named("polyline")] == ["48.0,75.0 310.0,12.0 ", "48.0,87.6 "]
    assert page.named("svg")[-2]["aria-hidden"] == "true"
    hrefs = {link.get("href") for link in page.named("a")}
    assert {"/issues/2026-W46", "/comparisons/other-vs-gantry", "/comparisons/gantry-vs-inkwell"} <= hrefs
    compared = Parsed(client.get("/comparisons/gantry-vs-inkwell").text)
    assert "week 46 of 2026 Other 50% 40%" in " ".join(compared.text.split())
    for path in ("/comparisons/gantry-vs-inkwell", "/issues/2026-W47", "/"):
        assert any(link.get("href") == "/tools/gantry" for link in Parsed(client.get(path).text).named("a"))
    again = client.get("/tools/gantry", headers={"If-None-Match": client.get("/tools/gantry").headers["etag"]})
    assert again.status_code == 304


def test_what_was_called_off_in_its_midst_links_to_no_page_of_a_tool(client: TestClient, assembly: Assembly) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    begin(assembly, issues.CANCELLED)
    assert client.get("/tools/inkwell").status_code == 404
    assert "/tools/" not in client.get("/comparisons/inkwell-vs-gantry").text


WEEKS = 120
MOST = 60 * 1024  # bytes of HTML
LONG_QUOTE = "What the docs promise is what you get, until the first bill comes. " * 11  # 737 characters
PAGES = ("/", "/issues", "/issues/2026-W47", "/comparisons/c-0-0", "/tools/gantry", "/tools/tool-0-0")


def fill(assembly: Assembly) -> None:
    """Two years of issues, the last one of twelve comparisons with long quotes."""
    week = W47
    with writing(assembly.engine) as session:
        for number in range(WEEKS):
            ids = []
            for place in range(1 if number else 12):
                made = a_comparison(f"Tool {number}-{place}", "Gantry", slug=f"c-{number}-{place}")
                reviews = tuple(each.model_copy(update={"quote": LONG_QUOTE.strip()}) for each in made.reviews)
                comparison.save(session, made.model_copy(update={"reviews": reviews}), NOW)
                stored = comparison.by_slug(session, made.slug or "")
                assert stored is not None
                ids.append(stored.id)
            issues.assign(session, make(session, week, issues.SENT, begun=True), ids)
            week = week.before()
        session.commit()


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that databases are asked for until the block ends."""
    asked: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def statements(client: TestClient, path: str) -> int:
    with counted() as asked:
        assert client.get(path).status_code == 200
    return len(asked)


@pytest.fixture
def full(assembly: Assembly) -> Assembly:
    fill(assembly)
    return assembly


def test_two_years_of_issues_are_listed_fifty_at_a_time(client: TestClient, full: Assembly) -> None:
    seen: list[str] = []
    lists: list[str] = []
    path: str | None = "/issues"
    while path:
        answer = client.get(path)
        weeks = re.findall(r'href="/issues/(\d{4}-W\d\d)"', answer.text)
        linked = {link["rel"]: link["href"] for link in Parsed(answer.text).named("link")}
        assert len(answer.content) < MOST
        assert f">{weeks[0][:4]}</h2>" in answer.text
        assert linked.get("prev") == (lists[-1] if lists else None)
        seen += weeks
        lists.append(path)
        path = linked.get("next")
    assert (len(lists), len(seen)) == (3, WEEKS)
    assert seen == sorted(set(seen), reverse=True)
    for wrong in ("2026-W99", "x", "2001-W01", "%00"):
        assert client.get(f"/issues?before={wrong}").status_code == 404


def test_a_page_is_small_and_asks_as_many_questions_for_two_years_of_issues_as_for_two(
    client: TestClient, assembly: Assembly
) -> None:
    for number, week in enumerate((W47.before(), W47.before().before())):
        one = a_comparison(f"Early {number}", "Gantry", published_at=f"2026-11-0{9 - 7 * number}T12:00:00Z")
        send(assembly, one, week=week)
    early = "/comparisons/early-0-vs-gantry"
    few = [statements(client, path) for path in ("/", "/issues", "/issues/2026-W46", early, "/tools/gantry")]
    with writing(assembly.engine) as session:
        for row in issues.every(session):
            row.week = f"2001-W{row.week[-2:]}"
            session.add(row)
        session.commit()
    fill(assembly)
    many = [statements(client, path) for path in ("/", "/issues", "/issues/2026-W47", early, "/tools/gantry")]
    assert many == few
    assert max(many) < 25
    sizes = {path: len(client.get(path, params={"lang": "de"}).content) for path in PAGES}  # the longest words
    assert {path: size for path, size in sizes.items() if size > MOST} == {}
