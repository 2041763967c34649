"""A newsletter as readers meet it: its pages in a process, the sandbox that takes its mail, the command line."""

import email
import email.policy
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

import requests

from newsletter.sandbox.server import Sandbox
from tests.forked import Forked

PATIENCE = 30.0  # seconds that a letter or a start is waited for
LONG_AGO = "2026-11-03T09:00:00Z"


class Town:
    """Runs commands in a folder of its own, against the sandbox; `serve` adds the pages, on any free port."""

    def __init__(
        self, folder: Path, sandbox: Sandbox, database_url: str, port: int | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "provider": "postmark",
            "postmark_api_url": sandbox.url,
            "postmark_server_token": sandbox.token,
            "base_url": self.url,
            "database_url": database_url,
        } | settings
        self.environment = os.environ | {f"NEWSLETTER_{name.upper()}": to for name, to in self.settings.items()}

    def start(self, *arguments: str) -> Forked:
        """Start a command; its output can be read."""
        return Forked("newsletter", *arguments, env=self.environment, cwd=self.folder, errors_apart=True)

    def run(self, *arguments: str) -> str:
        """Run a command to its good end; return what it printed."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, output + errors
        return output

    def fails(self, *arguments: str) -> str:
        """Run a command that cannot be done; return its one line."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 1, output + errors
        return errors

    def document(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.run(*arguments, "--json"))

    def publish(self, week: str, *pairs: tuple[str, str, str]) -> None:
        """Store comparisons of a week, each (left tool, right tool, category), and send them as its issue."""
        records = [_comparison(left, right, category) for left, right, category in pairs]
        (self.folder / "comparisons.json").write_text(json.dumps(records))
        self.run("comparisons", "import", "comparisons.json")
        self.run("issues", "draft", "--week", week)
        self.run("issues", "approve", week)
        self.run("issues", "send", week)

    @contextmanager
    def serve(self) -> Iterator[Self]:
        """The pages, for as long as the block runs."""
        process = self.start("serve", "--port", str(self.port))
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._is_ready():
                assert process.poll() is None, process.communicate(timeout=0)
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield self
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def letters(self, address: str, tag: str) -> list[EmailMessage]:
        """What somebody was sent of a kind (`confirm`, `2026-W47`), the oldest first."""
        return [
            self._read(message.id)
            for message in self.sandbox.messages
            if message.tag == tag and address.lower() in message.recipients
        ]

    def letter(self, address: str, tag: str, number: int = 1) -> EmailMessage:
        """Wait for somebody's n-th letter of a kind."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.letters(address, tag)) < number:
            assert time.monotonic() < deadline, f"no {tag} for {address}: {[m.tag for m in self.sandbox.messages]}"
            time.sleep(0.05)
        return found[number - 1]

    def _read(self, message_id: str) -> EmailMessage:
        headers = {"X-Postmark-Server-Token": self.sandbox.token, "Accept": "application/json"}
        url = f"{self.sandbox.url}messages/outbound/{message_id}/dump"
        source = requests.get(url, headers=headers, timeout=10).json()["Body"]
        return email.message_from_string(source, EmailMessage, policy=email.policy.default)

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False


def text_of(letter: EmailMessage) -> str:
    """The text part."""
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(letter: EmailMessage) -> str:
    """The HTML part."""
    part = letter.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def link(letter: EmailMessage, path: str) -> str:
    """The one link of a letter's text to pages below a path (`/confirm/`)."""
    (found,) = {word for word in text_of(letter).split() if path in word}
    return found


def _comparison(left: str, right: str, category: str) -> dict[str, Any]:
    tools = [
        {
            "name": name,
            "tagline": f"What {name} promises",
            "category": category,
            "entry_price": "Free",
            "description": f"{name} at length.",
        }
        for name in (left, right)
    ]
    reviews = [
        {"seat": seat, "tool": name, "verdict": "ship" if name == left else "skip", "quote": f"On {name}: {seat}."}
        for seat in ("builder", "skeptic", "futurist", "founder")
        for name in (left, right)
    ]
    return {"title": f"{left} vs {right}", "published_at": LONG_AGO, "tools": tools, "reviews": reviews}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
