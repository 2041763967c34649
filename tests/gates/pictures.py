"""Pictures of letters, small enough to be committed, and how two of them are compared.

A picture is the whole letter, scaled down until words are grey: what stays is where the blocks lie and which ground
they have. Two are alike where every spot of the one has its like near the same height of the other, since a line that
breaks elsewhere in another version of a font moves everything below it a little.
"""

from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.gates.letters import filled
from tests.gates.screen import Scheme, put

FOLDER = Path(__file__).parent / "pictures"
VIEWS: tuple[tuple[int, Scheme], ...] = ((375, "light"), (375, "dark"), (640, "light"))
NARROW = 75  # pixels, of a picture
SPOT = 5  # pixels of a picture, squared: what is compared
NEAR = 0.02  # of the height: so far may a spot move up or down, and so much may a letter grow or shrink
CLOSE = 26  # of 255, a channel: so much may a spot differ
FEW = 0.02  # of all spots: so many may be different

Spots = list[list[tuple[int, ...]]]


def picture(page: Page, name: str, width: int, scheme: Scheme, html: str | None = None) -> Image.Image:
    """A letter as a picture `NARROW` pixels wide."""
    put(page, html or filled(name), width, scheme)
    with Image.open(BytesIO(page.screenshot(full_page=True))) as shot:
        size = (NARROW, round(shot.height * NARROW / shot.width))
        return shot.convert("RGB").resize(size, Image.Resampling.BOX)


def save(made: Image.Image, path: Path) -> None:
    """Write a picture in few colours and bytes."""
    made.quantize(24, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def unlike(one: Image.Image, other: Image.Image) -> str:
    """Why two pictures do not show the same; empty where they do."""
    if one.width != other.width or abs(one.height - other.height) > NEAR * one.height + SPOT:
        return f"{other.size} instead of {one.size} pixels"
    spots, others = _spots(one), _spots(other)
    reach = round(NEAR * len(spots)) + 1
    missed = _missed(spots, others, reach) + _missed(others, spots, reach)
    share = len(missed) / (len(spots) * len(spots[0]) + len(others) * len(others[0]))
    if share <= FEW:
        return ""
    rows = sorted({row for row, _ in missed})
    return f"{share:.1%} is different, between {rows[0] / len(spots):.0%} and {rows[-1] / len(spots):.0%} of the height"


def _spots(made: Image.Image) -> Spots:
    size = (made.width // SPOT, max(1, made.height // SPOT))
    small = made.convert("RGB").resize(size, Image.Resampling.BOX)
    data = small.tobytes()
    rows = [data[at : at + 3 * size[0]] for at in range(0, len(data), 3 * size[0])]
    return [[tuple(row[at : at + 3]) for at in range(0, len(row), 3)] for row in rows]


def _missed(spots: Spots, others: Spots, reach: int) -> list[tuple[int, int]]:
    """Places (row, column) whose colour is nowhere near in the other picture."""
    return [
        (row, column)
        for row, line in enumerate(spots)
        for column, spot in enumerate(line)
        if not any(
            max(abs(a - b) for a, b in zip(spot, there[column], strict=True)) <= CLOSE
            for there in others[max(0, row - reach) : row + reach + 1]
        )
    ]
