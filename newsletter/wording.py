"""Which words does a reader agree to? Exactly these are shown at the form and at the button, and kept as the proof.

Every version that was ever shown stays here. Whoever changes a word adds a version: what a page that was made a year
ago says it has shown is then still known.
"""

from typing import Final

from subscribers.consent import Words

_SIGN_UP: Final = {
    "sign-up 1": (
        "Send me {name} by email, once a week. First comes one letter with a button, and nothing more unless I press "
        "it. I can leave at any time, with one click in every letter."
    ),
}
_CONFIRM: Final = {
    "confirm 1": (
        "Yes, send me {name} once a week, to the address at which I got this link. I can leave at any time, with one "
        "click in every letter."
    ),
}
"""Version -> words, the newest last. `{name}` is the newsletter's."""

UNKNOWN: Final = Words(version="unknown", text="")
"""What stands in place of words that a page showed without saying which: a form of somebody else's making."""


def sign_up(name: str) -> Words:
    """What the sign-up form of a newsletter of this name shows."""
    return _newest(_SIGN_UP, name)


def confirm(name: str) -> Words:
    """What stands beside the button of the page that the confirmation letter leads to."""
    return _newest(_CONFIRM, name)


def sign_up_shown(name: str, version: str) -> Words:
    """The words of the version that a form says it has shown; UNKNOWN where there never was such a version."""
    if version not in _SIGN_UP:
        return UNKNOWN
    return Words(version, _SIGN_UP[version].format(name=name))


def _newest(versions: dict[str, str], name: str) -> Words:
    version = next(reversed(versions))
    return Words(version, versions[version].format(name=name))
