"""How does a link prove whose it is? Signed tokens, one purpose each, that leak no address.

Pure. A token is a number in base 36 (mostly a subscriber's id), for some purposes the minute in which it expires, and a
signature: at most 56 characters, safe in a URL.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_encode, want_bytes

UNSUBSCRIBE: Final = "unsubscribe"
CONFIRM: Final = "confirm"
PREFERENCES: Final = "preferences"
ADDRESS: Final = "address"
VOTE: Final = "vote"

LIFETIMES: Final = {
    CONFIRM: timedelta(days=7),
    PREFERENCES: timedelta(days=60),
    ADDRESS: timedelta(days=1),
}
"""How long tokens are good that are not for ever. The way out is, since letters are kept for years; so is the way to a
vote, and the database says whether that is over."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class BadToken(ValueError):  # noqa: N818  the name says what happened
    """The token was not made by us for this purpose. It says no more than that."""


class Expired(BadToken):
    """The token was ours, for this purpose, and its time is over. `number` is whose it was."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@dataclass(frozen=True)
class Tokens:
    """Makes and reads tokens. `keys`: the newest secret first; all are good for reading."""

    keys: Sequence[str] = field(repr=False)

    def make(self, purpose: str, number: int) -> str:
        """A token for one number (a subscriber's id) and a purpose without end."""
        assert purpose not in LIFETIMES
        return self._signer(purpose).sign(_base36(number)).decode()

    def make_passing(self, purpose: str, number: int, now: datetime) -> str:
        """A token for one number and a purpose that has an end, counted from `now`."""
        minute = int((now + LIFETIMES[purpose]).timestamp()) // 60
        return self._signer(purpose).sign(f"{_base36(number)}-{_base36(minute)}").decode()

    def read(self, purpose: str, token: str) -> int:
        """The number in a token without end. Raises BadToken."""
        return self._number(self._unsigned(purpose, token))

    def read_passing(self, purpose: str, token: str, now: datetime) -> tuple[int, datetime]:
        """The number in a token that has an end, and the minute in which it was made. Raises Expired or BadToken."""
        number, _, minute = self._unsigned(purpose, token).partition("-")
        expires_at = datetime.fromtimestamp(self._number(minute) * 60, UTC)
        if now >= expires_at:
            raise Expired(self._number(number))
        return self._number(number), expires_at - LIFETIMES[purpose]

    def _unsigned(self, purpose: str, token: str) -> str:
        try:
            return self._signer(purpose).unsign(token).decode()
        except (BadSignature, UnicodeError):
            raise BadToken from None

    def _number(self, digits: str) -> int:
        try:
            return int(digits, 36)
        except ValueError:
            raise BadToken from None

    def _signer(self, purpose: str) -> Signer:
        return _signer(tuple(self.keys), purpose)


class _Signer(Signer):
    """itsdangerous's own. Signing takes up the work that depends on the key alone, which is done once."""

    def __init__(self, keys: Sequence[str], purpose: str) -> None:
        super().__init__(list(reversed(keys)), salt=purpose, digest_method=sha256)
        self._keyed = hmac.new(self.derive_key(), digestmod=sha256)

    def get_signature(self, value: str | bytes) -> bytes:
        """What proves a value: see Signer.get_signature."""
        mac = self._keyed.copy()
        mac.update(want_bytes(value))
        return base64_encode(mac.digest())


@lru_cache(maxsize=32)
def _signer(keys: tuple[str, ...], purpose: str) -> _Signer:
    """Made once: to make one takes longer than to sign with it, and a letter is signed for each of its readers."""
    return _Signer(keys, purpose)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
        if not number:
            return digits
