"""An issue on its way, at the desk: what the page shows, and what may be done to it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.delivery import ledger
from newsletter.editors.editor import EDITOR
from newsletter.issues import issue as issues
from newsletter.web.carrier import ASKING, SENDING
from newsletter.web.desk.progress import SLIVER, WHOLE, WORDS, segments
from tests.desk.under_way import PAGE, acts_of, assembly, begun, do, form_of, issue_of
from tests.desk.world import At
from tests.web.world import Parsed

__all__ = ["assembly"]


# On its way


def test_the_bar_is_as_long_as_its_stretches_and_nobody_is_too_few_to_be_seen() -> None:
    books = ledger.Accounting(audience=1_000_000, accepted=999_990, in_doubt=1, left=9)
    found = segments(books)
    assert [each.state for each in found] == ["accepted", "left", "in_doubt"]
    assert sum(each.width for each in found) == pytest.approx(100, abs=0.01)
    assert min(each.width for each in found) >= SLIVER / WHOLE * 100
    assert set(WORDS) == set(ledger.MOVES)
    assert segments(ledger.Accounting()) == []


def test_a_page_of_an_issue_that_goes_adds_up_and_looks_again_by_itself(assembly: Assembly, publisher: At) -> None:
    begun(assembly)
    page = publisher.get(PAGE)
    shown = " ".join(Parsed(page).text.split())
    for words in (
        "8 readers are on the list", "1 accepted by the provider", "2 refused by the provider", "2 in doubt",
        "1 being sent", "2 waiting",
    ):  # fmt: skip
        assert words in shown
    again = next(one for one in Parsed(page).named("div") if one.get("id") == "progress")
    assert again["hx-trigger"] == "every 2s"
    assert again["hx-get"]

    part = publisher.client.get(again["hx-get"], headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="progress"')
    assert "<form" not in part
    assert "hx-swap-oob" not in part  # as long as there is nothing new to be heard

    assert publisher.client.get(do("progress")).headers["location"] == PAGE
    publisher.does(do("pause"))
    answer = publisher.client.get(again["hx-get"], headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")


@pytest.mark.parametrize("state", [issues.SENT, issues.CANCELLED])
def test_a_page_of_an_issue_that_is_done_does_not_look_again(assembly: Assembly, publisher: At, state: str) -> None:
    begun(assembly, state)
    assert "every 2s" not in publisher.get(PAGE)


def test_what_was_paused_goes_on(assembly: Assembly, publisher: At) -> None:
    begun(assembly, issues.PAUSED)
    assert "goes on" in publisher.does(do("resume"))
    assert issue_of(assembly).state == issues.SENDING
    assert publisher.client.app.state.site.carrier.doing("2026-W47") == SENDING  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("start", "said"), [(True, "nothing more of it goes out"), (False, "waits for the next issue")]
)
def test_who_types_the_week_calls_an_issue_off(assembly: Assembly, publisher: At, start: bool, said: str) -> None:
    if start:
        begun(assembly)
    before = issue_of(assembly).state
    answer = publisher.post(do("cancel"), {"week": "2026-W46"})
    assert answer.status_code == 422
    assert "Type 2026-W47 to call it off" in answer.text
    assert issue_of(assembly).state == before

    assert said in publisher.does(do("cancel"), form_of(publisher.get(PAGE), "cancel") | {"week": "2026-w47"})
    assert issue_of(assembly).state == issues.CANCELLED
    assert acts_of(assembly)[0] == "called it off"


def test_those_refused_for_a_passing_reason_are_tried_again_and_no_others(assembly: Assembly, publisher: At) -> None:
    letter_id = begun(assembly, issues.PAUSED)
    assert "tries again for 1 who were refused" in publisher.get(PAGE)
    assert "1 readers wait again; the issue is paused" in publisher.does(do("retry"))
    with reading(assembly.engine) as session:
        assert ledger.accounting(session, letter_id).refused == 1
    assert "Nobody was refused for a reason" in publisher.does(do("retry"))


# In doubt


def of_batches(page: str) -> list[str]:
    return [one["value"] or "" for one in Parsed(page).named("input") if one.get("name") == "batch"]


def test_what_is_in_doubt_is_listed_with_what_is_known_of_it(assembly: Assembly, publisher: At) -> None:
    letter_id = begun(assembly, issues.HELD)
    page = publisher.get(PAGE)
    with reading(assembly.engine) as session:
        doubtful = ledger.Delivery.state == ledger.IN_DOUBT
        batch = session.exec(
            select(ledger.Delivery.batch).where(doubtful, ledger.Delivery.letter_id == letter_id)
        ).first()
    assert of_batches(page) == [batch]
    assert "no answer within 60 seconds" in page
    assert "It is held: its search shows nothing." in page
    assert "to be decided from" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sure": ""}, "Say that you know what it means"),
        ({"decision": "toss a coin"}, "Say what is to be done with them"),
        ({"batch": "of yesterday"}, "Choose at least one batch"),
        ({"readers": "1"}, "There are 2 in doubt by now"),
        ({"readers": "many"}, "There are 2 in doubt by now"),
    ],
)
def test_a_decision_that_is_not_meant_or_not_of_these_readers_is_none(
    assembly: Assembly, publisher: At, changes: dict[str, str], said: str
) -> None:
    begun(assembly, issues.HELD)
    form: dict[str, Any] = {
        "batch": of_batches(publisher.get(PAGE)),
        "readers": "2",
        "decision": "resend",
        "sure": "yes",
    }
    answer = publisher.post(do("decide"), form | changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert publisher.client.app.state.site.carrier.doing("2026-W47") is None  # type: ignore[attr-defined]

    assert "asked once more" in publisher.does(do("decide"), form)
    assert publisher.client.app.state.site.carrier.doing("2026-W47") == ASKING  # type: ignore[attr-defined]
    assert acts_of(assembly) == ["decided what is in doubt"]


def test_nothing_of_an_issue_that_was_called_off_is_sent_again(assembly: Assembly, publisher: At) -> None:
    begun(assembly, issues.CANCELLED)
    page = publisher.get(PAGE)
    assert 'value="resend"' not in page
    form = {"batch": of_batches(page), "readers": "2", "decision": "resend", "sure": "yes"}
    assert "nothing of it is sent again" in publisher.does(do("decide"), form)


def test_an_editor_sees_what_is_in_doubt_and_decides_nothing(assembly: Assembly, sign_in_as: Callable[..., At]) -> None:
    begun(assembly, issues.HELD)
    page = sign_in_as(EDITOR).get(PAGE)
    assert "no answer within 60 seconds" in page
    assert of_batches(page) == []
    assert "Ask once more" not in page


def test_the_provider_is_asked_only_where_there_is_something_to_ask(assembly: Assembly, publisher: At) -> None:
    assert "nothing of issue 2026-W47 is in doubt" in publisher.does(do("ask"))
    begun(assembly, issues.PAUSED)
    assert "The provider is being asked" in publisher.does(do("ask"))
    assert publisher.client.app.state.site.carrier.doing("2026-W47") == ASKING  # type: ignore[attr-defined]
