"""Is this the password, and may it be one? Kept as Argon2's hash; a good one is long, and nothing else is asked of it.

Promise: as much work is done for an account that there is not as for one that there is, so that the time of an answer
tells nothing of who has one.
"""

import threading
import unicodedata
from base64 import b64encode
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

LEAST: Final = 12  # characters
MOST: Final = 200  # characters; more would only be work
AT_ONCE: Final = 2
"""How many hashes are made at the same time in one process: each takes 64 MiB, and both cores of a small machine."""
PATIENCE: Final = 5.0  # seconds that somebody waits for their turn
MOST_WAITING: Final = 8
"""How many wait for their turn in one process: each holds one of the few threads in which all pages are answered."""

FEWEST_OF_ITS_OWN: Final = 6
"""How many characters have to be left of a password once what anybody would try first is taken out of it."""
FIRST_TRIED: Final = (
    "password", "passwort", "passw0rd", "newsletter", "editor", "publisher", "desk", "letmein", "welcome", "qwertyuiop",
    "qwerty", "qwertz", "asdfgh", "zxcvbn", "admin", "iloveyou", "changeme", "secret", "correcthorsebatterystaple",
)  # fmt: skip

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_NOBODYS: Final = "$argon2id$v={0.version}$m={0.memory_cost},t={0.time_cost},p={0.parallelism}${1}${2}".format(
    RFC_9106_LOW_MEMORY,
    b64encode(bytes(RFC_9106_LOW_MEMORY.salt_len)).decode().rstrip("="),
    b64encode(bytes(RFC_9106_LOW_MEMORY.hash_len)).decode().rstrip("="),
)
"""A hash that no password has: what is looked at where there is no account."""

_turns = threading.BoundedSemaphore(AT_ONCE)
_places = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)


class Busy(Exception):  # noqa: N818  the name says what happened
    """So many passwords are being looked at that this one was not; nothing is known of it."""


def hashed(password: str) -> str:
    """What is kept of a password. Raises Busy."""
    with _Turn():
        return _HASHER.hash(_normal(password))


def is_right(kept: str | None, password: str) -> bool:
    """Whether it is the password of which this is kept; the same work where nothing is. Raises Busy."""
    with _Turn():
        try:
            _HASHER.verify(kept or _NOBODYS, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_stale(kept: str) -> bool:
    """Whether it was hashed by rules that are no longer ours, so that it is to be hashed anew."""
    return _HASHER.check_needs_rehash(kept)


def what_is_wrong(password: str, again: str, known: tuple[str, ...]) -> str | None:
    """Why this cannot be a new password, in a sentence; None where it can.

    `known`: what others know of whoever it is for, such as the address, the name, and what the newsletter is called. No
    kinds of characters are asked for: they make passwords that are hard to remember and easy to guess (NIST SP
    800-63B).
    """
    if password != again:
        return "The two passwords are not the same."
    length = len(_normal(password))
    if length < LEAST:
        return f"The password has {length} characters; it takes at least {LEAST}. A few words in a row will do."
    if length > MOST:
        return f"The password has {length} characters; {MOST} is the most."
    if _left_of(password, known) < FEWEST_OF_ITS_OWN:
        return "That is among the first that anybody would try. Take a few words that have nothing to do with you."
    return None


def _left_of(password: str, known: tuple[str, ...]) -> int:
    """How many characters are its own: neither what others know or try first, nor the next one after the last."""
    rest = _normal(password).casefold()
    parts = {part for one in known for part in (one.casefold(), *_words(one.casefold())) if len(part) > 2}
    for part in sorted({*parts, *FIRST_TRIED}, key=len, reverse=True):
        rest = rest.replace(part, "\0")
    # What goes on as it has begun (1234, dcba, aaaa) is one character, and so is each that has been there before.
    own = [
        character
        for before, character in zip("\0" + rest, rest, strict=False)
        if character != "\0" and abs(ord(character) - ord(before)) > 1
    ]
    return len(set(own))


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text).split()


def _normal(password: str) -> str:
    """The same text from every keyboard: an é is one character on some and two on others."""
    return unicodedata.normalize("NFKC", password)


class _Turn:
    """One of the few that may hash just now."""

    def __enter__(self) -> None:
        if not _places.acquire(blocking=False):
            raise Busy
        if not _turns.acquire(timeout=PATIENCE):
            _places.release()
            raise Busy

    def __exit__(self, *_: object) -> None:
        _turns.release()
        _places.release()
