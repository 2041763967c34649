"""How does a letter to one person come about?

Like an issue's: the same bytes for the same kind, masthead and latest issue on any day and any machine, and what
differs between readers is left as merge fields (`note.FIELDS`).
"""

from functools import lru_cache

from newsletter.language import NOTES
from newsletter.message import Letter
from newsletter.rendering import plain_text
from newsletter.rendering.armour import in_text
from newsletter.rendering.edition import Masthead
from newsletter.rendering.letter import environment
from newsletter.rendering.mjml import compile_mjml
from newsletter.rendering.note import Latest, Note, note

_RULE = "-" * plain_text.WIDTH


# Kept, because it is asked for while a form waits for its answer.
@lru_cache(maxsize=32)
def render_personal(kind: str, masthead: Masthead, latest: Latest | None = None) -> Letter:
    """Make the letter of a kind (`note.CONFIRM` …). `latest` shows in a welcome only. Raises KeyError, CompileError."""
    shown = note(kind, masthead, latest)
    return Letter(
        subject=in_text(shown.subject),
        preheader=in_text(shown.preheader),
        html=compile_mjml(
            environment(masthead.language, NOTES).get_template("note.mjml").render(note=shown, p=masthead.theme)
        ),
        text=_text(shown),
    )


def _text(shown: Note) -> str:
    """The text part, with a line feed at its end."""
    wrapped = plain_text.wrapped
    lines = [*wrapped(shown.name), "", *wrapped(shown.headline), "=" * plain_text.WIDTH]
    for paragraph in shown.before:
        lines += [*wrapped(paragraph), ""]
    lines += [f"{shown.button.label}:", shown.button.url, ""]
    for paragraph in shown.after:
        lines += [*wrapped(paragraph), ""]
    for link in shown.links:
        lines += [f"{link.label}:", link.url, ""]
    lines += [_RULE, "This letter went to %%EMAIL%%", *wrapped(shown.because), ""]
    lines += wrapped(f"{shown.name}, {shown.postal_address}")
    return "\n".join(lines) + "\n"
