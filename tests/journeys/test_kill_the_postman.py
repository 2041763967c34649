"""The power goes while letters to one person are carried: nobody has one twice, and nobody none.

Real processes, a real database, real HTTP to the sandbox.
"""

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from sqlmodel import col, select

from newsletter.assembly import Assembly, assemble
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Delivery
from newsletter.invariants import violations
from newsletter.sandbox.server import Sandbox
from subscribers import signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from subscribers.subscriber import PENDING, Subscriber
from tests.delivery.faulty_line import ARRIVED, TAKEN, FaultyLine
from tests.forked import Forked
from tests.journeys.test_kill import kill, settings

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds in which what is in doubt has settled long since


def signed_up(database_url: str, count: int) -> Assembly:
    """A newsletter with so many sign-ups that wait; every third address signed up twice."""
    assembly = assemble(**settings(database_url, "http://127.0.0.1:9/"))
    with writing(assembly.engine) as session:
        for number in range(count):
            for _ in range(1 + (number % 3 == 0)):
                address = parse_address(f"reader{number}@example.com")
                signup.ask(session, address, Words("1", "Yes."), Whence(), "form", datetime.now(UTC))
        session.commit()
    return assembly


def start_carrier(database_url: str, api_url: str, batch_size: int, minutes: int = 0) -> Forked:
    given = settings(database_url, api_url)
    environment = os.environ | {f"NEWSLETTER_{name.upper()}": value for name, value in given.items()}
    return Forked("tests.journeys.carrier", str(batch_size), str(minutes), env=environment, cwd=ROOT)


def finish(process: Forked) -> None:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def finish_in_rounds(assembly: Assembly, database_url: str, api_url: str, batch_size: int, minutes: int) -> None:
    """Carry from so many minutes on, until nothing is in doubt: what one round calls so rests until a later one."""
    deadline = time.monotonic() + PATIENCE
    for turn in itertools.count():
        finish(start_carrier(database_url, api_url, batch_size, minutes + 2 * turn))
        with reading(assembly.engine) as session:
            if ledger.IN_DOUBT not in session.exec(select(Delivery.state)).all():
                return
        assert time.monotonic() < deadline


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == "confirm")


def assert_everybody_is_asked_once(assembly: Assembly, sandbox: Sandbox, count: int) -> None:
    addresses = [f"reader{number}@example.com" for number in range(count)]
    assert copies(sandbox) == Counter(addresses)
    with reading(assembly.engine) as session:
        assert signup.waiting_ids(session, 0, 1) == []
        readers = session.exec(select(Subscriber).order_by(col(Subscriber.id))).all()
        assert sorted(one.email for one in readers) == sorted(addresses)
        assert {one.status for one in readers} == {PENDING}
        assert set(session.exec(select(Delivery.state))) == {"accepted"}
        assert violations(session) == []


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 3), ("postgresql", 2)])
def test_a_carrier_killed_at_random_moments_writes_to_nobody_twice_and_loses_nobody(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str, kills: int
) -> None:
    url = new_database(kind)
    with closing(signed_up(url, 36)) as assembly, FaultyLine(sandbox.url, delay=0.2) as line:
        died = 0
        for turn in range(kills):
            posts = line.posts
            process = start_carrier(url, line.url, batch_size=2, minutes=2 * turn)
            while line.posts == posts and process.poll() is None:
                time.sleep(0.005)
            time.sleep(random.uniform(0, 0.1))
            died += process.poll() is None
            kill(process)
        assert died == kills
        finish_in_rounds(assembly, url, line.url, batch_size=2, minutes=2 * kills)
        assert_everybody_is_asked_once(assembly, sandbox, 36)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_carrier_killed_while_it_attends_to_sign_ups_loses_none(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str
) -> None:
    url = new_database(kind)
    with closing(signed_up(url, 36)) as assembly:
        process = start_carrier(url, sandbox.url, batch_size=50)
        with reading(assembly.engine) as session:
            first = signup.waiting_ids(session, 0, 1)
        while process.poll() is None:
            with reading(assembly.engine) as session:
                if signup.waiting_ids(session, 0, 1) != first:
                    break
        kill(process)
        with reading(assembly.engine) as session:
            left = len(signup.waiting_ids(session, 0, 100))
        assert 0 < left < 48
        assert copies(sandbox) == Counter()

        finish(start_carrier(url, sandbox.url, batch_size=50))
        assert_everybody_is_asked_once(assembly, sandbox, 36)


@pytest.mark.parametrize(
    ("path", "moment"), list(product(("/templates", "/email/batchWithTemplates"), (ARRIVED, TAKEN)))
)
def test_a_carrier_killed_at_a_step_of_the_call_writes_to_nobody_twice_and_loses_nobody(
    new_database: Callable[[str], str], sandbox: Sandbox, path: str, moment: str
) -> None:
    url = new_database("sqlite")
    victims: list[Forked] = []

    def watch(at: str, when: str) -> None:
        if (at.rstrip("/"), when) == (path, moment) and victims:
            victims.pop().send_signal(signal.SIGKILL)

    with closing(signed_up(url, 1)) as assembly, FaultyLine(sandbox.url, watch=watch) as line:
        process = start_carrier(url, line.url, batch_size=50)
        victims.append(process)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL

        finish_in_rounds(assembly, url, line.url, batch_size=50, minutes=2)
        assert_everybody_is_asked_once(assembly, sandbox, 1)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_carriers_in_several_processes_at_once_write_to_everybody_once(
    new_database: Callable[[str], str], sandbox: Sandbox, kind: str
) -> None:
    url = new_database(kind)
    with closing(signed_up(url, 15)) as assembly, FaultyLine(sandbox.url, delay=0.05) as line:
        for process in [start_carrier(url, line.url, batch_size=3) for _ in range(3)]:
            finish(process)
        finish(start_carrier(url, line.url, batch_size=3))
        assert_everybody_is_asked_once(assembly, sandbox, 15)
