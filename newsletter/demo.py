"""What does the whole thing do? The main job from nothing: three weeks of sample comparisons, forty readers.

Goes through the same doors as an editor and the scheduler do, against the bundled sandbox over real HTTP. Nothing
leaves this machine, and the sandbox is gone when the demo ends.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from newsletter import approving, outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.comparisons.importers import import_paths
from newsletter.db import reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import Accounting
from newsletter.issues.week import Week
from newsletter.outgoing import Run
from newsletter.sandbox.server import Sandbox
from newsletter.weekly import CannotDo
from subscribers.importing import import_csv

SAMPLE = Path(__file__).parent / "sample"
WEEKS = (Week(2026, 45), Week(2026, 46), Week(2026, 47))
MARK = ".newsletter-demo"  # a file that says that a folder is a demo's, and may be made anew
BOUNCED_BEFORE = "tenzin@example.com"  # the provider refuses this reader, so that the accounting shows a refusal


@dataclass(frozen=True)
class DemoWeek:
    """One issue that the demo sent."""

    week: str
    state: str
    accounting: Accounting


@dataclass(frozen=True)
class Shown:
    """What the demo did, and where it lies."""

    weeks: list[DemoWeek]
    received: int
    """Letters that the sandbox took."""
    twice: int
    """Readers who had one issue more than once, as the sandbox counts."""
    letters: Path
    environment: dict[str, str]
    """The settings with which the pages show what was sent."""
    inbox: str


@contextmanager
def run_demo(directory: Path) -> Iterator[Shown]:
    """Run the main job in a folder that is made anew; the sandbox runs as long as the block does.

    Raises CannotDo for a folder that is there and is no demo's.
    """
    _make_anew(directory)
    with Sandbox() as sandbox:
        environment = {
            "NEWSLETTER_DATABASE_URL": f"sqlite:///{(directory / 'newsletter.db').resolve()}",
            "NEWSLETTER_BASE_URL": "http://127.0.0.1:8000",
        }
        assembly = assemble(
            database_url=environment["NEWSLETTER_DATABASE_URL"],
            base_url=environment["NEWSLETTER_BASE_URL"],
            provider="postmark",
            postmark_api_url=sandbox.url,
            postmark_server_token=sandbox.token,
            postmark_stream="broadcast",
            timezone="UTC",
        )
        with closing(assembly):
            _collect(assembly)
            _refuse_one(sandbox)
            weeks = [_send_week(assembly, week) for week in WEEKS]
        received = _keep_letters(sandbox, directory / "letters")
        copies = Counter((message.recipients, message.tag) for message in sandbox.messages)
        twice = sum(count > 1 for count in copies.values())
        yield Shown(weeks, received, twice, directory / "letters", environment, sandbox.url)


def _collect(assembly: Assembly) -> None:
    """Sample comparisons and readers into the store."""
    now = datetime.now(UTC)
    with writing(assembly.engine) as session:
        report = import_paths(session, [SAMPLE / "comparisons.jsonl"], None, now)
        assert not report.bad, report.bad
        session.commit()
    readers = import_csv(assembly.engine, SAMPLE / "readers.csv", None, now)
    assert not readers.bad


def _send_week(assembly: Assembly, week: Week) -> DemoWeek:
    """One week as an editor and the clock see it: draft, preview, approve, and at the slot, send."""
    rules = assembly.rules
    slot = week.slot_after(rules.send_at, rules.zone)
    drafted_at = week.slot_after(rules.draft_at, rules.zone)
    with writing(assembly.engine) as session:
        weekly.draft(session, rules, week, drafted_at)
        approving.preview(session, rules, week)
        issue = approving.approve(session, rules, week, drafted_at)
        session.commit()
    outgoing.send_due(assembly.engine, rules, assembly.post, Run(clock=lambda: slot))
    with reading(assembly.engine) as session:
        issue = weekly.require(session, week)
        return DemoWeek(issue.week, issue.state, ledger.accounting(session, issue.letter_id))


def _refuse_one(sandbox: Sandbox) -> None:
    """Let the provider know that mail to one of the readers has bounced before."""
    url = f"{sandbox.url}message-streams/broadcast/suppressions"
    bounced = {"Suppressions": [{"EmailAddress": BOUNCED_BEFORE}]}
    requests.post(url, json=bounced, headers=_headers(sandbox), timeout=10).raise_for_status()


def _keep_letters(sandbox: Sandbox, folder: Path) -> int:
    """Write each letter as its reader would get it, a folder an issue; return how many."""
    messages = sandbox.messages
    for message in messages:
        place = folder / (message.tag or "untagged")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{message.recipients[0]}.eml").write_bytes(_source(sandbox, message.id))
    return len(messages)


def _source(sandbox: Sandbox, message_id: str) -> bytes:
    url = f"{sandbox.url}messages/outbound/{message_id}/dump"
    answer = requests.get(url, headers=_headers(sandbox), timeout=10)
    answer.raise_for_status()
    return str(answer.json()["Body"]).encode()


def _headers(sandbox: Sandbox) -> dict[str, str]:
    return {"X-Postmark-Server-Token": sandbox.token, "Accept": "application/json"}


def _make_anew(directory: Path) -> None:
    if directory.exists() and any(directory.iterdir()):
        if not (directory / MARK).exists():
            raise CannotDo(f"{directory} is not empty and no demo's; name another folder with --dir")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MARK).write_text("Made by `newsletter demo`, which makes this folder anew each time.\n")
