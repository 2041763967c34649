"""What an editor does about an issue on its way out, by the commands alone, with the sandbox as the provider."""

import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from newsletter import asking
from newsletter.assembly import assemble
from newsletter.delivery.ledger import Accounting
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.stillness import wait_until_still
from newsletter.issues.week import Week
from newsletter.sandbox.server import Sandbox
from tests.cli.conftest import Newsletter
from tests.comparisons.samples import data, tool

WEEK = "2026-W47"
READERS = 40
BATCH = 10
EVERYBODY = Counter(f"reader{number}@example.com" for number in range(READERS))


@pytest.fixture
def approved(newsletter: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Newsletter:
    """An issue that is approved, 40 readers, and a sandbox that carries ten letters at a time."""
    given = {
        "PROVIDER": "postmark",
        "POSTMARK_API_URL": sandbox.url,
        "POSTMARK_SERVER_TOKEN": sandbox.token,
        "PROVIDER_TIMEOUT": "5s",
        "SETTLE": "0.1s",
        "MAX_LATENESS": "99999d",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"NEWSLETTER_{name}", value)
    monkeypatch.setattr(PostmarkProvider, "max_batch", BATCH)
    made = data("Haiku", "Codestral", published_at="2026-11-18T09:00:00Z", tools=[tool("Haiku"), tool("Codestral")])
    Path("c.json").write_text(json.dumps(made))
    Path("readers.csv").write_text("\n".join(["email", *EVERYBODY]))
    newsletter("comparisons", "import", "c.json").ok()
    newsletter("issues", "draft", "--week", WEEK).ok()
    newsletter("subscribers", "import", "readers.csv").ok()
    newsletter("issues", "approve", WEEK).ok()
    return newsletter


def status(newsletter: Newsletter) -> dict[str, Any]:
    document: dict[str, Any] = newsletter("issues", "status", WEEK, "--json").document
    states = ("queued", "sending", "accepted", "refused", "suppressed", "left", "in_doubt")
    assert document["audience"] == sum(document[name] for name in states)
    return document


def copies(sandbox: Sandbox) -> Counter[str]:
    return Counter(message.recipients[0] for message in sandbox.messages if message.tag == WEEK)


def in_doubt(newsletter: Newsletter, sandbox: Sandbox, fault: str) -> str:
    """Send while a batch meets a fault, and the search shows nothing; return the line on stderr."""
    sandbox.faults.set(f"{fault}:times=1,after=1", "search-loss")
    done = newsletter("issues", "send", WEEK)
    assert done.status == 1
    assert f"{WEEK} (held): audience 40 = 0 queued + 0 sending + 10 in doubt + 30 accepted" in done.out
    return done.err.splitlines()[-1]


def test_a_held_issue_says_of_how_many_why_and_what_can_be_decided(approved: Newsletter, sandbox: Sandbox) -> None:
    said = in_doubt(approved, sandbox, "accept-then-drop")
    assert said.startswith(f"newsletter: {WEEK} is held, with 10 readers in doubt: the provider's search does not show")
    assert said.endswith(f"`newsletter issues status {WEEK}` says what you can decide")
    lines = approved("issues", "status", WEEK).ok().splitlines()
    assert lines[:3] == [
        f"{WEEK}: held",
        "audience 40 = 0 queued + 0 sending + 10 in doubt + 30 accepted + 0 refused + 0 suppressed + 0 left",
        "in doubt 10: the provider may have taken these or not",
    ]
    (doubt,) = status(approved)["doubts"]
    assert lines[3] == f"  batch {doubt['batch']}, of {doubt['claimed_at'][:19].replace('T', ' ')} UTC: 10"
    assert lines[4].startswith("held because the provider's search does not show")
    decisions = [
        f"newsletter issues reconcile {WEEK}",
        f"newsletter issues reconcile {WEEK} --resend",
        f"newsletter issues reconcile {WEEK} --give-up",
        f"newsletter issues cancel {WEEK}",
    ]
    assert lines[5:7] == ["nothing has come back yet", "you can decide:"]
    assert [line.split("`")[1] for line in lines[7:]] == decisions
    document = status(approved)
    assert (document["decisions"], document["changes"]) == (decisions, [])
    assert document["held_because"] == lines[4].removeprefix("held because ")
    assert f"held because {document['held_because']}" in approved("issues", "show", WEEK).ok()

    assert "10 readers of 2026-W47 are still in doubt" in approved("issues", "reconcile", WEEK).err
    sandbox.faults.clear()
    assert approved("issues", "reconcile", WEEK).ok() == f"{WEEK} (sent): found 10, queued again 0, in doubt 0\n"
    assert copies(sandbox) == EVERYBODY
    assert (status(approved)["state"], status(approved)["decisions"]) == ("sent", [])


def test_an_editor_has_it_sent_again(approved: Newsletter, sandbox: Sandbox) -> None:
    in_doubt(approved, sandbox, "drop")
    said = approved("issues", "reconcile", WEEK, "--resend").ok()
    assert said.splitlines() == [
        f"{WEEK} (sending): found 0, queued again 0, in doubt 10",
        f"10 are queued again: `newsletter issues send {WEEK}` sends them",
    ]
    assert approved("issues", "send", WEEK).status == 0
    assert copies(sandbox) == EVERYBODY
    assert status(approved)["state"] == "sent"


def test_an_editor_gives_it_up(approved: Newsletter, sandbox: Sandbox) -> None:
    in_doubt(approved, sandbox, "drop")
    said = approved("issues", "reconcile", WEEK, "--give-up").ok()
    assert said.splitlines() == [
        f"{WEEK} (sent): found 0, queued again 0, in doubt 10",
        "10 are given up: nothing is sent to them again",
    ]
    assert status(approved)["refused"] == 10
    assert (
        "refused 10: an editor gave it up: whether it was sent is not known\n" in approved("issues", "status", WEEK).out
    )
    assert approved("issues", "retry", WEEK).ok() == (
        f"{WEEK} (sent): nobody was refused for a passing reason; nothing to do\n"
    )
    assert sum(copies(sandbox).values()) == 30


def test_both_decisions_at_once_are_wrong_usage(newsletter: Newsletter) -> None:
    said = newsletter("issues", "reconcile", WEEK, "--resend", "--give-up").misused()
    assert "either --resend or --give-up" in said


def test_retry_sends_to_those_alone_who_were_refused_for_a_passing_reason(
    approved: Newsletter, sandbox: Sandbox
) -> None:
    address = {"Suppressions": [{"EmailAddress": "reader7@example.com"}]}
    headers = {"X-Postmark-Server-Token": sandbox.token, "Accept": "application/json"}
    url = f"{sandbox.url}message-streams/broadcast/suppressions"
    requests.post(url, json=address, headers=headers, timeout=5).raise_for_status()
    sandbox.faults.set("mixed:refuse=1,delay=0,codes=1101")
    sent = approved("issues", "send", WEEK)
    assert sent.status == 0
    assert f"40 readers were refused: `newsletter issues status {WEEK}` says why" in sent.err
    said = approved("issues", "status", WEEK).ok().splitlines()
    assert [line.endswith("(may be tried again)") for line in said if line.startswith("refused ")] == [True]
    assert status(approved)["decisions"] == [f"newsletter issues retry {WEEK}"]
    assert copies(sandbox) == Counter()

    sandbox.faults.clear()
    done = approved("issues", "retry", WEEK)
    assert done.status == 0
    assert done.out.startswith(f"{WEEK} (sending): 40 are queued again\n{WEEK} (sent): audience 40 = ")
    after = status(approved)
    assert (after["state"], after["accepted"], after["refused"], after["decisions"]) == ("sent", 39, 1, [])
    (refused,) = [line for line in approved("issues", "status", WEEK).ok().splitlines() if "refused 1:" in line]
    assert not refused.endswith("(may be tried again)")
    assert "nothing to do" in approved("issues", "retry", WEEK).ok()
    assert copies(sandbox) == EVERYBODY - Counter(["reader7@example.com"])


def test_what_would_meet_every_batch_holds_the_issue_in_the_providers_words(
    approved: Newsletter, sandbox: Sandbox
) -> None:
    sandbox.faults.set("refused:code=405")
    done = approved("issues", "send", WEEK)
    assert done.status == 1
    (said,) = [line for line in done.err.splitlines() if line.startswith("newsletter: ")]
    assert said.startswith(f"newsletter: {WEEK} is held: ")
    assert "run out of credits" in said
    assert f"  `newsletter issues resume {WEEK}` goes on, once what it was held for is mended" in done.out.splitlines()
    assert approved("issues", "send", "--due").ok() == "nothing is due\n"
    sandbox.faults.clear()
    resumed = approved("issues", "resume", WEEK)
    assert (resumed.status, copies(sandbox)) == (0, EVERYBODY)


def test_what_is_in_doubt_and_not_waited_for_ends_with_when_it_can_be_decided(
    approved: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_SETTLE", "10m")
    sandbox.faults.set("drop:times=1")
    done = approved("issues", "send", WEEK, "--no-wait")
    assert done.status == 1
    assert f"{WEEK}: 10 readers are in doubt; `newsletter issues send {WEEK}` goes on from here after " in done.err
    assert status(approved)["state"] == "sending"
    said = approved("issues", "reconcile", WEEK, "--resend").refused()
    assert "10 readers of issue 2026-W47 are in doubt, and may have been sent to just now: decide after" in said


def test_what_is_called_off_before_it_began_gives_its_comparisons_back(approved: Newsletter, sandbox: Sandbox) -> None:
    said = f"{WEEK} (cancelled): nobody has had it; its comparisons wait for the next issue\n"
    assert approved("issues", "cancel", WEEK).ok() == said
    assert approved("issues", "cancel", WEEK).ok() == f"{WEEK} (cancelled): nobody has had it\n"
    shown = approved("issues", "show", WEEK, "--json").document
    assert (shown["state"], shown["comparisons"], shown["digest"]) == ("cancelled", [], None)
    assert approved("issues", "show", WEEK).ok().startswith(f"{WEEK}: cancelled")
    assert status(approved)["digest"] is None
    assert "is cancelled, and there is nothing in it" in approved("issues", "preview", WEEK, "--out", "look").refused()
    assert "cancelled" in approved("issues", "approve", WEEK).refused()
    assert approved("issues", "send", WEEK).refused() == (
        f"newsletter: issue {WEEK} was called off; `issues draft --week {WEEK}` makes it a draft again"
    )
    assert approved("issues", "send", "--due").ok() == "nothing is due\n"
    assert sandbox.messages == []
    approved("issues", "draft", "--week", "2026-W48").ok()
    assert approved("issues", "draft", "--week", WEEK).ok().startswith("nothing new was published")


def test_what_is_not_going_out_is_not_paused_resumed_or_tried_again(approved: Newsletter) -> None:
    instead = f"(it has not begun to go out; `issues unapprove {WEEK}` keeps it from that)"
    for command, what in (("pause", "be paused"), ("retry", "be tried again"), ("resume", "go on")):
        said = approved("issues", command, WEEK).refused()
        assert said.startswith(f"newsletter: issue {WEEK} is approved; ")
        assert said.endswith(f"{what} {instead}")


def test_status_names_what_has_changed_since_the_approval(approved: Newsletter) -> None:
    made = json.loads(Path("c.json").read_text())
    made["tools"][0]["tagline"] = "Another tagline"
    Path("c.json").write_text(json.dumps(made))
    approved("comparisons", "import", "c.json").ok()
    (change,) = status(approved)["changes"]
    assert "haiku-vs-codestral" in change
    assert f"since it was approved, {change}\n" in approved("issues", "status", WEEK).ok()
    assert change in approved("issues", "send", WEEK).refused()


def test_who_is_held_because_it_changed_is_not_told_to_send_it_all_the_same(
    approved: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "1s")
    file = os.environ["NEWSLETTER_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE issues SET send_at = '2026-01-01 00:00:00.000000'")
    assert "held: it was due" in approved("issues", "send", "--due").refused()
    steps = [command.removeprefix("newsletter issues ") for command in status(approved)["decisions"]]
    assert steps == [f"send {WEEK}", f"schedule {WEEK} --at …", f"unapprove {WEEK}", f"cancel {WEEK}"]
    for command in ("pause", "resume", "retry"):
        assert f"`issues status {WEEK}` says what you can decide" in approved("issues", command, WEEK).refused()
    monkeypatch.setenv("NEWSLETTER_REPLY_TO", "editors@example.com")
    steps = [command.removeprefix("newsletter issues ") for command in status(approved)["decisions"]]
    assert steps == [f"unapprove {WEEK}", f"cancel {WEEK}"]
    assert "sends it all the same" not in approved("issues", "status", WEEK).ok()


def test_status_names_what_is_in_doubt_as_the_provider_has_it(approved: Newsletter, sandbox: Sandbox) -> None:
    in_doubt(approved, sandbox, "accept-then-drop")
    (doubt,) = status(approved)["doubts"]
    carried = [message.fields()["Metadata"] for message in sandbox.messages]
    of_batch = sorted(each["row"] for each in carried if each["batch"] == doubt["batch"])
    assert len(of_batch) == 10
    assert sorted(doubt["rows"]) == of_batch


def test_pause_says_how_many_are_in_doubt_as_of_the_state_that_it_names(
    approved: Newsletter, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_SETTLE", "10m")
    sandbox.faults.set("accept-then-drop:times=1,after=1", "search-loss")
    assert approved("issues", "send", WEEK, "--no-wait").status == 1
    sandbox.faults.clear()

    def then_somebody_asks(engine: Engine, *arguments: Any) -> Accounting:
        books = wait_until_still(engine, *arguments)
        with closing(assemble()) as other:
            assert asking.ask(other.engine, other.post, Week.parse(WEEK), lambda: datetime.now(UTC)).accepted == 10
        return books

    monkeypatch.setattr("newsletter.cli.steering.wait_until_still", then_somebody_asks)
    said = approved("issues", "pause", WEEK).ok()
    assert said.startswith(f"{WEEK} (sent): audience 40 = 0 queued + 0 sending + 0 in doubt + 40 accepted + ")
