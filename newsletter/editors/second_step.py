"""Is this the code that a phone shows just now? Six digits of a shared secret and the half minute (RFC 6238).

Promises: a code is good once, and none that is older than the last that was used; whether there is a secret or not, the
same work is done.
"""

from datetime import datetime
from typing import Final

import pyotp
import segno
from pyotp.utils import strings_equal

STEP: Final = 30  # seconds
WINDOW: Final = 1  # steps before and after, for phones whose clock is not ours
DIGITS: Final = 6

_NOBODYS: Final = "A" * 32
"""What codes are held against where there is no account."""


def new_secret() -> str:
    """A secret by chance, 160 bits in base 32."""
    return pyotp.random_base32()


def step_of(secret: str | None, code: str, now: datetime, used: int | None) -> int | None:
    """The half minute that a code is of (counted from 1970); None where it is wrong, too old, or was used.

    `used`: the newest half minute of which a code was used. All that might be meant are looked at in any case.
    """
    typed = "".join(code.split())
    current = int(now.timestamp()) // STEP
    maker = pyotp.TOTP(secret or _NOBODYS, digits=DIGITS, interval=STEP)
    steps = range(current - WINDOW, current + WINDOW + 1)
    # A list, since `any` would stop at the first. Its own comparison takes texts that are no ASCII, as hmac's does not.
    same = [step for step in steps if strings_equal(maker.generate_otp(step), typed)]
    good = [step for step in same if used is None or step > used]
    return good[0] if good and secret else None


def link(secret: str, email: str, newsletter: str) -> str:
    """What a phone is told of a secret: `otpauth://…`."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP).provisioning_uri(name=email, issuer_name=newsletter)


def picture(link: str) -> str:
    """A link as a QR code: a `data:` URL of an SVG, black on white in the dark as well, or cameras see nothing."""
    return segno.make(link, error="m").svg_data_uri(scale=5, light="white", dark="black")


def in_groups(secret: str) -> str:
    """A secret as one types it."""
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
