"""How does MJML become HTML that mail clients understand?

The only place that knows the compiler (mjml-python, which embeds mrml 6.0.1). That one accepts nearly anything: it
prints unknown tags into the mail, drops unknown attributes and swallows mismatched ends, and says nothing. So what
goes in is checked here first, against the tags and attributes that our letters use.
"""

import re
from html.parser import HTMLParser
from typing import Final, NoReturn

from mjml import mjml2html

PACKAGE: Final = "mjml-python"
"""The compiler, as it is installed."""

DEEPEST = 60
"""Nested tags. The compiler recurses without a bound, and at some thousands takes the whole process down."""


class CompileError(ValueError):
    """The MJML is wrong; says where (line and column) and what."""


def compile_mjml(source: str) -> str:
    """Compile one MJML document to HTML. Neither fonts nor anything else is fetched from elsewhere by the result.

    Raises CompileError for a tag, an attribute or a nesting that our letters do not use, and for what the compiler
    refuses.
    """
    checker = _Checker()
    checker.feed(source)
    checker.close()
    checker.finish()
    try:
        # Without an empty `fonts` the compiler imports web fonts from a third party.
        html = mjml2html(_normalise(source), fonts={}, disable_comments=True)
    except ValueError as error:
        raise CompileError(f"the MJML compiler refused the letter: {error}") from error
    assert isinstance(html, str)
    return html


_CONTENT = re.compile(
    r"(?P<open><(?P<tag>mj-(?:text|raw|button|title|style))\b[^>]*(?<!/)>)(?P<inside>.*?)(?P<close></(?P=tag)\s*>)",
    re.DOTALL,
)


def _normalise(source: str) -> str:
    """Work round two faults of the compiler with white space.

    Inside of content it drops white space that begins with a line feed, so that words join; a blank survives.
    Between structural tags it refuses white space that does not begin with one; none at all is always accepted.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    made = []
    position = 0
    for match in _CONTENT.finditer(source):
        made.append(_without_gaps(source[position : match.start()]))
        inside = match["inside"]
        made += [
            match["open"],
            inside if match["tag"] == "mj-style" else re.sub(r"[ \t]*\n\s*", " ", inside).strip(" "),
        ]
        made.append(match["close"])
        position = match.end()
    made.append(_without_gaps(source[position:]))
    return "".join(made)


def _without_gaps(structure: str) -> str:
    return re.sub(r"(^|>)\s+(?=<|$)", r"\1", structure)


_MJML: Final[dict[str, tuple[str, str]]] = {
    # tag: (where it may stand, its attributes)
    "mjml": ("", "lang dir"),
    "mj-head": ("mjml", ""),
    "mj-title": ("mj-head", ""),
    "mj-breakpoint": ("mj-head", "width"),
    "mj-attributes": ("mj-head", ""),
    "mj-all": ("mj-attributes", "font-family"),
    "mj-style": ("mj-head", ""),
    "mj-body": ("mjml", "width background-color css-class"),
    "mj-raw": ("mj-head mj-body mj-column", ""),
    "mj-section": ("mj-body mj-attributes", "padding background-color css-class"),
    "mj-column": ("mj-section mj-attributes", "padding"),
    "mj-text": ("mj-column mj-attributes", "padding color font-size line-height css-class"),
    "mj-button": (
        "mj-column mj-attributes",
        "href align padding inner-padding background-color color border-radius font-size font-weight line-height "
        "css-class",
    ),
}
_HOLDS_CONTENT = frozenset({"mj-text", "mj-raw", "mj-button", "mj-title", "mj-style"})
_EVERYWHERE = frozenset(["class", "style", "dir", "lang", "role", "aria-hidden"])
_HTML: Final[dict[str, str]] = {
    "a": "href tabindex data-pm-no-track",  # the last one: Postmark leaves the link as it is
    "blockquote": "",
    "br": "",
    "code": "",
    "div": "",
    "em": "",
    "h1": "",
    "h2": "",
    "h3": "",
    "li": "",
    "meta": "name content",
    "ol": "start",
    "p": "",
    "span": "",
    "strong": "",
    "table": "width cellpadding cellspacing border",
    "td": "width height valign align bgcolor",
    "tr": "",
    "ul": "",
}
_VOID = frozenset({"br", "meta"})
_COLOUR = re.compile(r"#(?![0-9a-fA-F]{6}\b)[0-9a-fA-F]{3,8}\b")


class _Checker(HTMLParser):
    """Reads MJML and raises at the first thing that the compiler would let through to our readers."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if len(self._open) > DEEPEST:
            self._refuse(f"tags are nested deeper than {DEEPEST}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HTML and tag not in _VOID:
            self._refuse(f"<{tag}/> closes itself, which HTML does not know")
        self._check(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self._refuse(f"</{tag}> closes <{self._open[-1] if self._open else 'nothing'}>")
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._inside_content():
            self._refuse(f"text between structural tags: {data.strip()[:40]!r}")

    def handle_comment(self, data: str) -> None:
        if not self._inside_content():
            self._refuse("a comment between structural tags")
        if not data.startswith("[if "):
            self._refuse("a comment would be dropped; use the template engine's")

    def handle_decl(self, decl: str) -> None:
        self._refuse(f"<!{decl}> has no place in MJML")

    def handle_pi(self, data: str) -> None:
        self._refuse(f"<?{data}> has no place in MJML")

    def unknown_decl(self, data: str) -> None:
        self._refuse(f"<![{data[:20]} has no place in MJML")

    def finish(self) -> None:
        """Call at the end of the document."""
        if self._open:
            self._refuse(f"<{self._open[-1]}> is never closed")

    def _inside_content(self) -> bool:
        return any(tag in _HOLDS_CONTENT for tag in self._open)

    def _check(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self._open[-1] if self._open else ""
        if tag in _MJML:
            parents, own = _MJML[tag]
            if parent not in (parents.split() or [""]):
                self._refuse(f"<{tag}> cannot stand inside of <{parent}>" if parent else f"<{tag}> stands alone")
            known = frozenset(own.split())
        elif tag in _HTML:
            if not self._inside_content():
                self._refuse(f"<{tag}> stands outside of <mj-text> and <mj-raw>")
            known = _EVERYWHERE | frozenset(_HTML[tag].split())
        else:
            self._refuse(f"<{tag}> is not one of the tags of our letters")
        seen: set[str] = set()
        for name, value in attrs:
            if name in seen:
                self._refuse(f"<{tag}> has {name} twice")
            if name not in known:
                self._refuse(f"<{tag}> has no attribute {name}")
            if value is None:
                self._refuse(f"{name} of <{tag}> has no value")
            if name in ("style", "color", "bgcolor", "background-color") and _COLOUR.search(value):
                self._refuse(f"{name} of <{tag}> has a colour without six digits, which Outlook does not read")
            seen.add(name)

    def _refuse(self, reason: str) -> NoReturn:
        line, column = self.getpos()
        raise CompileError(f"line {line}, column {column + 1}: {reason}")
