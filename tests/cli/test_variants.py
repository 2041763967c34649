"""What an editor sees of variants: who would get what, and what exactly."""

import email
import json
import re
from email import policy
from pathlib import Path

import pytest

from newsletter.assembly import assemble
from newsletter.db import writing
from subscribers import preferences, subscriber
from subscribers.address import parse_address
from tests.cli.conftest import Newsletter
from tests.comparisons.samples import data, tool

WEEK = "2026-W47"
FILES = ("letter.html", "letter.txt", "letter.eml")


@pytest.fixture(autouse=True)
def _keep_lateness_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "99999d")


@pytest.fixture
def drafted(newsletter: Newsletter) -> Newsletter:
    """A draft of two comparisons, in Voice and in Data Bases, and three readers of whom one has muted Voice."""
    records = [
        data(left, right, published_at=f"2026-11-18T0{hour}:00:00Z",
             tools=[tool(left, category=category, panel_ship=50), tool(right, category=category)])
        for hour, (left, right, category) in enumerate([("Ada", "Ava", "Voice"), ("Bea", "Bo", "Data Bases")])
    ]  # fmt: skip
    Path("c.jsonl").write_text("\n".join(map(json.dumps, records)))
    newsletter("comparisons", "import", "c.jsonl").ok()
    newsletter("issues", "draft", "--week", WEEK).ok()
    for name in ("ana", "bo", "cy"):
        newsletter("subscribers", "add", f"{name}@example.com").ok()
    mute("bo@example.com", "Voice")
    return newsletter


def mute(address: str, *categories: str) -> None:
    assembly = assemble()
    with writing(assembly.engine) as session:
        one = subscriber.find(session, parse_address(address))
        assert one is not None
        preferences.mute(session, one, categories)
        session.commit()
    assembly.close()


def preview(newsletter: Newsletter, *muted: str) -> dict[str, bytes]:
    arguments = [each for category in muted for each in ("--muted", category)]
    newsletter("issues", "preview", WEEK, "--out", "look", *arguments).ok()
    return {name: (Path("look") / name).read_bytes() for name in FILES}


def outbox() -> dict[str, email.message.EmailMessage]:
    files = Path("outbox").rglob("*.eml")
    messages = [email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return {str(message["To"]): message for message in messages}


def test_what_is_previewed_for_a_muted_category_is_byte_for_byte_what_such_a_reader_is_sent(
    drafted: Newsletter,
) -> None:
    whole, variant = preview(drafted), preview(drafted, "voice")
    assert whole != variant
    assert b"Ada" in whole["letter.html"]
    assert b"Ada" not in variant["letter.html"] + variant["letter.txt"] + variant["letter.eml"]
    drafted("issues", "approve", WEEK).ok()
    drafted("issues", "send", WEEK).ok()

    received = outbox()
    for address, files in (("ana@example.com", whole), ("bo@example.com", variant)):
        message = received[address]
        sample = email.message_from_bytes(files["letter.eml"], policy=policy.default)
        assert message["Subject"] == sample["Subject"]
        for kind, name in (("plain", "letter.txt"), ("html", "letter.html")):
            body, nobodys = message.get_body((kind,)), sample.get_body((kind,))
            assert body is not None
            assert nobodys is not None
            own = [str(message["To"]), *links(body.get_content())]
            sampled = [str(sample["To"]), *links(nobodys.get_content())]
            expected = files[name].decode()
            for nobody, reader in zip(sampled, own, strict=True):
                expected = expected.replace(nobody, reader)
            assert body.get_content().replace("\r\n", "\n").rstrip("\n") == expected.rstrip("\n")
            assert nobodys.get_content().replace("\r\n", "\n").rstrip("\n") == files[name].decode().rstrip("\n")
    assert preview(drafted, "Voice") == variant  # also when it is frozen
    assert preview(drafted) == whole


KINDS = ("preferences", "unsubscribe", "vote")


def links(content: str) -> list[str]:
    """A letter's links that are its reader's own, in order of their kind."""
    return [re.findall(rf"http://[^\s\"<]*/{kind}/[\w.~-]+", content)[0] for kind in KINDS]


def test_a_look_at_a_variant_is_no_look_at_the_letter(drafted: Newsletter) -> None:
    preview(drafted)
    Path("c.jsonl").write_text(Path("c.jsonl").read_text().replace("What Ada is for", "Another tagline"))
    drafted("comparisons", "import", "c.jsonl").ok()
    preview(drafted, "Voice")
    assert "has changed since it was previewed" in drafted("issues", "approve", WEEK).refused()


def test_an_unknown_category_is_named_with_the_known_ones(drafted: Newsletter) -> None:
    said = drafted("issues", "preview", WEEK, "--out", "look", "--muted", "Voice", "--muted", "Databases").refused()
    assert said == f"newsletter: nothing in issue {WEEK} is in the category 'Databases'; there are: Data Bases, Voice"
    assert not Path("look").exists()


def test_a_preview_for_whom_nothing_is_left_says_so(drafted: Newsletter) -> None:
    said = drafted("issues", "preview", WEEK, "--out", "look", "--muted", "Voice", "--muted", "data bases").refused()
    assert said == (
        f"newsletter: nothing is left of issue {WEEK} for a reader who has muted Voice, data bases: no letter goes out"
    )


def test_a_variant_that_nobody_was_sent_cannot_be_looked_at_afterwards(drafted: Newsletter) -> None:
    drafted("issues", "approve", WEEK).ok()
    drafted("issues", "send", WEEK).ok()
    said = drafted("issues", "preview", WEEK, "--out", "look", "--muted", "Data Bases").refused()
    assert said == f"newsletter: issue {WEEK} went out, and nobody had muted just that: no such letter was made"


def test_approval_and_status_say_how_many_are_left_out(drafted: Newsletter) -> None:
    mute("cy@example.com", "Voice", "DATA BASES")
    left_out = "1 left out (they have muted everything in it)"
    assert drafted("issues", "approve", WEEK).ok().splitlines()[-1] == f"it would go to 2 readers now; {left_out}"
    assert drafted("issues", "status", WEEK, "--json").document["left_out"] == 0
    assert "left out" not in drafted("issues", "status", WEEK).ok()

    assert drafted("issues", "send", WEEK).ok().splitlines()[-1] == left_out

    status = drafted("issues", "status", WEEK, "--json").document
    assert (status["audience"], status["accepted"], status["left_out"]) == (2, 2, 1)
    assert drafted("issues", "status", WEEK).ok().splitlines()[-1] == left_out
    assert set(outbox()) == {"ana@example.com", "bo@example.com"}
    assert drafted("db", "check").ok() == "every invariant holds\n"


def test_where_nobody_is_left_out_nothing_is_said_of_it(drafted: Newsletter) -> None:
    assert drafted("issues", "approve", WEEK).ok().splitlines()[-1] == "it would go to 3 readers now"


def test_an_issue_that_everybody_has_muted_is_refused_in_one_line(drafted: Newsletter) -> None:
    for name in ("ana", "bo", "cy"):
        mute(f"{name}@example.com", "Voice", "Data Bases")
    drafted("issues", "approve", WEEK).ok()
    said = drafted("issues", "send", WEEK).refused()
    assert said.startswith(f"newsletter: every reader has muted everything in issue {WEEK} (3 left out), so it was not")
    assert drafted("issues", "show", WEEK, "--json").document["state"] == "approved"
