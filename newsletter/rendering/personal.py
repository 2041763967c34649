"""How does a letter to one person come about?

Like an issue's: the same bytes for the same kind, masthead, language and latest issue on any day and any machine, and
what differs between readers is left as merge fields (`note.FIELDS`).
"""

from collections.abc import Iterator
from functools import lru_cache

from newsletter.language import NOTES, speech
from newsletter.message import Letter
from newsletter.rendering import plain_text
from newsletter.rendering.armour import in_text
from newsletter.rendering.edition import Masthead
from newsletter.rendering.letter import environment
from newsletter.rendering.mjml import compile_mjml
from newsletter.rendering.note import Latest, Link, Note, note

_RULE = "-" * plain_text.WIDTH


# Kept, because it is asked for while a form waits for its answer.
@lru_cache(maxsize=64)
def render_personal(kind: str, masthead: Masthead, latest: Latest | None = None, language: str | None = None) -> Letter:
    """Make the letter of a kind (`note.CONFIRM` …) in a language; None is the newsletter's own.

    `latest` shows in a welcome only. Raises KeyError for a kind or a language that there is not, CompileError.
    """
    say = speech(language or masthead.language, NOTES)
    shown = note(kind, masthead, latest, say)
    template = environment(say.code, NOTES).get_template("note.mjml")
    return Letter(
        subject=in_text(shown.subject),
        preheader=in_text(shown.preheader),
        html=compile_mjml(template.render(note=shown, p=masthead.theme)),
        text="\n".join(_text(shown)) + "\n",
    )


def _text(shown: Note) -> Iterator[str]:
    """The lines of the text part."""
    wrapped = plain_text.wrapped
    yield from wrapped(shown.logo)
    yield ""
    yield from wrapped(shown.headline)
    yield "=" * plain_text.WIDTH
    yield ""
    for paragraph in (*shown.before, *filter(None, [shown.quoted])):
        yield from (*wrapped(paragraph), "")
    yield from _link(shown.button)
    for paragraph in shown.after:
        yield from (*wrapped(paragraph), "")
    for link in shown.links:
        yield from _link(link)
    yield _RULE
    yield from _because(*shown.because)
    yield ""
    for link in shown.social:
        yield from _link(link)
    yield from wrapped(f"{shown.name}, {shown.postal_address}")


def _link(link: Link) -> Iterator[str]:
    yield from (*plain_text.wrapped(f"{link.label}:"), link.url, "")


def _because(before: str, behind: str) -> Iterator[str]:
    """Why it came. The line breaks behind the reader's address, which may take a line of its own."""
    *lines, last = plain_text.wrapped(before)
    mark, _, rest = behind.partition(" ")  # a comma or a full stop stays with the address
    yield from lines
    yield f"{last} %%EMAIL%%{mark}".lstrip()
    if rest:
        yield from plain_text.wrapped(rest)
