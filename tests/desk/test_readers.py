"""The editors' readers: found without leaving a trace of them, their story, and what is done for them."""

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from newsletter.assembly import Assembly
from newsletter.db import reading, sqlite_file, writing
from newsletter.dossier import dossier
from newsletter.editors.log import Entry
from newsletter.invariants import violations
from newsletter.web.desk import readers as room
from subscribers import consent, subscriber, suppression
from subscribers.address import parse_address
from subscribers.exporting import exported, write_csv
from subscribers.subscriber import ACTIVE, PAUSED, SUPPRESSED, UNSUBSCRIBED
from tests.desk.world import At
from tests.web.world import NOW, a_comparison, a_reader, everything, send, status_of

LIST = "/desk/readers"

on_both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def entries(assembly: Assembly) -> list[tuple[str, int | None, str | None]]:
    """(what was done, to which reader, details), the oldest first."""
    with reading(assembly.engine) as session:
        rows = session.exec(select(Entry).order_by(col(Entry.id)))
        return [(each.act, each.subscriber_id, each.detail) for each in rows]


def listed(page: str) -> list[str]:
    """The addresses on a page of the list."""
    return re.findall(r'<th scope="row"><a href="[^"]+"><bdi>([^<]+)</bdi>', page)


def agreed(assembly: Assembly, email: str) -> int:
    """A member who has agreed to it."""
    number = a_reader(assembly, email=email)
    with writing(assembly.engine) as session:
        consent.note(session, number, consent.CONFIRMED, "the letter", NOW - timedelta(days=9))
        session.commit()
    return number


def test_a_list_of_nobody_says_so(publisher: At) -> None:
    page = publisher.get(LIST)
    assert "Nobody is on the list yet" in page
    assert "Download" not in page


@on_both
def test_the_newest_readers_come_first_and_the_list_goes_on(assembly: Assembly, publisher: At) -> None:
    for number in range(60):
        a_reader(assembly, PAUSED if number % 2 else ACTIVE, f"reader{number:02}@example.com")
    first = publisher.get(LIST)
    assert listed(first) == [f"reader{number:02}@example.com" for number in range(59, 9, -1)]
    following = re.search(r'href="(/desk/readers\?behind=\d+)" rel="next"', first)
    assert following
    assert listed(publisher.get(following[1])) == [f"reader{number:02}@example.com" for number in range(9, -1, -1)]
    assert len(listed(publisher.get(f"{LIST}?status=paused"))) == 30
    assert listed(publisher.get(f"{LIST}?status=suppressed")) == []


def test_a_reader_is_found_however_the_address_is_spelled(assembly: Assembly, editor: At) -> None:
    number = a_reader(assembly, email="ada.lovelace@gmail.com")
    answer = editor.post(LIST, {"words": " A.DaLoveLace@GoogleMail.com "})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}/{number}")


def test_what_is_looked_for_stands_in_no_address(assembly: Assembly, editor: At) -> None:
    a_reader(assembly, email="ada@example.com")
    a_reader(assembly, UNSUBSCRIBED, email="adam@example.com")
    answer = editor.post(LIST, {"words": "ada"})
    assert answer.headers["location"] == "/desk/readers?found=1"
    page = editor.get(answer.headers["location"])
    assert listed(page) == ["ada@example.com", "adam@example.com"]
    assert not re.findall(r'(?:href|action|hx-get)="[^"]*(?:ada|%40|@)[^"]*"', page)
    assert listed(editor.does(LIST, {"words": "ada", "status": "unsubscribed"})) == ["adam@example.com"]


def test_a_search_is_its_sessions_own(assembly: Assembly, sign_in_as: Callable[..., At], editor: At) -> None:
    a_reader(assembly, email="ada@example.com")
    editor.post(LIST, {"words": "ad"})
    other = sign_in_as("publisher", "other@example.com")
    other.client.cookies.set(room.SEARCH, editor.client.cookies[room.SEARCH])
    assert other.client.get("/desk/readers?found=1").headers["location"] == LIST
    assert "look for it again" in other.get(LIST)


@on_both
def test_an_address_that_nobody_has_can_be_suppressed_and_let_in_again(assembly: Assembly, publisher: At) -> None:
    page = publisher.does(LIST, {"words": "nobody@example.com"})
    assert "We know nothing of this address" in page
    address = {"address": "nobody@example.com"}
    publisher.does(f"{LIST}/suppress", {**address, "reason": "complaint", "note": "wrote to us by mail"})
    assert "the reader called a letter spam" in publisher.get("/desk/readers?found=1")
    with reading(assembly.engine) as session:
        found = suppression.in_force(session, parse_address("nobody@example.com"))
        assert found
        assert (found.reason, found.source) == ("complaint", "an editor: wrote to us by mail")
    assert "The provider may keep a list" in publisher.does(f"{LIST}/lift", {**address, "because": "a mistake"})
    assert entries(assembly) == [
        ("suppressed an address", None, "the reader called a letter spam"),
        ("lifted a suppression", None, "it was: the reader called a letter spam"),
    ]


@on_both
@pytest.mark.parametrize("words", ["@example.com", "\0", "x" * 5000, "'; DROP TABLE subscribers; --", "%", "<script>"])
def test_odd_words_find_nobody_and_break_nothing(assembly: Assembly, editor: At, words: str) -> None:
    a_reader(assembly)
    answer = editor.post(LIST, {"words": words})
    page = answer.text if answer.status_code == 422 else editor.get(answer.headers["location"])
    assert "<script>" not in page
    assert "<bdi>ada@example.com</bdi>" not in page or words == "\0"


def test_a_readers_page_tells_the_story(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, "ada@example.com")
    send(assembly, a_comparison())
    page = publisher.get(f"{LIST}/{number}")
    for told in (
        "ada@example.com",
        "pressed the button",
        "accepted: ",
        f"/desk/issues/2026-W47/preview?reader={number}",
    ):
        assert told in page
    assert "Nothing has happened before that" in publisher.get(f"{LIST}/{number}?before=20200101T000000.000000-0-0")


@pytest.mark.parametrize("number", ["999", "0", "-1", "99999999999999999999", "ada@example.com", "1x"])
def test_a_number_that_nobody_has_is_not_found(publisher: At, number: str) -> None:
    publisher.get(f"{LIST}/{number}", 404)
    assert publisher.post(f"{LIST}/{number}/erase", {"address": "x"}).status_code == 404


@on_both
def test_suppressing_a_reader_wants_words_and_lifting_asks_where_they_stood(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, "ada@example.com")
    path = f"{LIST}/{number}"
    before = everything(assembly)
    refused = publisher.post(f"{path}/suppress", {"reason": "hard_bounce", "note": "  "})
    assert (refused.status_code, "Say why" in refused.text) == (422, True)
    assert everything(assembly) == before
    publisher.does(f"{path}/suppress", {"reason": "hard_bounce", "note": "their post office says so"})
    assert status_of(assembly, number) == SUPPRESSED
    assert "Once it is lifted, the reader is <strong>active</strong>" in publisher.get(path)
    assert publisher.post(f"{path}/lift", {"because": ""}).status_code == 422
    said = publisher.does(f"{path}/lift", {"because": "the new server works"})
    assert "the reader is active now" in said
    assert "the new server works" in said
    assert status_of(assembly, number) == ACTIVE
    assert [(act, whose) for act, whose, _ in entries(assembly)] == [
        ("suppressed an address", number),
        ("lifted a suppression", number),
    ]


def test_a_complaint_that_is_lifted_counts_as_leaving(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, "ada@example.com")
    publisher.does(f"{LIST}/{number}/suppress", {"reason": "complaint", "note": "by telephone"})
    assert "is <strong>unsubscribed</strong>" in publisher.get(f"{LIST}/{number}")
    publisher.does(f"{LIST}/{number}/lift", {"because": "they want it back"})
    assert status_of(assembly, number) == UNSUBSCRIBED


@on_both
def test_a_reader_who_asks_is_unsubscribed_once(assembly: Assembly, editor: At) -> None:
    number = agreed(assembly, "ada@example.com")
    for said in ("They have left the list", "They had left before"):
        assert said in editor.does(f"{LIST}/{number}/unsubscribe")
    assert status_of(assembly, number) == UNSUBSCRIBED
    assert entries(assembly) == [("unsubscribed a reader", number, None)]


def test_what_is_held_of_a_reader_is_what_they_see_themselves(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, "ada@example.com")
    with reading(assembly.engine) as session:
        held = dossier(session, number)
    answer = publisher.post(f"{LIST}/{number}/export")
    assert json.loads(answer.text) == held
    assert answer.headers["content-disposition"] == f'attachment; filename="reader-{number}.json"'
    assert answer.headers["cache-control"] == "no-store"


@on_both
def test_a_reader_is_forgotten_for_who_types_the_address(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, "ada@example.com")
    path = f"{LIST}/{number}"
    for typed in ("", "adam@example.com", "ada@example", "\0"):
        assert publisher.post(f"{path}/erase", {"address": typed}).status_code == 422
        assert status_of(assembly, number) == ACTIVE
    publisher.post(LIST, {"words": "ada"})
    page = publisher.does(f"{path}/erase", {"address": "ADA@example.com"})
    assert "They are forgotten" in page
    assert "ada@" not in page
    assert room.SEARCH not in publisher.client.cookies
    assert entries(assembly) == [("forgot a reader", number, None)]
    file = sqlite_file(assembly.engine)
    assert file is None or b"ada@example.com" not in file.read_bytes()
    again = publisher.get(path)
    assert "This reader was forgotten" in again
    assert "<form" not in again.partition("<main")[2]
    for act in ("suppress", "lift", "unsubscribe", "export"):
        data = {"note": "x", "because": "x"}
        assert "was forgotten" in publisher.does(f"{path}/{act}", data)


@on_both
def test_an_editor_who_is_forgotten_as_a_reader_stays_an_editor(assembly: Assembly, publisher: At) -> None:
    number = agreed(assembly, publisher.email)
    publisher.does(f"{LIST}/{number}/erase", {"address": publisher.email})
    assert "This reader was forgotten" in publisher.get(f"{LIST}/{number}")
    with reading(assembly.engine) as session:
        assert violations(session) == []


@pytest.mark.parametrize("status", ["", "paused"])
def test_the_list_is_taken_out_as_the_command_writes_it(assembly: Assembly, publisher: At, status: str) -> None:
    with writing(assembly.engine) as session:
        subscriber.add(session, parse_address("=cmd@example.com"), ACTIVE, NOW)
        for number in range(1_100):  # more than are read, and handed on, together
            subscriber.add(session, parse_address(f"r{number}@example.com"), PAUSED if number % 3 else ACTIVE, NOW)
        session.commit()
    with reading(assembly.engine) as session:
        file = io.StringIO(newline="")
        count = write_csv(exported(session, status or None), file)
    answer = publisher.post(f"{LIST}/export", {"status": status})
    assert answer.content.decode() == file.getvalue()
    assert ("'=cmd@example.com" in answer.text) == (not status)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert entries(assembly) == [("took the list out", None, f"{count:,} {status or 'readers'}")]


def test_an_editor_neither_lifts_nor_takes_out_nor_forgets(assembly: Assembly, editor: At) -> None:
    number = agreed(assembly, "ada@example.com")
    before = everything(assembly)
    for path in (f"{number}/lift", "lift", "export", f"{number}/export", f"{number}/erase"):
        answer = editor.post(f"{LIST}/{path}", {"address": "ada@example.com", "because": "x"})
        assert answer.status_code == 403, path
    editor.get(f"{LIST}/import", 403)
    assert everything(assembly) == before
    page = editor.get(f"{LIST}/{number}")
    assert "/erase" not in page
    assert "/suppress" in page


def test_nobody_sees_a_reader_without_being_signed_in(assembly: Assembly, client: TestClient) -> None:
    number = a_reader(assembly)
    for path in (LIST, f"{LIST}/{number}", f"{LIST}/import", f"{LIST}/import/x"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert "ada" not in answer.text + answer.headers["location"]
