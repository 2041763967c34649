"""How does Postmark fill a template? The language Mustachio, of the same family as Mustache, but stricter about scopes.

Pure. `compile_template` refuses what cannot be read, once; `render` fills any number of times. A value is looked up in
the scope at hand only, never in the ones around it: `../` climbs out.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"\{\{\{([^{}]+)\}\}\}|\{\{([^{}]+)\}\}")
"""Group 1: a value as it is; group 2: an escaped value or an instruction. A lone `{{` is text."""

_PATH = re.compile(r"(?:\.\./)*(?:\.|[\w-]+(?:\.[\w-]+)*)|\.\.")
_STEP = re.compile(r"\.\./?|[^.]+")

UNSUBSCRIBE = "pm:unsubscribe"
"""Stands for Postmark's own unsubscribe link; it is no value of the model, and is left as it is."""


class TemplateSyntaxError(Exception):
    """A template that cannot be read; `line` and `position` count from 1."""

    def __init__(self, message: str, source: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = source.count("\n", 0, at) + 1
        self.position = at - source.rfind("\n", 0, at)


class ModelMismatchError(Exception):
    """A model that does not fit its template: something is repeated that is no list."""


@dataclass(frozen=True, slots=True)
class Value:
    """`{{ path }}`, or `{{{ path }}}` where `raw`."""

    path: str
    raw: bool


@dataclass(frozen=True, slots=True)
class Section:
    """`{{#path}}` (kind `#`), `{{^path}}` (`^`) or `{{#each path}}` (`each`), and what stands up to its end."""

    kind: str
    path: str
    nodes: list["Node"] = field(default_factory=list)


Node = str | Value | Section


@dataclass(frozen=True, slots=True)
class Scope:
    """A value and the scope around it."""

    value: Any
    parent: "Scope | None" = None


def compile_template(source: str) -> list[Node]:
    """Read a template. Raises TemplateSyntaxError."""
    root: list[Node] = []
    stack: list[tuple[Section, int]] = []
    nodes = root
    end = 0
    for token in _TOKEN.finditer(source):
        if token.start() > end:
            nodes.append(source[end : token.start()])
        end = token.end()
        inside = (token[1] or token[2]).strip()
        if token[1] is not None:
            nodes.append(_value(inside, token, raw=True))
        elif inside.startswith("#") or inside.startswith("^"):
            section = _open(inside, token)
            nodes.append(section)
            stack.append((section, token.start()))
            nodes = section.nodes
        elif inside.startswith("/"):
            _close(inside[1:].strip(), stack, token)
            nodes = stack[-1][0].nodes if stack else root
        elif inside.startswith("&"):
            nodes.append(_value(inside[1:].strip(), token, raw=True))
        elif not inside.startswith("!"):
            nodes.append(_value(inside, token, raw=False))
    if stack:
        section, at = stack[-1]
        raise TemplateSyntaxError(f"The section '{section.path}' is opened but never closed.", source, at)
    if end < len(source):
        nodes.append(source[end:])
    return root


def render(nodes: list[Node], model: Mapping[str, Any], *, escape: bool) -> str:
    """Fill a compiled template. `escape`: for HTML, so that `{{ value }}` cannot break out; not for text or a subject.

    A missing value renders empty. Raises ModelMismatchError.
    """
    out: list[str] = []
    _render(nodes, Scope(model), escape, out)
    return "".join(out)


def suggest_model(nodes: list[Node]) -> dict[str, Any]:
    """A model that fills every value of a template: each value is its own name and `_Value`."""
    model: dict[str, Any] = {}
    _suggest(nodes, [model])
    return model


def _value(path: str, token: re.Match[str], *, raw: bool) -> Node:
    if path == UNSUBSCRIBE:
        return token[0]
    return Value(_checked(path, token), raw)


def _open(inside: str, token: re.Match[str]) -> Section:
    kind, path = inside[0], inside[1:].strip()
    if kind == "#" and (each := re.fullmatch(r"each\s+(.+)", path)):
        kind, path = "each", each[1]
    return Section(kind, _checked(path, token))


def _close(name: str, stack: list[tuple[Section, int]], token: re.Match[str]) -> None:
    if not stack:
        raise TemplateSyntaxError(f"'{name}' is closed but was never opened.", token.string, token.start())
    section, _ = stack.pop()
    if name != ("each" if section.kind == "each" else section.path):
        raise TemplateSyntaxError(f"'{name}' is closed where '{section.path}' is open.", token.string, token.start())


def _checked(path: str, token: re.Match[str]) -> str:
    if not _PATH.fullmatch(path):
        raise TemplateSyntaxError(f"The path '{path}' is not valid.", token.string, token.start())
    return path


def _find(scope: Scope, path: str) -> Scope:
    if path == ".":
        return scope
    for step in _STEP.findall(path):
        if step.startswith(".."):
            # Climbing out of the outermost scope stays there, as Mustachio does.
            scope = scope.parent or scope
        else:
            value = scope.value.get(step) if isinstance(scope.value, Mapping) else None
            scope = Scope(value, scope)
    return scope


def _render(nodes: list[Node], scope: Scope, escape: bool, out: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
            continue
        found = _find(scope, node.path)
        if isinstance(node, Value):
            text = _print(found.value)
            out.append(html.escape(text) if escape and not node.raw else text)
        elif node.kind == "^":
            if not found.value:
                _render(node.nodes, found, escape, out)
        elif not found.value:
            continue
        elif node.kind == "#":
            _render(node.nodes, found, escape, out)
        elif isinstance(found.value, list):
            for item in found.value:
                _render(node.nodes, Scope(item, found), escape, out)
        else:
            raise ModelMismatchError(f"'{node.path}' is repeated by the template, but is no list in the model.")


def _print(value: Any) -> str:
    if value is None:
        return ""
    # .NET spells booleans as Python does; a list or an object inside a letter is a mistake either way.
    return value if isinstance(value, str) else str(value)


def _suggest(nodes: list[Node], scopes: list[dict[str, Any]]) -> None:
    for node in nodes:
        if isinstance(node, str):
            continue
        steps = _STEP.findall(node.path) if node.path != "." else []
        climbed = list(scopes)
        while steps and steps[0].startswith(".."):
            climbed = climbed[:-1] or climbed
            steps.pop(0)
        if not steps:
            continue
        target = climbed[-1]
        for step in steps[:-1]:
            inner = target.setdefault(step, {})
            target = inner if isinstance(inner, dict) else {}
        last = steps[-1]
        if isinstance(node, Value):
            target.setdefault(last, f"{last}_Value")
            continue
        inside: dict[str, Any] = {}
        if node.kind == "each":
            _suggest(node.nodes, [*climbed, target, inside])
            target.setdefault(last, [inside or f"{last}_Value"])
        else:
            _suggest(node.nodes, [*climbed, inside])
            if node.kind == "#":
                target.setdefault(last, inside or f"{last}_Value")
