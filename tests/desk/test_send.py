"""An issue before it begins, at the desk: who may do what, approval, its time, and sending it now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from newsletter import outgoing, weekly
from newsletter.assembly import Assembly
from newsletter.db import writing
from newsletter.editors.editor import PUBLISHER
from newsletter.issues import issue as issues
from newsletter.outgoing import Run
from newsletter.web.carrier import SENDING
from tests.desk.under_way import ACTS, PAGE, READERS, acts_of, assembly, begun, do, form_of, issue_of, written_by
from tests.desk.world import At
from tests.web.world import NOW, W47, Parsed, a_comparison, approve, everything, keep

__all__ = ["assembly"]


# Rights


def test_an_editor_sees_the_page_and_does_none_of_what_takes_a_publisher(assembly: Assembly, editor: At) -> None:
    approve(assembly)
    page = editor.get(PAGE)
    assert [one["action"] for one in Parsed(page).named("form") if "2026-W47" in (one["action"] or "")] == []
    before = everything(assembly)
    for act in ACTS:
        answer = editor.post(do(act), {"week": "2026-W47", "readers": "8", "at": "2027-01-01T09:00"})
        assert (act, answer.status_code) == (act, 403)
    assert everything(assembly) == before


def test_any_editor_may_let_an_issue_rest(assembly: Assembly, editor: At) -> None:
    begun(assembly)
    assert "rests: what is under way is finished" in editor.does(do("pause"))
    assert (issue_of(assembly).state, acts_of(assembly)) == (issues.PAUSED, ["let it rest"])


@pytest.mark.parametrize("week", ["2026-W46", "2026-W60", "yesterday", "2026-W47%0d%0aX: y"])
def test_of_a_week_without_an_issue_there_is_no_page(publisher: At, week: str) -> None:
    for path in ("send", "progress"):
        publisher.get(f"/desk/issues/{week}/{path}", 404)
    for act in (*ACTS, "pause"):
        assert publisher.post(f"/desk/issues/{week}/{act}", {"at": "2027-01-01T09:00"}).status_code == 404


# Approval


def test_a_publisher_approves_the_letter_that_was_shown(assembly: Assembly, publisher: At) -> None:
    shown = form_of(publisher.get(PAGE), "approve")
    page = publisher.does(do("approve"), shown)
    assert "You have approved 2026-W47" in page
    assert "by <bdi>Publisher</bdi>" in page
    assert issue_of(assembly).digest == shown["digest"]
    assert acts_of(assembly) == ["approved the issue"]

    assert "is a draft again" in publisher.does(do("unapprove"))
    assert issue_of(assembly).state == issues.DRAFT


def test_a_letter_that_has_changed_since_it_was_shown_is_not_approved(assembly: Assembly, publisher: At) -> None:
    shown = form_of(publisher.get(PAGE), "approve")
    with writing(assembly.engine) as session:
        weekly.edit(session, W47, "Another subject", None)
        session.commit()
    assert "has changed since you looked" in publisher.does(do("approve"), shown)
    assert issue_of(assembly).state == issues.DRAFT
    publisher.does(do("approve"), form_of(publisher.get(PAGE), "approve"))
    assert issue_of(assembly).state == issues.APPROVED


def test_whoever_wrote_last_is_told_beforehand_that_another_one_approves(
    assembly: Assembly, publisher: At, sign_in_as: Callable[..., At]
) -> None:
    shown = form_of(publisher.get(PAGE), "approve")
    written_by(assembly, publisher.editor_id)
    page = publisher.get(PAGE)
    assert "You wrote the last change of issue 2026-W47 yourself" in page
    assert f'action="{do("approve")}"' not in page
    assert "another publisher is to approve it" in publisher.does(do("approve"), shown | {"version": "1"})
    assert issue_of(assembly).state == issues.DRAFT

    other = sign_in_as(PUBLISHER, "other@example.com")
    other.does(do("approve"), form_of(other.get(PAGE), "approve"))
    assert issue_of(assembly).state == issues.APPROVED


def test_what_has_changed_since_the_approval_is_named_and_nothing_of_it_is_sent(
    assembly: Assembly, publisher: At
) -> None:
    approve(assembly)
    prices = [tool.model_dump() | {"entry_price": "$99"} for tool in a_comparison("Otter", "Pike").tools]
    keep(assembly, a_comparison("Otter", "Pike", tools=prices))
    page = publisher.get(PAGE)
    assert "<li>the comparison otter-vs-pike was changed</li>" in page
    assert "First it has to be approved anew." in page
    assert "has changed since it was approved" in publisher.does(do("send"), {"readers": str(READERS)})
    assert issue_of(assembly).state == issues.APPROVED


# Its time


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-12-01T09:00", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2027-06-01T09:00", datetime(2027, 6, 1, 7, tzinfo=UTC)),
        ("2027-03-28T03:00:00+02:00", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ],
)
def test_an_issue_is_given_its_time_in_the_newsletters_zone(
    assembly: Assembly, publisher: At, typed: str, expected: datetime
) -> None:
    approve(assembly)
    assert "It goes out by itself then." in publisher.does(do("schedule"), {"at": typed})
    assert (issue_of(assembly).state, issue_of(assembly).send_at) == (issues.SCHEDULED, expected)


@pytest.mark.parametrize(
    ("typed", "said", "offered"),
    [
        ("2027-03-28T02:30", "There is no 02:30", ["2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"]),
        ("2027-10-31T02:30", "It is 02:30 twice", ["2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+01:00"]),
        ("2026-11-24T08:00", "has passed", []),
        ("2062-11-24T09:00", "is more than a year away", []),
        ("9999-12-31T23:59+00:00", "That is no date and time", []),
        ("tomorrow", "That is no date and time", []),
        ("", "", []),
    ],
)
def test_a_time_that_is_none_or_two_is_refused_and_its_readings_are_offered(
    assembly: Assembly, publisher: At, typed: str, said: str, offered: list[str]
) -> None:
    approve(assembly)
    before = issue_of(assembly)
    answer = publisher.post(do("schedule"), {"at": typed})
    assert answer.status_code == 422
    assert said in answer.text
    inputs = [one["value"] for one in Parsed(answer.text).named("input") if one.get("name") == "at"]
    assert inputs[1:] == offered
    assert issue_of(assembly) == before
    for each in offered:
        publisher.does(do("schedule"), {"at": each})
        assert issue_of(assembly).send_at == datetime.fromisoformat(each)


def test_what_readers_clocks_show_is_said_before_it_is_settled(publisher: At) -> None:
    page = Parsed(publisher.get(f"{PAGE}?at=2026-12-01T09:00")).text
    for city, clock in (("Los Angeles", "Tue 00:00 at night"), ("London", "Tue 08:00"), ("Sydney", "Tue 19:00")):
        assert f"{city} {clock}" in " ".join(page.split())
    assert "Send it Tue 01 Dec 2026, 09:00 (UTC+01:00)" in page


def test_the_usual_time_is_one_click_away(assembly: Assembly, publisher: At) -> None:
    with writing(assembly.engine) as session:
        issue = weekly.require(session, W47)
        issue.week, issue.send_at = "2026-W48", NOW + timedelta(days=30)
        session.commit()
    page = publisher.get("/desk/issues/2026-W48/send")
    assert "The usual time: Tue 01 Dec 2026, 09:00" in page


# Now


def test_who_types_how_many_readers_there_are_sends_it_now_whoever_carries_it(
    assembly: Assembly, publisher: At
) -> None:
    approve(assembly)
    assert f"<strong>{READERS}</strong> readers" in publisher.get(PAGE)
    for typed in ("7", "", "all", "８"):
        answer = publisher.post(do("send"), form_of(publisher.get(PAGE), "send") | {"readers": typed})
        assert answer.status_code == 422
        assert f"would go to {READERS} readers now" in answer.text
        assert f'value="{typed}"' in answer.text
        assert issue_of(assembly).state == issues.APPROVED

    assert f"goes out now to {READERS} readers" in publisher.does(
        do("send"), form_of(publisher.get(PAGE), "send") | {"readers": f" {READERS} "}
    )
    assert (issue_of(assembly).state, issue_of(assembly).send_at) == (issues.SCHEDULED, NOW)
    assert publisher.client.app.state.site.carrier.doing("2026-W47") == SENDING  # type: ignore[attr-defined]
    # The carrier is not at work here, as in a process that was killed right then: any clock goes on with it.
    outcomes = outgoing.send_due(assembly.engine, assembly.rules, assembly.post, Run(lambda: NOW, wait=False))
    assert [outcome.state for outcome in outcomes] == [issues.SENT]
