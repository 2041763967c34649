"""What is wrong with a letter, that a reader would notice and a template's author may not?

Pure. Promises nothing but sentences: editors are shown them, and a build fails on any.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.message import MERGE_FIELD, Letter
from newsletter.rendering.contrast import UnknownCSSError, contrast_findings
from newsletter.rendering.elements import Element, parse
from newsletter.rendering.plain_text import CHANGED_ON_THE_WAY, WIDTH, columns
from newsletter.rendering.size import MOST_BYTES, size_after_filling

ISSUE_FIELDS = frozenset({"EMAIL", "PREFERENCES_URL", "UNSUBSCRIBE_URL", "VOTE_URL", "CANARY_URL"})
"""The merge fields of an issue's letter."""

CANARY = "%%CANARY_URL%%"
"""Where the link leads that programs follow and nobody sees; the text has none, since it cannot hide one."""

KEY = re.compile(r"%%[A-Z_]+_URL%%[^\s<>“”\"]*")
"""A link that is a reader's own: a merge field, and what stands behind it."""

MOST_SUBJECT = 60  # characters; longer ones are cut in most lists of messages
MOST_PREHEADER = 110

_ADDRESS = re.compile(r"https?://[^\s<>“”\"]+")
_BRACKETED = re.compile(r"<(https?://[^\s<>]+)>")
_AFTER_ADDRESS = ".,;:!?…)]}'’`*_"  # the last three: an editor's note as text marks code and emphasis by them


def lint(letter: Letter, fields: frozenset[str] = ISSUE_FIELDS) -> list[str]:
    """All findings, empty for a clean letter. `fields` are the merge fields that it may have."""
    document = parse(letter.html)
    return [
        *_size(letter),
        *_envelope(letter),
        *_leftovers(letter, fields),
        *_document(document),
        *_headings(document),
        *_links(document, may_be_tracked=fields == ISSUE_FIELDS),
        *_contrast(letter),
        *_text(letter.text),
        *_same_links(document, letter.text),
    ]


def _size(letter: Letter) -> Iterator[str]:
    size = size_after_filling(letter)
    if size > MOST_BYTES:
        yield f"the HTML takes up to {size:,} bytes, more than {MOST_BYTES:,}: Gmail would cut it off"


def _envelope(letter: Letter) -> Iterator[str]:
    if not letter.subject.strip():
        yield "there is no subject"
    for name, text, most in (
        ("subject", letter.subject, MOST_SUBJECT),
        ("preheader", letter.preheader, MOST_PREHEADER),
    ):
        if len(text) > most:
            yield f"the {name} has {len(text)} characters, more than {most}"
        if MERGE_FIELD.search(text):
            yield f"the {name} holds a merge field, which nobody fills in"


def _leftovers(letter: Letter, fields: frozenset[str]) -> Iterator[str]:
    for name in sorted(letter.merge_fields - fields):
        yield f"nobody fills in the merge field %%{name}%%"
    if "<mj-" in letter.html:
        yield "an MJML tag is left over in the HTML"
    for token in ("{{", "{%", "{#"):
        if token in letter.html:
            yield f"a template's {token} is left over in the HTML"


def _document(document: Element) -> Iterator[str]:
    elements = list(document.walk())
    root = next((element for element in elements if element.tag == "html"), None)
    attributes = root.attributes if root else {}
    if attributes.get("lang", "") in ("", "und"):
        yield "the HTML does not say its language (lang)"
    if attributes.get("dir") not in ("ltr", "rtl"):
        yield "the HTML does not say its direction (dir)"
    if not any(element.tag == "title" and element.text() for element in elements):
        yield "the HTML has no title"
    for element in elements:
        if element.tag == "img" and "alt" not in element.attributes:
            yield f"an image has no alt: {element.attributes.get('src', '')!r}"
        if element.tag == "table" and element.attributes.get("role") != "presentation":
            yield 'a layout table lacks role="presentation"'


def _headings(document: Element) -> Iterator[str]:
    headings = [element for element in document.walk() if re.fullmatch("h[1-6]", element.tag)]
    first = sum(heading.tag == "h1" for heading in headings)
    if first != 1:
        yield f"there are {first} headings h1 instead of one"
    level = 0
    for heading in headings:
        if int(heading.tag[1]) > level + 1:
            yield f"{heading.tag} follows h{level}, skipping a level: {heading.text()!r}"
        if not heading.text():
            yield f"an empty {heading.tag}"
        level = int(heading.tag[1])


def _links(document: Element, *, may_be_tracked: bool) -> Iterator[str]:
    targets: dict[str, set[str]] = {}
    for link in document.walk():
        if link.tag != "a":
            continue
        target = link.attributes.get("href", "")
        if target == CANARY and not _is_hidden(link):
            yield "the link that no person is to follow can be seen or reached"
        if may_be_tracked and KEY.match(target) and "data-pm-no-track" not in link.attributes:
            yield f"a reader's own link may be rewritten by the provider: {target}"
        if not target:
            yield f"a link leads nowhere: {link.text()!r}"
        if not link.text():
            yield f"a link has no text: {target}"
        targets.setdefault(link.text(), set()).add(target)
        parts = urlsplit(target)
        # A trial on one's own machine has no certificate, and its letters leave it no more than its pages do.
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            yield f"a link is not https: {target}"
    for text, different in targets.items():
        if text and len(different) > 1:
            yield f"{len(different)} links with the same text lead to different pages: {text!r}"


def _is_hidden(link: Element) -> bool:
    """Whether a link is neither shown nor read aloud, nor reached by the keyboard."""
    around: Element | None = link
    while around is not None:
        if around.attributes.get("aria-hidden") == "true" and "display:none" in around.attributes.get("style", ""):
            return link.attributes.get("tabindex") == "-1"
        around = around.parent
    return False


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _contrast(letter: Letter) -> Iterator[str]:
    try:
        yield from contrast_findings(letter.html)
    except UnknownCSSError as error:
        yield f"contrast cannot be checked: {error}"


def _text(text: str) -> Iterator[str]:
    if not text.strip():
        yield "there is no text part"
    for number, line in enumerate(text.splitlines(), start=1):
        is_address = ("://" in line or KEY.match(line)) and len(line.split()) == 1
        if columns(line) > WIDTH and not is_address:
            yield f"line {number} of the text has {columns(line)} columns, more than {WIDTH}"
        if CHANGED_ON_THE_WAY.match(line) or line != line.rstrip():
            yield f"line {number} of the text begins or ends in a way that mail programs change: {line[:20]!r}"


def _same_links(document: Element, text: str) -> Iterator[str]:
    linked = {element.attributes.get("href", "") for element in document.walk() if element.tag == "a"} - {"", CANARY}
    # What is quoted may name pages, too; a narrow cell of the text may have broken such a name.
    printed = _addresses(" ".join(child for e in document.walk() for child in e.children if isinstance(child, str)))
    # An address that is a line of its own, or in angle brackets, ends there, whatever it ends in.
    whole = {line for line in text.splitlines() if _ADDRESS.fullmatch(line)}
    in_text = whole | {match[0] for match in KEY.finditer(text)} | set(_BRACKETED.findall(text))
    for line in text.splitlines():
        in_text |= set() if line in whole else _addresses(line)
    for target in sorted(linked - in_text):
        yield f"a link of the HTML is missing in the text: {target}"
    for target in sorted(in_text - linked):
        if not any(known.startswith(target) for known in printed):
            yield f"a link of the text is missing in the HTML: {target}"


def _addresses(text: str) -> set[str]:
    return {match[0].rstrip(_AFTER_ADDRESS) for match in _ADDRESS.finditer(text)}
