"""Letters as RFC 5322 messages: what the standard library reads back is what was put in."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from newsletter.delivery.mime import MimeFiller, quoted_printable
from newsletter.delivery.provider import Envelope
from newsletter.message import Filler, Letter, Recipient

ENVELOPE = Envelope("Weekly <verdicts@example.com>", "broadcast", "2026-W47", "weekly.example.com")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
BATCH = "b" * 32

# Without CR: a message's line ends are CRLF, so that a CR of its own cannot be told from one.
WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=120)
SOURCES = st.lists(st.one_of(WORDS, st.sampled_from(["%%A%%", "%%B_C%%", "=", " ", "\n", ".", "--=_letter", "x" * 80])))


def read(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    assert not found.defects
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


@settings(max_examples=150, deadline=None)
@given(html=SOURCES.map("".join), text=SOURCES.map("".join), one=WORDS, two=WORDS)
@example(html="%%A%%", text="%%A%%%%B_C%%", one="", two="")
@example(html="a %%A%% b", text="%%A%%\n", one=" " * 200, two="\n\n")
@example(html="=%%A%%=", text="é" * 100, one="=" * 76, two="é" * 40)
def test_both_parts_are_what_the_filler_makes(html: str, text: str, one: str, two: str) -> None:
    letter = Letter("s", "", html, text)
    values = {"A": one, "B_C": two}
    assume(letter.merge_fields <= values.keys())  # chance may write another one, say %%B%%
    raw = MimeFiller(letter, ENVELOPE).fill(Recipient("row", "a@mail.example", values), BATCH, NOW)

    mail = read(raw)
    filled_html, filled_text = Filler(letter).fill(values)
    assert part(mail, "html") == filled_html
    assert part(mail, "plain") == filled_text
    assert max(map(len, raw.split(b"\r\n"))) <= 76
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()


@pytest.mark.parametrize("ending", [" ", "\t", "=", "é", "=3D"])
@pytest.mark.parametrize("length", range(70, 80))
def test_lines_are_broken_within_no_escape(length: int, ending: str) -> None:
    encoded = quoted_printable("x" * length + ending + "y" * length + ending)
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert not encoded.endswith((b" ", b"\t"))


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "plain",
        "Zwölf “Werkzeuge”",
        "日本" * 60,
        "x" * 300,
        "with, comma; and: colon <b>",
        "=?utf-8?q?not_encoded?=",
    ],
)
def test_subjects_come_back(subject: str) -> None:
    letter = Letter(subject, "", "h", "t")
    raw = MimeFiller(letter, ENVELOPE).fill(Recipient("row", "a@mail.example"), BATCH, NOW)
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998
    if "=?" not in subject:  # what looks encoded is decoded, by any reader
        assert read(raw)["Subject"] == subject


@pytest.mark.parametrize("name", ["Weekly AI", "Wöchentlich, GmbH", 'The "Best"', "a.b", "Ünï (x)", "Back\\slash"])
def test_senders_come_back(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    envelope = replace(
        ENVELOPE, sender=f'"{quoted}" <verdicts@bücher.example>', reply_to=f'"{quoted}" <desk@example.com>'
    )
    mail = read(MimeFiller(Letter("s", "", "h", "t"), envelope).fill(Recipient("r", "a@mail.example"), BATCH, NOW))
    for header, addr_spec in (("From", "verdicts@xn--bcher-kva.example"), ("Reply-To", "desk@example.com")):
        (mailbox,) = mail[header].addresses
        assert (mailbox.display_name, mailbox.addr_spec) == (name, addr_spec)


def test_a_long_link_stays_one_link() -> None:
    url = "https://verdicts.example.com/unsubscribe/" + "x" * 300
    raw = MimeFiller(Letter("s", "", "h", "t"), ENVELOPE).fill(Recipient("r", "a@mail.example", {}, url), BATCH, NOW)
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in raw


def test_the_message_id_is_the_rows_own() -> None:
    filler = MimeFiller(Letter("s", "", "h", "t"), ENVELOPE)
    assert filler.message_id(Recipient("row-1", "a@mail.example")) == "<row-1@example.com>"
