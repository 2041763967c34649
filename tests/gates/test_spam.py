"""Spam filters, on the letters' source as it is sent."""

from pathlib import Path

from tests.gates.letters import LETTERS, source
from tests.gates.spam import rspamd, spamassassin

MOST_SPAMASSASSIN = 0.5  # 5 is spam
MOST_RSPAMD = 1.5  # 15 is spam
BAIT = (
    b"Received: from x (unknown [5.9.100.20]) by mx.example.com with SMTP id 1; Tue, 24 Nov 2026 09:00:01 +0000\r\n"
    b"From: Lottery <win@verdicts.example>\r\nTo: x@example.com\r\nX-Newsletter-Row: row-bait\r\n"
    b"Subject: YOU WON !!!\r\n"
    b"Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<font color="#ffffff">Viagra, click here: http://5.9.100.20/ for $1,000,000.00</font>\r\n'
)


def test_spamassassin_has_nothing_against_a_letter_and_much_against_bait(tmp_path: Path) -> None:
    found = spamassassin({**{name: source(name) for name in LETTERS}, "bait": BAIT}, tmp_path)
    assert set(found) == {*LETTERS, "bait"}
    assert found.pop("bait")[0] > 2
    assert {name: hit for name, hit in found.items() if hit[0] > MOST_SPAMASSASSIN} == {}


def test_rspamd_has_nothing_against_a_letter_and_much_against_bait(tmp_path: Path) -> None:
    with rspamd(tmp_path) as filter_:
        found = {name: filter_.score(source(name)) for name in LETTERS}
        assert filter_.score(BAIT)[0] > 4
    assert {name: hit for name, hit in found.items() if hit[0] > MOST_RSPAMD} == {}
