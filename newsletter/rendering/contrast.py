"""Can everybody read the letter's colours, by day, by night and on paper?

Pure. Works out the colours as a browser would, from inline styles, bgcolor attributes and style sheets, in light and
in dark mode and in print, and measures every text against what is behind it (WCAG 2.2, success criterion 1.4.3). Knows
only as much CSS as our letters use, and raises on the rest: a check that guesses is worse than none.

Not covered: clients that turn colours round by themselves, and so the rules under `[data-ogsc]` and `[data-ogsb]`
with which Outlook lets us correct it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from newsletter.rendering.elements import Element, parse
from newsletter.theme import LEAST, ratio

MODES = ("light", "dark", "print")


class UnknownCSSError(ValueError):
    """The letter uses CSS that this check cannot judge."""


@dataclass(frozen=True)
class _Rule:
    """One selector with its declarations that matter here."""

    steps: tuple[tuple[str, str], ...]
    """Compound selectors from the outermost inwards, each with the combinator before it: " ", ">" or ""."""
    specificity: tuple[int, int, int]
    declarations: tuple[tuple[str, str, bool], ...]
    """Property, value, whether important."""
    mode: str | None
    """The mode that it is for; None: all of them."""


@dataclass(frozen=True)
class _Look:
    """What an element has got or inherited."""

    colour: str | None = None
    ground: str | None = None
    hidden: bool = False


def contrast_findings(html: str) -> list[str]:
    """Every text with too little contrast, without a colour or without a background, in either mode.

    Raises UnknownCSSError for a selector, a media query or a colour that is not understood.
    """
    document = parse(html)
    rules = [rule for sheet in document.walk() if sheet.tag == "style" for rule in _rules(sheet)]
    findings: dict[str, None] = {}
    for mode in MODES:
        valid = [rule for rule in rules if rule.mode in (None, mode)]
        for text, look in _texts(document, _Look(), valid):
            for problem in _problems(look):
                findings[f"{problem} in {mode} mode: {text[:40]!r}"] = None
    return list(findings)


def _problems(look: _Look) -> Iterator[str]:
    if look.colour is None:
        yield "text without a colour"
    elif look.ground is None:
        yield "text without a background"
    elif (measured := ratio(look.colour, look.ground)) < LEAST:
        yield f"contrast {measured:.2f} of {look.colour} on {look.ground}, below {LEAST}"


def _texts(element: Element, inherited: _Look, rules: list[_Rule]) -> Iterator[tuple[str, _Look]]:
    look = _look(element, inherited, rules)
    if look.hidden or element.tag in ("head", "style", "script"):
        return
    for child in element.children:
        if isinstance(child, Element):
            yield from _texts(child, look, rules)
        elif child.strip():
            yield child.strip(), look


def _look(element: Element, inherited: _Look, rules: list[_Rule]) -> _Look:
    declared: dict[str, tuple[tuple[object, ...], str]] = {}

    def declare(name: str, value: str, rank: tuple[object, ...]) -> None:
        if name not in declared or rank >= declared[name][0]:
            declared[name] = (rank, value)

    if "bgcolor" in element.attributes:
        declare("background-color", _colour(element.attributes["bgcolor"]) or "", (-1,))
    for rule in rules:
        if _matches(element, rule.steps):
            for name, value, important in rule.declarations:
                declare(name, value, (2 if important else 0, rule.specificity))
    for name, value, important in _declarations(element.attributes.get("style", "")):
        declare(name, value, (3 if important else 1,))
    values = {name: value for name, (_, value) in declared.items()}
    # A link does not inherit its colour: without one of its own it is the client's blue.
    colour = values.get("color") or (None if element.tag == "a" else inherited.colour)
    ground = values.get("background-color") or inherited.ground
    return _Look(colour, ground, inherited.hidden or values.get("display") == "none")


def _matches(element: Element | None, steps: tuple[tuple[str, str], ...]) -> bool:
    if element is None or not element.tag or not _is(element, steps[-1][1]):
        return False
    combinator, outer = steps[-1][0], steps[:-1]
    if not outer:
        return True
    ancestor = element.parent
    while ancestor is not None:
        if _matches(ancestor, outer):
            return True
        ancestor = None if combinator == ">" else ancestor.parent
    return False


def _is(element: Element, compound: str) -> bool:
    if compound == ":root":
        return element.tag == "html"
    if compound == "*":
        return True
    tag, names = _parts(compound)
    if tag and element.tag != tag:
        return False
    return all(
        name[1:] in element.classes if name[0] == "." else name[1:] == element.attributes.get("id") for name in names
    )


@cache  # asked of each element; there are as many compounds as the style sheets of our templates have
def _parts(compound: str) -> tuple[str, list[str]]:
    """A tag, or nothing, and the classes and ids behind it."""
    tag, *names = re.split(r"(?=[.#])", compound)
    return tag, names


_COMPOUND = re.compile(r":root|\*|(?=.)[a-z][a-z0-9]*(?:[.#][\w-]+)*|(?:[.#][\w-]+)+")
_OUTLOOK_RECOLOURED = re.compile(r"\[data-ogs[bc]\]\s")
_WIDTH_QUERY = re.compile(r"(?:only )?(?:screen|all) and \((?:min|max)-width: ?\d+px\)")
_DARK_QUERY = re.compile(r"\(prefers-color-scheme: ?dark\)")


def _rules(sheet: Element) -> Iterator[_Rule]:
    query = sheet.attributes.get("media", "")
    css = re.sub(
        r"/\*.*?\*/", "", "".join(child for child in sheet.children if isinstance(child, str)), flags=re.DOTALL
    )
    yield from _in_media(query, css) if query else _in_sheet(css)


def _in_sheet(css: str) -> Iterator[_Rule]:
    position = 0
    while css[position:].strip():
        opening = css.find("{", position)
        if opening < 0:
            raise UnknownCSSError(f"not a rule: {css[position:].strip()[:60]!r}")
        prelude = css[position:opening].strip()
        closing = _closing(css, opening)
        body = css[opening + 1 : closing]
        if prelude.startswith("@media"):
            yield from _in_media(prelude.removeprefix("@media").strip(), body)
        elif prelude.startswith("@"):
            raise UnknownCSSError(f"not understood: {prelude!r}")
        else:
            yield from _plain(prelude, body)
        position = closing + 1


def _in_media(query: str, css: str) -> Iterator[_Rule]:
    mode = "print" if query == "print" else "dark" if _DARK_QUERY.fullmatch(query) else None
    if mode is None and not _WIDTH_QUERY.fullmatch(query):
        raise UnknownCSSError(f"media query not understood: {query!r}")
    for rule in _in_sheet(css):
        if mode:
            yield replace(rule, mode=mode)
        elif rule.declarations:
            raise UnknownCSSError(f"colour or display: none depends on the width of the screen: {query}")


def _closing(css: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(css)):
        depth += {"{": 1, "}": -1}.get(css[index], 0)
        if depth == 0:
            return index
    raise UnknownCSSError("a brace is never closed")


def _plain(prelude: str, body: str) -> Iterator[_Rule]:
    declarations = tuple(_declarations(body))
    for selector in prelude.split(","):
        if _OUTLOOK_RECOLOURED.match(selector.strip()):
            continue
        steps, specificity = _selector(selector.strip())
        yield _Rule(steps, specificity, declarations, None)


def _selector(selector: str) -> tuple[tuple[tuple[str, str], ...], tuple[int, int, int]]:
    steps = []
    combinator = ""
    for part in re.sub(r"\s*>\s*", " > ", selector).split():
        if part == ">":
            combinator = ">"
            continue
        if not _COMPOUND.fullmatch(part):
            raise UnknownCSSError(f"selector not understood: {selector!r}")
        steps.append((combinator, part))
        combinator = " "
    if not steps or combinator == ">":
        raise UnknownCSSError(f"selector not understood: {selector!r}")
    ids = selector.count("#")
    classes = selector.count(".") + selector.count(":root")
    tags = sum(1 for _, part in steps if part[0].isalpha())
    return tuple(steps), (ids, classes, tags)


def _declarations(body: str) -> Iterator[tuple[str, str, bool]]:
    """Those that matter: colours, and display: none. An empty value stands for transparent."""
    for declaration in body.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        important = value.endswith("!important")
        value = value.removesuffix("!important").strip().lower()
        if name in ("color", "background-color", "background"):
            yield "background-color" if name == "background" else name, _colour(value) or "", important
        elif name == "display" and value == "none":
            yield name, value, important
        elif name == "opacity":
            raise UnknownCSSError("opacity is not understood")


def _colour(value: str) -> str | None:
    if value in ("transparent", "none", "inherit"):
        return None
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise UnknownCSSError(f"colour not understood: {value!r}")
    return value.lower()
