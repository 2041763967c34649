"""Talking to a sandbox as Postmark's clients do, and the smallest messages that it takes."""

import uuid
from dataclasses import dataclass
from typing import Any

import requests


@dataclass
class Api:
    """Postmark's API at `url`, called with the right headers unless `headers` says otherwise."""

    url: str
    token: str
    session: requests.Session

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str | None] | None = None, **query: Any
    ) -> requests.Response:
        sent: dict[str, str | None] = {"Accept": "application/json", "X-Postmark-Server-Token": self.token}
        return self.session.request(
            method,
            self.url + path.lstrip("/"),
            json=body,
            headers=sent | (headers or {}),
            params=query,
            timeout=10,
        )

    def get(self, path: str, **query: Any) -> Any:
        return accepted(self.call("GET", path, **query))

    def post(self, path: str, body: object) -> Any:
        return accepted(self.call("POST", path, body))

    def page(self, path: str) -> requests.Response:
        return self.session.get(self.url + path.lstrip("/"), timeout=10)

    def search(self, stream: str = "outbound", **query: Any) -> Any:
        return self.get("/messages/outbound", **{"count": 500, "offset": 0, "messagestream": stream, **query})

    def template(self, **changes: object) -> str:
        """Store a letter under an alias of its own, and return the alias."""
        alias = f"letter-{uuid.uuid4().hex}"
        self.post(
            "/templates", {"Name": alias, "Alias": alias, "Subject": "Hello {{ name }}", "TextBody": "x", **changes}
        )
        return alias


def accepted(answer: requests.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: requests.Response) -> tuple[int, int, str]:
    """The HTTP status, the ErrorCode and the words of a refusal."""
    body = answer.json()
    assert list(body) == ["ErrorCode", "Message"]
    assert answer.headers["X-PM-ApiErrorCode"] == str(body["ErrorCode"])
    return answer.status_code, body["ErrorCode"], body["Message"]


def letter(**changes: object) -> dict[str, Any]:
    """A whole message."""
    return {
        "From": "News <news@example.com>",
        "To": "ada@example.com",
        "Subject": "Hello",
        "TextBody": "Hi.",
        **changes,
    }


def templated(alias: str, **changes: object) -> dict[str, Any]:
    """A message that is sent with a template."""
    return {"From": "news@example.com", "To": "ada@example.com", "TemplateAlias": alias, "TemplateModel": {}, **changes}
