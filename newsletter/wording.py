"""Which words does a reader agree to? Exactly these are shown at the form and at the button, and kept as the proof.

Every version that was ever shown stays here. Whoever changes a word adds a version: what a page that was made a year
ago says it has shown is then still known.
"""

from collections.abc import Mapping
from typing import Final

from newsletter.language import ENGLISH
from subscribers.consent import Words

_SIGN_UP: Final[Mapping[str, dict[str, str]]] = {
    "en": {
        "sign-up 1": (
            "Send me {name} by email, once a week. First comes one letter with a button, and nothing more unless I "
            "press it. I can leave at any time, with one click in every letter."
        ),
    },
    "de": {
        "sign-up 1 de": (
            "Schickt mir {name} einmal pro Woche per E-Mail. Zuerst kommt eine einzige E-Mail mit einem Knopf, und nur "
            "wenn ich ihn drücke, kommt mehr. Ich kann mich jederzeit abmelden, mit einem Klick in jeder Ausgabe."
        ),
    },
}
_CONFIRM: Final[Mapping[str, dict[str, str]]] = {
    "en": {
        "confirm 1": (
            "Yes, send me {name} once a week, to the address at which I got this link. I can leave at any time, with "
            "one click in every letter."
        ),
    },
    "de": {
        "confirm 1 de": (
            "Ja, schickt mir {name} einmal pro Woche an die Adresse, an die dieser Link kam. Ich kann mich jederzeit "
            "abmelden, mit einem Klick in jeder Ausgabe."
        ),
    },
}
"""Language -> version -> words, the newest last. `{name}` is the newsletter's. They are in no catalog: a translation
there may be mended, and what somebody has agreed to may not."""

UNKNOWN: Final = Words(version="unknown", text="")
"""What stands in place of words that a page showed without saying which: a form of somebody else's making."""


def sign_up(name: str, language: str = ENGLISH) -> Words:
    """What the sign-up form of a newsletter of this name shows in a language."""
    return _newest(_SIGN_UP, name, language)


def confirm(name: str, language: str = ENGLISH) -> Words:
    """What stands beside the button of the page that the confirmation letter leads to, in a language."""
    return _newest(_CONFIRM, name, language)


def sign_up_shown(name: str, version: str) -> Words:
    """The words of the version that a form says it has shown; UNKNOWN where there never was such a version."""
    language = sign_up_language(version)
    return Words(version, _SIGN_UP[language][version].format(name=name)) if language else UNKNOWN


def sign_up_language(version: str) -> str | None:
    """In which language a form's words are, by their version; None where there never was such a version."""
    return next((language for language, versions in _SIGN_UP.items() if version in versions), None)


def _newest(words: Mapping[str, dict[str, str]], name: str, language: str) -> Words:
    """In English where nobody has said it in the language yet."""
    versions = words.get(language, words[ENGLISH])
    version = next(reversed(versions))
    return Words(version, versions[version].format(name=name))
