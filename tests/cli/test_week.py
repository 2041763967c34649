import email
import json
from email import policy
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Newsletter
from tests.comparisons.samples import SEEDS, data, needs_seeds, tool

WEEK = "2026-W47"
PUBLISHED = "2026-11-18T09:00:00Z"


@pytest.fixture(autouse=True)
def _keep_lateness_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "99999d")  # these tests run long after their week, or before


def write(name: str, *records: dict[str, Any]) -> Path:
    Path(name).write_text("\n".join(json.dumps(one) for one in records))
    return Path(name)


def made(left: str = "Haiku", **fields: Any) -> dict[str, Any]:
    return data(left, "Codestral", published_at=PUBLISHED, tools=[tool(left, **fields), tool("Codestral")])


@pytest.fixture
def drafted(newsletter: Newsletter) -> Newsletter:
    newsletter("comparisons", "import", write("c.jsonl", made(), made("Opus", panel_ship=50))).ok()
    newsletter("issues", "draft", "--week", WEEK).ok()
    return newsletter


@pytest.fixture
def approved(drafted: Newsletter) -> Newsletter:
    Path("readers.csv").write_text("email\nana@example.com\nbo@example.com\n")
    drafted("subscribers", "import", "readers.csv").ok()
    drafted("issues", "approve", WEEK).ok()
    return drafted


def letters() -> list[Path]:
    return sorted(Path("outbox").rglob("*.eml"))


@needs_seeds
def test_a_week_goes_from_pages_to_inboxes(newsletter: Newsletter) -> None:
    said = newsletter("comparisons", "import", SEEDS, "--published-at", PUBLISHED).ok()
    assert [line.split(":")[0] for line in said.splitlines()] == ["new", "new"]
    newsletter("issues", "draft", "--week", WEEK).ok()
    newsletter("issues", "preview", WEEK, "--out", "look").ok()
    newsletter("issues", "approve", WEEK).ok()
    Path("readers.csv").write_text("email\nana@example.com\nbo@example.com\n")
    newsletter("subscribers", "import", "readers.csv").ok()
    newsletter("issues", "send", WEEK).ok()
    status = newsletter("issues", "status", WEEK, "--json").document
    assert (status["state"], status["audience"], status["accepted"]) == ("sent", 2, 2)
    assert newsletter("issues", "send", WEEK).ok() == f"{WEEK} (sent): it has been sent; nothing to do\n"
    assert len(letters()) == 2
    for letter in letters():
        body = email.message_from_bytes(letter.read_bytes(), policy=policy.default).get_body(("plain",))
        assert body is not None
        content = body.get_content()
        assert "50%" in content
        assert "75%" in content
        assert content.count("100%") >= 2
    assert newsletter("db", "check").ok() == "every invariant holds\n"


def test_importing_twice_changes_nothing_and_a_change_is_said(newsletter: Newsletter) -> None:
    file = write("c.json", made())
    assert newsletter("comparisons", "import", file).ok() == "new: Haiku vs Codestral\n"
    assert newsletter("comparisons", "import", file).ok() == "unchanged: Haiku vs Codestral\n"
    changed = newsletter("comparisons", "import", write("c.json", made(entry_price="$20/mo"))).ok()
    assert changed.splitlines()[0] == "updated: Haiku vs Codestral"
    assert "$20/mo" in changed


def test_a_bad_file_is_named_and_the_good_one_still_goes_in(newsletter: Newsletter) -> None:
    good, bad = write("a.json", made()), write("b.json", made("Opus", panel_ship=101))
    done = newsletter("comparisons", "import", good, bad)
    assert (done.status, done.out) == (1, "new: Haiku vs Codestral\n")
    assert done.err.splitlines()[0].startswith("b.json: ")
    assert done.err.splitlines()[-1].startswith("newsletter: 1 file could not be read")
    assert [one["slug"] for one in newsletter("comparisons", "list", "--json").document] == ["haiku-vs-codestral"]


def test_a_missing_file_is_named(newsletter: Newsletter) -> None:
    assert "none.txt" in newsletter("comparisons", "import", "none.txt").refused()


def test_what_comparisons_list_prints_can_be_imported_again(drafted: Newsletter) -> None:
    listed = drafted("comparisons", "list", "--json")
    first = listed.document[0]
    assert set(first) >= {"slug", "title", "published_at", "issue", "tools", "reviews"}
    assert set(first["tools"][0]) == {"name", "tagline", "category", "entry_price", "panel_ship", "community_ship"} | {
        "description"
    }
    assert set(first["reviews"][0]) == {"seat", "tool", "verdict", "quote"}
    assert (first["issue"], first["published_at"]) == (WEEK, PUBLISHED)
    Path("again.json").write_text(json.dumps(first))
    assert drafted("comparisons", "import", "again.json").ok().startswith("unchanged: ")


def test_every_json_document_holds_what_is_relied_on(approved: Newsletter) -> None:
    shown = approved("issues", "show", WEEK, "--json").document
    assert (shown["week"], shown["state"]) == (WEEK, "approved")
    assert shown["subject"] == "Opus 50%, Codestral 75%: ship or skip?"
    assert shown["preheader"].endswith(" And 1 more.")
    assert [one["title"] for one in shown["comparisons"]] == ["Opus vs Codestral", "Haiku vs Codestral"]
    (listed,) = approved("issues", "list", "--json").document
    assert (listed["week"], listed["state"], listed["send_at"]) == (WEEK, "approved", "2026-11-24T09:00:00Z")
    status = approved("issues", "status", WEEK, "--json").document
    states = ("queued", "sending", "accepted", "refused", "suppressed", "left", "in_doubt")
    assert status["digest"] == shown["digest"]
    assert status["audience"] == sum(status[name] for name in states) == 0
    assert {status[name] for name in ("delivered", "bounced", "complained", "opened", "clicked", "unsubscribed")} == {
        None
    }


def test_a_preview_is_what_the_sample_reader_would_be_sent(drafted: Newsletter) -> None:
    first = drafted("issues", "preview", WEEK, "--out", "look/here").ok()
    files = {file.name: file.read_bytes() for file in Path("look/here").iterdir()}
    assert set(files) == {"letter.html", "letter.txt", "letter.eml"}
    assert drafted("issues", "preview", WEEK, "--out", "look/again").ok().splitlines()[:3] == first.splitlines()[:3]
    assert {file.name: file.read_bytes() for file in Path("look/again").iterdir()} == files
    message = email.message_from_bytes(files["letter.eml"], policy=policy.default)
    for kind, name in (("plain", "letter.txt"), ("html", "letter.html")):
        body = message.get_body((kind,))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").strip() == files[name].decode().strip()
    digest = drafted("issues", "show", WEEK, "--json").document["digest"]
    assert f"digest {digest}" in first


def test_a_preview_that_cannot_be_written_is_one_line(drafted: Newsletter) -> None:
    Path("look").write_text("a file in the way")
    assert "look" in drafted("issues", "preview", WEEK, "--out", "look").refused()
    assert "look" in drafted("issues", "preview", WEEK, "--out", "look/here").refused()


@pytest.mark.parametrize(
    "command", ["show", "status", "approve", "unapprove", "send", "pause", "resume", "cancel", "retry", "reconcile"]
)
def test_an_unknown_week_is_one_line_with_the_remedy(newsletter: Newsletter, command: str) -> None:
    assert newsletter("issues", command, WEEK).refused() == (
        f"newsletter: there is no issue {WEEK}; `newsletter issues draft --week {WEEK}` makes one"
    )


def test_nothing_new_makes_no_issue_and_is_no_failure(newsletter: Newsletter) -> None:
    assert newsletter("issues", "draft", "--week", WEEK).ok() == (
        f"nothing new was published up to the end of {WEEK}: no issue\n"
    )
    assert newsletter("issues", "send", "--due").ok() == "nothing is due\n"
    assert newsletter("issues", "list", "--json").document == []


def test_what_is_not_approved_is_refused(drafted: Newsletter) -> None:
    assert "is draft, not approved" in drafted("issues", "send", WEEK).refused()
    assert letters() == []


def test_what_changed_since_the_approval_is_refused_until_it_is_approved_anew(approved: Newsletter) -> None:
    approved("comparisons", "import", write("c.json", made(tagline="Another tagline"))).ok()
    assert "has changed since it was approved" in approved("issues", "send", WEEK).refused()
    assert letters() == []
    approved("issues", "unapprove", WEEK).ok()
    approved("issues", "approve", WEEK).ok()
    approved("issues", "send", WEEK).ok()
    assert len(letters()) == 2


def test_editing_and_scheduling(drafted: Newsletter) -> None:
    assert "Two tools" in drafted("issues", "edit", WEEK, "--subject", "Two tools").ok()
    assert "has 61 characters" in drafted("issues", "edit", WEEK, "--subject", "x" * 61).refused()
    assert "2026-01-01 00:00 UTC has passed" in drafted("issues", "schedule", WEEK, "--at", "2026-01-01").refused()
    said = drafted("issues", "schedule", WEEK, "--at", "2099-11-25T10:00:00+01:00").ok()
    assert "goes out Wed 2099-11-25 09:00" in said
    (listed,) = drafted("issues", "list", "--json").document
    assert (listed["send_at"], listed["subject"]) == ("2099-11-25T09:00:00Z", "Two tools")


def test_a_send_that_stops_says_why_and_how_to_go_on(approved: Newsletter) -> None:
    Path("outbox").write_text("a file where the outbox should be")
    done = approved("issues", "send", WEEK)
    assert done.status == 1
    assert "audience 2 = 2 queued" in done.out
    assert "cannot write into the outbox" in done.err
    assert f"`newsletter issues send {WEEK}` goes on from here" in done.err
    Path("outbox").unlink()
    states = "0 queued + 0 sending + 0 in doubt + 2 accepted + 0 refused + 0 suppressed + 0 left"
    assert approved("issues", "send", WEEK).ok() == f"{WEEK} (sent): audience 2 = {states}\n"


def test_what_is_late_is_held_with_status_1_and_sent_all_the_same_by_hand(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "1m")
    passed = "2026-W02"
    newsletter("comparisons", "import", write("c.jsonl", made() | {"published_at": "2026-01-06T09:00:00Z"})).ok()
    newsletter("issues", "draft", "--week", passed).ok()
    newsletter("issues", "approve", passed).ok()
    Path("readers.csv").write_text("email\nana@example.com\nbo@example.com\n")
    newsletter("subscribers", "import", "readers.csv").ok()
    assert f"{passed} is held: it was due on" in newsletter("issues", "send", "--due").refused()
    assert newsletter("issues", "show", passed, "--json").document["held_because"].startswith("it was due on")
    assert "held because" in newsletter("issues", "show", passed).ok()
    assert newsletter("issues", "send", "--due").ok() == "nothing is due\n"
    newsletter("issues", "send", passed).ok()
    assert len(letters()) == 2


def test_the_archive_of_states_is_listed_as_a_table(approved: Newsletter) -> None:
    listed = approved("issues", "list").ok()
    assert listed.splitlines()[0].split() == ["week", "state", "goes", "out", "(UTC)", "subject"]
    assert f"{WEEK}  approved  Tue 2026-11-24 09:00" in listed
    assert "published (UTC)" in approved("comparisons", "list").ok()
    assert approved("issues", "status", WEEK).ok().startswith(f"{WEEK}: approved\naudience 0 = ")
    assert approved("issues", "reconcile", WEEK).ok() == f"{WEEK} (approved): found 0, queued again 0, in doubt 0\n"


def test_files_without_a_comparison_say_that_nothing_is_to_do(newsletter: Newsletter) -> None:
    Path("none.json").write_text("[]")
    assert "nothing to do" in newsletter("comparisons", "import", "none.json").ok()


def test_a_description_that_is_too_long_says_how_long_it_may_be(newsletter: Newsletter) -> None:
    said = newsletter("comparisons", "import", write("c.jsonl", made(description="d" * 20_001))).refused()
    assert "description is longer than 20000 characters" in said
