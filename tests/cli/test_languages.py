"""Readers' languages and an editor's note, as the commands know them."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Newsletter
from tests.comparisons.samples import data, tool

WEEK = "2026-W47"


@pytest.fixture
def drafted(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> Newsletter:
    """A draft of two comparisons; Bo reads German."""
    monkeypatch.setenv("NEWSLETTER_MAX_LATENESS", "99999d")
    records = [
        data(left, right, published_at="2026-11-18T00:00:00Z",
             tools=[tool(left, category=category, panel_ship=50), tool(right, category=category)])
        for left, right, category in (("Ada", "Ava", "Voice"), ("Bea", "Bo", "Data Bases"))
    ]  # fmt: skip
    Path("c.jsonl").write_text("\n".join(map(json.dumps, records)))
    newsletter("comparisons", "import", "c.jsonl").ok()
    newsletter("issues", "draft", "--week", WEEK).ok()
    newsletter("subscribers", "add", "ana@example.com").ok()
    newsletter("subscribers", "add", "bo@example.com", "--language", "de").ok()
    return newsletter


def test_commands_know_readers_languages_and_an_editors_note(drafted: Newsletter) -> None:
    assert drafted("subscribers", "show", "bo@example.com", "--json").document["language"] == "de"
    assert "reads: Deutsch (de)\n" in drafted("subscribers", "show", "bo@example.com").ok()
    assert drafted("subscribers", "proof", "bo@example.com").document["language"] == "de"
    wrong = drafted("subscribers", "add", "cy@example.com", "--language", "Deutsch")
    assert (wrong.status, "'Deutsch' is none of en, de" in wrong.err) == (2, True)

    Path("note.md").write_text("Hello *you*.\n", encoding="utf-8")
    assert drafted("issues", "edit", WEEK, "--note-file", "note.md").ok().splitlines()[-1] == "note:      12 characters"
    assert drafted("issues", "show", WEEK, "--json").document["note"] == "Hello *you*."
    assert "note:\n    Hello *you*.\n" in drafted("issues", "show", WEEK).ok()
    Path("latin.md").write_bytes("Grüße\nund Küsse".encode("latin-1"))
    said = drafted("issues", "edit", WEEK, "--note-file", "latin.md").refused()
    assert said == "newsletter: latin.md:1: this is not UTF-8; save the note in that encoding"
    said = drafted("issues", "edit", WEEK, "--note-file", "nowhere.md").refused()
    assert said == "newsletter: nowhere.md: No such file or directory"

    def preview(*arguments: str) -> tuple[bytes, str]:
        drafted("issues", "preview", WEEK, "--out", "look", *arguments).ok()
        return Path("look/letter.eml").read_bytes(), Path("look/letter.html").read_text()

    german, html = preview("--language", "de")
    assert re.search(r'<html[^>]* lang="de"', html)
    assert preview("--language", "en") == preview()
    drafted("issues", "approve", WEEK).ok()
    drafted("issues", "send", WEEK).ok()
    assert preview("--language", "de")[0] == german  # also when it is frozen
    said = drafted("issues", "preview", WEEK, "--out", "look", "--language", "de", "--muted", "Voice").refused()
    nobody = "nobody had chosen Deutsch and muted just that"
    assert said == f"newsletter: issue {WEEK} went out, and {nobody}: no such letter was made"
