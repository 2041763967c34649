"""Which letters are stored, and in which version was a message sent?

A version never changes: editing puts a new one in its place, and messages keep the one that they were sent with.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from newsletter.sandbox import mustachio
from newsletter.sandbox.checks import Json, RefusalError

MAX_TEMPLATES = 100  # on a server, until Postmark's support raises it
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Part:
    """A subject or a body: as it was given, and compiled."""

    source: str
    nodes: list[mustachio.Node]


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a stored letter."""

    id: int
    name: str
    alias: str | None
    subject: Part
    html: Part | None
    text: Part | None
    active: bool = True

    def summary(self) -> Json:
        """As in lists, and after creating or editing."""
        return {
            "TemplateId": self.id,
            "Name": self.name,
            "Active": self.active,
            "Alias": self.alias,
            "TemplateType": "Standard",
            "LayoutTemplate": None,
        }

    def as_json(self) -> Json:
        """As in `GET /templates/{idOrAlias}`."""
        return {
            **self.summary(),
            "Subject": self.subject.source,
            "HtmlBody": self.html.source if self.html else None,
            "TextBody": self.text.source if self.text else None,
            "AssociatedServerId": 1,
        }


class TemplateShelf:
    """All stored letters of a server. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[int, Template] = {}
        self._by_alias: dict[str, int] = {}

    def create(self, body: Json) -> Template:
        """Store a letter. Raises RefusalError: 1105, 1120, 1122."""
        _refuse_layouts(body)
        for name in ("Name", "Subject"):
            if not body.get(name):
                raise RefusalError(1120, f"The '{name}' of a template is required.")
        if not body.get("HtmlBody") and not body.get("TextBody"):
            raise RefusalError(1120, "A template requires an 'HtmlBody' or a 'TextBody'.")
        template = _changed(Template(0, "", None, Part("", []), None, None), body)
        with self._lock:
            if sum(1 for known in self._by_id.values() if known.active) >= MAX_TEMPLATES:
                raise RefusalError(1105, f"This server may have {MAX_TEMPLATES} templates at most.")
            template = replace(template, id=1000 + len(self._by_id) + 1)
            self._put(template)
        return template

    def edit(self, reference: str, body: Json) -> Template:
        """Put a new version in the place of a stored letter; what is left out stays.

        Raises RefusalError: 1101, 1122.
        """
        _refuse_layouts(body)
        with self._lock:
            old = self._find(reference)
            if not old.active:
                raise _not_found("TemplateId")
            template = _changed(old, body)
            self._put(template)
        return template

    def remove(self, reference: str) -> Template:
        """Take a letter down. It can still be read by its number; its alias is free again. Raises RefusalError."""
        with self._lock:
            template = self._find(reference)
            if not template.active:
                raise _not_found("TemplateId")
            self._by_id[template.id] = replace(template, active=False)
            if template.alias:
                del self._by_alias[template.alias]
        return template

    def find(self, reference: str) -> Template:
        """The letter with this number or alias. Raises RefusalError: 1101."""
        with self._lock:
            return self._find(reference)

    def for_message(self, message: Mapping[str, Any]) -> Template:
        """The letter that a message asks for; its TemplateId goes first. Raises RefusalError: 1101."""
        number = message.get("TemplateId")
        with self._lock:
            if number is None:
                number = self._by_alias.get(message["TemplateAlias"])
                if number is None:
                    raise _not_found("Alias")
            template = self._by_id.get(number)
        if template is None or not template.active:
            raise _not_found("TemplateId")
        return template

    def active(self) -> list[Template]:
        """All letters that can be sent, by number."""
        with self._lock:
            return [template for template in self._by_id.values() if template.active]

    def _find(self, reference: str) -> Template:
        number = int(reference) if reference.isdecimal() else self._by_alias.get(reference)
        template = self._by_id.get(number) if number is not None else None
        if template is None:
            raise _not_found("TemplateId" if reference.isdecimal() else "Alias")
        return template

    def _put(self, template: Template) -> None:
        if template.alias and self._by_alias.get(template.alias, template.id) != template.id:
            raise RefusalError(1122, f"The alias '{template.alias}' is already in use by another template.")
        old = self._by_id.get(template.id)
        if old and old.alias:
            self._by_alias.pop(old.alias, None)
        self._by_id[template.id] = template
        if template.alias:
            self._by_alias[template.alias] = template.id


def validate(body: Json) -> Json:
    """What `POST /templates/validate` answers: what each part renders to, what is wrong with it, and a model for it.

    Raises RefusalError: 1120 with nothing to validate.
    """
    _refuse_layouts(body)
    sources = {name: body.get(name) for name in ("HtmlBody", "TextBody", "Subject")}
    if not any(sources.values()):
        raise RefusalError(1120, "One of 'Subject', 'HtmlBody' and 'TextBody' is required.")
    compiled: dict[str, list[mustachio.Node]] = {}
    errors: dict[str, Json] = {}
    for name, source in sources.items():
        try:
            compiled[name] = mustachio.compile_template(source or "")
        except mustachio.TemplateSyntaxError as error:
            errors[name] = {"Message": error.message, "Line": error.line, "CharacterPosition": error.position}
    model: Json = {}
    for nodes in compiled.values():
        model |= mustachio.suggest_model(nodes)
    model |= body.get("TestRenderModel") or {}
    answer: Json = {"AllContentIsValid": not errors, "SuggestedTemplateModel": model}
    for name, source in sources.items():
        rendered = None
        if source and name in compiled:
            try:
                rendered = mustachio.render(compiled[name], model, escape=name == "HtmlBody")
            except mustachio.ModelMismatchError as refused:
                errors[name] = {"Message": str(refused), "Line": None, "CharacterPosition": None}
                answer["AllContentIsValid"] = False
        answer[name] = source and {
            "ContentIsValid": name not in errors,
            "ValidationErrors": [errors[name]] if name in errors else [],
            "RenderedContent": rendered,
        }
    return answer


def _changed(template: Template, body: Json) -> Template:
    for name in ("Name", "Alias", "Subject", "HtmlBody", "TextBody"):
        if body.get(name) is not None and type(body[name]) is not str:
            raise RefusalError(403, f"Invalid request field(s): $.{name}")
    alias = body.get("Alias")
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise RefusalError(
            1122, f"The alias '{alias}' is not valid: a letter first, then letters, digits, '.', '_' and '-'."
        )
    return replace(
        template,
        name=body.get("Name") or template.name,
        alias=alias or template.alias,
        subject=_part(body, "Subject") or template.subject,
        html=_part(body, "HtmlBody") or template.html,
        text=_part(body, "TextBody") or template.text,
    )


def _part(body: Json, name: str) -> Part | None:
    source = body.get(name)
    if not source:
        return None
    try:
        return Part(source, mustachio.compile_template(source))
    except mustachio.TemplateSyntaxError as error:
        where = f"line {error.line}, character {error.position}"
        raise RefusalError(1122, f"The '{name}' of the template cannot be parsed ({where}): {error.message}") from None


def _refuse_layouts(body: Json) -> None:
    if (body.get("TemplateType") or "Standard") != "Standard":
        raise RefusalError(1122, "The 'TemplateType' is not valid: the sandbox has no layouts.")
    if body.get("LayoutTemplate"):
        raise RefusalError(1101, "The 'LayoutTemplate' associated with this request was not found.")


def _not_found(what: str) -> RefusalError:
    return RefusalError(1101, f"The Template's '{what}' associated with this request is not valid or was not found.")
