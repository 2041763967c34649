"""Which addresses stand in a From, To, Cc, Bcc or Reply-To, and are they valid to Postmark?

ASCII only: Postmark takes neither Unicode local parts nor Unicode domains (those must be punycode).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_ADDRESS = (
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
BARE = re.compile(_ADDRESS)
_NAMED = re.compile(rf"(?P<name>[^<>]*)<(?P<address>{_ADDRESS})>")
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""A comma outside of double quotes."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address and the name before it, if any."""

    email: str
    name: str | None = None


def is_address(text: str) -> bool:
    """Whether the text is one bare address, such as `ada@example.com`."""
    return BARE.fullmatch(text) is not None and ".." not in text


def parse(text: str) -> list[Address]:
    """Every address of a comma-separated list, in order. Raises ValueError where one is malformed."""
    return [_parse_one(part.strip()) for part in _COMMA.split(text) if part.strip()]


@lru_cache(maxsize=256)
def sender(text: str) -> Address:
    """The one address of a From. Raises ValueError where there is none, or more than one."""
    mailboxes = parse(text)
    if len(mailboxes) != 1:
        raise ValueError(text)
    return mailboxes[0]


@lru_cache(maxsize=256)
def is_list(text: str) -> bool:
    """Whether every address of a comma-separated list is valid."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _parse_one(text: str) -> Address:
    if is_address(text):
        return Address(text)
    named = _NAMED.fullmatch(text)
    if named is None or not is_address(named["address"]):
        raise ValueError(text)
    name = named["name"].strip()
    if name.startswith('"') and name.endswith('"') and len(name) > 1:
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return Address(named["address"], name or None)
