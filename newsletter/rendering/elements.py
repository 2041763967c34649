"""What elements is a letter's HTML made of?

Pure. A tree just good enough to check our own letters by. Comments are left out, and with them what only
Outlook reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass(eq=False)
class Element:
    """One element; `children` are elements and texts in their order."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """The names in the class attribute."""
        return self.attributes.get("class", "").split()

    def walk(self) -> Iterator["Element"]:
        """This element and all below it, in document order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def text(self) -> str:
        """All text in it, with runs of white space made one blank."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()


def parse(html: str) -> Element:
    """Read a document; the element returned stands above `html` and has no tag."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.document


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = self._current = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._current)
        self._current.children.append(element)
        if tag not in _VOID:
            self._current = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        element: Element | None = self._current
        while element is not None and element.tag != tag:
            element = element.parent
        if element is not None and element.parent is not None:
            self._current = element.parent

    def handle_data(self, data: str) -> None:
        self._current.children.append(data)
