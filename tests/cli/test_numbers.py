"""Figures on the command line: for people, for programs and for spreadsheets."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from newsletter.assembly import assemble
from newsletter.cli.came_back import came_back_lines
from newsletter.db import reading
from newsletter.delivery.ledger import StoredLetter
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.tracking.event import BOUNCED_HARD, BOUNCED_SOFT, CLICKED, COMPLAINED, DELIVERED
from newsletter.tracking.scanners import LABELS
from tests.cli.conftest import Newsletter
from tests.comparisons.samples import data, tool
from tests.tracking.heard import hear

WEEK = "2026-W47"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def sent(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> Newsletter:
    """An issue with a name that a spreadsheet would calculate, in the outbox of five readers."""
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "99999d")
    made = data("=1+1", "Haiku", published_at="2026-11-18T09:00:00Z", tools=[tool("=1+1"), tool("Haiku")])
    Path("c.json").write_text(json.dumps(made))
    Path("readers.csv").write_text("\n".join(["email", *(f"reader{number}@example.com" for number in range(5))]))
    for command in (
        ("comparisons", "import", "c.json"),
        ("issues", "draft", "--week", WEEK),
        ("subscribers", "import", "readers.csv"),
        ("issues", "approve", WEEK),
        ("issues", "send", WEEK),
    ):
        newsletter(*command).ok()
    return newsletter


def letter_of(engine: Engine) -> StoredLetter:
    with reading(engine) as session:
        issue = issues.find(session, Week.parse(WEEK))
        assert issue is not None
        return session.get_one(StoredLetter, issue.letter_id)


def what_came_back() -> None:
    engine = assemble().engine
    letter = letter_of(engine)
    number, at = letter.id or 0, letter.created_at
    hear(engine, number, DELIVERED, [1, 2, 3], at=at)
    hear(engine, number, BOUNCED_HARD, [4], detail="HardBounce", at=at)
    hear(engine, number, BOUNCED_SOFT, [5], detail="DMARCPolicy", at=at)
    hear(engine, number, COMPLAINED, [1], at=at)
    hear(engine, number, CLICKED, [1], link="comparisons/1-1-vs-haiku", agent=BROWSER, at=at)
    hear(engine, number, CLICKED, [2], link="comparisons/1-1-vs-haiku", agent="curl/8.5.0", at=at)
    engine.dispose()


def table(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_figures_of_issues_growth_and_comparisons_in_three_forms(sent: Newsletter) -> None:
    assert sent("stats", "issues", "--json").document[0]["delivered"] is None
    what_came_back()
    assert sent("stats", "label").ok() == "2 copies were judged\n"
    assert sent("stats", "label").ok() == "everything is judged; nothing to do\n"

    (issue,) = sent("stats", "issues", "--json").document
    assert (issue["week"], issue["audience"], issue["delivered"], issue["bounced"]) == (WEEK, 5, 3, 2)
    assert (issue["clicked"], issue["clicked_by_people"], issue["opened"]) == (2, 1, None)
    (row,) = table(sent("stats", "issues", "--csv").ok())
    assert (row["delivered"], row["clicked"], row["clicked_by_people"], row["clicked_by_fetcher"]) == (
        *("3", "2", "1"),
        "1",
    )
    assert (row["opened"], row["opened_by_proxy"], row["bounced_soft"], row["because_not_said"]) == ("", "", "1", "0")
    assert {f"clicked_by_{name}" for name in LABELS} < set(row)
    assert row["began_at"].endswith("Z")
    shown = sent("stats", "issues").ok()
    assert "1 (33.33 %)" in shown
    assert "1 of 2" in shown

    (week,) = sent("stats", "growth", "--weeks", "1", "--json").document
    assert (week["joined"], week["readers"]) == (5, 5)
    assert table(sent("stats", "growth", "--weeks", "1", "--csv").ok()) == [
        {name: str(value) for name, value in week.items()}
    ]
    assert sent("stats", "growth").ok().splitlines()[0].split() == list(week)

    for arguments in ((), (WEEK,)):
        (one,) = sent("stats", "comparisons", *arguments, "--json").document
        assert (one["week"], one["clicks"], one["clicks_by_people"], one["votes"]["all"]) == (WEEK, 2, 1, 0)
        assert one["tools"][1] == {"tool": "Haiku", "panel_ship": 75, "community_ship": None, "difference": None}
    (row,) = table(sent("stats", "comparisons", "--csv").ok())
    assert (row["left_tool"], row["title"]) == ("'=1+1", "'=1+1 vs Haiku")
    assert (row["votes"], row["left_panel_ship"], row["left_community_ship"]) == ("0", "75", "")
    assert "Haiku —" in sent("stats", "comparisons").ok()


def test_the_status_of_an_issue_shows_what_came_back(sent: Newsletter) -> None:
    assert sent("issues", "status", WEEK).ok().splitlines()[2:] == []  # nobody tells
    what_came_back()
    lines = sent("issues", "status", WEEK).ok().splitlines()[2:]
    assert lines[:4] == [
        "delivered 3, bounced 2 (1 hard, 1 soft): 1 DMARCPolicy, 1 HardBounce",
        "complaints 1 (33.33 % of delivered; keep below 0.10 %, never 0.30 %)",
        "  0 [##########|####################] 0.30 %",
        "clicked 2, by people 1; machines: 1 fetcher",
    ]
    assert lines[4].startswith("trouble of our own, 1 DMARCPolicy: ")
    assert len(lines) == 5


def test_of_an_issue_that_was_not_sent_there_are_no_figures(newsletter: Newsletter) -> None:
    assert newsletter("stats", "issues", "--json").document == []
    assert newsletter("stats", "comparisons", "--csv").ok().startswith("week,slug,title,clicks,")
    assert "2026-W47" in newsletter("stats", "comparisons", WEEK).refused()


@pytest.mark.parametrize("what", ["issues", "growth", "comparisons"])
def test_both_forms_at_once_are_wrong_usage(bare_newsletter: Newsletter, what: str) -> None:
    assert "either --json or --csv" in bare_newsletter("stats", what, "--json", "--csv").misused()


@pytest.mark.parametrize(
    ("rate", "scale"),
    [
        (0.004, "#---------|--------------------"),
        (0.02, "##--------|--------------------"),
        (0.1, "##########|--------------------"),
        (0.2, "##########|##########----------"),
        (0.3, "##########|####################"),
        (12.5, "##########|####################"),
    ],
)
def test_the_scale_shows_where_complaints_are_between_the_thresholds(rate: float, scale: str) -> None:
    assert f"  0 [{scale}] 0.30 %" in came_back_lines(
        NOTHING | {"delivered": 9, "complained": 1, "complaint_rate": rate}
    )


NOTHING: dict[str, Any] = {
    **dict.fromkeys(("delivered", "bounced", "complained", "opened", "clicked", "unsubscribed")),
    "bounces": {"hard": 0, "soft": 0, "failed": 0, "by_type": {}},
    "votes": None,
    "alarms": [],
}


def test_unsubscribes_reasons_and_votes_are_said_where_there_are_any() -> None:
    document = NOTHING | {
        "unsubscribed": 3,
        "unsubscribes": {"reasons": {"often": 1, "other": 0, "not_said": 2}, "at_provider": 2},
        "votes": [{"slug": "a-vs-b", "all": 2}, {"slug": "c-vs-d", "all": 0}],
        "opened": 7,
        "opened_by_people": 5,
        "machines": {"opened": {"proxy": 2}},
        "tracking": {"opens": "totals", "clicks": "no"},
    }
    assert came_back_lines(document) == [
        "unsubscribed 3: 1 “Too many letters”, 2 did not say why; 2 at the provider",
        "opened 7 (times, not readers), by people 5; machines: 2 proxy",
        "votes 2: 2 on a-vs-b",
    ]
    assert came_back_lines(NOTHING) == []
