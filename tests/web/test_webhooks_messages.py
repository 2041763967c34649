"""What the provider tells of messages that we were in doubt about: real sends, the sandbox, and real posts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
from fastapi.testclient import TestClient
from sqlmodel import select
from structlog.testing import capture_logs

from newsletter import outgoing, weekly
from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.delivery import drain, ledger
from newsletter.delivery.ledger import Accounting, StoredLetter
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.outgoing import Run
from newsletter.sandbox.server import Sandbox
from newsletter.tracking.store import PENDING, StoredEvent
from tests.delivery.faulty_line import LOSE_ANSWER, TAKEN, FaultyLine
from tests.delivery.readers import add_readers, claim, doubt
from tests.tracking.test_postmark import EXAMPLES, became, change
from tests.web.test_webhooks import PASSWORD, PATH, USER, free_port, post, served, wait_for
from tests.web.world import NOW, W47, MakeAssembly, a_comparison, a_reader, approve, draft, everything, keep

READERS = 30
ID = "883953f4-6105-42a2-a16a-77a8eac79483"


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def assembly(kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly) -> Assembly:
    return make_assembly(database_url=new_database(kind), webhook_username=USER, webhook_password=PASSWORD)


def begin(assembly: Assembly) -> int:
    """Draw up the list of an approved issue, and send to nobody yet; the letter's id."""
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    over = threading.Event()
    over.set()
    outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, W47, Run(clock=lambda: NOW, stop=over))
    return issue_of(assembly).letter_id or 0


def issue_of(assembly: Assembly) -> Issue:
    with reading(assembly.engine) as session:
        return weekly.require(session, W47)


def books(assembly: Assembly) -> Accounting:
    with reading(assembly.engine) as session:
        return ledger.accounting(session, weekly.require(session, W47).letter_id)


def keys(assembly: Assembly, reader: int) -> dict[str, str]:
    """Our own keys of a reader's message that was sent and never answered."""
    batch = claim(assembly.engine, issue_of(assembly).letter_id or 0)
    doubt(assembly.engine, issue_of(assembly).letter_id or 0)
    with reading(assembly.engine) as session:
        return {"batch": batch.key, "row": session.exec(select(StoredLetter)).one().row_key(reader)}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_event_of_a_message_settles_its_row(
    assembly: Assembly, client: TestClient, example: dict[str, Any]
) -> None:
    reader = a_reader(assembly)
    begin(assembly)
    event = {**example["payload"], "Metadata": keys(assembly, reader)}
    with capture_logs() as logs:
        assert post(client, event).status_code == 200
    named = example["payload"]["MessageID"] is not None
    assert books(assembly) == (Accounting(audience=1, accepted=1) if named else Accounting(audience=1, in_doubt=1))
    assert issue_of(assembly).state == (issues.SENT if named else issues.SENDING)
    line = next((line for line in logs if line["event"] == "event"), {})
    assert (line.get("settled"), line.get("state")) == (("a row of letter 1", "sent") if named else (None, None))
    assert "@" not in str(line)


def test_a_hard_bounce_is_proof_and_also_the_end_of_the_address(assembly: Assembly, client: TestClient) -> None:
    reader = a_reader(assembly)
    begin(assembly)
    bounced = change(SuppressionReason="HardBounce", MessageID=ID, Metadata=keys(assembly, reader))
    with capture_logs() as logs:
        assert post(client, bounced).status_code == 200
    assert logs == [
        {
            "log_level": "info",
            "event": "event",
            "type": "SubscriptionChange",
            "outcome": "suppressed",
            "subscriber": reader,
            "settled": "a row of letter 1",
            "issue": str(W47),
            "state": "sent",
        },
        {"log_level": "info", "event": "events written", "new": 1, "known": 0},
    ]
    with reading(assembly.engine) as session:
        assert violations(session) == []


ODD: list[dict[str, Any]] = [
    {"Metadata": None},
    {"Metadata": [1]},
    {"Metadata": {"batch": 1, "row": {}}},
    {"Metadata": {"batch": "0" * 32, "row": "a\0-1"}},
    {"Metadata": {"batch": "0" * 32, "row": "'; DROP TABLE deliveries; --"}},
    {"Metadata": {"batch": "0" * 32, "row": "0123456789abcdef-1"}},
    {"Metadata": {"batch": "0" * 32, "row": "0123456789abcdef-" + "9" * 60}},
    {"Metadata": {"batch": "0" * 32, "row": "probe"}},
    {"MessageID": "ada@example.com"},
    {"MessageID": "00000000-0000-0000-0000-000000000000"},
    {"MessageID": 17},
]


def test_what_proves_nothing_is_taken_with_200_and_settles_nothing(assembly: Assembly, client: TestClient) -> None:
    reader = a_reader(assembly)
    begin(assembly)
    ours = keys(assembly, reader)
    before = everything(assembly)
    with capture_logs() as logs:
        for odd in ODD:
            assert post(client, became("Delivery", MessageID=ID, Metadata=ours) | odd).status_code == 200, odd
    assert everything(assembly) | {"events": []} == before
    assert {line["event"] for line in logs} == {"events written"}
    with reading(assembly.engine) as session:
        assert not session.exec(select(StoredEvent.pending).where(PENDING)).all()


class Moving:
    """A clock that goes on from NOW as time goes by."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=time.monotonic() - self._began)


@contextmanager
def at_the_sandbox(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly, line: FaultyLine, token: str
) -> Iterator[Assembly]:
    """An approved issue to READERS, which goes through a line to the sandbox."""
    assembly = make_assembly(
        database_url=new_database(kind),
        provider="postmark",
        postmark_api_url=line.url,
        postmark_server_token=token,
        webhook_username=USER,
        webhook_password=PASSWORD,
        settle="1s",
    )
    add_readers(assembly.engine, READERS)
    keep(assembly, a_comparison())
    draft(assembly)
    approve(assembly)
    yield assembly


def test_events_that_are_faster_than_the_answer_are_believed(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly
) -> None:
    port = free_port()
    webhook = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}{PATH}"
    while_waiting: list[Accounting] = []
    made: list[Assembly] = []

    def hold_back(path: str, moment: str) -> None:
        """Keep the answer of a batch until every event of it has been handled."""
        if moment == TAKEN and "batch" in path:
            wait_for(lambda: books(made[0]).accepted == READERS)
            while_waiting.append(books(made[0]))

    with (
        Sandbox(webhook_url=webhook) as sandbox,
        FaultyLine(sandbox.url, watch=hold_back) as line,
        at_the_sandbox(kind, new_database, make_assembly, line, sandbox.token) as assembly,
        served(assembly, port),
    ):
        made.append(assembly)
        outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, W47, Run(clock=lambda: NOW))
    assert while_waiting == [Accounting(audience=READERS, accepted=READERS)]
    assert outcome.state == issues.SENT
    assert len(sandbox.messages) == READERS
    with reading(assembly.engine) as session:
        assert violations(session) == []


def test_what_the_search_never_shows_is_held_and_its_late_events_settle_it(
    kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.delivery.reconcile.PROBE_PATIENCE", 0.3)
    monkeypatch.setattr(drain, "RECORD_PAUSES", (0.01,))
    port = free_port()
    with (
        Sandbox(faults=["search-loss"]) as sandbox,
        FaultyLine(sandbox.url, LOSE_ANSWER) as line,
        at_the_sandbox(kind, new_database, make_assembly, line, sandbox.token) as assembly,
        served(assembly, port),
    ):
        clock = Moving()
        outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, W47, Run(clock=clock))
        assert outcome.state == issues.HELD
        assert books(assembly) == Accounting(audience=READERS, in_doubt=READERS)
        ours = [message for message in sandbox.messages if message.tag == str(W47)]
        assert len(ours) == READERS
        for number, message in enumerate(ours, start=1):
            assert issue_of(assembly).state == issues.HELD
            event = became("Delivery", MessageID=message.id, Metadata=message.fields()["Metadata"])
            told = requests.post(f"http://127.0.0.1:{port}{PATH}", json=event, auth=(USER, PASSWORD), timeout=5)
            assert told.status_code == 200
            assert books(assembly).in_doubt == READERS - number
    assert issue_of(assembly).state == issues.SENT
    assert books(assembly) == Accounting(audience=READERS, accepted=READERS)
    with reading(assembly.engine) as session:
        assert violations(session) == []
