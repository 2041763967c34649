"""`newsletter serve` is killed in the midst of a flood of events, again and again: nothing that was answered is lost.

The posts come over several connections, as from the provider, and what was not answered with 200 is posted again.
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
from base64 import b64encode
from collections import deque
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import select

from newsletter.cli.app import main
from newsletter.db import reading
from newsletter.delivery.ledger import ACCEPTED, StoredLetter
from newsletter.delivery.provider import Accepted, Unknown
from newsletter.invariants import violations
from newsletter.tracking.postmark import translate
from newsletter.tracking.store import PENDING, StoredEvent
from subscribers.subscriber import ACTIVE, SUPPRESSED, Subscriber
from tests.delivery.readers import another_letter, claim, record, rows
from tests.forked import forks
from tests.newsroom import subscribe
from tests.web.test_webhooks import free_port

READERS = 400
DEAD = 8  # every so many, an address is dead
LINES = 6
DEATHS = (80, 180, 280)  # after so many answers
USER, PASSWORD = "postmark", "p@ss"
HEADERS = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
LETTER = 1


def serve(settings: dict[str, str], port: int, log: str) -> None:
    """`newsletter serve`, in this process."""
    with Path(log).open("a", buffering=1) as opened:
        os.dup2(opened.fileno(), 1)
        os.dup2(opened.fileno(), 2)
    os.environ.update(settings)
    sys.argv = ["newsletter", "serve", "--port", str(port)]
    main()


def start(settings: dict[str, str], port: int, log: Path) -> BaseProcess:
    process = forks().Process(target=serve, args=(settings, port, str(log)), daemon=True)
    process.start()
    return process


class Flood:
    """Posts each body until it is answered with 200, over several connections."""

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        self._port = port
        self._waiting = deque(bodies)
        self.answered: list[bytes] = []
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(LINES)]
        for thread in self._threads:
            thread.start()

    def _post(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as line:
            while self._waiting:
                self._post_one(line)

    def _post_one(self, line: http.client.HTTPConnection) -> None:
        try:
            body = self._waiting.popleft()
        except IndexError:
            return
        try:
            line.request("POST", "/webhooks/postmark", body, HEADERS)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            line.close()
            self._waiting.append(body)
            time.sleep(0.01)  # nobody is there just now
        else:
            assert answer.status in (200, 503)
            (self.answered if answer.status == 200 else self._waiting).append(body)

    def wait_for(self, count: int) -> None:
        give_up = time.monotonic() + 30
        while len(self.answered) < count:
            assert time.monotonic() < give_up, f"{len(self.answered)} of {count} were answered"
            time.sleep(0.002)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def message_id(number: int) -> str:
    return f"883953f4-6105-42a2-a16a-{number:012x}"


def gone_out(engine: Engine) -> list[bytes]:
    """A letter that went out, and what the provider tells of it afterwards."""
    subscribe(engine, [f"reader{number}@example.com" for number in range(1, READERS + 1)])
    another_letter(engine)
    batch = claim(engine, LETTER)
    with reading(engine) as session:
        stored = session.get_one(StoredLetter, LETTER)
        keys = {number: {"row": stored.row_key(number), "batch": batch.key} for number, _ in batch.readers}
    assert len(keys) == READERS
    posts: list[dict[str, object]] = []
    for number, metadata in keys.items():
        about = {"MessageID": message_id(number), "Metadata": metadata}
        at, email = "2026-11-24T09:01:02Z", f"reader{number}@example.com"
        if number % DEAD:
            posts.append({"RecordType": "Delivery", "Recipient": email, "DeliveredAt": at, **about})
        else:
            said = {"SuppressSending": True, "SuppressionReason": "HardBounce", "MessageStream": "broadcast"}
            posts.append({"RecordType": "SubscriptionChange", "Recipient": email, "ChangedAt": at, **said, **about})
    # Of most copies the provider's answer came; of the others these posts are the first word.
    record(
        engine,
        LETTER,
        batch,
        [Accepted(message_id(number)) if number % 5 else Unknown("no answer") for number, _ in batch.readers],
    )
    return [json.dumps(post).encode() for post in posts]


def keys_in(engine: Engine) -> set[str]:
    with reading(engine) as session:
        return set(session.exec(select(StoredEvent.key)))


def wait_until_nothing_is_left(engine: Engine) -> None:
    give_up = time.monotonic() + 20
    while True:
        with reading(engine) as session:
            if not session.exec(select(StoredEvent.id).where(PENDING).limit(1)).all():
                return
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_what_was_answered_is_in_the_table_and_all_that_it_says_is_done(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    settings = {
        "NEWSLETTER_DATABASE_URL": database_url,
        "NEWSLETTER_WEBHOOK_USERNAME": USER,
        "NEWSLETTER_WEBHOOK_PASSWORD": PASSWORD,
        "NEWSLETTER_OUTBOX_DIR": str(tmp_path / "outbox"),
    }
    bodies = gone_out(engine)
    process = start(settings, port, log)
    try:
        flood = Flood(port, bodies)
        for count in DEATHS:
            flood.wait_for(count)
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join(10)
            answered = {translate(body, None, "").key for body in flood.answered}
            assert count <= len(answered) < READERS
            assert answered <= keys_in(engine)
            process.close()
            process = start(settings, port, log)
        flood.join()
        wait_until_nothing_is_left(engine)
    finally:
        process.terminate()
        process.join(10)
        process.close()
    assert {row.state for row in rows(engine, LETTER)} == {ACCEPTED}
    with reading(engine) as session:
        statuses = dict(session.exec(select(Subscriber.id, Subscriber.status)).all())
        assert statuses == {number: ACTIVE if number % DEAD else SUPPRESSED for number in range(1, READERS + 1)}
        assert len(session.exec(select(StoredEvent.id)).all()) == READERS
        assert violations(session) == []
    assert "Traceback" not in log.read_text()
