"""The outbox again: what it says when it cannot write, whose trouble that is, and where its files lie."""

import os
from datetime import date
from pathlib import Path

import pytest

from newsletter.delivery.outbox import OutboxProvider
from newsletter.delivery.provider import Accepted, CannotAsk, Envelope, NotSent, Refused, Unknown
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader

FULL = OSError(28, "No space left on device")


def in_words(folder: Path, what: str) -> str:
    return f"cannot write into the outbox {folder} ({what}): check NEWSLETTER_OUTBOX_DIR and the disk"


def test_many_batches_go_into_one_folder_and_each_finds_its_own(tmp_path: Path) -> None:
    outbox = OutboxProvider(tmp_path / "new" / "outbox")
    batches, one = [new_batch() for _ in range(3)], reader()
    for batch in batches:
        assert outbox.send(LETTER, ENVELOPE, [one], batch) == [Accepted(f"{batch}.{one.row}.eml")]
    for batch in batches:
        assert outbox.find(ENVELOPE, batch) == {one.row: f"{batch}.{one.row}.eml"}
    assert outbox.find(ENVELOPE, batches[0][:-1]) == {}


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("2026-W47", "2026-W47"), ("a.b_c-9", "a.b_c-9"), ("Grüße!", "Gr__e_"), ("..", "_"), ("...a", "_a"),
        ("../../b", "__.._b"), ("", "_"), ("a/b c", "a_b_c"),
    ],
)  # fmt: skip
def test_a_tag_makes_one_folders_name(tmp_path: Path, tag: str, name: str) -> None:
    envelope = Envelope("a@example.com", "broadcast", tag, None)
    OutboxProvider(tmp_path).send(LETTER, envelope, [reader()], new_batch())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unfinished_file_and_a_strangers_are_not_found(tmp_path: Path) -> None:
    outbox, batch = OutboxProvider(tmp_path), new_batch()
    folder = tmp_path / ENVELOPE.tag
    folder.mkdir()
    for name in (f".{batch}.row.eml.unfinished", f"{batch}.row.txt", f"{new_batch()}.row.eml", "notes"):
        (folder / name).write_text("")
    assert outbox.find(ENVELOPE, batch) == {}


def test_a_folder_that_cannot_be_made_or_read_is_told_with_what_to_check(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    outbox = OutboxProvider(file)
    said = NotSent(in_words(file / "2026-W47", "Not a directory"))
    assert outbox.send(LETTER, ENVELOPE, [reader(1), reader(2)], new_batch()) == [said, said]
    with pytest.raises(CannotAsk) as caught:
        outbox.find(ENVELOPE, new_batch())
    assert str(caught.value) == in_words(file, "Not a directory")


def test_a_batch_that_is_no_key_can_never_be_written(tmp_path: Path) -> None:
    (outcome,) = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [reader()], "../b")
    words = "the letter cannot be written: the batch is not a plain key of at most 80 characters"
    assert outcome == NotSent(words, lasting=True)
    assert list(tmp_path.iterdir()) == []


def test_what_one_reader_lacks_is_that_readers_trouble(tmp_path: Path) -> None:
    readers = [reader(1), reader(2, email="nobody"), reader(3)]
    readers[0].values.pop("NAME")  # type: ignore[attr-defined]
    first, second, third = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, readers, new_batch())
    assert first == Refused("no value for the merge field 'NAME'")
    assert isinstance(second, Refused)
    assert second.reason.startswith("cannot be written: not an e-mail address: ")
    assert isinstance(third, Accepted)


def test_a_full_disk_is_told_for_the_rest_even_where_nothing_can_be_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if written:
            raise FULL
        written.append(target)
        return replace(self, target)

    def stuck(self: Path, missing_ok: bool = False) -> None:
        raise FULL

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(Path, "unlink", stuck)
    outcomes = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [reader(n) for n in range(3)], new_batch())
    assert outcomes[0] == Accepted(written[0].name)
    assert outcomes[1:] == [NotSent(in_words(tmp_path / "2026-W47", "No space left on device"))] * 2


def test_a_file_that_could_not_even_be_opened_is_told_by_its_own_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(FULL))
    (outcome,) = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, [reader()], new_batch())
    assert outcome == NotSent(in_words(tmp_path / "2026-W47", "No space left on device"))


def test_a_folder_that_is_not_on_the_disk_leaves_what_was_accepted_in_doubt_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [reader(1), reader(2, email="nobody")]
    synced, sync = [0], os.fsync

    def fails_for_the_folder(handle: int) -> None:
        synced[0] += 1
        if synced[0] > 1:
            raise OSError(5, "Input/output error")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fails_for_the_folder)
    first, second = OutboxProvider(tmp_path).send(LETTER, ENVELOPE, readers, new_batch())
    assert first == Unknown("the files are there, but perhaps not after a power cut: Input/output error")
    assert isinstance(second, Refused)


def test_nothing_else_is_asked_of_a_folder(tmp_path: Path) -> None:
    outbox = OutboxProvider(tmp_path)
    assert outbox.send(LETTER, ENVELOPE, [], new_batch()) == []
    outbox.probe(ENVELOPE, new_batch())
    assert outbox.probe_is_visible(ENVELOPE, new_batch()) is True
    assert list(outbox.listed("broadcast")) == []
    assert outbox.tidy(date(2026, 11, 24)) == 0
    assert list(tmp_path.iterdir()) == []
