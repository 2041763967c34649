"""What is a letter made of, by names that an editor knows? To say what has changed since somebody approved it.

Pure, but that it asks for the versions of what is installed, when it is imported. Promises that whatever shows in a
letter, in one of its variants or in the mail's head has a name here. The letter's own digest cannot tell all of that:
variants are rendered when the list is drawn up, and the head of a mail is no part of the letter.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from newsletter.comparisons.record import Comparison
from newsletter.issues.retrospect import changed
from newsletter.issues.subject import subject_line
from newsletter.language import ENGLISH, ISSUE, available, source, speech
from newsletter.rendering import mjml
from newsletter.rendering.edition import Edition
from newsletter.rendering.letter import TEMPLATE, templates

ORDER: Final = "the order of the comparisons"
SUBJECT: Final = "the subject"
PREHEADER: Final = "the preheader"
BEFORE: Final = "the subject of the issue before"
EARLIER: Final = "what the panel said of these tools before"
VOTE: Final = "the vote on the issue before"
NOTE: Final = "the editor's note"
QUOTED: Final = "whose words show"
COLOURS: Final = "the colours of the theme"
COMPILER: Final = f"the MJML compiler {mjml.PACKAGE}"
LOCALE_DATA: Final = "the data on languages babel"
PROGRAM: Final = "the program"

UNSEEN: Final = frozenset({"description", "published_at", "url"})
"""Fields of a comparison and of its tools that no letter shows; they may change after an approval."""

MOST_NAMED = 5
"""Changes in one message; an issue of twenty comparisons has some forty things that may change."""


def installed(package: str) -> str:
    """The version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of no version"  # a checkout that is run without having been installed


VERSIONS: Final = {
    COMPILER: installed(mjml.PACKAGE),
    LOCALE_DATA: installed("babel"),  # days and shares in other languages than the letter that was approved
    PROGRAM: installed("weekly-ai-tool-verdicts"),
}
"""As they were when the program began: an upgrade below a program that runs does not change what it does."""

_BROUGHT_IN = re.compile(r"""\{%[-+]?\s*(?:import|from|include|extends)\s+["']([^"']+)["']""")


def ingredients(edition: Edition, shown: Mapping[str, str]) -> dict[str, str]:
    """What an issue's letter and its variants are made of: a name -> 16 hex digits of the SHA-256 of what bears it.

    `shown`: settings that show in the mail's head, by their names; those of the masthead come from the edition. What
    has a version is told by it: the program, which holds the English words, the compiler, and the data on languages. A
    letter's variants are in all languages that there are, so all of them count.
    """
    masthead = edition.masthead
    settings = {
        "NEWSLETTER_NAME": masthead.name,
        "NEWSLETTER_POSTAL_ADDRESS": masthead.postal_address,
        "NEWSLETTER_BASE_URL": masthead.links.base_url,
        "NEWSLETTER_LOGO_TEXT": masthead.logo or "",
        "NEWSLETTER_SOCIAL_LINKS": repr(masthead.social),
        "NEWSLETTER_LANGUAGE": masthead.language,
        **shown,
    }
    texts = {
        **{f"the comparison {each.slug}": _as_shown(each) for each in edition.comparisons},
        ORDER: " ".join(str(each.slug) for each in edition.comparisons),
        SUBJECT: edition.subject,
        PREHEADER: edition.preheader,
        BEFORE: _to_be_avoided(edition),
        EARLIER: _told_before(edition),
        VOTE: repr(edition.last_vote),
        NOTE: edition.note or "",
        # Only where an editor has chosen: an approval from before there was a choice stays one.
        **({QUOTED: repr(edition.quoted)} if any(edition.quoted) else {}),
        COLOURS: repr(masthead.theme),
        **{f"the setting {name}": value for name, value in settings.items()},
        **{f"the template letters/{name}": text for name, text in _read_by(TEMPLATE)},
        **{
            f"the translation locales/{code}/{ISSUE}.po": source(code, ISSUE) for code in available() if code != ENGLISH
        },
    }
    digests = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}
    return digests | VERSIONS


def written(made_of: Mapping[str, str]) -> str:
    """Ingredients as text, to be kept with an approval."""
    return json.dumps(made_of, ensure_ascii=False)


def changes(was: str, now: Mapping[str, str]) -> list[str]:
    """What differs between ingredients that were `written` and those that are: a clause each, none where all are alike.

    What cannot be read counts as changed.
    """
    try:
        before = json.loads(was)
    except ValueError:
        before = None
    if not isinstance(before, dict):
        return ["the record of what was approved cannot be read"]
    names = [*now, *(name for name in before if name not in now)]
    return [_clause(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]


def in_short(clauses: Sequence[str]) -> str:
    """The first of many changes, and how many more there are."""
    more = len(clauses) - MOST_NAMED
    return ", ".join(clauses[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _clause(name: str, was: object, now: str | None) -> str:
    if was is None:
        return f"{name} was added"
    if now is None:
        return f"{name} was removed"
    return f"{name} was {was} and is {now}" if name in VERSIONS else f"{name} was changed"


def _as_shown(comparison: Comparison) -> str:
    return comparison.model_dump_json(exclude={**dict.fromkeys(UNSEEN, True), "tools": {"__all__": set(UNSEEN)}})


def _told_before(edition: Edition) -> str:
    """Shares that earlier issues had of the tools, where they were others: else they show nowhere."""
    if not edition.earlier:
        return ""
    shown = [
        changed(share, comparison.panel_ship(side))
        for comparison, shares in zip(edition.comparisons, edition.earlier, strict=True)
        for side, share in enumerate(shares)
    ]
    return repr(shown) if any(shown) else ""


def _to_be_avoided(edition: Edition) -> str:
    """The subject of the issue before, where a made one of this letter or of a variant would else be the same."""
    made = {
        subject_line(speech(code, ISSUE), each, None, edition.week)
        for code in available()
        for each in edition.comparisons
    }
    previous = edition.previous_subject
    return previous if previous is not None and previous in {edition.subject, *made} else ""


def _read_by(name: str) -> Iterator[tuple[str, str]]:
    """A template, and every one that it brings in: name and source.

    Found in the text and not by the template engine, so that a template that is broken can still be named.
    """
    waiting, seen = [name], {name}
    for each in waiting:
        if (text := templates().get(each)) is not None:
            yield each, text
            brought_in = dict.fromkeys(_BROUGHT_IN.findall(text))
            waiting += [other for other in brought_in if other not in seen]
            seen.update(brought_in)
