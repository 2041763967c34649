"""A message byte for byte: the order of its head, how its parts are cut, and what is said when it cannot be written."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from newsletter.delivery import wire
from newsletter.delivery.mime import MimeFiller, display, filler_for, quoted_printable, unfolded
from newsletter.delivery.provider import Envelope
from newsletter.message import Letter, Recipient

LETTER = Letter(
    "Zwölf: ship?", "not on the wire", "<p>Hi %%NAME%%,</p>\n<a href='%%URL%%'>go</a>", "Hi %%NAME%%\n=%%URL%%\nEnd. "
)
ENVELOPE = Envelope(
    "Weekly Verdicts <verdicts@example.com>",
    "broadcast",
    "2026-W47",
    "Weekly <weekly.example.com>",
    "Die Rédaction <desk@example.com>",
)
ADA = Recipient(
    "row-1", "ada@mail.example", {"NAME": "Ada & Bø", "URL": "https://x.example/?a=b"}, "https://x.example/leave"
)
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
BATCH = "b" * 32

MESSAGE = b"""\
To: ada@mail.example
Date: Tue, 24 Nov 2026 09:00:00 +0000
Message-ID: <row-1@example.com>
X-Newsletter-Batch: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
X-Newsletter-Row: row-1
List-Unsubscribe: <https://x.example/leave>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
From: Weekly Verdicts <verdicts@example.com>
Subject: =?utf-8?q?Zw=C3=B6lf=3A?= ship?
Reply-To: Die =?utf-8?q?R=C3=A9daction?= <desk@example.com>
List-Id: Weekly <weekly.example.com>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_letter"

--=_letter
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Hi=20=
Ada & B=C3=B8=

=3D=
https://x.example/?a=3Db=

End.=20
--=_letter
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Hi=20=
Ada &amp; B=C3=B8=
,</p>
<a href=3D'=
https://x.example/?a=3Db=
'>go</a>
--=_letter--
"""


def test_a_message_byte_for_byte() -> None:
    assert MimeFiller(LETTER, ENVELOPE).fill(ADA, BATCH, NOW) == MESSAGE.replace(b"\n", b"\r\n")


def test_what_is_not_there_leaves_no_header() -> None:
    bare = replace(ENVELOPE, list_id=None, reply_to=None)
    head = MimeFiller(LETTER, bare).fill(replace(ADA, unsubscribe_url=None), BATCH, NOW).partition(b"\r\n\r\n")[0]
    absent = (b"List-Unsubscribe", b"Reply-To", b"List-Id")
    left = [line for line in MESSAGE.partition(b"\n\n")[0].split(b"\n") if not line.startswith(absent)]
    assert head.split(b"\r\n") == left


def test_no_line_is_broken_softly_where_nothing_stands_or_it_ends_anyway() -> None:
    letter = Letter("s", "", "%%NAME%%%%URL%%", "Hello\n%%NAME%%\n\n%%URL%%")
    raw = MimeFiller(letter, ENVELOPE).fill(replace(ADA, values={"NAME": "Ada", "URL": ""}), BATCH, NOW)
    _, text, html = raw.split(b"--=_letter\r\n")
    assert text.partition(b"\r\n\r\n")[2] == b"Hello\r\nAda=\r\n\r\n\r\n\r\n"
    assert html.partition(b"\r\n\r\n")[2] == b"Ada\r\n--=_letter--\r\n"


def test_the_batches_of_one_send_share_what_was_encoded() -> None:
    assert filler_for(LETTER, ENVELOPE) is filler_for(LETTER, replace(ENVELOPE))
    assert filler_for(LETTER, ENVELOPE) is not filler_for(LETTER, replace(ENVELOPE, tag="2026-W48"))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"row": "a row"}, "the row is not a plain key"),
        ({"unsubscribe_url": "javascript:alert(1)"}, "the unsubscribe link is not a plain"),
        ({"email": "ada"}, "not an e-mail address"),
    ],
)
def test_what_cannot_stand_in_a_head_is_named(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(wire.Unwritable, match=f"^{complaint}"):
        MimeFiller(LETTER, ENVELOPE).fill(replace(ADA, **changed), BATCH, NOW)  # type: ignore[arg-type]


def test_a_batch_that_is_no_key_and_a_subject_of_two_lines_are_named() -> None:
    with pytest.raises(wire.Unwritable, match=r"^the batch is not a plain key"):
        MimeFiller(LETTER, ENVELOPE).fill(ADA, "b\n", NOW)
    with pytest.raises(wire.Unwritable, match=r"^the subject holds a line break"):
        MimeFiller(replace(LETTER, subject="one\ntwo"), ENVELOPE)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b""),
        ("x" * 75, b"x" * 75),
        ("x" * 76, b"x" * 75 + b"=\r\nx"),
        ("x" * 150, b"x" * 75 + b"=\r\n" + b"x" * 75),
        ("x" * 151, b"x" * 75 + b"=\r\n" + b"x" * 75 + b"=\r\nx"),
        ("x" * 69 + "éy", b"x" * 69 + b"=C3=A9=\r\ny"),
        ("x" * 70 + "éy", b"x" * 70 + b"=C3=\r\n=A9y"),
        ("x" * 72 + "éy", b"x" * 72 + b"=C3=\r\n=A9y"),
        ("x" * 73 + "é", b"x" * 73 + b"=\r\n=C3=A9"),
        ("x" * 74 + "é", b"x" * 74 + b"=\r\n=C3=A9"),
        ("x" * 75 + "é", b"x" * 75 + b"=\r\n=C3=A9"),
        ("a\tb\t", b"a\tb=09"),
        ("a \r\nb\nc\rd", b"a=20\r\nb\r\nc=0Dd"),
        ("a=b~!\x7f", b"a=3Db~!=7F"),
    ],
)
def test_a_line_is_cut_as_late_as_may_be_and_never_within_an_escape(text: str, encoded: bytes) -> None:
    assert quoted_printable(text) == encoded


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "a@b.example"),
        ("Weekly", "Weekly <a@b.example>"),
        ("Ox, Mend", '"Ox, Mend" <a@b.example>'),
        ('The "Best"', '"The \\"Best\\"" <a@b.example>'),
        ("Wöchentlich", '"Wöchentlich" <a@b.example>'),
        ('Ü "b" \\', '"Ü \\"b\\" \\\\" <a@b.example>'),
    ],
)
def test_a_mailbox_is_shown_quoted_where_its_name_needs_it(name: str, shown: str) -> None:
    assert display(wire.Mailbox(name, "a@b.example")) == shown


def test_a_long_value_is_one_line_of_ascii_and_keeps_its_own_colons() -> None:
    long = "Wöchentlich, die allerbesten und allerschönsten Nachrichten der Woche <weekly.example.com>"
    assert unfolded("List-Id", long) == (
        "=?utf-8?q?W=C3=B6chentlich=2C_die_allerbesten_und_allersch=C3=B6nst?= =?utf-8?q?en?="
        " Nachrichten der Woche <weekly.example.com>"
    )
    assert unfolded("List-Id", "a: b <c>") == "a: b <c>"
