"""One send in a process of its own, so that what it costs is its own: `python -m benchmarks.sender ours|plain`.

Everything comes from the settings in the environment; the last line on stdout says as JSON what was measured.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock, patch

from postmarker.core import PostmarkClient
from sqlmodel import col, select

from newsletter import outgoing, weekly
from newsletter.assembly import Assembly, assemble
from newsletter.db import reading
from newsletter.issues.week import Week
from newsletter.message import Filler
from newsletter.outgoing import Run
from newsletter.rendering.mjml import compile_mjml
from subscribers import audience
from subscribers.subscriber import Subscriber

WEEK = Week(2026, 47)
BATCH = 500


def counted_compiler() -> AbstractContextManager[Mock]:
    """In the block, MJML is compiled as ever; the mock's `call_count` says how often."""
    return patch("newsletter.rendering.letter.compile_mjml", wraps=compile_mjml)


@dataclass(frozen=True)
class Measured:
    """What one process measured of its own send."""

    seconds: float
    cpu: float
    """User and system seconds while sending, all threads."""
    cpu_of_process: float
    """The same with the start of the interpreter and its imports."""
    peak_rss: int
    """Bytes, of the whole life of the process."""
    compilations: int


def ours(assembly: Assembly) -> None:
    """The way of `newsletter issues send`."""
    run = Run(clock=lambda: datetime.now(UTC))
    outcome = outgoing.send_issue(assembly.engine, assembly.rules, assembly.post, WEEK, run)
    assert outcome.state == "sent", outcome


def plain(assembly: Assembly) -> None:
    """What a short script does: postmarker, whole bodies, one call after the other, no memory of what was sent."""
    settings, post = assembly.settings, assembly.post
    assert settings.postmark_server_token is not None
    token = settings.postmark_server_token.get_secret_value()
    client = PostmarkClient(server_token=token, root_api_url=settings.postmark_api_url)
    with reading(assembly.engine) as session:
        letter = weekly.compose(session, assembly.rules, weekly.require(session, WEEK))
    filler = Filler(letter)
    recipient_of = post.recipient_at(datetime.now(UTC))
    for page in _pages(assembly):
        messages = []
        for number, email in page:
            recipient = recipient_of(f"plain-{number}", number, email)
            html, text = filler.fill(recipient.values)
            messages.append(
                {
                    "From": post.sender,
                    "To": email,
                    "Subject": letter.subject,
                    "HtmlBody": html,
                    "TextBody": text,
                    "MessageStream": post.stream,
                    "Tag": str(WEEK),
                    "Headers": {
                        "List-Id": post.list_id,
                        "List-Unsubscribe": f"<{recipient.unsubscribe_url}>",
                        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                    },
                }
            )
        answers = client.emails.send_batch(*messages)
        assert all(answer["ErrorCode"] == 0 for answer in answers)


def _pages(assembly: Assembly) -> Iterator[list[tuple[int, str]]]:
    last = 0
    while True:
        readers = select(Subscriber.id, Subscriber.email).where(audience.MEMBERS.belongs, col(Subscriber.id) > last)
        with reading(assembly.engine) as session:
            found = session.exec(readers.order_by(col(Subscriber.id)).limit(BATCH)).all()
        page = [(number, email) for number, email in found if number is not None]
        if not page:
            return
        yield page
        last = page[-1][0]


def measure(send: Callable[[Assembly], None]) -> Measured:
    """Send, and say what it took."""
    with counted_compiler() as compiler, closing(assemble()) as assembly:
        assert assembly.engine is not None  # opened and held against the migrations before the clock starts
        cpu, begun = cpu_seconds(), time.perf_counter()
        send(assembly)
        seconds, spent = time.perf_counter() - begun, cpu_seconds() - cpu
    return Measured(seconds, spent, cpu_seconds(), peak_rss(), compiler.call_count)


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss() -> int:
    """The most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's getrusage would count the parent's memory at the fork as well
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(json.dumps(vars(measure({"ours": ours, "plain": plain}[sys.argv[1]]))))
