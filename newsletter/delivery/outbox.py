"""How are letters sent to nobody? As .eml files in a folder, one for each reader, openable in any mail program.

Promises: a file is there whole or not at all; it is on the disk before its letter counts as accepted; the batch and
row are its name, so that what was written can always be told.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter.delivery import wire
from newsletter.delivery.mime import MimeFiller, filler_for
from newsletter.delivery.provider import (
    Accepted,
    CannotAsk,
    Envelope,
    Listed,
    NotSent,
    Outcome,
    Refused,
    Shown,
    Unknown,
)
from newsletter.message import Letter, Recipient

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]|^\.+")  # in a folder's name
_SUFFIX = ".eml"


class OutboxProvider:
    """Files below `directory`: `<tag>/<batch>.<row>.eml`. `now` (aware) dates the messages.

    The message id of a letter is its file's name.
    """

    name = "outbox"
    max_batch = 500
    keeps_list = False
    keeps_history = False

    def __init__(self, directory: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.directory = directory
        self.account = str(directory.absolute())
        self._now = now

    def __repr__(self) -> str:
        return f"OutboxProvider({str(self.directory)!r})"

    def send(self, letter: Letter, envelope: Envelope, recipients: Sequence[Recipient], batch: str) -> list[Outcome]:
        """Write one batch; see Provider.send."""
        if not recipients:
            return []
        folder = self._folder(envelope)
        try:
            wire.key("the batch", batch)
            filler = filler_for(letter, envelope)
            folder.mkdir(parents=True, exist_ok=True)
        except ValueError as error:
            return [NotSent(f"the letter cannot be written: {error}", lasting=True)] * len(recipients)
        except OSError as error:
            return [NotSent(_explain(error, folder))] * len(recipients)
        outcomes: list[Outcome] = []
        try:
            for recipient in recipients:
                outcomes.append(self._write(folder, filler, recipient, batch))
        except OSError as error:
            outcomes += [NotSent(_explain(error, folder))] * (len(recipients) - len(outcomes))
        return self._made_durable(folder, outcomes)

    def find(self, envelope: Envelope, batch: str) -> Mapping[str, str]:
        """Row -> file name of what lies in the folder: never in doubt; see Provider.find."""
        try:
            names = [entry.name for entry in self._folder(envelope).iterdir()]
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CannotAsk(_explain(error, self.directory)) from None
        start = f"{batch}."
        return {
            name[len(start) : -len(_SUFFIX)]: name
            for name in names
            if name.startswith(start) and name.endswith(_SUFFIX)
        }

    def probe(self, envelope: Envelope, batch: str) -> None:
        """Nothing: a folder's listing does not lag."""

    def probe_is_visible(self, envelope: Envelope, batch: str) -> bool:  # noqa: ARG002  the protocol's
        """Always, see `probe`."""
        return True

    def listed(self, stream: str) -> Iterator[Listed]:  # noqa: ARG002  the protocol's
        """Nobody: there is no such list."""
        return iter(())

    def returned(self, stream: str, since: datetime, until: datetime) -> Iterator[Shown]:  # noqa: ARG002
        """Nothing: it does not hear of it."""
        return iter(())

    def kept_out(self, stream: str, since: datetime) -> Iterator[Shown]:  # noqa: ARG002  the protocol's
        """Nobody: there is no such list."""
        return iter(())

    def history(self, message_id: str) -> Shown | None:  # noqa: ARG002  the protocol's
        """Nothing: it does not hear of it."""
        return None

    def tidy(self, before: date) -> int:  # noqa: ARG002  the protocol's
        """Nothing is stored apart from the messages."""
        return 0

    def close(self) -> None:
        """Nothing is held open."""

    def _folder(self, envelope: Envelope) -> Path:
        return self.directory / (_UNFIT.sub("_", envelope.tag) or "_")

    def _write(self, folder: Path, filler: MimeFiller, recipient: Recipient, batch: str) -> Outcome:
        """Write one file whole. Raises OSError, having left nothing."""
        try:
            message = filler.fill(recipient, batch, self._now())
        except KeyError as error:
            return Refused(f"no value for the merge field {error}")
        except ValueError as error:
            return Refused(f"cannot be written: {error}")
        name = f"{batch}.{recipient.row}{_SUFFIX}"
        unfinished = folder / f".{name}.unfinished"
        try:
            with unfinished.open("wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(folder / name)
        except OSError:
            with suppress(OSError):  # the same trouble again; a file of this name counts for nothing
                unfinished.unlink(missing_ok=True)
            raise
        return Accepted(name)

    @staticmethod
    def _made_durable(folder: Path, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes, once the folder's own entries are on the disk."""
        try:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            doubt = Unknown(f"the files are there, but perhaps not after a power cut: {error.strerror}")
            return [doubt if isinstance(outcome, Accepted) else outcome for outcome in outcomes]
        return outcomes


def _explain(error: OSError, folder: Path) -> str:
    return f"cannot write into the outbox {folder} ({error.strerror}): check NEWSLETTER_OUTBOX_DIR and the disk"
