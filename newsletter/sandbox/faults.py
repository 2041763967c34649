"""Which faults can the sandbox show, what may be said about each, and how is one written?

Pure. A fault is written `name`, or `name:key=value,key=value`: `accept-then-drop:share=0.1`, `429:times=2`. A fault in
an answer comes either before anything was taken (`drop`) or after (`accept-then-drop`), which nobody can tell by the
wire. Promises: a text that cannot be meant is refused in one line that says what can.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from newsletter.sandbox.checks import REFUSED

ANYWHERE: Final = "all"
PLACES: Final = {
    "messages": re.compile(r"/email(/.*)?"),
    "batches": re.compile(r"/email/batch(WithTemplates)?"),
    "templates": re.compile(r"/templates(/.*)?"),
    "search": re.compile(r"/messages/outbound(/.*)?"),
    "bounces": re.compile(r"/bounces(/.*)?"),
    "suppressions": re.compile(r"/message-streams/.*"),
    ANYWHERE: re.compile(r".*"),
}
"""What `on` may name, and the paths (without a slash at their end) that it stands for."""


class Strikes(Enum):
    """What a fault strikes."""

    CALL = "a call, before anything is taken"
    ANSWER = "the answer to a call that is carried out"
    MESSAGE = "a message, for as long as the fault is on"
    SUPPRESSION = "an entry of a suppression list, for as long as the fault is on"
    EVENT = "an event that is told to the webhook"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name stands for: what it strikes, the options of its own, and those of them that it needs."""

    strikes: Strikes
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    on: str | None = None
    """Where it strikes, if it is nothing but answers about messages that can be spoiled so."""

    def all_options(self) -> tuple[str, ...]:
        """Every option that may be given."""
        if self.strikes is Strikes.MESSAGE:
            return (*self.options, "share")
        if self.strikes is Strikes.SUPPRESSION:
            return self.options
        counted = (*self.options, "share", "times", "after")
        return counted if self.strikes is Strikes.EVENT else (*counted, "on")


_LOST = Strikes.CALL
_TAKEN = Strikes.ANSWER

KINDS: Final = {
    "drop": Kind(_LOST),
    "stall": Kind(_LOST, ("seconds",)),
    "429": Kind(_LOST, ("retry-after",)),
    "500": Kind(_LOST),
    "503": Kind(_LOST, ("retry-after",)),
    "html-200": Kind(_LOST),
    "html-403": Kind(_LOST),
    "no-code": Kind(_LOST, ("status",)),
    "redirect": Kind(_LOST),
    "refused": Kind(_LOST, ("code",), needs=("code",)),
    "accept-then-drop": Kind(_TAKEN, ("part",)),
    "accept-then-stall": Kind(_TAKEN, ("seconds",)),
    "accept-then-truncate": Kind(_TAKEN),
    "accept-then-500": Kind(_TAKEN, ("part",)),
    "accept-then-html": Kind(_TAKEN, ("part",)),
    "accept-then-no-code": Kind(_TAKEN, ("status", "part")),
    "delayed": Kind(_TAKEN, on="messages"),
    "mixed": Kind(_TAKEN, ("refuse", "delay", "codes"), on="messages"),
    "short-answer": Kind(_TAKEN, on="batches"),
    "long-answer": Kind(_TAKEN, on="batches"),
    "search-lag": Kind(Strikes.MESSAGE, ("seconds",), needs=("seconds",)),
    "search-loss": Kind(Strikes.MESSAGE),
    "paused": Kind(Strikes.MESSAGE, ("seconds",)),
    "suppression-lag": Kind(Strikes.SUPPRESSION, ("seconds",), needs=("seconds",)),
    "webhook-lost": Kind(Strikes.EVENT),
    "webhook-duplicated": Kind(Strikes.EVENT),
    "webhook-late": Kind(Strikes.EVENT, ("seconds",), needs=("seconds",)),
    "webhook-reordered": Kind(Strikes.EVENT),
}
"""Every fault by its name."""


@dataclass(frozen=True)
class Fault:
    """One fault, as it was asked for.

    `share` of what it could strike, from 0 to 1, drawn anew each time (once for a message); at most `times`, the first
    `after` passed over; calls only `on` certain paths. `seconds` is None where it is for ever. `part` of a batch that
    is taken, `refuse` and `delay` of its messages are shares too.
    """

    text: str
    name: str
    share: float = 1.0
    times: int | None = None
    after: int = 0
    on: tuple[str, ...] = ("messages",)
    seconds: float | None = None
    retry_after: int | None = None
    code: int = 0
    codes: tuple[int, ...] = (406, 300)
    refuse: float = 0.2
    delay: float = 0.2
    part: float = 1.0
    status: int = 502

    @property
    def strikes(self) -> Strikes:
        """What it strikes."""
        return KINDS[self.name].strikes

    def concerns(self, path: str) -> bool:
        """Whether it can strike calls to a path (without a slash at its end)."""
        return any(PLACES[place].fullmatch(path) for place in self.on)


def parse(text: str) -> Fault:
    """Read one fault. Raises ValueError, with a line on what is wrong and what would be right."""
    name, colon, rest = text.strip().partition(":")
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"there is no fault {name!r}: choose from {', '.join(KINDS)}")
    options: dict[str, Any] = {"on": (kind.on,)} if kind.on else {}
    given: set[str] = set()
    for part in rest.split(",") if colon else ():
        key, equals, value = part.strip().partition("=")
        if key not in kind.all_options() or not equals:
            takes = ", ".join(f"{option}=…" for option in kind.all_options())
            raise ValueError(f"the fault {name!r} cannot do anything with {part.strip()!r}: it takes {takes}")
        if key in given:
            raise ValueError(f"the fault {name!r} has {key} twice")
        given.add(key)
        wants, read = _OPTIONS[key]
        try:
            options[key.replace("-", "_")] = read(value.strip())
        except ValueError:
            raise ValueError(f"{key} of the fault {name!r} must be {wants}, not {value.strip()!r}") from None
    for key in kind.needs:
        if key not in given:
            raise ValueError(f"the fault {name!r} needs {key}: write {name}:{key}={_EXAMPLES[key]}")
    if kind.on and not {*options["on"]} <= {"messages", "batches"}:
        raise ValueError(f"the fault {name!r} spoils answers about messages: on must be messages or batches")
    if options.get("refuse", Fault.refuse) + options.get("delay", Fault.delay) > 1 + 1e-9:
        raise ValueError(f"refuse and delay of the fault {name!r} are shares of one batch: together 1 at most")
    return Fault(text=text.strip(), name=name, **options)


def _share(text: str) -> float:
    return _within(float(text), 1)


def _seconds(text: str) -> float:
    return _within(float(text), 10**7)


def _within(number: float, most: float) -> float:
    if not 0 <= number <= most:  # what is no number at all (nan) fails this too
        raise ValueError(number)
    return number


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _at_least_one(text: str) -> int:
    return _count(text) or _count("none")


def _status(text: str) -> int:
    if not re.fullmatch(r"[45][0-9][0-9]", text):
        raise ValueError(text)
    return int(text)


def _codes(text: str) -> tuple[int, ...]:
    return tuple(_code(each) for each in text.split("+"))


def _code(text: str) -> int:
    if _count(text) not in REFUSED:
        raise ValueError(text)
    return int(text)


def _places(text: str) -> tuple[str, ...]:
    places = tuple(text.split("+"))
    if not {*places} <= {*PLACES}:
        raise ValueError(text)
    return places


_KNOWN = ", ".join(str(code) for code in REFUSED)
_OPTIONS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "share": ("a number from 0 to 1", _share),
    "times": ("a whole number from 1", _at_least_one),
    "after": ("a whole number", _count),
    "on": (f"one of {', '.join(PLACES)}, or several joined by +", _places),
    "seconds": ("a number of seconds", _seconds),
    "retry-after": ("a whole number of seconds", _count),
    "code": (f"one of {_KNOWN}", _code),
    "codes": (f"one of {_KNOWN}, or several joined by +", _codes),
    "refuse": ("a number from 0 to 1", _share),
    "delay": ("a number from 0 to 1", _share),
    "part": ("a number from 0 to 1", _share),
    "status": ("an HTTP status from 400 to 599", _status),
}
"""Each option: what it must be, and how it is read."""

_EXAMPLES: Final = {"seconds": "5", "code": "405"}
