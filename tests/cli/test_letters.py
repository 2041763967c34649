import email
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.language import available
from newsletter.rendering.note import FIELDS, WELCOME
from newsletter.theme import load
from tests.cli.conftest import Newsletter


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").strip()


def test_every_letter_in_every_language_is_written_as_it_would_be_sent_and_shown_on_one_page(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_NAME", "Ship & Skip")
    monkeypatch.setenv("NEWSLETTER_THEME", "orchard")
    said = newsletter("letters", "preview", "--out", "look/here").ok()
    files = {file.name: file.read_bytes() for file in Path("look/here").iterdir()}
    stems = [f"{kind}.{code}" for kind in FIELDS for code in available()]
    assert set(files) == {"index.html", *(f"{stem}.{suffix}" for stem in stems for suffix in ("html", "txt", "eml"))}
    index = files["index.html"].decode()
    for stem in stems:
        message = email.message_from_bytes(files[f"{stem}.eml"], policy=policy.default)
        html, text = (files[f"{stem}.{suffix}"].decode().strip() for suffix in ("html", "txt"))
        assert (body(message, "html"), body(message, "plain")) == (html, text)
        assert {name for name in message if name.startswith("List-")} == (
            {"List-Unsubscribe", "List-Unsubscribe-Post"} if stem.startswith(WELCOME) else set()
        )
        assert f"{stem}: {message['Subject']}" in said
        assert "%%" not in html + text
        assert "Ship & Skip" in text
        assert load("orchard").banner[0] in html
        assert f'<iframe src="{stem}.html"' in index
    assert "Ship &amp; Skip" in index


def test_one_language_is_enough_for_who_names_it(newsletter: Newsletter) -> None:
    newsletter("letters", "preview", "--out", "look", "--language", "de").ok()
    stems = {file.name.removesuffix(".eml") for file in Path("look").glob("*.eml")}
    assert stems == {f"{kind}.de" for kind in FIELDS}


def test_a_folder_that_cannot_be_written_is_one_line(newsletter: Newsletter) -> None:
    Path("look").write_text("a file in the way")
    for out in ("look", "look/here"):
        assert newsletter("letters", "preview", "--out", out).refused().startswith(f"newsletter: {out}: ")
    Path("other/index.html").mkdir(parents=True)
    assert newsletter("letters", "preview", "--out", "other").err == "newsletter: other/index.html: Is a directory\n"
