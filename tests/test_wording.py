"""The words to which readers agree are kept for ever, each version as it was shown."""

import pytest

from newsletter import wording
from newsletter.language import available
from subscribers.consent import Words

# Never change one of these: readers have agreed to it, and their proof names it. Add a version to `wording` and here.
SHOWN = {
    "sign-up 1 de": (
        "Schickt mir Verdicts einmal pro Woche per E-Mail. Zuerst kommt eine einzige E-Mail mit einem Knopf, und nur "
        "wenn ich ihn drücke, kommt mehr. Ich kann mich jederzeit abmelden, mit einem Klick in jeder Ausgabe."
    ),
    "confirm 1 de": (
        "Ja, schickt mir Verdicts einmal pro Woche an die Adresse, an die dieser Link kam. Ich kann mich jederzeit "
        "abmelden, mit einem Klick in jeder Ausgabe."
    ),
    "sign-up 1": (
        "Send me Verdicts by email, once a week. First comes one letter with a button, and nothing more unless I press "
        "it. I can leave at any time, with one click in every letter."
    ),
    "confirm 1": (
        "Yes, send me Verdicts once a week, to the address at which I got this link. I can leave at any time, with one "
        "click in every letter."
    ),
}


@pytest.mark.parametrize(("language", "mark"), [("en", ""), ("de", " de")])
def test_every_version_says_what_it_always_said(language: str, mark: str) -> None:
    asked, confirmed = f"sign-up 1{mark}", f"confirm 1{mark}"
    assert wording.sign_up("Verdicts", language) == Words(asked, SHOWN[asked])
    assert wording.confirm("Verdicts", language) == Words(confirmed, SHOWN[confirmed])
    assert wording.sign_up_shown("Verdicts", asked) == Words(asked, SHOWN[asked])
    assert wording.sign_up_language(asked) == language


def test_every_language_of_pages_has_its_own_statements() -> None:
    for statement in (wording.sign_up, wording.confirm):
        assert len({statement("Verdicts", language).text for language in available()}) == len(available())


def test_of_words_that_a_form_does_not_name_we_do_not_pretend_to_know_them() -> None:
    for version in ("", "confirm 1", "sign-up 99", "x" * 10_000):
        assert wording.sign_up_shown("Verdicts", version) == Words("unknown", "")


def test_a_name_with_braces_stays_what_it_is() -> None:
    assert wording.sign_up("{0} {name}").text.startswith("Send me {0} {name} by email")
