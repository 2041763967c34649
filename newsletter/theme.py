"""Which colours do letters and pages have? One file has them all: of ours by its name, or of one's own by its path.

Promises that everybody can read what is printed in them: a theme with too little contrast is refused, by day and by
night.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

from newsletter.places import TEMPLATES

FOLDER: Final = TEMPLATES / "themes"

Pair = tuple[str, str]
"""A colour by day and by night, `#rrggbb`."""

LEAST = 4.5
"""Contrast of any text (WCAG 2.2, success criterion 1.4.3), although 3 is asked of large ones only."""
LEAST_OF_SIGNS = 3.0
"""Contrast of what is no text and tells something (1.4.11)."""

_COLOUR: Final = re.compile("#[0-9a-f]{6}")


class ThemeError(ValueError):
    """A theme cannot be used; the text says what is wrong and where."""


@dataclass(frozen=True)
class Theme:
    """Every colour; `templates/themes/harbour.toml` says what each is for."""

    ground: Pair
    paper: Pair
    ink: Pair
    muted: Pair
    line: Pair
    link: Pair
    banner: Pair
    banner_ink: Pair
    banner_muted: Pair
    banner_link: Pair
    left: Pair
    right: Pair
    ship: Pair
    ship_ground: Pair
    skip: Pair
    skip_ground: Pair
    filled: Pair
    empty: Pair
    button: Pair
    button_ink: Pair
    grave: Pair
    grave_ink: Pair
    edge: Pair
    shade: Pair

    def style(self) -> str:
        """The colours as variables of a style sheet: `--banner-ink` and so on."""
        day, night = (
            " ".join(f"--{each.name.replace('_', '-')}: {getattr(self, each.name)[mode]};" for each in fields(self))
            for mode in (0, 1)
        )
        return f":root {{ {day} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {night} }} }}\n"


_TEXTS: Final = (
    # text on grounds
    ("ink", "ground paper shade"),
    ("muted", "ground paper shade"),
    ("link", "ground paper shade"),
    ("banner_ink", "banner"),
    ("banner_muted", "banner"),
    ("banner_link", "banner"),
    ("ship", "ship_ground paper"),
    ("skip", "skip_ground paper"),
    ("button_ink", "button"),
    ("grave", "paper"),
    ("grave_ink", "grave"),
)
_SIGNS: Final = (("left", "paper"), ("right", "paper"), ("filled", "paper"), ("edge", "paper"), ("button", "paper"))


def names() -> list[str]:
    """The themes that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load(name: str) -> Theme:
    """The theme of this name, or in the file of this path (`….toml`). Raises ThemeError."""
    own = name.endswith(".toml")
    if not own and name not in names():
        raise ThemeError(f"there is no theme {name!r}; there are {', '.join(names())}, or the path of a .toml file")
    path = Path(name) if own else FOLDER / f"{name}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ThemeError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from None
    except tomllib.TOMLDecodeError as error:
        raise ThemeError(f"{path} is no TOML: {error}") from None
    theme = _theme(path, found)
    if weak := _too_weak(theme):
        raise ThemeError(f"{path}: {'; '.join(weak)}")
    return theme


def ratio(colour: str, ground: str) -> float:
    """Contrast of two colours (`#rrggbb`), 1 to 21."""
    darker, lighter = sorted((_luminance(colour), _luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def _theme(path: Path, found: dict[str, object]) -> Theme:
    wanted = [each.name for each in fields(Theme)]
    wrong = [f"{name} is missing" for name in wanted if name not in found]
    wrong += [f"{name} is no colour of a theme" for name in found if name not in wanted]
    pairs = {}
    for name, value in found.items():
        pair = [str(each).lower() for each in value] if isinstance(value, list) else []
        if len(pair) != 2 or not all(map(_COLOUR.fullmatch, pair)):
            wrong.append(f'{name} wants a colour by day and one by night, like ["#1a1f29", "#e8ecf1"]')
        else:
            pairs[name] = (pair[0], pair[1])
    if wrong:
        raise ThemeError(f"{path}: {'; '.join(wrong)}")
    return Theme(**pairs)


def _too_weak(theme: Theme) -> list[str]:
    found = []
    for pairs, least in ((_TEXTS, LEAST), (_SIGNS, LEAST_OF_SIGNS)):
        for name, grounds in pairs:
            for ground in grounds.split():
                for mode, when in enumerate(("day", "night")):
                    measured = ratio(getattr(theme, name)[mode], getattr(theme, ground)[mode])
                    if measured < least:
                        found.append(f"{name} on {ground} has contrast {measured:.2f} by {when}, below {least}")
    return found


def _luminance(colour: str) -> float:
    weighted = 0.0
    for start, weight in ((1, 0.2126), (3, 0.7152), (5, 0.0722)):
        value = int(colour[start : start + 2], 16) / 255
        weighted += weight * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return weighted
