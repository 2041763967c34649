"""The outbox: whole files or none, and the truth when the disk fails."""

import os
from pathlib import Path

import pytest

from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.provider import Accepted, Envelope, NotSent, Unknown
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader


def fail_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the disk be full once `count` files have been synced."""
    sync, calls = os.fsync, [0]

    def full(handle: int) -> None:
        calls[0] += 1
        if calls[0] > count:
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)


def test_a_file_is_named_after_its_batch_and_row(tmp_path: Path) -> None:
    batch, one = new_batch(), reader()
    OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [one], batch)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")] == [
        Path("2026-W47", f"{batch}.{one.row}.eml")
    ]


@pytest.mark.parametrize("tag", ["../../elsewhere", "..", ".", "", "a/b", "Grüße"])
def test_no_tag_leads_out_of_the_outbox(tmp_path: Path, tag: str) -> None:
    outbox = OutboxProvider(tmp_path / "outbox")
    envelope, batch = Envelope("a@example.com", "broadcast", tag, "l.example"), new_batch()
    outbox.send(LETTER, envelope, [reader()], batch)
    assert [path.parent.parent for path in tmp_path.rglob("*.eml")] == [tmp_path / "outbox"]
    assert len(outbox.find(envelope, batch)) == 1


def test_a_disk_that_is_full_at_once_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_after(monkeypatch, 0)
    outcomes = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch())
    first = outcomes[0]
    assert outcomes == [first, first]
    assert isinstance(first, NotSent)
    assert "No space left" in first.reason
    assert (first.lasting, first.rest) == (False, None)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_disk_that_fills_up_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, outbox, calls = new_batch(), OutboxProvider(tmp_path), [0]
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] > 2:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    outcomes = outbox.send(LETTER, ENVELOPE, [reader(number) for number in range(4)], batch)
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, NotSent, NotSent]
    assert len(outbox.find(ENVELOPE, batch)) == 2
    assert calls == [3]


def test_files_that_may_not_outlive_a_power_cut_are_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_after(monkeypatch, 2)
    outcomes = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch())
    assert [type(outcome) for outcome in outcomes] == [Unknown, Unknown]


def test_an_outbox_that_has_never_been_used_shows_nothing(tmp_path: Path) -> None:
    assert OutboxProvider(tmp_path / "none").find(ENVELOPE, new_batch()) == {}
