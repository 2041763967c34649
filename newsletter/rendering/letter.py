"""How does an edition become a letter?

Promises the same bytes for the same edition on any day and any machine: no clock, no chance, no settings. A letter
is compiled once, however many read it; what differs between readers is left as merge fields: `EMAIL`,
`PREFERENCES_URL`, `UNSUBSCRIBE_URL`, `VOTE_URL`, and `CANARY_URL` where clicks are counted.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from newsletter.language import ISSUE, in_templates, speech
from newsletter.message import Letter
from newsletter.places import TEMPLATES
from newsletter.rendering import plain_text
from newsletter.rendering.armour import clean, in_html, in_text, isolate
from newsletter.rendering.edition import Edition
from newsletter.rendering.markdown import mail_html
from newsletter.rendering.mjml import compile_mjml
from newsletter.rendering.page import envelope, page

TEMPLATE: Final = "issue.mjml"
"""The template of an issue's letter; it brings in its parts."""


def render(edition: Edition, without: AbstractSet[str] = frozenset()) -> Letter:
    """Make the letter of a week, or its variant without the comparisons of these slugs.

    Size is no reason to fail: ask `size.fits`, and drop comparisons where it does not.
    Raises ValueError where no comparison is left, CompileError where the template is wrong.
    """
    if all(comparison.slug in without for comparison in edition.comparisons):
        raise ValueError(f"the edition of {edition.week} has no comparisons")
    shown = page(edition, without)
    template = environment(edition.language, ISSUE).get_template(TEMPLATE)
    subject, preheader = envelope(edition, without)
    return Letter(
        subject=in_text(clean(subject)),
        preheader=in_text(clean(preheader)),
        html=compile_mjml(template.render(page=shown, p=edition.masthead.theme)),
        text=plain_text.issue(shown),
    )


@cache
def environment(language: str, domain: str) -> Environment:
    """The templates of letters, in a language. Every text that they print is escaped by `armour.in_html`.

    They print sentences of the domain's catalog as `language.in_templates` says. Names that are unknown raise.
    """
    made = Environment(
        loader=DictLoader(templates()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=in_html,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(isolate=isolate, mail_html=mail_html)
    made.globals.update(in_templates(speech(language, domain), escaped))
    return made


def escaped(value: object) -> str:
    """A value as it stands in HTML; Markup is HTML already."""
    return str(in_html(value if isinstance(value, Markup) else str(value)))


@cache
def templates() -> Mapping[str, str]:
    """What the templates of letters say, by their names below `templates/letters/`.

    Read once and all together: a program renders by the templates that it began with, and never by some of another's.
    """
    folder = TEMPLATES / "letters"
    files = sorted(path for path in folder.rglob("*.mjml") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}
