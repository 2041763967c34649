"""An issue of a newsletter in Berlin, whose clocks change, before it begins and in its midst."""

import html
import re
from collections.abc import Callable

import pytest

from newsletter import outgoing, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.provider import Accepted, Outcome, Refused, Unknown
from newsletter.editors.log import newest
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.versions import Version
from tests.delivery.readers import add_readers, claim, record
from tests.web.world import NOW, W47, MakeAssembly, a_comparison, approve, draft, keep

PAGE = "/desk/issues/2026-W47/send"
ACTS = ("approve", "unapprove", "schedule", "send", "resume", "go-on", "cancel", "retry", "ask", "decide")

READERS = 8
MIDST: list[Outcome] = [
    Accepted("id-1"),
    Refused("mailbox busy", passing=True),
    Refused("the address is inactive"),
    Unknown("no answer within 60 seconds"),
    Unknown("no answer within 60 seconds"),
]


@pytest.fixture
def assembly(kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly) -> Assembly:
    """In Berlin: its clocks change."""
    made = make_assembly(database_url=new_database(kind), timezone="Europe/Berlin")
    keep(made, a_comparison(), a_comparison("Otter", "Pike"))
    add_readers(made.engine, READERS)
    draft(made)
    return made


def issue_of(assembly: Assembly) -> Issue:
    with reading(assembly.engine) as session:
        return weekly.require(session, W47)


def acts_of(assembly: Assembly) -> list[str]:
    with reading(assembly.engine) as session:
        return [entry.act for entry in newest(session, week=str(W47))]


def written_by(assembly: Assembly, editor_id: int) -> None:
    with writing(assembly.engine) as session:
        issue = weekly.require(session, W47)
        assert issue.id is not None
        issue.version += 1
        session.add(
            Version(issue_id=issue.id, number=issue.version, editor_id=editor_id, at=NOW, what="moved it", content="{}")
        )
        session.commit()


def form_of(page: str, act: str) -> dict[str, str]:
    """The hidden fields of the form that does something."""
    form = re.search(rf'<form[^>]*method="post" action="/desk/issues/2026-W47/{act}".*?</form>', page, re.DOTALL)
    assert form, act
    return {
        html.unescape(name): html.unescape(value)
        for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[0])
    }


def do(act: str) -> str:
    return f"/desk/issues/2026-W47/{act}"


def begun(assembly: Assembly, state: str = issues.SENDING) -> int:
    """An issue in its midst: of eight readers two are waiting and one is just being sent to."""
    approve(assembly)
    with writing(assembly.engine) as session:
        letter_id = outgoing._start(session, assembly.rules, weekly.require(session, W47), NOW)
        session.commit()
    record(assembly.engine, letter_id, claim(assembly.engine, letter_id, len(MIDST)), MIDST)
    if state == issues.SENDING:
        claim(assembly.engine, letter_id, 1)
    with writing(assembly.engine) as session:
        issue = weekly.require(session, W47)
        issue.state = state
        issue.held_because = "its search shows nothing" if state == issues.HELD else None
        ledger.set_open(session, letter_id, is_open=state == issues.SENDING)
        session.commit()
    return letter_id
