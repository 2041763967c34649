"""No page of the desk goes through a large table from end to end; and the check of that can fail."""

from collections.abc import Callable

import pytest
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import big, desk, plans
from benchmarks.big import Size
from newsletter import invariants
from newsletter.assembly import Assembly
from newsletter.db import reading
from tests.web.world import MakeAssembly

SIZE = Size(readers=1_200, issues=6)
LARGE = 500  # rows


@pytest.fixture
def large(new_database: Callable[[str], str], make_assembly: MakeAssembly) -> Assembly:
    assembly = make_assembly(
        database_url=new_database("sqlite"),
        provider="postmark",
        postmark_server_token="6b1f3a52-0000-4000-8000-000000000000",  # nobody is asked by a page
        postmark_api_url="http://127.0.0.1:9/",
        postal_address="1 Example Street",
    )
    big.make(assembly, SIZE, Console(quiet=True))
    return assembly


def test_every_page_of_a_large_newsletter_answers_and_none_scans_a_large_table(large: Assembly) -> None:
    with reading(large.engine) as session:
        assert invariants.violations(session) == []
    found = desk.measure(large, times=1, large=LARGE)
    assert found.scans == []
    assert [one for one in found.pages if one.status >= 400] == []
    assert {"/desk", "/desk/numbers", "/desk/numbers/2026-W45", "/desk/readers/321"} <= {
        one.page for one in found.pages
    }


@pytest.mark.parametrize(
    ("statement", "scanned"),
    [
        ("SELECT count(*) FROM consents WHERE source = 'a form'", True),
        ("SELECT count(*) FROM consents WHERE subscriber_id = 7", False),
        ("SELECT c.kind FROM consents AS c ORDER BY c.source LIMIT 5", True),
        ("SELECT c.kind FROM consents AS c ORDER BY c.id DESC LIMIT 5", False),
        ("SELECT week FROM issues", False),
        ("SELECT kind, count(*) FROM events GROUP BY kind", True),
        ("UPDATE events SET pending = 0", True),
    ],
)
def test_a_scan_is_known_by_its_plan(sqlite_engine: Engine, statement: str, scanned: bool) -> None:
    rows = {"consents": 20_000, "events": 20_000, "issues": 200}
    assert bool(plans.scans(sqlite_engine, statement, (), rows)) == scanned


def test_what_is_allowed_says_why_and_nothing_else_is(sqlite_engine: Engine) -> None:
    assert all(one.why for one in plans.ALLOWED)
    (allowed, *_) = plans.ALLOWED
    assert plans.scans(sqlite_engine, allowed.holds, (), {"subscribers": 1_000_000}) == []
    other = "SELECT muted, count(*) FROM subscribers GROUP BY muted"
    assert plans.scans(sqlite_engine, other, (), {"subscribers": 1_000_000})


def test_a_page_that_is_too_slow_or_breaks_down_is_wrong() -> None:
    quick, slow = desk.Timed("/desk", 200, (10, 20, 900), 1), desk.Timed("/desk/log", 200, (310, 320, 330), 1)
    broken = desk.Timed("/desk/health", 500, (1,), 0)
    wrong = desk.Found([quick, slow, broken], [], []).wrong(300)
    assert wrong == ["/desk/log: 320 ms at the median, the limit is 300", "/desk/health: answered with 500"]
