"""How does an editor's note, written in Markdown, show in a letter's two parts and on a web page?

Pure. Promises that nothing but paragraphs, emphasis, links (http and https), lists, inline code, block quotes and line
breaks comes of it, whatever it holds: of anything else its text is left. No merge field, no markup of others.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup

from newsletter.rendering.armour import in_html, legible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MOST_CHARACTERS = 2_000
"""Of a note, as it is written."""
MOST_BYTES = 6 * 1024
"""Of the HTML that it becomes (UTF-8): two thousand characters can be a list of seven hundred items."""

DEEPEST = 3
"""Lists and quotes in each other, and emphasis in emphasis; what is deeper shows as if it were not: a phone is narrow,
and a letter's compiler takes no more than sixty tags in each other."""

_TAGS = {
    "paragraph": "p",
    "heading": "p",
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
    "em": "em",
    "strong": "strong",
}
_NESTED = ("blockquote", "bullet_list", "ordered_list")


@dataclass(frozen=True)
class _Look:
    """What a tag carries beside its name: nothing on a web page, where the style sheet says it all."""

    paragraph: str = ""
    quote: str = ""
    list: str = ""
    code: str = ""


_WEB = _Look()


def problem(note: str) -> str | None:
    """Why an editor's note cannot be taken, and how to mend it; None where it can."""
    if len(note) > MOST_CHARACTERS:
        return f"the note has {len(note):,} characters; {MOST_CHARACTERS:,} is the most that a letter has room for"
    if (size := len(mail_html(note, "#000000").encode())) > MOST_BYTES:
        return f"the note takes {size:,} bytes in a letter, more than {MOST_BYTES:,}; make it shorter or plainer"
    addresses = [_address(each) for token in _parse(note) for each in token.children or [] if each.type == "link_open"]
    if odd := next((address for address in addresses if address and urlsplit(address).scheme == "http"), None):
        return f"the note links to {odd}; a letter has links to https pages only"
    if note and not plain(note):
        return "nothing of the note shows: it has no words; write some, or empty it"
    return None


def web_html(note: str) -> Markup:
    """The note for a web page: bare tags. A block finds its direction by itself."""
    return _html(note, _WEB)


def mail_html(note: str, line: str) -> Markup:
    """The note for a letter: what matters stands at the tags. `line`: the colour beside a quote, `#rrggbb`."""
    look = _Look(
        paragraph=' style="padding-top:12px"',
        quote=f' class="n" style="margin:12px 0 0;padding:0 12px;border-left:3px solid {line}"',
        list=' style="margin:12px 0 0"',
        code=' style="font-family:Consolas,Menlo,monospace"',
    )
    return _html(note, look)


def plain(note: str) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The note as paragraphs of plain text, each with the links in it: (what is linked, address).

    Emphasis, code and lists are marked as people do it who write plain text; a quote gets quotation marks, since lines
    with a ">" in front are changed on their way. A line feed in a paragraph is a line break.
    """
    return list(_paragraphs(_parse(note)))


@cache
def _parser() -> "MarkdownIt":
    """Loaded by the first note that there is: few commands meet one."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 60})
    made.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005  `_address` looks at each
    return made


def _parse(note: str) -> list["Token"]:
    tokens = _parser().parse(legible(note))
    for token in tokens:
        token.children = list(_shown(token.children or []))
    return tokens


def _shown(tokens: Iterable["Token"]) -> Iterator["Token"]:
    """What is in a line, without emphasis that is too deep and without what entities (`&#x202e;`) have brought back."""
    depth = 0
    for token in tokens:
        emphasised = token.type.startswith(("em_", "strong_"))
        depth += emphasised and token.nesting == 1
        if not emphasised or depth <= DEEPEST:
            token.content = legible(token.content)
            token.children = list(_shown(token.children or []))
            yield token
        depth -= emphasised and token.nesting == -1


def _html(note: str, look: _Look) -> Markup:
    return Markup("".join(_blocks(_parse(note), look)))  # noqa: S704 - `_inline` and `_blocks` have escaped all of it


def _blocks(tokens: Sequence["Token"], look: _Look) -> Iterator[str]:
    depth = 0
    carried = {
        "paragraph": look.paragraph,
        "heading": look.paragraph,
        "blockquote": look.quote,
        "bullet_list": look.list,
        "ordered_list": look.list,
    }
    for token in tokens:
        kind = _kind(token)
        if token.type == "inline":
            yield from _inline(token.children or [], look)
        elif token.type in ("fence", "code_block"):
            lines = "<br>".join(str(in_html(line)) for line in token.content.rstrip("\n").split("\n"))
            yield f'<p dir="auto"{look.paragraph}><code{look.code}>{lines}</code></p>'
        elif kind in _TAGS:
            nested = kind in (*_NESTED, "list_item")
            depth += kind in _NESTED and token.nesting == 1
            # A paragraph in a tight list is hidden: its item is the block.
            if nested and depth > DEEPEST:
                yield " "  # two blocks that lost their tags stay two words
            elif not token.hidden:
                yield _tag(token, kind, carried.get(kind, "")) if token.nesting == 1 else f"</{_TAGS[kind]}>"
            depth -= kind in _NESTED and token.nesting == -1


def _kind(token: "Token") -> str:
    """What a token begins, ends or is."""
    return token.type.removesuffix("_open").removesuffix("_close")


def _tag(token: "Token", kind: str, carried: str) -> str:
    start = token.attrs.get("start", 1) if kind == "ordered_list" else 1
    numbered = f' start="{start:d}"' if isinstance(start, int) and start != 1 else ""
    own = "" if kind in ("bullet_list", "ordered_list", "blockquote") else ' dir="auto"'
    return f"<{_TAGS[kind]}{own}{numbered}{carried}>"


def _inline(tokens: Iterable["Token"], look: _Look) -> Iterator[str]:
    linked = False
    tokens = list(tokens)
    for index, token in enumerate(tokens):
        kind = _kind(token)
        if kind == "link":
            address = _address(token) if token.nesting == 1 else None
            if address is not None:
                linked = True
                yield f'<a href="{in_html(address)}">' + ("" if _label(tokens, index) else str(in_html(address)))
            elif token.nesting == -1 and linked:
                linked = False
                yield "</a>"
        elif kind in ("em", "strong"):
            yield f"<{'/' if token.nesting == -1 else ''}{kind}>"
        elif token.type == "code_inline":
            yield f"<code{look.code}>{in_html(token.content)}</code>"
        elif token.type == "hardbreak":
            yield "<br>"
        elif token.type == "softbreak":
            yield " "
        else:
            yield str(in_html(_words(token)))


def _address(token: "Token") -> str | None:
    """Where a link leads, if it leads to a web page."""
    address = str(token.attrs.get("href", ""))
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    is_page = parts.scheme in ("http", "https") and re.fullmatch(r"[\w.-]*\w", parts.hostname or "", re.ASCII)
    # The parser has written as %XX whatever has no place in an address.
    return address if is_page and re.fullmatch(r"[!#-;=?-~]+", address) and "%%" not in address else None


def _words(token: "Token") -> str:
    """Text, and the words that a picture has in its place."""
    return "".join(map(_words, token.children)) if token.children else token.content


def _label(tokens: Sequence["Token"], opening: int) -> str:
    """What is printed between a link's beginning and its end, in plain text."""
    level = tokens[opening].level
    closing = next(at for at in range(opening + 1, len(tokens)) if tokens[at].level == level)
    return " ".join("".join(_said(tokens[opening + 1 : closing])).split())


def _paragraphs(tokens: Sequence["Token"]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    lists: list[int | None] = []  # the number that an ordered list is at; None in a bullet list
    mark, quotes = "", 0
    for token in tokens:
        kind = _kind(token)
        if kind in ("bullet_list", "ordered_list"):
            if token.nesting == 1:
                start = token.attrs.get("start", 1)
                lists.append(int(start) if kind == "ordered_list" else None)
            else:
                lists.pop()
        elif token.type == "list_item_open":
            number = lists[-1]
            mark = f"{number}. " if number is not None else "- " if len(lists) == 1 else "· "
            lists[-1] = None if number is None else number + 1
        elif kind == "blockquote":
            quotes += token.nesting
        elif token.type == "inline":
            children = token.children or []
            text = "".join(_said(children)).strip()
            if text:
                yield mark + (f"“{text}”" if quotes else text), tuple(_links(children))
                mark = ""
        elif token.type in ("fence", "code_block"):
            yield mark + token.content.rstrip("\n"), ()
            mark = ""


def _said(tokens: Sequence["Token"]) -> Iterator[str]:
    for index, token in enumerate(tokens):
        if token.type in ("strong_open", "strong_close"):
            yield "*"
        elif token.type in ("em_open", "em_close"):
            yield "_"
        elif token.type == "code_inline":
            yield f"`{token.content}`"
        elif token.type == "hardbreak":
            yield "\n"
        elif token.type == "softbreak":
            yield " "
        elif token.type == "link_open" and (address := _address(token)) and _is_bare(_label(tokens, index), address):
            yield f"<{address}>"
        elif not _names_itself(tokens, index):
            yield _words(token)


def _names_itself(tokens: Sequence["Token"], at: int) -> bool:
    """Whether it is the text of a link that is its own address: that has been printed already."""
    before = tokens[at - 1] if at else None
    address = _address(before) if before is not None and before.type == "link_open" else None
    return address is not None and _is_bare(tokens[at].content, address)


def _is_bare(label: str, address: str) -> bool:
    """Whether a link shows nothing but its address, be it as people write that: `https://bücher.example/`."""
    return label in ("", address, f"<{address}>") or ("://" in label and _parser().normalizeLink(label) == address)


def _links(tokens: Sequence["Token"]) -> Iterator[tuple[str, str]]:
    for index, token in enumerate(tokens):
        if token.type == "link_open" and (address := _address(token)):
            label = _label(tokens, index)
            if not _is_bare(label, address):
                yield label, address
