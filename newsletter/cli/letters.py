"""`newsletter letters …`: the letters besides the issue, which go to one person each."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from newsletter.assembly import Assembly, assemble
from newsletter.cli.console import fail, say
from newsletter.cli.languages import known_language
from newsletter.cli.whole_file import whole_file
from newsletter.db import reading
from newsletter.language import available
from newsletter.places import TEMPLATES
from newsletter.specimens import Specimen, specimens

app = typer.Typer(help="The letters to one person: confirm, welcome and their like.", no_args_is_help=True)


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
        languages = [language] if language else list(available())
        with reading(assembly.engine) as session:
            shown = list(specimens(session, assembly.welcome_desk, languages, datetime.now(UTC)))
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


def _index(assembly: Assembly, shown: list[Specimen]) -> str:
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
