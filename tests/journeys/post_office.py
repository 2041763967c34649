"""The sandbox in a process of its own, so that it does not slow down whoever watches, and is watched itself."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from newsletter.sandbox.bounces import goes_nowhere
from newsletter.sandbox.server import Sandbox
from tests.forked import forks

PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Count:
    """What was taken of a letter so far: messages, those to whom, and how many of them more than once."""

    messages: int
    readers: int
    twice: int


class PostOffice:
    """A sandbox elsewhere; also a context manager. `tag`: of the letter that is counted."""

    def __init__(self, tag: str, seed: int) -> None:
        self._line, theirs = forks().Pipe()
        self._process = forks().Process(target=_keep, args=(theirs, tag, seed), daemon=True)
        self._process.start()
        theirs.close()
        self.url: str = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._line.close()
        self._process.join(PATIENCE)

    def fail(self, *faults: str) -> None:
        """Put these faults in the place of those that are on."""
        self._ask("fail", faults)

    @property
    def struck(self) -> Counter[str]:
        """How often each fault, as it was written, has struck, all in all."""
        return Counter(self._ask("struck"))

    def count(self) -> Count:
        """What was taken so far, and what is held back with it."""
        return Count(*self._ask("count"))

    def taken(self) -> dict[str, str]:
        """Message id -> address, of all that was taken."""
        return dict(self._ask("taken"))

    def release(self) -> int:
        """Let go what is held back; return how many messages."""
        return int(self._ask("release"))

    def _ask(self, what: str, given: Sequence[str] = ()) -> Any:
        self._line.send((what, given))
        return self._answer()

    def _answer(self) -> Any:
        if not self._line.poll(PATIENCE):
            raise TimeoutError("the sandbox's process does not answer")
        return self._line.recv()


def _keep(line: Connection, tag: str, seed: int) -> None:
    struck: Counter[str] = Counter()
    with Sandbox(seed=seed) as sandbox:
        line.send(sandbox.url)
        while True:
            try:
                what, given = line.recv()
            except EOFError:
                return
            if what == "fail":
                struck += _struck(sandbox)
                sandbox.faults.set(*given)
            line.send(_answer(sandbox, what, tag, struck))


def _struck(sandbox: Sandbox) -> Counter[str]:
    return Counter({each["fault"]: each["struck"] for each in sandbox.faults.as_json()["faults"]})


def _answer(sandbox: Sandbox, what: str, tag: str, struck: Counter[str]) -> object:
    if what == "struck":
        return struck + _struck(sandbox)
    if what == "release":
        return sandbox.release()
    if what == "fail":
        return None
    taken = (*sandbox.messages, *sandbox.held)
    messages = [one for one in taken if one.tag == tag and not goes_nowhere(one.recipients[0])]
    if what == "taken":
        return {one.id: one.recipients[0] for one in messages}
    copies = Counter(one.recipients[0] for one in messages)
    return len(messages), len(copies), sum(count > 1 for count in copies.values())
