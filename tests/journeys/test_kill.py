"""The power goes: a sender is killed with SIGKILL while it sends, and the next one goes on.

Real processes, a real database, real HTTP to the sandbox. Nobody may have the letter twice, and nobody none.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from newsletter import approving, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.comparisons.categories import categories_of, muted_among
from newsletter.comparisons.importers import import_paths
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.invariants import violations
from newsletter.issues.week import Week
from newsletter.sandbox.mailbox import content_of
from newsletter.sandbox.server import Sandbox
from subscribers.subscriber import Subscriber, muting
from tests.delivery.faulty_line import ARRIVED, TAKEN, FaultyLine
from tests.delivery.readers import add_readers
from tests.forked import Forked

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "newsletter" / "sample" / "comparisons.jsonl"
WEEK = Week(2026, 47)


def settings(database_url: str, api_url: str) -> dict[str, Any]:
    return {
        "database_url": database_url,
        "provider": "postmark",
        "postmark_api_url": api_url,
        "postmark_server_token": "sandbox-token",
        "settle": "1s",
        "provider_timeout": "20s",
    }


def approved_issue(database_url: str, readers: int, others: Mapping[str, Any] | None = None) -> Assembly:
    """A newsletter with an issue that is to go out; `others` are settings of its."""
    assembly = assemble(**settings(database_url, "http://127.0.0.1:9/") | dict(others or {}))
    now = datetime.now(UTC)
    with writing(assembly.engine) as session:
        assert not import_paths(session, [SAMPLE], None, now).bad
        session.commit()
    add_readers(assembly.engine, readers)
    with writing(assembly.engine) as session:
        weekly.draft(session, assembly.rules, WEEK, now)
        approving.approve(session, assembly.rules, WEEK, now)
        session.commit()
    return assembly


def start_sender(database_url: str, api_url: str, batch_size: int) -> Forked:
    given = settings(database_url, api_url)
    environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
    return Forked("tests.journeys.sender", str(WEEK), str(batch_size), env=environment, cwd=ROOT)


def kill(process: Forked) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def finish(process: Forked) -> None:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == str(WEEK))


def assert_everybody_has_it_once(assembly: Assembly, sandbox: Sandbox, readers: int) -> None:
    assert copies(sandbox) == Counter({f"reader{n}@example.com": 1 for n in range(readers)})
    with reading(assembly.engine) as session:
        issue = weekly.require(session, WEEK)
        assert issue.state == "sent"
        assert ledger.accounting(session, issue.letter_id) == ledger.Accounting(audience=readers, accepted=readers)
        assert violations(session) == []


@pytest.mark.parametrize(("kind", "readers", "kills"), [("sqlite", 2_000, 5), ("postgresql", 1_000, 3)])
def test_a_sender_killed_at_random_moments_sends_to_nobody_twice_and_loses_nobody(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str, readers: int, kills: int
) -> None:
    url = new_database(kind)
    with closing(approved_issue(url, readers)) as assembly, FaultyLine(sandbox.url, delay=0.1) as line:
        killed_with_work_left = 0
        for _ in range(kills):
            posts = line.posts
            process = start_sender(url, line.url, batch_size=25)
            while line.posts == posts and process.poll() is None:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.2))
            kill(process)
            killed_with_work_left += sum(copies(sandbox).values()) < readers
        assert killed_with_work_left == kills

        finish(start_sender(url, line.url, batch_size=25))
        assert_everybody_has_it_once(assembly, sandbox, readers)

        posts = line.posts
        finish(start_sender(url, line.url, batch_size=25))
        assert line.posts == posts


@pytest.mark.parametrize(
    ("path", "moment"),
    list(product(("/templates", "/email/batchWithTemplates"), (ARRIVED, TAKEN))),
)
def test_a_sender_killed_at_a_step_of_the_call_sends_to_nobody_twice_and_loses_nobody(
    new_database: Callable[[str], str], sandbox: Sandbox, path: str, moment: str
) -> None:
    url = new_database("sqlite")
    victims: list[Forked] = []

    def watch(at: str, when: str) -> None:
        if (at.rstrip("/"), when) == (path, moment) and victims:
            victims.pop().send_signal(signal.SIGKILL)

    with closing(approved_issue(url, 300)) as assembly, FaultyLine(sandbox.url, watch=watch) as line:
        process = start_sender(url, line.url, batch_size=100)
        victims.append(process)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL

        finish(start_sender(url, line.url, batch_size=100))
        assert_everybody_has_it_once(assembly, sandbox, 300)


def test_a_sender_killed_among_variants_sends_to_each_reader_their_own_once(
    new_database: Callable[[str], str], sandbox: Sandbox
) -> None:
    url = new_database("sqlite")
    readers = 400
    with closing(approved_issue(url, readers)) as assembly, FaultyLine(sandbox.url, delay=0.05) as line:
        with reading(assembly.engine) as session:
            comparisons = weekly.comparisons_of(session, weekly.require(session, WEEK))
        names = categories_of(comparisons)
        mutings = [[], *([name] for name in names), names[:2]]
        with assembly.engine.begin() as connection:
            for turn, muted in enumerate(mutings):
                theirs = col(Subscriber.id) % len(mutings) == turn
                connection.execute(update(Subscriber).where(theirs).values(muted=muting(muted)))
        for _ in range(2):
            posts = line.posts
            process = start_sender(url, line.url, batch_size=25)
            while line.posts < posts + 3 and process.poll() is None:
                time.sleep(0.005)
            kill(process)
            assert sum(copies(sandbox).values()) < readers

        finish(start_sender(url, line.url, batch_size=25))
        assert_everybody_has_it_once(assembly, sandbox, readers)

    for message in sandbox.messages:
        if message.tag == str(WEEK):
            number = int(message.recipients[0].removeprefix("reader").partition("@")[0]) + 1
            left_out = muted_among(comparisons, mutings[number % len(mutings)])
            text = content_of(message).text
            assert {one.slug for one in comparisons if f"/comparisons/{one.slug}\n" not in text} == left_out


def test_two_senders_at_once_send_once(new_database: Callable[[str], str], sandbox: Sandbox) -> None:
    url = new_database("sqlite")
    with closing(approved_issue(url, 1_000)) as assembly, FaultyLine(sandbox.url, delay=0.05) as line:
        both = [start_sender(url, line.url, batch_size=50) for _ in range(2)]
        for process in both:
            process.communicate(timeout=60)

        assert_everybody_has_it_once(assembly, sandbox, 1_000)
