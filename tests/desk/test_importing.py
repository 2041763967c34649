"""Readers from a file at the desk: looked at before anything is written, and nothing of a body is read for nobody."""

import gzip
import http.client
import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import event

from newsletter.assembly import Assembly
from newsletter.db import reading
from newsletter.editors.editor import PUBLISHER
from newsletter.web.desk.cookies import cookie_name
from newsletter.web.desk.uploads import MOST
from newsletter.web.porter import LOOKED, STOPPED, Porter
from newsletter.web.porter import MOST as MOST_KEPT
from subscribers import subscriber, suppression
from subscribers.address import parse_address
from subscribers.importing import CHUNK
from subscribers.subscriber import ACTIVE, PENDING, SUPPRESSED, UNSUBSCRIBED, every
from tests.desk.test_readers import entries, on_both
from tests.desk.world import At, sign_in
from tests.gates.screen import inaccessible
from tests.web.conftest import browser
from tests.web.serving import serving
from tests.web.world import NOW, a_reader, everything, wishes

IMPORT = "/desk/readers/import"

FILE = """email,status,consented_at
new@example.com,,2026-01-02T03:04:05Z
ada@example.com,,
gone@example.com,,
new@example.com,,
no address,,
pending@example.com,pending,
"""


@pytest.fixture
def sign_in_as(assembly: Assembly) -> Iterator[Callable[..., At]]:
    """Browsers of one process each, that forgets its files when the test ends."""
    made: list[At] = []

    def come(role: str = PUBLISHER, email: str | None = None) -> At:
        made.append(sign_in(assembly, browser(assembly), role, email))
        return made[-1]

    yield come
    for each in made:
        porter(each).stop()


def upload(at: At, content: str | bytes, name: str = "readers.csv", **more: Any) -> Any:
    """Send a file as the page does."""
    return at.post(IMPORT, files={"file": (name, content.encode() if isinstance(content, str) else content)}, **more)


def looked_at(at: At, content: str | bytes, name: str = "readers.csv") -> tuple[str, str]:
    """(path, page) of a file once it is known what would happen."""
    answer = upload(at, content, name)
    assert answer.status_code == 303, answer.text[-2000:]
    path = answer.headers["location"]
    porter(at).find(path.rpartition("/")[2], at.editor_id).settled.wait(20)  # type: ignore[union-attr]
    return path, at.get(path)


def porter(at: At) -> Porter:
    found: Porter = at.client.app.state.porter  # type: ignore[attr-defined]
    return found


def shown(page: str) -> dict[str, str]:
    """The figures on a page."""
    return dict(re.findall(r"<dt>([^<]+)</dt><dd><strong>([^<]+)</strong>", page))


def on_the_list(assembly: Assembly) -> dict[str, str]:
    with reading(assembly.engine) as session:
        return {one.email: one.status for one in every(session)}


def some_readers(assembly: Assembly) -> None:
    a_reader(assembly, ACTIVE, "ada@example.com")
    a_reader(assembly, UNSUBSCRIBED, "gone@example.com")


def test_what_would_happen_is_shown_and_nothing_is_written(assembly: Assembly, publisher: At) -> None:
    some_readers(assembly)
    before = everything(assembly)
    path, page = looked_at(publisher, FILE)
    assert shown(page) == {
        "rows": "6",
        "new: active": "1",
        "new: pending": "1",
        "on the list before": "2",
        "have left or are suppressed": "1",
        "twice in the file": "1",
        "left out": "1",
    }
    rows = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)
    for address, outcome in (
        ("new@", "new: active"),
        ("ada@", "nothing: on the list already, active"),
        ("gone@", "nothing: is unsubscribed, and stays so"),
        ("pending@", "new: pending"),
    ):
        assert next(row for row in rows if address in row).count(outcome) == 1
    assert "An email address must have an @-sign" in page
    assert everything(assembly) == before
    assert publisher.get(f"{path}/rejected.csv").splitlines()[1:] == [
        "no address,,,6,An email address must have an @-sign."
    ]


@on_both
def test_the_very_file_that_was_looked_at_is_imported_once(assembly: Assembly, publisher: At) -> None:
    some_readers(assembly)
    path, _ = looked_at(publisher, FILE)
    page = publisher.does(path, {"source": " the old\tsite "})
    assert "Done: 2 new readers" in page
    assert on_the_list(assembly) == {
        "ada@example.com": ACTIVE,
        "gone@example.com": UNSUBSCRIBED,
        "new@example.com": ACTIVE,
        "pending@example.com": PENDING,
    }
    assert wishes(assembly, 3) == [("imported", "the old site")]
    after = everything(assembly)
    publisher.post(path)
    assert {**everything(assembly), "desk_log": []} == {**after, "desk_log": []}
    acts = [(act, (detail or "").partition(";")[0]) for act, _, detail in entries(assembly)]
    assert acts[1:] == [("brought readers in", "2 new of 6 rows, 1 left out")]
    assert acts[0][0] == "began to bring readers in"
    publisher.does(f"{path}/forget")
    assert "not kept any more" in publisher.get(publisher.client.get(path).headers["location"])


def test_looking_never_asks_for_the_right_to_write(assembly: Assembly, publisher: At) -> None:
    publisher.get(IMPORT)
    begun: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if threading.current_thread().name == "porter":
            begun.append(statement.split()[0] + statement.split()[-1])

    event.listen(assembly.bare_engine, "before_cursor_execute", note)
    rows = "\n".join(f"r{number}@example.com" for number in range(3 * CHUNK))
    _, page = looked_at(publisher, f"email\n{rows}\n")
    event.remove(assembly.bare_engine, "before_cursor_execute", note)
    assert shown(page)["new: active"] == f"{3 * CHUNK:,}"
    assert begun
    assert {each for each in begun if each.startswith(("BEGIN", "INSERT", "UPDATE", "DELETE"))} <= {"BEGINDEFERRED"}


def test_an_import_that_is_ended_leaves_whole_chunks(assembly: Assembly) -> None:
    carrier = Porter(assembly.bare_engine, lambda: NOW)
    rows = "\n".join(f"r{number}@example.com" for number in range(3 * CHUNK))
    parcel = carrier.take(1, "readers.csv", io.BytesIO(f"email\n{rows}\n".encode()), 1, "0" * 64)
    assert parcel is not None
    assert parcel.settled.wait(20)
    assert parcel.state == LOOKED
    ending: list[threading.Thread] = []

    def end(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO subscribers") and not ending:
            ending.append(threading.Thread(target=carrier.stop))
            ending[0].start()
            assert carrier._stopping.wait(20)

    event.listen(assembly.bare_engine, "before_cursor_execute", end)
    assert carrier.bring_in(parcel, None)
    assert parcel.settled.wait(20)
    ending[0].join(20)
    assert (parcel.state, parcel.trouble) == (STOPPED, "the program was ending")
    assert len(on_the_list(assembly)) == CHUNK
    assert carrier.find(parcel.key, 1) is None


def test_a_file_is_its_editors_alone(publisher: At, sign_in_as: Callable[..., At]) -> None:
    path, _ = looked_at(publisher, FILE)
    other = sign_in_as("publisher", "other@example.com")
    other.client.app.state.porter = porter(publisher)  # type: ignore[attr-defined]  # pages of one process
    assert other.client.get(path).headers["location"] == IMPORT
    assert other.client.get(f"{path}/rejected.csv").headers["location"] == IMPORT
    assert "not kept any more" in other.does(path)
    assert publisher.get(path)


def test_only_so_many_files_are_kept_and_the_oldest_goes(publisher: At) -> None:
    paths = [looked_at(publisher, FILE)[0] for _ in range(MOST_KEPT + 1)]
    assert publisher.client.get(paths[0]).status_code == 303
    assert [publisher.client.get(path).status_code for path in paths[1:]] == [200] * MOST_KEPT


def test_a_column_that_is_called_otherwise_is_said_on_the_page(assembly: Assembly, publisher: At) -> None:
    path, page = looked_at(publisher, "Mailadresse;Seit\nänne@example.com;1\nada@example.com;1\n".encode("cp1252"))
    assert "must have one column &#34;email&#34; (or say which is, below)" in page
    page = publisher.does(f"{path}/look", {"column-0": "email", "encoding": "cp1252"})
    assert shown(page)["new: active"] == "1"
    assert "<strong>plain</strong> file in Windows-1252, separated by semicolons" in page
    publisher.does(path)
    assert on_the_list(assembly) == {"ada@example.com": ACTIVE}


def test_the_files_name_counts_as_with_the_command(assembly: Assembly, publisher: At) -> None:
    a_reader(assembly, ACTIVE, "ada@example.com")
    path, page = looked_at(publisher, "email\nada@example.com\n", "C:\\lists\\unsubscribed_2026.csv")
    assert "all in it count as <strong>unsubscribed</strong>" in page
    assert "C:" not in page
    publisher.does(path)
    assert on_the_list(assembly) == {"ada@example.com": UNSUBSCRIBED}


def test_whoever_must_not_be_written_to_stays_out(assembly: Assembly, publisher: At) -> None:
    a_reader(assembly, SUPPRESSED, "ada@example.com")
    path, page = looked_at(publisher, "email\nada@example.com\n")
    assert "nothing: is suppressed, and stays so" in page
    publisher.does(path)
    with reading(assembly.engine) as session:
        assert suppression.in_force(session, parse_address("ada@example.com"))
        reader = subscriber.find(session, parse_address("ada@example.com"))
        assert reader is not None
        assert reader.status == SUPPRESSED


BOMBS = {
    "NUL bytes": (b"email\nada\0@example.com\n", "holds NUL bytes"),
    "a compressed file": (gzip.compress(b"email\n" + b"a@example.com\n" * 100_000), "NUL bytes|is not"),
    "a line without end": (b"email\n" + b"a" * 3_000_000, "longer than 1,000,000 characters|never closed"),
    "a header without end": (b"email," * 400_000, "columns|longer than"),
    "many columns": (b"email" + b"," * 5_000 + b"\nada@example.com\n", "has 5,001 columns"),
    "a quote without end": (b'email,name\n"ada@example.com,x\n' + b"y\n" * 20_000, "quote"),
    "two columns of addresses": (b"email,email\na@example.com,b@example.com\n", "one column"),
    "a torn UTF-16": (b"\xff\xfee\0m\0a\0i\0l\0\n\0\x00\xd8", "is not UTF-16|one column"),
    "nothing": (b"", "one column"),
    "a page of HTML": (b"<html><script>alert(1)</script></html>", "one column"),
}


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_a_file_that_is_a_bomb_is_refused_in_a_line(assembly: Assembly, publisher: At, bomb: str) -> None:
    content, complaint = BOMBS[bomb]
    before = everything(assembly)
    path, page = looked_at(publisher, content, '"><img src=x onerror=alert(1)>.csv')
    wrong = re.search(r'<p class="said wrong" role="alert">(.*?)</p>', page)
    assert wrong
    assert re.search(complaint, wrong[1]), wrong[1]
    assert "Nothing was imported" in wrong[1]
    assert len(page) < 60_000
    assert "<img" not in page
    assert "<script>alert" not in page
    assert everything(assembly) == before
    assert "not to be imported" in publisher.does(path)


def test_every_row_may_be_bad(publisher: At) -> None:
    path, page = looked_at(publisher, "email\n" + "<b>x</b>\n" * 2_000)
    assert shown(page)["left out"] == "2,000"
    assert "There is no row in this file that could be imported" in page
    assert "… and 1,980 more" in page
    assert len(publisher.get(f"{path}/rejected.csv").splitlines()) == 2_001


def test_a_form_without_a_file_or_with_two_is_told_so(publisher: At) -> None:
    csrf = {"csrf": publisher.csrf()}
    post = publisher.client.post
    answer = post(IMPORT, data=csrf, files={"other": (None, "x")})
    assert (answer.status_code, "Choose a file first" in answer.text) == (422, True)
    both = [("file", ("a.csv", b"email\n")), ("file", ("b.csv", b"email\n"))]
    answer = post(IMPORT, data=csrf, files=both)
    assert (answer.status_code, "one file at a time" in answer.text) == (422, True)
    answer = post(IMPORT, content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"files": {"file": ("a.csv", b"email\n")}}, id="no proof"),
        pytest.param({"data": {"csrf": "x"}, "files": {"file": ("a.csv", b"email\n")}}, id="a wrong proof"),
        pytest.param({"data": {"csrf": "x"}}, id="no file"),
        pytest.param({"content": b"\x1f\x8b", "headers": {"Content-Encoding": "gzip"}}, id="compressed"),
        pytest.param({"data": {"csrf": "x" * 70_000}, "files": {"file": ("a.csv", b"")}}, id="a long proof"),
    ],
)
def test_a_form_that_is_not_ours_is_refused(assembly: Assembly, publisher: At, body: dict[str, Any]) -> None:
    before = everything(assembly)
    assert publisher.client.post(IMPORT, **body).status_code == 403
    assert everything(assembly) == before
    assert not porter(publisher)._parcels


def test_a_file_from_another_sites_page_is_refused(publisher: At) -> None:
    assert upload(publisher, FILE, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_file_that_does_not_say_how_large_it_is_is_refused_where_it_gets_too_large(publisher: At) -> None:
    csrf = publisher.csrf()

    def body() -> Iterator[bytes]:
        yield f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n--x\r\n'.encode()
        yield b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nemail\r\n'
        for _ in range(MOST // 2**20 + 1):
            yield b"a" * 2**20

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = publisher.client.post(IMPORT, content=body(), headers=kind)
    assert (answer.status_code, "larger than 32 MB" in answer.text) == (413, True)


def test_nothing_of_a_body_is_read_before_it_is_known_who_sends_it(
    assembly: Assembly, publisher: At, editor: At
) -> None:
    """Each of these is answered while the sender has not sent a byte of the body, or no more than a wrong proof."""
    app = publisher.client.app
    name = cookie_name(app.state.site)  # type: ignore[attr-defined]
    proof = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nwrong\r\n--x\r\n'
    cases = [
        ("nobody", "", 1_000_000, b"", 303),
        ("somebody who may not", editor.client.cookies[name], 1_000_000, b"", 403),
        ("too large", publisher.client.cookies[name], MOST + 100_000, b"", 413),
        ("not our form", publisher.client.cookies[name], 1_000_000, proof, 403),
    ]
    with serving(app) as port:  # type: ignore[arg-type]
        for whose, cookie, length, begin, status in cases:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            line.putrequest("POST", IMPORT)
            line.putheader("Cookie", f"{name}={cookie}")
            line.putheader("Content-Type", "multipart/form-data; boundary=x")
            line.putheader("Content-Length", str(length))
            line.endheaders()
            if begin:
                line.send(begin)
            answer = line.getresponse()
            assert (whose, answer.status) == (whose, status)
            line.close()


def test_a_page_that_is_looked_at_while_it_goes_asks_again_and_then_no_more(publisher: At) -> None:
    path, _ = looked_at(publisher, FILE)
    parcel = porter(publisher).find(path.rpartition("/")[2], publisher.editor_id)
    assert parcel is not None

    def part() -> Any:
        return publisher.client.get(path, headers={"HX-Request": "true"})

    assert "hx-trigger" not in part().text
    parcel.state = "importing"
    going = part().text
    assert 'hx-trigger="every 1s"' in going
    assert "<html" not in going
    assert publisher.client.get(f"{path}/rejected.csv").headers["location"] == path
    assert "can be forgotten after that" in publisher.does(f"{path}/forget")
    parcel.state = LOOKED
    publisher.does(f"{path}/forget")
    gone = part()
    assert (gone.status_code, gone.headers["hx-redirect"]) == (204, IMPORT)


def test_a_file_is_brought_in_by_whoever_uses_a_browser(
    assembly: Assembly, publisher: At, chromium: Browser, tmp_path: Path
) -> None:
    """On a phone: too large a file is refused before it is sent, and the pages on the way can be used by everybody."""
    large, small = tmp_path / "large.csv", tmp_path / "readers.csv"
    with large.open("wb") as file:
        file.truncate(MOST + 1)
    small.write_text(FILE, encoding="utf-8")
    app = publisher.client.app
    name = cookie_name(app.state.site)  # type: ignore[attr-defined]
    said: list[str] = []
    with serving(app) as port:  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{port}"
        context = chromium.new_context(viewport={"width": 375, "height": 800}, reduced_motion="reduce")
        context.add_cookies([{"name": name, "value": publisher.client.cookies[name], "url": url}])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(url + IMPORT)
        page.set_input_files("#file", large)
        page.get_by_role("button", name="Look what would happen").click()
        assert page.get_by_role("alert").inner_text().startswith("This file is larger than 32 MB")
        assert page.url == url + IMPORT
        page.set_input_files("#file", small)
        page.get_by_role("button", name="Look what would happen").click()
        page.get_by_text("The first rows, as they are understood").wait_for()
        page.get_by_text("Read it otherwise").click()
        assert inaccessible(page, sure=True)[0] == []
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        page.get_by_role("button", name="Import 5 rows").click()
        page.get_by_text("Done: 4 new readers").wait_for()
        assert inaccessible(page, sure=True)[0] == []
        context.close()
    assert said == []
    assert len(on_the_list(assembly)) == 4
