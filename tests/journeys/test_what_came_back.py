"""What readers, their machines and their mail servers did with a letter is what the figures say, and the next letter.

Through the public doors: the sandbox posts what came back to the pages in a process of their own, the commands tell it.
"""

import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from newsletter.sandbox.server import Sandbox
from tests.journeys.town import PATIENCE, Town, free_port, html_of, text_of

W = "2026-W45"
NEXT = "2026-W46"
DELIVERED = 12
READERS = [f"reader{number}@example.com" for number in range(DELIVERED)]
HARD = ("HardBounce", "BadEmailAddress")
SOFT = ("Transient", "SoftBounce", "DnsError", "SpamNotification", "Blocked", "DMARCPolicy", "VirusNotification")
FAILED = ("SMTPApiError", "TemplateRenderingFailed")
ANSWERS = ("AutoResponder", "AddressChange", "ChallengeVerification", "Unsubscribe")
BOUNCING = "bounce-testing.postmarkapp.com"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.fixture
def town(tmp_path: Path, request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> Iterator[Town]:
    port = free_port()
    with Sandbox(webhook_url=f"http://postmark:secret@127.0.0.1:{port}/webhooks/postmark") as sandbox:
        told = {"webhook_username": "postmark", "webhook_password": "secret"}
        tracked = {"track_opens": "true", "track_clicks": "true"}
        here = Town(tmp_path, sandbox, new_database(request.param), port, **(told | tracked))
        with here.serve():
            yield here


class Week:
    """What one reader's copy was met with."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._ids = {message.recipients[0]: message.id for message in town.sandbox.messages if message.tag == W}

    def id(self, number: int) -> str:
        return self._ids[READERS[number]]

    def links(self, number: int) -> list[str]:
        return list(self._town.sandbox.links(self.id(number)))

    def link(self, number: int, part: str) -> str:
        return next(link for link in self.links(number) if part in link)

    def vote(self, number: int, choice: str) -> None:
        page = self.link(number, "choice=left").partition("?")[0]
        assert requests.post(page, data={"choice": choice}, timeout=10).status_code == 200

    def machine(self, number: int) -> None:
        """A scanner follows every link within a second, whoever's page it leads to; it presses nothing."""
        self._town.sandbox.scan(self.id(number))
        for link in self.links(number):
            if "/vote/" in link or "/canary/" in link:
                requests.get(link, timeout=10)


def until(town: Town, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The status of the week, once something of it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds(status := town.document("issues", "status", W)):
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return dict(status)


@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
def test_every_figure_of_an_issue_is_what_was_done_with_it_and_the_next_letter_tells_the_vote(town: Town) -> None:
    bouncing = [f"{way.lower()}@{BOUNCING}" for way in (*HARD, *SOFT, *FAILED, *ANSWERS)]
    (town.folder / "readers.csv").write_text("\n".join(["email", *READERS, *bouncing]))
    town.run("subscribers", "import", "readers.csv")
    town.publish(W, ("Inkwell", "Gantry", "Agents"), ("Ruff", "Flake8", "Linters"))
    everybody = len(READERS) + len(bouncing)

    week = Week(town)
    town.sandbox.complain(week.id(0))
    town.sandbox.leave(week.id(1))
    for number in (2, 3):
        town.sandbox.open(week.id(number), PHONE)
        town.sandbox.click(week.id(number), week.link(number, "/comparisons/"), PHONE)
    week.machine(4)
    town.sandbox.open(week.id(5), PROXY)
    for number, choice in ((5, "left"), (6, "both"), (7, "right"), (7, "left"), (8, "neither")):
        week.vote(number, choice)
    requests.post(week.link(9, "/unsubscribe/"), timeout=10)

    status = until(
        town,
        lambda now: (
            (now["delivered"], now["complained"], now["unsubscribed"]) == (DELIVERED, 1, 3)
            and (now["opened"], now["clicked"], now["clicked_by_people"])
            == (3, 3, 2)  # the scanner's touches are all there
            and sum(now["bounces"]["by_type"].values()) == len((*HARD, *SOFT, *FAILED))
        ),
    )
    assert status["audience"] == status["accepted"] == everybody
    assert status["bounced"] == len((*HARD, *SOFT, *FAILED))
    assert {kind: status["bounces"][kind] for kind in ("hard", "soft", "failed")} == {
        "hard": len(HARD), "soft": len(SOFT), "failed": len(FAILED),
    }  # fmt: skip
    assert (status["opened"], status["opened_by_people"]) == (3, 2)
    assert (status["clicked"], status["clicked_by_people"]) == (3, 2)
    assert len(status["alarms"]) == 4
    (voted,) = [votes for votes in status["votes"] if votes["all"]]
    assert (voted["left"], voted["right"], voted["both"], voted["neither"]) == (2, 0, 1, 1)

    statuses = {reader["email"]: reader["status"] for reader in town.document("subscribers", "list")}
    gone = {
        "suppressed": (READERS[0], f"hardbounce@{BOUNCING}", f"bademailaddress@{BOUNCING}"),
        "unsubscribed": (READERS[1], READERS[9], f"unsubscribe@{BOUNCING}"),
    }
    for state, addresses in gone.items():
        assert sorted(address for address, its in statuses.items() if its == state) == sorted(addresses)
    assert len(statuses) == everybody

    town.publish(NEXT, ("Flake8", "Inkwell", "Linters"))
    next_one = town.letter(READERS[2], NEXT)
    for told in (text_of(next_one), unescape(html_of(next_one))):
        words = " ".join(told.replace("\u2068", "").replace("\u2069", "").split())
        assert "4 votes" in words
        assert "75%" in words
        assert "0% in week 45" in words
    assert not town.letters(READERS[0], NEXT)
    assert "every invariant holds" in town.run("db", "check")
