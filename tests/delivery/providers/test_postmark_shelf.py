"""What is stored at Postmark: which templates are removed, what counts as the same letter, and which words are said."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.postmark_template import alias_of, template_of
from newsletter.delivery.provider import Accepted, CannotAsk
from tests.delivery.providers.letters import ENVELOPE, LETTER, new_batch, reader
from tests.delivery.providers.scripted import Request, Script, ScriptedPostmark

TODAY = date(2026, 11, 24)


def take(request: Request) -> None:
    request.answer(200, request.accept())


def provider_of(server: ScriptedPostmark) -> PostmarkProvider:
    return PostmarkProvider("token", server.url, 5, today=lambda: TODAY)


def shelf(templates: list[Any]) -> Script:
    """Lists these templates, and removes whatever it is told to."""

    def answer(request: Request) -> None:
        request.answer(200, {"Templates": templates} if request.command == "GET" else {"ErrorCode": 0})

    return answer


def asked(server: ScriptedPostmark) -> list[str]:
    return [f"{method} {path}" for method, path, _ in server.seen]


def stored(day: str, alias: str) -> dict[str, str]:
    return {"Name": f"Letter {day} {alias}", "Alias": alias}


def test_all_of_ours_from_before_a_day_are_removed_and_nobody_elses() -> None:
    templates = [
        stored("2026-11-01", "letter-a"),
        {"Name": "Letter 2026-11-01 letter-x", "Alias": "their-own"},
        {"Name": "Letter to the editor", "Alias": "editor"},
        {"Name": "Welcome", "Alias": None},
        {"Name": None, "Alias": "letter-y"},
        {"Name": "Letter 2026-11-01", "Alias": None},
        stored("2026-11-24", "letter-today"),
        stored("2026-11-23", "letter-b"),
    ]
    with ScriptedPostmark(take, templates=shelf(templates)) as server:
        provider = provider_of(server)
        assert provider.tidy(before=TODAY) == 2
        provider.close()
        assert asked(server) == [
            "GET /templates?count=500&offset=0", "DELETE /templates/letter-a", "DELETE /templates/letter-b",
        ]  # fmt: skip


def test_a_letter_that_was_removed_is_stored_again_by_whoever_removed_it() -> None:
    alias = alias_of(LETTER)
    with ScriptedPostmark(take, templates=shelf([stored("2026-11-01", alias), stored("2026-11-01", "b")])) as server:
        provider = provider_of(server)
        for _ in range(2):
            provider.send(LETTER, ENVELOPE, [reader()], new_batch())
            assert provider.tidy(before=TODAY) == 2  # also the one that this process has not stored
        provider.close()
        assert asked(server).count("POST /templates") == 2


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (401, {"ErrorCode": 10, "Message": "who are you"}, "who are you.*check NEWSLETTER_POSTMARK_SERVER_TOKEN"),
        (500, {}, "HTTP 500"),
        (200, {"Templates": None}, "^Postmark's templates could not be listed: .*NoneType"),
        (200, [], "^Postmark's templates could not be listed: "),
        (200, {"Templates": ["none"]}, "^Postmark's templates could not be listed: "),
        (200, b"<html>", "^Postmark's templates could not be listed: .*not JSON"),
    ],
)
def test_a_list_of_templates_that_cannot_be_had_is_told(status: int, content: object, words: str) -> None:
    with ScriptedPostmark(take, templates=lambda request: request.answer(status, content)) as server:
        provider = provider_of(server)
        with pytest.raises(CannotAsk, match=words):
            provider.tidy(before=TODAY)
        provider.close()


def kept_as(change: Callable[[str], object]) -> list[str]:
    """Send where the alias is taken, by a letter with its words changed; return what was asked about templates."""
    letter = replace(LETTER, text="one\r\ntwo %%NAME%%\n", html="<p>\n%%NAME%%</p>\r\n ")
    template = template_of(letter)
    assert template is not None
    fields = {"Subject": template.subject, "HtmlBody": template.html, "TextBody": template.text}

    def answer(request: Request) -> None:
        if request.command == "POST":
            request.answer(422, {"ErrorCode": 1122, "Message": "the alias is taken"})
        elif request.command == "GET":
            request.answer(200, {name: change(body) for name, body in fields.items()})
        else:
            request.answer(200, {"TemplateId": 1})

    with ScriptedPostmark(take, templates=answer) as server:
        provider = provider_of(server)
        (outcome,) = provider.send(letter, ENVELOPE, [reader()], new_batch())
        assert isinstance(outcome, Accepted)
        provider.close()
        return [request.split()[0] for request in asked(server) if "/templates" in request]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body,
        lambda body: body.replace("\r\n", "\n"),
        lambda body: body.replace("\r\n", "\n").replace("\n", "\r\n"),
        lambda body: body.strip(),
        lambda body: f"\n {body}\r\n",
    ],
    ids=["the same", "LF", "CRLF", "bare", "padded"],
)
def test_a_stored_letter_is_the_same_whatever_became_of_its_line_ends_and_outer_blanks(
    change: Callable[[str], object],
) -> None:
    assert kept_as(change) == ["POST", "GET"]


@pytest.mark.parametrize(
    "change", [lambda body: body + "!", lambda body: None, lambda body: body.replace("\n", " "), lambda body: ""]
)
def test_other_words_under_our_alias_are_overwritten(change: Callable[[str], object]) -> None:
    assert kept_as(change) == ["POST", "GET", "PUT"]


def test_a_stream_is_one_part_of_the_address_that_is_asked() -> None:
    empty: Script = lambda request: request.answer(200, {"Suppressions": []})  # noqa: E731
    with ScriptedPostmark(take, other=empty) as server:
        provider = provider_of(server)
        assert list(provider.listed("a/b c?d")) == []
        provider.close()
        assert asked(server) == ["GET /message-streams/a%2Fb%20c%3Fd/suppressions/dump"]


def test_a_letter_whose_template_is_gone_goes_whole_once_and_is_stored_again_for_the_next_batch() -> None:
    gone = [True]

    def batch(request: Request) -> None:
        if request.path.endswith("Templates") and gone.pop():
            request.answer(422, {"ErrorCode": 1101, "Message": "no such template"})
        else:
            request.answer(200, request.accept())
        gone.append(False)

    with ScriptedPostmark(batch) as server:
        provider = provider_of(server)
        for _ in range(2):
            (outcome,) = provider.send(LETTER, ENVELOPE, [reader()], new_batch())
            assert isinstance(outcome, Accepted)
        provider.close()
        assert asked(server) == [
            "POST /templates", "POST /email/batchWithTemplates", "POST /email/batch",
            "POST /templates", "POST /email/batchWithTemplates",
        ]  # fmt: skip
