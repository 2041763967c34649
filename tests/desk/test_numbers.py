"""The pages of figures: counted beside them, never on them; what nobody records is a dash; each is a file as well."""

import csv
import io
import re
from datetime import timedelta

import pytest
from sqlmodel import select

from newsletter import counting
from newsletter.assembly import Assembly
from newsletter.comparisons import votes
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.counting import GROWTH, Ways, of_issue
from newsletter.db import reading, writing
from newsletter.issues import issue as issues
from newsletter.tracking.event import BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED, OPENED
from newsletter.tracking.scanners import BURST
from newsletter.web.desk.tables import told
from subscribers import consent
from tests.desk.world import At
from tests.tracking.heard import hear
from tests.web.world import NOW, W47, Parsed, a_comparison, a_reader, draft, keep, send

PAGES = ("/desk/numbers", "/desk/numbers/2026-W47")
FORMULA = '=HYPERLINK("https://evil.example","x")'


def count_all(assembly: Assembly, *, is_told: bool = True) -> None:
    """As the bookkeeper does."""
    with reading(assembly.engine) as session:
        names = counting.due(session, NOW)
    for name in names:
        counting.count(assembly.engine, name, Ways(assembly.settings.zone, is_told), NOW)


def an_issue(assembly: Assembly, left: str = "Inkwell", title: str = "Inkwell vs Gantry") -> list[int]:
    """Send an issue to eight readers, and have things come back of it; return them."""
    readers = [a_reader(assembly, email=f"reader{number}@example.com") for number in range(8)]
    with writing(assembly.engine) as session:
        for reader in readers:
            consent.note(session, reader, consent.IMPORTED, "a file", NOW - timedelta(days=9))
        session.commit()
    send(assembly, a_comparison(left, title=title))
    with reading(assembly.engine) as session:
        letter = next(iter(issues.sent(session))).letter_id or 0
        comparison = session.exec(select(ComparisonRow)).one()
    hear(assembly.engine, letter, DELIVERED, readers[:7], at=NOW)
    hear(assembly.engine, letter, BOUNCED_SOFT, readers[7:], at=NOW, detail="DnsError")
    hear(assembly.engine, letter, COMPLAINED, readers[:1], at=NOW)
    hear(assembly.engine, letter, OPENED, readers[:4], at=NOW)
    hear(assembly.engine, letter, CLICKED, readers[:2], at=NOW, link=f"comparisons/{comparison.slug}")
    hear(assembly.engine, letter, CLICKED, readers[2:3], at=NOW, link=f"comparisons/{comparison.slug}", machine=BURST)
    with writing(assembly.engine) as session:
        votes.cast(session, comparison.id or 0, readers[0], "right", NOW)
        session.commit()
    return readers


def cells(html: str) -> list[list[str]]:
    """The rows of all tables of a page, as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[" ".join(Parsed(cell).text.split()) for cell in re.split(r"</t[hd]>", row)[:-1]] for row in rows]


def rows_of(answer: bytes) -> list[dict[str, str]]:
    assert answer.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.decode("utf-8-sig"), newline="")))


def test_nothing_is_counted_on_a_page_which_says_that_it_is_being_counted(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly)
    for path in PAGES:
        page = publisher.get(path)
        assert "Being counted" in page
        assert 'hx-trigger="every 3s"' in page
    with reading(assembly.engine) as session:
        assert counting.stale(session, [GROWTH, of_issue("2026-W47")], NOW) == [GROWTH, of_issue("2026-W47")]
    count_all(assembly)
    for path in PAGES:
        page = publisher.get(path)
        assert "As of Tue 24 Nov 2026, 08:00" in page
        assert "being counted" not in page.lower()
        assert "hx-get" not in page


def test_an_issue_in_figures_engagement_twice(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly)
    count_all(assembly)
    page = publisher.get("/desk/numbers/2026-W47")
    found = {row[0]: row[1:] for row in cells(page)}
    assert found["accepted by the provider"][:2] == ["8", "100.0 %"]
    assert found["opened, all"][:2] == ["4", "57.1 %"]
    assert found["clicked, all"][:2] == ["3", "42.9 %"]
    assert found["clicked by people"][:2] == ["2", "28.6 %"]
    assert found["called it spam"][:2] == ["1", "14.286 %"]
    assert found["in the provider's words: DnsError"] == ["1"]
    assert found["Inkwell vs Gantry"][:3] == ["3", "2", "1"]
    assert found["Inkwell in Inkwell vs Gantry"][:3] == ["100 %", "0 %", "−100"]
    assert found["Gantry in Inkwell vs Gantry"][:3] == ["50 %", "100 %", "+50"]
    assert "called 2026-W47 spam; of what is delivered, mailbox providers say, never 0.30 %" in page
    assert "1 × DnsError" in page or "DnsError" in page


def test_over_time_every_plot_has_its_table(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly)
    count_all(assembly)
    page = publisher.get("/desk/numbers")
    parsed = Parsed(page)
    drawings = [each for each in parsed.named("svg") if each.get("role") == "img"]
    assert len(drawings) == 6
    texts = {each.get("id") for each in parsed.named("title", "desc")}
    assert all(set((each["aria-labelledby"] or "").split()) <= texts for each in drawings)
    assert len(parsed.named("table")) == 5
    found = cells(page)
    assert ["2026-W47", "8", "8", "0", "0", "7", "1", "0"] in found
    assert ["2026-W47", "4 57.1 %", "4 57.1 %", "3 42.9 %", "2 28.6 %"] in found
    assert ["2026-W47", "1", "75.0 %", "50.0 %", "−25.0", "75.0"] in found
    assert ["2026-W47", "7", "1", "14.286 % too many"] in found
    assert not [each for each in parsed.tags if {"style", "onclick", "onload"} & set(each[1])]


def test_what_nobody_records_is_a_dash_and_never_zero(assembly: Assembly, publisher: At) -> None:
    send(assembly, a_comparison())
    count_all(assembly, is_told=False)
    found = cells(publisher.get("/desk/numbers"))
    assert ["2026-W47", "1", "1", "0", "0", "—", "—", "0"] in found
    assert ["2026-W47", "—", "—", "—", "—"] in found
    assert ["2026-W47", "—", "—", "—"] in found
    assert ["2026-W47", "0", "—", "—", "—", "—"] in found  # votes come to our own pages
    page = publisher.get("/desk/numbers/2026-W47")
    assert "The provider tells nothing" in page
    (row,) = rows_of(publisher.client.get("/desk/numbers/issues.csv").content)
    assert (row["audience"], row["delivered"], row["opened"], row["votes"]) == ("1", "", "", "0")


@pytest.mark.parametrize(("asked", "weeks"), [("", 12), ("26", 26), ("52", 52), ("53", 12), ("x' OR 1", 12)])
def test_one_may_look_at_12_26_or_52_weeks(assembly: Assembly, publisher: At, asked: str, weeks: int) -> None:
    count_all(assembly)
    page = publisher.get(f"/desk/numbers?weeks={asked}")
    assert f'aria-current="page">{weeks} weeks</a>' in page
    assert len(re.findall(r'<th scope="row">20\d\d-W\d\d</th>', page)) == weeks
    assert len(rows_of(publisher.client.get(f"/desk/numbers/growth.csv?weeks={asked}").content)) == weeks


def test_each_table_is_a_file_in_which_no_name_is_a_formula(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly, FORMULA, title="@SUM(1)")
    count_all(assembly)
    answer = publisher.client.get("/desk/numbers/2026-W47/comparisons.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="2026-W47-comparisons.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = rows_of(answer.content)
    assert (row["title"], row["left_tool"], row["right_tool"]) == ("'@SUM(1)", f"'{FORMULA}", "Gantry")
    assert (row["clicks"], row["clicks_by_people"], row["right_community_ship"]) == ("3", "2", "100")
    assert rows_of(publisher.client.get("/desk/numbers/comparisons.csv").content) == [row]
    (issue,) = rows_of(publisher.client.get("/desk/numbers/2026-W47.csv").content)
    assert (issue["week"], issue["delivered"], issue["clicked_by_people"]) == ("2026-W47", "7", "2")
    assert rows_of(publisher.client.get("/desk/numbers/issues.csv").content) == [issue]
    grown = rows_of(publisher.client.get("/desk/numbers/growth.csv").content)
    assert (len(grown), grown[-1]["readers"]) == (12, "8")


def test_a_file_is_not_handed_out_before_all_of_it_is_counted(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly)
    for name in ("growth.csv", "issues.csv", "comparisons.csv", "2026-W47.csv", "2026-W47/comparisons.csv"):
        said = publisher.client.get(f"/desk/numbers/{name}", follow_redirects=True).text
        assert "it is being counted now, try again in a moment" in said


def test_names_of_tools_are_text_on_the_page(assembly: Assembly, publisher: At) -> None:
    an_issue(assembly, "<script>alert(1)</script>", title="<b>Ink</b> vs Gantry")
    count_all(assembly)
    page = publisher.get("/desk/numbers/2026-W47")
    assert "<script>alert" not in page
    assert "<b>Ink" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_draft_has_no_figures_and_what_is_no_issue_no_page(assembly: Assembly, publisher: At) -> None:
    keep(assembly, a_comparison())
    draft(assembly)
    assert "Nothing to count yet" in publisher.get("/desk/numbers/2026-W47")
    said = publisher.client.get("/desk/numbers/2026-W47.csv", follow_redirects=True).text
    assert "has not begun to go out" in said
    for path in ("/desk/numbers/2026-W46", "/desk/numbers/last", "/desk/numbers/last.csv"):
        publisher.get(path, 404)


def test_with_no_issue_and_no_reader_the_page_says_so(assembly: Assembly, publisher: At) -> None:
    count_all(assembly)
    page = publisher.get("/desk/numbers")
    assert "No issue has gone out in these weeks" in page
    assert ["2026-W48", "0", "0", "0", "0", "0"] in cells(page)


def test_shares_are_of_what_was_delivered_and_of_nothing_there_is_none(assembly: Assembly) -> None:
    an_issue(assembly)
    count_all(assembly)
    with reading(assembly.engine) as session:
        issue = issues.find(session, W47)
        assert issue
        known = counting.numbers_of(session, issue)
    assert known
    row = told(known.of, known.at)
    assert (row.opened.percent, row.clicked_by_people.percent, row.leaning, row.apart) == (57.1, 28.6, -25.0, 75.0)
