"""How does a letter become a template that Postmark stores, once?

Postmark's language (Mustachio) writes a value as `{{ name }}`, escaped for HTML, or `{{{ name }}}`, as it is.
Promise: what Postmark makes of the template is what Filler makes of the letter, or there is no template.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from newsletter.delivery import postmark_answers as answers
from newsletter.delivery.postmark_client import AnswerLost, Clients, ErrorAnswer, NotReached
from newsletter.delivery.provider import CannotAsk, NotSent
from newsletter.message import MERGE_FIELD, Letter

PREFIX = "letter-"
TITLE = "Letter"  # a template's name is this word, the day when it was stored, and its alias
MOST_TEMPLATES = 500  # that are asked for; Postmark keeps 100 a server unless its support raises it
# Trouble with us, not with this template: whole bodies would meet it too.
_OUR_STATUSES = (401, 403)
_OUR_CODES = (10, 401, 405, 412, 413, 422, 1480)


class NotStored(Exception):  # noqa: N818  the name says what happened
    """The letter is not stored, for a reason that would meet every batch: certainly nothing of this one was sent."""

    def __init__(self, outcome: NotSent) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True)
class Template:
    """A stored letter: `alias` names it by its content, the rest is in Postmark's template language."""

    alias: str
    subject: str
    html: str
    text: str


def alias_of(letter: Letter) -> str:
    """The name under which a letter is stored, the same for the same letter whoever sends it."""
    return PREFIX + letter.digest[:32]


def template_of(letter: Letter) -> Template | None:
    """Translate a letter, or return None where the template language would read something into its words."""
    html = _translate(letter.html, "{{", "}}")
    text = _translate(letter.text, "{{{", "}}}")
    # In HTML a "}}" alone means nothing to Postmark, and style sheets are full of them; elsewhere there is no need.
    if html is None or text is None or any("}}" in MERGE_FIELD.sub("", part) for part in (letter.subject, letter.text)):
        return None
    if "{{" in letter.subject:
        return None
    return Template(alias_of(letter), letter.subject, html, text)


def model_name(merge_field: str) -> str:
    """A merge field's name in the template and its model."""
    return merge_field.lower()


class Shelf:
    """What Postmark has stored for us, as far as this process knows. Safe in many threads.

    `today` is the day that is written into a template's name.
    """

    def __init__(self, clients: Clients, today: Callable[[], date]) -> None:
        self._clients = clients
        self._today = today
        self._stored: dict[str, bool] = {}  # alias -> whether Postmark has it; False: it would not take it
        self._storing = threading.Lock()

    def store(self, letter: Letter) -> bool:
        """See that Postmark has the letter; False where whole bodies must go.

        One thread stores, the others wait. Raises NotStored.
        """
        alias = alias_of(letter)
        with self._storing:
            if alias not in self._stored:
                template = template_of(letter)
                self._stored[alias] = template is not None and self._upload(template)
            return self._stored[alias]

    def forget(self, letter: Letter) -> None:
        """The letter is not there any more; the next `store` will see to it."""
        with self._storing:
            self._stored.pop(alias_of(letter), None)

    def discard(self, before: date) -> int:
        """Remove what was stored before a day; return how many. Raises CannotAsk."""
        removed = 0
        try:
            client = self._clients.mine()
            listed = client.call("GET", "/templates", count=MOST_TEMPLATES, offset=0)
            for template in listed["Templates"]:
                alias, words = template.get("Alias") or "", (template.get("Name") or "").split()
                # Names that are not ours are editors' own templates: never touched.
                if words[:1] == [TITLE] and words[2:] == [alias] and words[1] < before.isoformat():
                    client.call("DELETE", f"/templates/{alias}")
                    removed += 1
                    with self._storing:
                        self._stored.pop(alias, None)
        except ErrorAnswer as error:
            raise CannotAsk(answers.explain(error)) from None
        except (NotReached, AnswerLost, KeyError, TypeError, AttributeError) as error:
            raise CannotAsk(f"Postmark's templates could not be listed: {error}") from None
        return removed

    def _upload(self, template: Template) -> bool:
        bodies = {"Subject": template.subject, "HtmlBody": template.html, "TextBody": template.text}
        name = f"{TITLE} {self._today().isoformat()} {template.alias}"
        one = f"/templates/{template.alias}"
        if self._try("POST", "/templates", {"Name": name, "Alias": template.alias, **bodies}) is not None:
            return True
        # Refused. Most often the alias is taken: an earlier run has stored the letter, or one that died.
        found = self._try("GET", one)
        if found is None:
            return False
        if isinstance(found, dict) and all(_same_words(found.get(field), body) for field, body in bodies.items()):
            return True
        return self._try("PUT", one, {"Name": name, **bodies}) is not None

    def _try(self, method: str, endpoint: str, data: object = None) -> Any:
        """Call about a template: the answer, or None where Postmark refuses this template but not us.

        Asked twice where the answer was lost, since storing the same thing twice does no harm. Raises NotStored.
        """
        trouble: Exception | None = None
        for _ in range(2):
            try:
                return self._clients.mine().call(method, endpoint, data=data)
            except ErrorAnswer as error:
                if error.status in _OUR_STATUSES or (error.status in (400, 422) and error.code in _OUR_CODES):
                    raise NotStored(NotSent(answers.explain(error), lasting=answers.lasting(error))) from None
                trouble, rest = error, answers.rest(error)
                if rest is not None:
                    break  # it wants to be left alone
                if 400 <= error.status < 500:
                    return None
            except NotReached as error:
                raise NotStored(NotSent(answers.explain_unreached(error))) from None
            except AnswerLost as error:
                trouble, rest = error, None
        raise NotStored(NotSent(f"Postmark did not store the letter, try again later ({trouble})", rest=rest))


def _translate(source: str, opening: str, closing: str) -> str | None:
    pieces = MERGE_FIELD.split(source)
    constants = pieces[::2]
    # A single brace that touches a merge field's own would be read with them.
    if any("{{" in constant for constant in constants):
        return None
    if any(before.endswith("{") for before in constants[:-1]) or any(after.startswith("}") for after in constants[1:]):
        return None
    pieces[1::2] = [f"{opening} {model_name(name)} {closing}" for name in pieces[1::2]]
    return "".join(pieces)


def _same_words(stored: object, ours: str) -> bool:
    # Line ends and outer blanks may come back otherwise than they went.
    return isinstance(stored, str) and stored.replace("\r\n", "\n").strip() == ours.replace("\r\n", "\n").strip()
