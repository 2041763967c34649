"""Is a letter small enough to be shown whole?

Gmail cuts a message off after about 102,400 bytes of HTML, and the reader's way out goes with the rest.

Pure. Promises the size as the worst reader gets it: merge fields filled with the longest values there can be.
"""

from newsletter.message import Filler, Letter

MOST_BYTES = 92 * 1024
"""HTML of a filled letter, UTF-8. The distance to Gmail's cut is for what a provider adds (tracked links, a pixel)."""

ALWAYS_FIT = 7
"""So many comparisons fit however long their texts and names are and whatever the script; usual ones, thirteen."""

_LONGEST_EMAIL = 254  # characters, RFC 5321
_LONGEST_URL = 200  # characters; 130 of them for BASE_URL, more than any has
_LONGEST_VOTE_URL = 150  # 88 of them for BASE_URL; fewer, since it stands in two links of each comparison

# An apostrophe is allowed in addresses and takes the most bytes when it is escaped.
_LONGEST = {"EMAIL": "'" * _LONGEST_EMAIL, "VOTE_URL": "x" * _LONGEST_VOTE_URL}
_ANY_OTHER = "x" * _LONGEST_URL


def size_after_filling(letter: Letter) -> int:
    """Bytes (UTF-8) of the HTML part with the longest values filled in."""
    html, _ = Filler(letter).fill({name: _LONGEST.get(name, _ANY_OTHER) for name in letter.merge_fields})
    return len(html.encode())


def fits(letter: Letter) -> bool:
    """Whether no reader's copy is cut off."""
    return size_after_filling(letter) <= MOST_BYTES
