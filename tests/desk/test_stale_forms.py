"""Forms of a page that is no longer true: nothing is called off, brought back or sent by them that nobody saw."""

import pytest
from sqlalchemy.exc import OperationalError

from newsletter import approving, editing, steering, weekly
from newsletter.assembly import Assembly
from newsletter.db import writing, writing_soon
from newsletter.editors import log
from newsletter.issues import issue as issues
from tests.desk.under_way import PAGE, READERS, acts_of, assembly, begun, do, form_of, issue_of
from tests.desk.world import At
from tests.web.world import NOW, W47, approve, everything

__all__ = ["assembly"]


def test_who_called_off_what_had_not_begun_does_not_call_off_its_rest(assembly: Assembly, publisher: At) -> None:
    shown = form_of(publisher.get(PAGE), "cancel")
    begun(assembly)
    assert "has begun to go out since" in publisher.does(do("cancel"), shown | {"week": "2026-W47"})
    assert (issue_of(assembly).state, acts_of(assembly)) == (issues.SENDING, [])
    publisher.does(do("cancel"), form_of(publisher.get(PAGE), "cancel") | {"week": "2026-W47"})
    assert issue_of(assembly).state == issues.CANCELLED


def test_what_was_called_off_is_not_drafted_anew_from_a_page_that_shows_its_draft(
    assembly: Assembly, editor: At
) -> None:
    shown = form_of(editor.get("/desk/issues/2026-W47/write"), "refresh")
    with writing(assembly.engine) as session:
        steering.cancel(session, W47)
        session.commit()
    assert "is cancelled" in editor.does(do("refresh"), shown)
    assert (issue_of(assembly).state, acts_of(assembly)) == (issues.CANCELLED, [])


def test_what_was_approved_anew_is_not_sent_from_a_page_that_shows_another_letter(
    assembly: Assembly, publisher: At
) -> None:
    approve(assembly)
    shown = form_of(publisher.get(PAGE), "send")
    with writing(assembly.engine) as session:
        approving.unapprove(session, W47)
        weekly.edit(session, W47, "Another subject", None)
        session.commit()
    approve(assembly)
    assert "has been approved since you looked" in publisher.does(do("send"), shown | {"readers": str(READERS)})
    assert issue_of(assembly).state == issues.APPROVED
    publisher.does(do("send"), form_of(publisher.get(PAGE), "send") | {"readers": str(READERS)})
    assert issue_of(assembly).state == issues.SCHEDULED


def test_a_note_whose_lines_end_elsewhere_is_another_note(assembly: Assembly, editor: At) -> None:
    shown = form_of(editor.get("/desk/issues/2026-W47/write"), "write") | {"was": ""}
    with writing(assembly.engine) as session:
        editing.write(session, assembly.rules, W47, None, None, NOW, note="- one\n- two")
        session.commit()
    shown.pop("subject", None)
    assert editor.post(do("write"), shown | {"note": "- one - two"}).status_code == 409
    assert issue_of(assembly).note == "- one\n- two"


class Probe:
    """Stands where a page prints the newsletter's name, and tries to write into the database meanwhile."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self.found: list[bool] = []

    def __str__(self) -> str:
        try:
            with writing_soon(self._assembly.bare_engine) as session:
                log.write(session, NOW, None, "tried")
                session.flush()
            self.found.append(True)
        except OperationalError:
            self.found.append(False)
        return "A newsletter"


@pytest.mark.parametrize(
    ("act", "data", "state"),
    [
        ("cancel", {"week": "2026-W46"}, issues.SENDING),
        ("decide", {"decision": "resend"}, issues.HELD),
        ("write", {"subject": "Mine", "was": "another"}, None),
        ("test", {"to": "nobody"}, None),
        ("preview", {"address": "nobody"}, None),
        ("schedule", {"at": "never"}, None),
    ],
)
def test_nobody_who_writes_waits_for_a_page_that_says_what_is_wrong(
    assembly: Assembly, publisher: At, act: str, data: dict[str, str], state: str | None
) -> None:
    if state:
        begun(assembly, state)
    furniture = publisher.client.app.state.furniture  # type: ignore[attr-defined]
    data = {"csrf": publisher.csrf(), **data}
    probe = Probe(assembly)
    furniture.templates.globals["newsletter"] = probe
    before = everything(assembly)
    answer = publisher.client.post(do(act), data=data)
    assert answer.status_code in (409, 422)
    assert probe.found
    assert all(probe.found)
    assert everything(assembly) == before
