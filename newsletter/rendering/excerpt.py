"""How is a long text cut to fit?

Pure. Promises never to cut inside of what a reader sees as one character, and to say by an ellipsis that it cut.
"""

import unicodedata
from collections.abc import Iterator

from newsletter.rendering.armour import clean, html_bytes

ELLIPSIS = "…"
AFTER_SENTENCE = f"\u00a0{ELLIPSIS}"  # never alone on a line
_ZERO_WIDTH_JOINER = "\u200d"
_VIRAMA = 9  # canonical combining class: joins the letter after it, too
_SENTENCE_END = (".", "!", "?", "。", "！", "？", "؟", "।")
_PAUSES = (",", ";", ":", "–", "—")
_LOOSE = (" ", ",", ";", ":", "-", "–", "—", "(", "“", "、", "，")  # not to be left standing before an ellipsis


def excerpt(text: str, limit: int) -> str:
    """Cut a text to at most `limit` characters and at most 2 * `limit` bytes of HTML, on one line.

    The second bound keeps the letter within its size in any script: a Chinese character takes three bytes, and as much
    room on the screen as two Latin ones. Cuts after a sentence where one ends in the second half, else at a pause
    where there is one in the last third, else after a word, and in a word where it is long or the script has no blanks.
    """
    text = clean(text)
    kept, whole = _prefix(text, limit, 2 * limit)
    if whole:
        return text or ELLIPSIS
    kept, _ = _prefix(text, limit - 2, 2 * limit - len(AFTER_SENTENCE.encode()))
    for end in range(len(kept) - 1, len(kept) // 2, -1):
        if kept[end] == " " and kept[end - 1] in _SENTENCE_END:
            return "".join(kept[:end]) + AFTER_SENTENCE
    kept = kept[: _clause_end(kept) or len(kept)]
    if not text.startswith(" ", len("".join(kept))):
        for end in range(len(kept) - 1, len(kept) // 2, -1):
            if kept[end] == " ":
                kept = kept[:end]
                break
    while kept and kept[-1] in _LOOSE:
        kept.pop()
    return "".join(kept) + ELLIPSIS


def _clause_end(kept: list[str]) -> int | None:
    """Where the last clause ends, after a comma or a dash: to break off there sounds like the writer."""
    for end in range(len(kept) - 1, 2 * len(kept) // 3, -1):
        if kept[end] == " " and kept[end - 1] in _PAUSES:
            return end
    return None


def clusters(text: str) -> Iterator[str]:
    """Split a text into what a reader sees as single characters: letters with their marks, joined emoji, flags.

    Close to the grapheme clusters of Unicode's annex 29, and never finer where it matters.
    """
    start = 0
    flags = 0
    for index in range(1, len(text) + 1):
        if index < len(text):
            flags = flags + 1 if _is_flag_half(text[index - 1]) else 0
            if _continues(text[index - 1], text[index], flags):
                continue
        yield text[start:index]
        start = index


def _continues(before: str, character: str, flags: int) -> bool:
    if before == " " and not unicodedata.combining(character):
        return False
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character == _ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # tags: flags of regions
        or "\u1160" <= character <= "\u11ff"  # Korean vowels and final consonants, written apart
        or character in "\u0e33\u0eb3"  # Thai and Lao AM
        or before == _ZERO_WIDTH_JOINER
        or unicodedata.combining(before) == _VIRAMA
        or (flags % 2 == 1 and _is_flag_half(character))
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _prefix(text: str, characters: int, size: int) -> tuple[list[str], bool]:
    """The clusters that fit in so many characters and bytes of HTML, and whether that is all of them."""
    kept: list[str] = []
    for cluster in clusters(text):
        size -= html_bytes(cluster)
        if len(kept) == characters or size < 0:
            return kept, False
        kept.append(cluster)
    return kept, True
