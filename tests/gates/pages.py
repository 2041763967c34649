"""Every public page, with something on it, in both languages where they differ."""

import re
from datetime import timedelta

from fastapi.testclient import TestClient

from newsletter.assembly import Assembly
from subscribers.subscriber import ACTIVE, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED
from subscribers.tokens import ADDRESS, CONFIRM, PREFERENCES, VOTE
from tests.rendering.samples import lead, others
from tests.web.world import NOW, W46, W47, a_comparison, a_reader, key_to, send, way_out

PUBLIC = ("/", "/issues", "/issues/2026-W47", "/subscribe", "/subscribe/box")


def with_issues(assembly: Assembly) -> None:
    """Two issues that readers have: one of usual texts, and one with a long word and another script."""
    long = a_comparison("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten", "مترجم الشيفرة")
    send(assembly, long.model_copy(update={"published_at": NOW - timedelta(days=10)}), week=W46)
    usual = [lead(), *others()[:2]]
    send(assembly, *(each.model_copy(update={"published_at": NOW - timedelta(days=4)}) for each in usual), week=W47)


def linked(client: TestClient, path: str, folder: str) -> list[str]:
    """The paths in a folder that a page links to."""
    return sorted(set(re.findall(rf'href="(?:http://127\.0\.0\.1:8000)?(/{folder}/[^"?#]+)', client.get(path).text)))


def public_paths(client: TestClient) -> list[str]:
    """The pages that anybody can open: the ones above, each issue, and a comparison and a tool of each kind."""
    comparisons = [found for week in ("W46", "W47") for found in linked(client, f"/issues/2026-{week}", "comparisons")]
    tools = [found for path in comparisons[:2] for found in linked(client, path, "tools")]
    assert comparisons
    return [*PUBLIC, "/issues/2026-W46", *comparisons, *tools]


def every_page(assembly: Assembly, client: TestClient) -> dict[str, str]:
    """HTML by path."""
    made = {f"{path} (empty)": client.get(path).text for path in ("/", "/issues")}
    statuses = (PENDING, ACTIVE, PAUSED, UNSUBSCRIBED, SUPPRESSED)
    readers = [a_reader(assembly, status, f"{status}@example.com") for status in statuses]
    with_issues(assembly)
    paths = public_paths(client)
    vote = f"/vote/{assembly.tokens.make(VOTE, readers[1])}/{linked(client, '/issues/2026-W47', 'comparisons')[0][13:]}"
    paths += [
        "/nowhere", way_out(assembly, readers[1]), vote, f"{vote}?choice=left",
        key_to(assembly, CONFIRM, 1), key_to(assembly, CONFIRM, 1, timedelta(weeks=10)), key_to(assembly, ADDRESS, 1),
        *(key_to(assembly, PREFERENCES, reader) for reader in readers),
    ]  # fmt: skip
    for path in paths:
        for language in ("en", "de"):
            answer = client.get(path, headers={"Accept-Language": language})
            assert "text/html" in answer.headers["content-type"], path
            made[f"{path} ({language})"] = answer.text
    for path, body in ((way_out(assembly, readers[1]), {}), (vote, {"choice": "left"}), ("/subscribe", {"email": "x"}),
                       ("/subscribe", {"email": "new@example.com"}), (key_to(assembly, CONFIRM, 1), {})):  # fmt: skip
        made[f"POST {path} {body}"] = client.post(path, data=body).text
    return made
