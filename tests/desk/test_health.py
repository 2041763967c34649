"""Is all well? What the desk says of the clock, the queues, what comes back, and the database."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col

from newsletter import health, jobs, queues
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.sender_lock import Line, at_work, enter
from newsletter.health import FINE, LOOK, WRONG, Finding
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.sandbox.server import Sandbox
from newsletter.storage import Storage, measure
from newsletter.tracking.event import DELIVERED, POLL, WEBHOOK
from newsletter.tracking.store import StoredEvent
from tests.desk.world import At, sign_in
from tests.newsroom import RULES
from tests.web.conftest import browser
from tests.web.world import NOW, MakeAssembly, a_comparison, a_reader, send

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def heard(assembly: Assembly, at: datetime = NOW, source: str = WEBHOOK, **fields: Any) -> None:
    """An event that we were told of at a moment."""
    with writing(assembly.engine) as session:
        made = {"key": f"{at} {source}", "source": source, "record_type": "Delivery", "kind": DELIVERED}
        session.add(StoredEvent(**{**made, "at": at, "received_at": at, **fields}))
        session.commit()


def levels(findings: list[Finding]) -> dict[str, str]:
    return {each.what: each.level for each in findings}


def seen(engine: Engine, ago: timedelta, name: str = "draft", seconds: int = 20, error: str | None = None) -> None:
    with writing(engine) as session:
        (
            jobs.failed(session, name, seconds, NOW - ago, error)
            if error
            else jobs.ran(session, name, seconds, NOW - ago)
        )
        session.commit()


@pytest.mark.parametrize(
    ("ago", "level"), [(None, LOOK), (MINUTE, FINE), (3 * MINUTE, FINE), (4 * MINUTE, WRONG), (30 * DAY, WRONG)]
)
def test_a_clock_that_is_silent_is_said_so(sqlite_engine: Engine, ago: timedelta | None, level: str) -> None:
    if ago:
        seen(sqlite_engine, ago)
        seen(sqlite_engine, ago + HOUR, "check", 86_400)  # would not be missed before its third day
    with reading(sqlite_engine) as session:
        (found,) = health.clock(jobs.every(session), NOW)
    assert found.level == level
    assert bool(found.do) == (level != FINE)


def test_one_job_that_fails_or_hangs_is_named_while_the_others_run(sqlite_engine: Engine) -> None:
    seen(sqlite_engine, MINUTE)
    seen(sqlite_engine, HOUR, "send")
    seen(sqlite_engine, HOUR, "sync", 86_400, "CannotAsk: it is away")
    with reading(sqlite_engine) as session:
        found = health.clock(jobs.every(session), NOW)
    assert levels(found) == {"Clock": FINE, "Job send": LOOK, "Job sync": LOOK}
    assert "it is away" in found[2].said
    with reading(sqlite_engine) as session:  # a send of hours is no silence
        assert "Job send" not in levels(health.clock(jobs.every(session), NOW, {"send"}))


@pytest.mark.parametrize(
    ("now", "drafts", "sends"),
    [
        # The clocks go back on Sunday, 25 October: the slots stay where they are on the wall.
        ("2026-10-21T00:00Z", "2026-10-26T06:00Z", "2026-10-27T08:00Z"),
        ("2026-10-14T00:00Z", "2026-10-19T05:00Z", "2026-10-20T07:00Z"),
        # Between the two slots of a week.
        ("2026-11-23T07:00Z", "2026-11-30T06:00Z", "2026-11-24T08:00Z"),
    ],
)
def test_the_next_slots_are_told_in_the_newsletters_zone(now: str, drafts: str, sends: str) -> None:
    rules = replace(RULES, zone=ZoneInfo("Europe/Berlin"))
    slots = health.slots(rules, datetime.fromisoformat(now))
    assert (slots.draft, slots.send) == (datetime.fromisoformat(drafts), datetime.fromisoformat(sends))


@pytest.mark.parametrize(
    ("listens", "told", "level"),
    [
        (True, None, WRONG),
        (True, (NOW, {"letter_id": 1}), FINE),
        (True, (NOW, {}), WRONG),  # something else came, but nothing of the issue
        (False, None, LOOK),
    ],
)
def test_an_issue_of_which_nothing_comes_back_is_noticed(
    assembly: Assembly, listens: bool, told: tuple[datetime, dict[str, Any]] | None, level: str
) -> None:
    send(assembly, a_comparison())
    if told:
        heard(assembly, told[0], **told[1])
    with reading(assembly.engine) as session:
        early = health.came_back(session, NOW + 59 * MINUTE, "postmark", told=True, listens=True)
        found = health.came_back(session, NOW + 61 * MINUTE, "postmark", told=True, listens=listens)
    assert levels(early)["Webhook"] == FINE
    assert levels(found)["Webhook"] == level


def test_an_event_that_waits_to_be_acted_on_is_noticed(assembly: Assembly) -> None:
    heard(assembly, NOW, POLL, pending=True)
    with reading(assembly.engine) as session:
        found = health.came_back(session, NOW + 2 * HOUR, "postmark", told=True, listens=True)
    assert levels(found)["Events"] == WRONG


def test_a_clock_of_this_machine_that_is_behind_is_noticed(assembly: Assembly) -> None:
    heard(assembly, NOW, received_at=NOW - 90 * timedelta(seconds=1))
    with reading(assembly.engine) as session:
        (found,) = health.provider(session)
    assert (found.what, found.level) == ("Time", LOOK)
    assert "90 seconds" in found.said


def test_an_examination_is_kept_and_what_it_found_is_shown(assembly: Assembly, editor: At) -> None:
    assert "Nobody has looked through the database yet" in editor.get("/desk/health")
    send(assembly, a_comparison())
    with writing(assembly.engine) as session:
        session.connection().execute(update(StoredLetter).values(audience=7))
        session.commit()

    said = editor.does("/desk/health/count")  # it is done once the answer has been given

    assert "Counting has begun" in said
    shown = editor.get("/desk/health")
    assert "The database is not as it must be, in one way." in shown
    assert "the audience is 7, but its rows make" in shown
    assert "Send nothing until it is understood" in editor.get("/desk")  # and on the first page


def test_an_old_examination_wants_a_look(sqlite_engine: Engine) -> None:
    health.examine(sqlite_engine, NOW)
    with reading(sqlite_engine) as session:
        assert levels(health.of_examination(session, NOW + DAY)) == {"Invariants": FINE}
        assert levels(health.of_examination(session, NOW + 3 * DAY)) == {"Invariants": LOOK}


def test_what_waits_is_counted_by_letter_and_what_is_done_is_not(assembly: Assembly, editor: At) -> None:
    readers = [a_reader(assembly, email=f"reader{number}@example.com") for number in range(3)]
    send(assembly, a_comparison())
    assert not _left(assembly)
    with writing(assembly.engine) as session:
        of = update(Delivery).where(col(Delivery.subscriber_id) == readers[0])
        session.connection().execute(of.values(state="queued", batch=None, message_id=None, settled_at=None))
        of = update(Delivery).where(col(Delivery.subscriber_id) == readers[1])
        session.connection().execute(of.values(state="in_doubt", message_id=None, settled_at=None))
        session.connection().execute(update(Issue).values(state=issues.PAUSED))
        session.commit()

    (queue,) = _left(assembly)
    assert (queue.what, queue.state, queue.queued, queue.sending, queue.in_doubt) == ("2026-W47", "paused", 1, 0, 1)
    assert queue.oldest == NOW
    assert 'href="/desk/issues/2026-W47/send"' in editor.get("/desk/health")


def test_who_sends_is_seen_and_not_disturbed(engine: Engine) -> None:
    assert at_work(engine, Line.ISSUES) == 0
    with enter(engine) as sender:
        assert sender
        assert (at_work(engine, Line.ISSUES), at_work(engine, Line.PERSONAL)) == (1, 0)
        assert sender.holds()
    assert at_work(engine, Line.ISSUES) == 0


def test_the_database_is_measured(engine: Engine) -> None:
    measured = measure(engine)
    assert measured.size > 10_000
    assert measured.server.startswith(("SQLite 3", "PostgreSQL "))
    assert (measured.free is None) == measured.server.startswith("PostgreSQL")


@pytest.mark.parametrize(("free", "level"), [(10 * 1024**3, FINE), (900 * 1024**2, LOOK), (10**8, WRONG)])
def test_a_full_disk_is_said_before_it_is_full(free: int, level: str) -> None:
    (found,) = health.room(Storage("SQLite 3", 1024, 0, free))
    assert found.level == level


@pytest.fixture
def at_provider(
    sandbox: Sandbox, kind: str, new_database: Callable[[str], str], make_assembly: MakeAssembly
) -> Assembly:
    """Sends through Postmark as the sandbox plays it, and listens to its webhook."""
    return make_assembly(
        database_url=new_database(kind),
        provider="postmark",
        postmark_api_url=sandbox.url,
        postmark_server_token=sandbox.token,
        webhook_username="hook",
        webhook_password="very-secret-password",
        rate_limit=50,
    )


def test_settings_are_shown_and_no_secret(at_provider: Assembly, sandbox: Sandbox) -> None:
    shown = sign_in(at_provider, browser(at_provider), "editor").get("/desk/health")
    assert "50 a second" in shown
    assert "broadcast, outbound" in shown
    secrets = (sandbox.token, "very-secret-password", at_provider.settings.secret_key.get_secret_value())
    assert not [secret for secret in secrets if secret in shown]
    assert str(at_provider.engine.url) not in shown


def _left(assembly: Assembly) -> list[queues.Queue]:
    with reading(assembly.engine) as session:
        return queues.left(session)
