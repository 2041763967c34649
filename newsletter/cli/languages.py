"""The option `--language` of several commands: one of the languages that there are."""

from typing import Annotated

import typer

from newsletter.language import available


def known_language(code: str | None) -> str | None:
    """A language from the command line. Raises BadParameter for one that there is not."""
    if code is not None and code not in available():
        raise typer.BadParameter(f"{code!r} is none of {', '.join(available())}")
    return code


_THERE_ARE = ", ".join(available())  # by their names would take data that few commands need, in each of them

OfReader = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="CODE",
        callback=known_language,
        help=f"As somebody gets it who reads this: {_THERE_ARE}; default: the newsletter's own.",
    ),
]

Spoken = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="CODE",
        callback=known_language,
        help=f"The language of their letters: {_THERE_ARE}; default: whatever is the newsletter's own.",
    ),
]
