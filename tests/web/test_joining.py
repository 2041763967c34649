from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text

from newsletter import wording
from newsletter.assembly import Assembly
from newsletter.db import reading, writing
from subscribers import consent, suppression
from subscribers.address import parse_address
from subscribers.signup import MOST_OF_A_NETWORK
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED
from subscribers.tokens import CONFIRM, PREFERENCES, Tokens
from tests.web.conftest import browser
from tests.web.world import (
    NOW,
    Parsed,
    a_reader,
    everything,
    key_to,
    queued,
    sign_ups,
    status_of,
)

NAME = "Weekly AI Tool Verdicts"
both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
STATUSES = (PENDING, ACTIVE, PAUSED, UNSUBSCRIBED, SUPPRESSED)


@pytest.fixture
def client(assembly: Assembly) -> TestClient:
    """A browser at an address of the net, as a reader's is."""
    return TestClient(browser(assembly).app, raise_server_exceptions=False, client=("203.0.113.9", 4711))


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is asked of a database meanwhile, without the values."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@both
def test_the_form_stores_what_was_sent_and_looks_at_nobody(client: TestClient, assembly: Assembly) -> None:
    words = wording.sign_up(NAME)
    form = {"email": " Ana+news@Example.com ", "words": words.version}
    answer = client.post("/subscribe", data=form, headers={"User-Agent": "Firefox/140 " + "x" * 400})
    assert answer.status_code == 200
    assert "Look into your inbox" in answer.text
    (stored,) = sign_ups(assembly)
    assert (stored.email, stored.source, stored.at) == ("Ana+news@example.com", "sign-up form", NOW)
    assert (stored.words, stored.words_version) == (words.text, words.version)
    assert stored.network == "203.0.113.9"
    assert stored.user_agent is not None
    assert stored.user_agent.startswith("Firefox/140")
    assert len(stored.user_agent) == 300


def test_a_form_of_several_parts_is_read_as_well(client: TestClient, assembly: Assembly) -> None:
    assert client.post("/subscribe", files={"email": (None, "ana@example.com")}).status_code == 200
    assert [stored.email for stored in sign_ups(assembly)] == ["ana@example.com"]


@both
def test_the_answer_and_the_work_are_the_same_whoever_is_on_the_list(client: TestClient, assembly: Assembly) -> None:
    for status in STATUSES:
        a_reader(assembly, status, f"{status}@example.com")
    with writing(assembly.engine) as session:
        suppression.suppress(session, parse_address("erased@example.com"), suppression.COMPLAINT, "a test", NOW)
        session.commit()
    answers, work = [], []
    engine = client.app.state.site.engine  # type: ignore[attr-defined]
    client.post(
        "/subscribe", data={"email": "first@example.com"}
    )  # so that every connection is made and every table known
    for name in ("unknown", "erased", *STATUSES):
        with statements(engine) as seen:
            answer = client.post("/subscribe", data={"email": f"{name}@example.com"})
        answers.append((answer.status_code, sorted(answer.headers.items()), answer.content))
        work.append(seen)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200
    assert all(each == work[0] for each in work)
    assert work[0]
    assert not any("subscribers" in statement or "suppressions" in statement for statement in work[0])


@both
def test_one_network_asks_so_often_in_an_hour_and_no_more(client: TestClient, assembly: Assembly) -> None:
    answers = [client.post("/subscribe", data={"email": f"r{n}@example.com"}) for n in range(MOST_OF_A_NETWORK + 1)]
    assert [answer.status_code for answer in answers] == [200] * MOST_OF_A_NETWORK + [429]
    assert int(answers[-1].headers["retry-after"]) == 3600
    assert "r20@example.com" in answers[-1].text  # what was typed is kept
    assert len(sign_ups(assembly)) == MOST_OF_A_NETWORK


@both
def test_no_log_names_an_address(client: TestClient, assembly: Assembly, capsys: pytest.CaptureFixture[str]) -> None:
    client.post("/subscribe", data={"email": "very.private@example.org"})
    with assembly.engine.begin() as connection:
        connection.execute(text("DROP TABLE sign_ups"))
    assert client.post("/subscribe", data={"email": "very.private@example.org"}).status_code == 503
    captured = capsys.readouterr()
    assert "database error" in captured.out + captured.err
    assert "private" not in captured.out + captured.err


def test_looking_at_the_button_changes_nothing(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, PENDING)
    before = everything(assembly)
    answer = client.get(key_to(assembly, CONFIRM, reader))
    assert answer.status_code == 200
    assert answer.text.count("<button") == 1
    assert "Nothing is done yet" in answer.text
    assert wording.confirm(NAME).text in Parsed(answer.text).text
    assert client.head(key_to(assembly, CONFIRM, reader)).status_code == 200
    assert everything(assembly) == before


@both
def test_the_button_makes_a_reader_and_queues_the_welcome(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, PENDING)
    for _ in range(2):  # again changes nothing
        answer = client.post(key_to(assembly, CONFIRM, reader), headers={"User-Agent": "Firefox"})
        assert answer.status_code == 200
        assert "You are on the list" in answer.text
    assert status_of(assembly, reader) == ACTIVE
    assert queued(assembly) == [("welcome", reader)]
    with reading(assembly.engine) as session:
        (step,) = consent.history(session, reader)
    words = wording.confirm(NAME)
    assert (step.kind, step.source, step.at) == ("confirmed", "confirmation link", NOW)
    assert (step.words, step.words_version) == (words.text, words.version)
    assert (step.network, step.user_agent) == ("203.0.113.9", "Firefox")
    (own,) = [link["href"] for link in Parsed(answer.text).named("a") if "/preferences/" in str(link["href"])]
    assert client.get(str(own)).status_code == 200


@both
def test_a_link_older_than_leaving_does_not_bring_anybody_back(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, UNSUBSCRIBED)
    answer = client.post(key_to(assembly, CONFIRM, reader, ago=timedelta(hours=1)))
    assert "This link is out of date" in answer.text
    assert status_of(assembly, reader) == UNSUBSCRIBED
    assert client.post(key_to(assembly, CONFIRM, reader)).status_code == 200
    assert status_of(assembly, reader) == ACTIVE


@pytest.mark.parametrize("status", [SUPPRESSED, ERASED, None])
def test_a_link_of_somebody_who_is_gone_changes_nothing(
    client: TestClient, assembly: Assembly, status: str | None
) -> None:
    reader = a_reader(assembly, status) if status else 12345
    before = everything(assembly)
    answer = client.post(key_to(assembly, CONFIRM, reader))
    assert answer.status_code == 200
    assert "This link is out of date" in answer.text
    assert everything(assembly) == before


@both
def test_an_expired_link_offers_a_fresh_letter_and_the_answer_is_always_the_same(
    client: TestClient, assembly: Assembly
) -> None:
    ago = timedelta(days=7)
    readers = [a_reader(assembly, status, f"{status}@example.com") for status in STATUSES]
    before = everything(assembly)
    page = client.get(key_to(assembly, CONFIRM, readers[0], ago))
    assert page.status_code == 410
    assert "Send me a fresh letter" in page.text
    assert everything(assembly) == before
    answers = [client.post(key_to(assembly, CONFIRM, number, ago)) for number in (*readers, 12345)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    pending, active, paused, unsubscribed, _ = readers
    expected = [("confirm", pending), ("confirm", unsubscribed), ("link", active), ("link", paused)]
    assert sorted(queued(assembly)) == expected
    client.post(key_to(assembly, CONFIRM, pending, ago))
    assert sorted(queued(assembly)) == expected  # one an hour
    assert [status_of(assembly, number) for number in readers] == list(STATUSES)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_link_changes_nothing(client: TestClient, assembly: Assembly, method: str) -> None:
    reader = a_reader(assembly, PENDING)
    good = key_to(assembly, CONFIRM, reader).removeprefix("/confirm/")
    forged = Tokens(["somebody else's key"]).make_passing(CONFIRM, reader, NOW)
    elsewhere = [assembly.tokens.make_passing(PREFERENCES, reader, NOW), assembly.tokens.make("unsubscribe", reader)]
    before = everything(assembly)
    for token in (good[:-1], good + "A", good.swapcase(), f"2{good}", forged, *elsewhere, "%00", "x" * 9000):
        answer = client.request(method, f"/confirm/{token}")
        assert answer.status_code == 404
        assert "This link is incomplete" in answer.text
    assert everything(assembly) == before


def test_these_pages_are_kept_by_nobody_and_say_nothing_of_whose_they_are(
    client: TestClient, assembly: Assembly
) -> None:
    reader = a_reader(assembly, PENDING, "very.private@example.org")
    path = key_to(assembly, CONFIRM, reader)
    old = key_to(assembly, CONFIRM, reader, ago=timedelta(days=8))
    for answer in (client.get(path), client.get(old), client.post(old), client.post(path), client.get("/confirm/x")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "private" not in answer.text
