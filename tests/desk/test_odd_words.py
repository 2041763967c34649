"""What nobody types and somebody sends: odd words in every place of every address, and in every form."""

from itertools import product
from typing import Any
from urllib.parse import quote

import pytest

from newsletter.assembly import Assembly
from tests.desk import busy
from tests.desk.test_attacks import FILLED, routes
from tests.desk.world import At

ODD = ("\x00", "9" * 30, "²")
"""What a database does not take, or a number that is none."""
QUERY = ("q", "week", "before", "behind", "found", "status", "reader", "without", "language", "dark", "shown", "heard")
FIELDS = (
    *("address", "words", "status", "note", "because", "reason", "subject", "preheader", "slug", "slugs", "seat-0"),
    "to",
    *("text", "kind", "published_at", "at", "date", "time", "source", "encoding", "column-0", "version", "was", "keep"),
    *("reader", "without", "language", "digest", "number", "old", "password", "again", "code", "secret", "key", "next"),
)


@pytest.fixture
def kind() -> str:
    """The database that takes no NUL, and no number beyond its columns'."""
    return "postgresql"


def test_no_odd_word_is_an_error_of_ours(assembly: Assembly, publisher: At) -> None:
    number = next(iter(busy.fill(assembly, publisher.editor_id).values()))
    usual = {name: values[0] for name, values in FILLED.items()} | {"number": str(number), "token": "x", "slug": "x"}
    csrf = publisher.csrf()
    wrong: list[tuple[str, str, str, int]] = []
    for method, odd in product(("GET", "POST"), ODD):
        for path in routes(publisher.client, method):
            if path == "/desk/logout":
                continue
            more: dict[str, Any] = {"params": dict.fromkeys(QUERY, odd)}
            if method == "POST":
                more = {"data": dict.fromkeys(FIELDS, odd) | {"csrf": csrf}}
            for place in {path.format_map(usual), path.format_map(dict.fromkeys(usual, quote(odd)))}:
                answer = publisher.client.request(method, place, **more)
                if answer.status_code >= 500:
                    wrong.append((method, path, odd, answer.status_code))
    assert wrong == []
