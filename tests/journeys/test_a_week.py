"""A week through the public doors alone: the command line, the sandbox's inbox, the pages that the letter links to."""

import email
import email.policy
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.testclient import TestClient

from newsletter.assembly import assemble
from newsletter.db import reading
from newsletter.issues.week import Week
from newsletter.sandbox.server import Sandbox
from newsletter.web.app import create_app
from newsletter.weekly import require
from tests.forked import Forked
from tests.journeys.town import Town

ROOT = Path(__file__).parents[2]
SEEDS = ROOT.parent / "shared" / "seeds"
READERS = "email,name\nana@example.com,Ana\nbo+news@example.org,Bo\nsean.o'brien@example.net,Sean\n"


@pytest.fixture
def shell(tmp_path: Path, sandbox: Sandbox) -> Town:
    (tmp_path / "readers.csv").write_text(READERS)
    return Town(tmp_path, sandbox, f"sqlite:///{tmp_path / 'newsletter.db'}")


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed pages are not beside the project")
def test_two_pages_reach_every_inbox_once(shell: Town, sandbox: Sandbox) -> None:
    published = ("--published-at", "2026-11-18T09:00:00Z")
    assert shell.run("comparisons", "import", str(SEEDS), *published).count("new: ") == 2
    assert shell.run("comparisons", "import", str(SEEDS), *published).count("unchanged: ") == 2
    shell.run("issues", "draft", "--week", "2026-W47")
    shell.run("issues", "preview", "2026-W47", "--out", "preview")
    shell.run("issues", "approve", "2026-W47")
    shell.run("subscribers", "import", "readers.csv", "--source", "the old list")

    both = [shell.start("issues", "send", "2026-W47") for _ in range(2)]
    for process in both:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, output + errors
    assert "nothing to do" in shell.run("issues", "send", "2026-W47")

    assert sorted(message.recipients[0] for message in sandbox.messages) == [
        "ana@example.com",
        "bo+news@example.org",
        "sean.o'brien@example.net",
    ]
    status = shell.document("issues", "status", "2026-W47")
    assert (status["state"], status["audience"], status["accepted"]) == ("sent", 3, 3)
    ours = ("queued", "sending", "accepted", "refused", "suppressed", "left", "in_doubt")
    assert status["audience"] == sum(status[state] for state in ours)
    letter = read(sandbox, sandbox.messages[0].id)
    for part in ("TextBody", "HtmlBody"):
        for figure in ("50%", "75%", "100%"):
            assert figure in letter[part]
    assert "every invariant holds" in shell.run("db", "check")
    unsubscribe_from(shell, letter)


def unsubscribe_from(shell: Town, letter: Any) -> None:
    """Every link of a letter leads to a page, and the one-click header takes its reader off the list."""
    source = email.message_from_string(letter["Body"], policy=email.policy.default)
    one_click = source["List-Unsubscribe"].strip("<>")
    assert source["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    links = {word for word in letter["TextBody"].split() if word.startswith(f"{shell.url}/")}
    assert one_click in links
    assert len(links) >= 4
    with closing(assemble(**shell.settings)) as assembly:
        client = TestClient(create_app(assembly), base_url=shell.url)
        for link in links:
            assert client.get(link).status_code == 200, link
        assert shell.document("subscribers", "show", source["To"])["status"] == "active"
        assert client.post(one_click, content="List-Unsubscribe=One-Click").status_code == 200
    assert shell.document("subscribers", "show", source["To"])["status"] == "unsubscribed"


def test_what_an_editor_previewed_is_byte_for_byte_what_goes_out(shell: Town, sandbox: Sandbox) -> None:
    """The preview's reader is nobody; with a real reader's values in place of hers the bytes are the same."""
    sample = ROOT / "newsletter" / "sample" / "comparisons.jsonl"
    shell.run("comparisons", "import", str(sample))
    shell.run("issues", "draft", "--week", "2026-W47")
    shell.run("issues", "preview", "2026-W47", "--out", "preview")
    shell.run("issues", "approve", "2026-W47")
    shell.run("subscribers", "add", "ana@example.com")
    shell.run("issues", "send", "2026-W47")

    (message,) = sandbox.messages
    model = message.fields()["TemplateModel"]
    with closing(assemble(**shell.settings)) as assembly:
        with reading(assembly.engine) as session:
            drafted = require(session, Week.parse("2026-W47")).created_at
        nobody = assembly.post.sample_recipient(drafted).values
    for file, part in (("letter.html", "HtmlBody"), ("letter.txt", "TextBody")):
        previewed = (shell.folder / "preview" / file).read_bytes().decode()
        expected = previewed
        for field in ("EMAIL", "UNSUBSCRIBE_URL", "PREFERENCES_URL", "VOTE_URL"):
            expected = expected.replace(nobody[field], model[field.lower()])
        assert read(sandbox, message.id)[part] == expected


def test_the_demo_sends_three_issues_and_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "newsletter", "demo", "--dir", str(tmp_path / "week")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("audience 28 = ") == 3
    assert "27 accepted + 1 refused" in done.stdout
    letters = list((tmp_path / "week" / "letters").rglob("*.eml"))
    assert len(letters) == 3 * 27
    assert f"received {len(letters)} letters; readers who had an issue twice: 0" in done.stdout
    again = Forked("newsletter", *command[3:], env=os.environ, cwd=tmp_path)
    assert again.wait(60) == 0, again.communicate(0)


def test_the_demo_never_empties_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    process = Forked("newsletter", "demo", "--dir", str(tmp_path), env=os.environ, cwd=tmp_path)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "not empty" in said
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def read(sandbox: Sandbox, message_id: str) -> Any:
    headers = {"X-Postmark-Server-Token": sandbox.token, "Accept": "application/json"}
    return requests.get(f"{sandbox.url}messages/outbound/{message_id}/details", headers=headers, timeout=10).json()
