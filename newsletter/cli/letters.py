"""`newsletter letters …`: the letters besides the issue, which go to one person each."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from newsletter.assembly import Assembly, assemble
from newsletter.cli.console import fail, say
from newsletter.cli.languages import known_language
from newsletter.cli.whole_file import whole_file
from newsletter.db import reading
from newsletter.delivery.mime import filler_for
from newsletter.language import available, own_name
from newsletter.message import Filler, Letter
from newsletter.places import TEMPLATES
from newsletter.rendering.note import ADDRESS, CHANGED, CONFIRM, LINK, NOTICE, WELCOME
from newsletter.rendering.personal import render_personal
from newsletter.welcome import latest, sample_recipient

PURPOSES: Final = {
    CONFIRM: "To an address that was typed into the form: is it wanted?",
    WELCOME: "To whoever has just confirmed.",
    LINK: "To a reader whose address was typed in again, or who asked for a fresh link to their own page.",
    ADDRESS: "To the new address that a reader gave: is it theirs?",
    NOTICE: "To the present address of a reader for whom another was given: was it them?",
    CHANGED: "To the new address, once it is the reader’s.",
}
"""Kind -> who gets it, and why; in the order in which a reader may meet them."""

app = typer.Typer(help="The letters to one person: confirm, welcome and their like.", no_args_is_help=True)


@dataclass(frozen=True)
class Shown:
    """A letter in a preview, filled for the sample reader."""

    kind: str
    language: str
    letter: Letter
    html: str
    text: str
    source: str
    """The whole message (RFC 5322), its lines ending in CRLF."""

    @property
    def stem(self) -> str:
        """What its files are called, but for their endings."""
        return f"{self.kind}.{self.language}"

    @property
    def purpose(self) -> str:
        """Who gets it, and why."""
        return PURPOSES[self.kind]

    @property
    def language_name(self) -> str:
        """What its language calls itself."""
        return own_name(self.language)


@app.command()
def preview(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go; made where it is missing.")],
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE", callback=known_language, help="In one language only; default: in all of them."),
    ] = None,
) -> None:
    """Write every letter besides the issue, byte for byte as the sample reader would be sent it, and a page of all."""
    with closing(assemble()) as assembly:
        shown = list(_letters(assembly, [language] if language else available(), datetime.now(UTC)))
        index = _index(assembly, shown)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{out}: {error.strerror or error}; name a folder that can be made or written to")
    for each in shown:
        for suffix, content in (("html", each.html), ("txt", each.text), ("eml", each.source)):
            _write(out / f"{each.stem}.{suffix}", content)
        say(f"{each.stem}: {each.letter.subject}")
    _write(out / "index.html", index)
    say(f"{len(shown)} letters, all on one page: {out / 'index.html'}")


def _letters(assembly: Assembly, languages: list[str] | tuple[str, ...], now: datetime) -> Iterator[Shown]:
    with reading(assembly.engine) as session:
        newest = latest(session)
    masthead, post = assembly.rules.masthead, assembly.post
    for kind in PURPOSES:
        reader = sample_recipient(post, kind, now)
        for language in languages:
            letter = render_personal(kind, masthead, newest if kind == WELCOME else None, language)
            html, text = Filler(letter).fill(reader.values)
            message = filler_for(letter, post.personal_envelope(kind)).fill(reader, "0" * 32, now)
            yield Shown(kind, language, letter, html, text, message.decode("ascii"))


def _index(assembly: Assembly, shown: list[Shown]) -> str:
    """The page that shows them all side by side, in frames as wide as a phone."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES / "previews"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return templates.get_template("letters.html").render(name=assembly.settings.name, shown=shown)


def _write(path: Path, content: str) -> None:
    with whole_file(path) as file:
        file.write(content)
