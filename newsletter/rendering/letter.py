"""How does an edition become a letter?

Promises the same bytes for the same edition on any day and any machine: no clock, no chance, no settings. A letter
is compiled once, however many read it; what differs between readers is left as merge fields: `EMAIL`,
`PREFERENCES_URL` and `UNSUBSCRIBE_URL`.
"""

from collections.abc import Set as AbstractSet
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from newsletter.message import Letter
from newsletter.places import TEMPLATES
from newsletter.rendering import plain_text
from newsletter.rendering.armour import clean, in_html, in_text, isolate
from newsletter.rendering.edition import Edition
from newsletter.rendering.mjml import compile_mjml
from newsletter.rendering.page import envelope, in_words, page


def render(edition: Edition, without: AbstractSet[str] = frozenset()) -> Letter:
    """Make the letter of a week, or its variant without the comparisons of these slugs.

    Size is no reason to fail: ask `size.fits`, and drop comparisons where it does not.
    Raises ValueError where no comparison is left, CompileError where the template is wrong.
    """
    if all(comparison.slug in without for comparison in edition.comparisons):
        raise ValueError(f"the edition of {edition.week} has no comparisons")
    shown = page(edition, without)
    subject, preheader = envelope(edition, without)
    return Letter(
        subject=in_text(clean(subject)),
        preheader=in_text(clean(preheader)),
        html=compile_mjml(environment().get_template("issue.mjml").render(page=shown)),
        text=plain_text.issue(shown),
    )


@cache
def environment() -> Environment:
    """The templates of letters. Every text that they print is escaped by `armour.in_html`; unknown names raise."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES / "letters"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=in_html,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a program renders by the templates that it began with
    )
    made.filters.update(isolate=isolate, in_words=in_words)
    return made
