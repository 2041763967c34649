"""What asking cannot settle: nobody is sent to twice, the issue is held and says of how many, and others settle it.

Through the public doors: the commands, the pages that the provider's events are posted to, the sandbox, an SMTP server.
"""

import asyncio
import email
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from newsletter.sandbox.server import Sandbox
from tests.delivery.providers.smtp_server import SmtpServer, cut
from tests.forked import Forked
from tests.journeys.test_kill import ROOT, WEEK, approved_issue, copies
from tests.journeys.town import PATIENCE, Town

READERS = 60
BATCH = 10
EVERYBODY = [f"reader{number}@example.com" for number in range(READERS)]
LOSES_ONE = ("accept-then-drop:times=1,after=2", "search-loss", "webhook-late:seconds=7200")
W = str(WEEK)


class Clock:
    """The sandbox's, which a test sets forward."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def pass_by(self, **span: float) -> None:
        self._ahead += timedelta(**span)


class Office(Town):
    """A town in which an issue to 60 readers is approved, and goes out in batches of ten."""

    def __init__(self, folder: Path, sandbox: Sandbox, database_url: str, port: int, **settings: str) -> None:
        told = {"webhook_username": "postmark", "webhook_password": "secret"}
        quick = {"settle": "1s", "provider_timeout": "5s"}
        super().__init__(folder, sandbox, database_url, port, **(told | quick | settings))
        with closing(approved_issue(database_url, READERS, self.settings)):
            pass

    def send(self) -> tuple[int, str]:
        """`newsletter issues send`; its status, and its last line on stderr."""
        command = (str(BATCH), "25", "issues", "send", W)
        process = Forked("tests.journeys.ended", *command, env=self.environment, cwd=ROOT, errors_apart=True)
        _, said = process.communicate(timeout=60)
        return process.wait(0), (said.splitlines() or [""])[-1]

    @property
    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = self.document("issues", "status", W)
        return document

    def decide(self, decision: str) -> None:
        """Say what is to become of those in doubt, as soon as that may be said: a moment after they were sent to."""
        deadline = time.monotonic() + PATIENCE
        while True:
            process = self.start("issues", "reconcile", W, decision)
            output, errors = process.communicate(timeout=60)
            if process.returncode == 0:
                return
            assert "may have been sent to just now" in errors, output + errors
            assert time.monotonic() < deadline

    def until(self, state: str) -> dict[str, Any]:
        """Wait for the issue to come into a state; its status then."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.status)["state"] != state:
            assert time.monotonic() < deadline, status
        return status


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def office(tmp_path: Path, clock: Clock, database_url: str) -> Iterator[Office]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    hook = f"http://postmark:secret@127.0.0.1:{port}/webhooks/postmark"
    with Sandbox(webhook_url=hook, faults=LOSES_ONE, clock=clock, seed=1) as sandbox:
        yield Office(tmp_path, sandbox, database_url, port)


def test_what_a_search_never_shows_is_held_with_its_number_until_the_late_events_settle_it(
    office: Office, clock: Clock
) -> None:
    code, said = office.send()

    assert code == 1
    assert f"{W} is held, with {BATCH} readers in doubt" in said
    assert copies(office.sandbox) == Counter(EVERYBODY)  # the lost answer's too, but who could know?
    status = office.status
    assert (status["state"], status["in_doubt"], status["accepted"]) == ("held", BATCH, READERS - BATCH)
    assert "search does not show" in status["held_because"]
    assert f"newsletter issues reconcile {W} --give-up" in status["decisions"]
    text = office.run("issues", "status", W)
    assert f"in doubt {BATCH}: " in text
    assert "held because " in text
    assert f"sends to these {BATCH} again: whoever has it gets it twice" in text

    assert office.send()[0] == 1  # once more, as cron would
    assert office.fails("issues", "reconcile", W)
    assert copies(office.sandbox) == Counter(EVERYBODY)
    assert office.status["state"] == "held"

    with office.serve():
        clock.pass_by(hours=3)
        status = office.until("sent")
    assert (status["accepted"], status["in_doubt"]) == (READERS, 0)
    assert copies(office.sandbox) == Counter(EVERYBODY)
    assert "every invariant holds" in office.run("db", "check")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_editor_who_gives_up_what_is_in_doubt_closes_the_issue_and_nobody_gets_it_again(office: Office) -> None:
    office.send()

    assert f"{BATCH} are given up" in office.run("issues", "reconcile", W, "--give-up")

    status = office.status
    assert (status["state"], status["accepted"], status["refused"]) == ("sent", READERS - BATCH, BATCH)
    assert "nothing to do" in office.run("issues", "retry", W)
    assert office.send()[0] == 0
    assert copies(office.sandbox) == Counter(EVERYBODY)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_editor_who_has_it_sent_again_sends_to_those_in_doubt_and_to_nobody_else(office: Office) -> None:
    office.send()

    assert f"{BATCH} are queued again" in office.run("issues", "reconcile", W, "--resend")
    assert office.send()[0] == 0

    status = office.status
    assert (status["state"], status["accepted"]) == ("sent", READERS)
    found = copies(office.sandbox)
    assert found.keys() == {*EVERYBODY}
    assert Counter(found.values()) == {1: READERS - BATCH, 2: BATCH}  # as the command had said


class Post(SmtpServer):
    """A mail server that dies for a reader after the final dot: it has the message, and nobody hears of it."""

    def __init__(self, victim: str) -> None:
        super().__init__()
        self.on_data[victim] = self._take_and_die

    async def _take_and_die(self, server: SMTP) -> str:
        self.on_data.clear()
        assert server.envelope is not None
        assert isinstance(server.envelope.original_content, bytes)
        self.taken.append(server.envelope.original_content)
        cut(server)
        await asyncio.sleep(0)
        return "421 gone"

    @property
    def copies(self) -> Counter[str]:
        return Counter(str(email.message_from_bytes(each)["To"]) for each in self.taken)


@pytest.fixture
def mail() -> Iterator[Post]:
    with Post("reader7@example.com") as server:
        yield server


@pytest.mark.parametrize("decision", ["--give-up", "--resend"])
def test_what_a_mail_server_took_as_it_died_is_held_and_never_repeated_by_itself(
    tmp_path: Path, mail: Post, sandbox: Sandbox, new_database: Callable[[str], str], decision: str
) -> None:
    smtp = {"provider": "smtp", "smtp_url": f"smtp://127.0.0.1:{mail.port}"}
    office = Office(tmp_path, sandbox, new_database("sqlite"), 9, **smtp)

    code, said = office.send()

    assert code == 1
    assert "held, with 1 readers in doubt" in said
    assert "SMTP" in said
    assert office.status["in_doubt"] == 1
    assert office.send()[0] == 1
    assert mail.copies == Counter(EVERYBODY)

    office.decide(decision)
    assert office.send()[0] == 0
    assert office.status["state"] == "sent"
    again = ["reader7@example.com"] if decision == "--resend" else []
    assert mail.copies == Counter([*EVERYBODY, *again])
    keys = [email.message_from_bytes(each)["Message-ID"] for each in mail.taken]
    assert len({*keys}) == READERS  # a copy that is sent again is told to be the same message
