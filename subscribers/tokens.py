"""How does a link prove whose it is? Signed tokens, one purpose each, that leak no address.

Pure. A token is a subscriber's id in base 36 and a signature: about 46 characters, safe in a URL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from itsdangerous import BadSignature, Signer

UNSUBSCRIBE: Final = "unsubscribe"

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class BadToken(ValueError):  # noqa: N818  the name says what happened
    """The token was not made by us for this purpose. It says no more than that."""


@dataclass(frozen=True)
class Tokens:
    """Makes and reads tokens. `keys`: the newest secret first; all are good for reading."""

    keys: Sequence[str] = field(repr=False)

    def make(self, purpose: str, subscriber_id: int) -> str:
        """A token for one subscriber and one purpose. It never expires."""
        return self._signer(purpose).sign(_base36(subscriber_id)).decode()

    def read(self, purpose: str, token: str) -> int:
        """The subscriber's id. Raises BadToken."""
        try:
            return int(self._signer(purpose).unsign(token).decode(), 36)
        except (BadSignature, ValueError):
            raise BadToken from None

    def _signer(self, purpose: str) -> Signer:
        return Signer(list(reversed(self.keys)), salt=purpose, digest_method=sha256)


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
        if not number:
            return digits
