"""The words to which readers agree are kept for ever, each version as it was shown."""

from newsletter import wording
from subscribers.consent import Words

# Never change one of these: readers have agreed to it, and their proof names it. Add a version to `wording` and here.
SHOWN = {
    "sign-up 1": (
        "Send me Verdicts by email, once a week. First comes one letter with a button, and nothing more unless I press "
        "it. I can leave at any time, with one click in every letter."
    ),
    "confirm 1": (
        "Yes, send me Verdicts once a week, to the address at which I got this link. I can leave at any time, with one "
        "click in every letter."
    ),
}


def test_every_version_says_what_it_always_said() -> None:
    assert wording.sign_up("Verdicts") == Words("sign-up 1", SHOWN["sign-up 1"])
    assert wording.confirm("Verdicts") == Words("confirm 1", SHOWN["confirm 1"])
    assert wording.sign_up_shown("Verdicts", "sign-up 1") == Words("sign-up 1", SHOWN["sign-up 1"])


def test_of_words_that_a_form_does_not_name_we_do_not_pretend_to_know_them() -> None:
    for version in ("", "confirm 1", "sign-up 99", "x" * 10_000):
        assert wording.sign_up_shown("Verdicts", version) == Words("unknown", "")


def test_a_name_with_braces_stays_what_it_is() -> None:
    assert wording.sign_up("{0} {name}").text.startswith("Send me {0} {name} by email")
