"""The letters that pass the gates: all golden ones, filled with a sample reader's values, as HTML and as messages."""

import re
from datetime import UTC, datetime
from functools import cache

from newsletter.delivery.mime import filler_for
from newsletter.delivery.provider import Envelope
from newsletter.message import Filler, Letter, Recipient
from newsletter.rendering.letter import render
from tests.rendering.samples import GOLDEN
from tests.rendering.test_personal import CASES

KEY = "eyJhbGciOiJub25l.Y29uc2lzdHM_b2YgdGhpcw.7Zb0k3y2q9"  # as long as a reader's own keys are
READER = "ada.lovelace@example.com"
VALUES = {
    "EMAIL": READER,
    **{
        f"{name.upper()}_URL": f"https://verdicts.example/{name}/{KEY}"
        for name in ("preferences", "unsubscribe", "vote", "canary", "confirm", "address")
    },
}

LETTERS = [*GOLDEN, *(f"personal-{name}" for name in CASES)]
"""The names of all letters."""


@cache
def letter(name: str) -> Letter:
    """A letter with its merge fields."""
    return CASES[name.removeprefix("personal-")][1] if name.startswith("personal-") else render(GOLDEN[name])


@cache
def filled(name: str) -> str:
    """A letter's HTML as the sample reader gets it."""
    return Filler(letter(name)).fill(VALUES)[0]


def without_styles(html: str) -> str:
    """What a client shows that throws style sheets away."""
    return re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)


def source(name: str) -> bytes:
    """A letter as it is sent, and as a mailbox keeps it: with the lines of the servers that it went through.

    The newsletter hands it to its own mail server, and that one to the reader's. What only DNS and a key can tell (SPF,
    DKIM, DMARC) is not there, and no checker is asked about it.
    """
    to_all = not name.startswith("personal-")
    envelope = Envelope(
        sender="Weekly AI Tool Verdicts <verdicts@verdicts.example>",
        reply_to="Editors <editors@verdicts.example>",
        stream="broadcast",
        tag="2026-W47",
        list_id="Weekly AI Tool Verdicts <weekly.verdicts.example>" if to_all else None,
    )
    way_out = VALUES["UNSUBSCRIBE_URL"] if to_all else None
    reader = Recipient(row=f"row-{name}", email=READER, values=VALUES, unsubscribe_url=way_out)
    sent = filler_for(letter(name), envelope).fill(reader, "batch-1", datetime(2026, 11, 24, 9, tzinfo=UTC))
    head = (
        b"Return-Path: <verdicts@verdicts.example>\r\n"
        b"Received: from mail.verdicts.example (mail.verdicts.example [5.9.100.20])\r\n"
        b"\tby mx.example.com (Postfix) with ESMTPS id 4A1B2C3D4E\r\n"
        b"\tfor <ada.lovelace@example.com>; Tue, 24 Nov 2026 09:00:01 +0000 (UTC)\r\n"
        b"Received: from app.verdicts.example (app.verdicts.example [5.9.100.21])\r\n"
        b"\tby mail.verdicts.example (Postfix) with ESMTPSA id 5B1B2C3D4E\r\n"
        b"\tfor <ada.lovelace@example.com>; Tue, 24 Nov 2026 09:00:00 +0000 (UTC)\r\n"
    )
    return head + sent
