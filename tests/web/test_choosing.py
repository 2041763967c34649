import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from newsletter import wording
from newsletter.assembly import Assembly
from newsletter.db import reading, sqlite_file, writing
from subscribers import consent, signup
from subscribers.address import parse_address
from subscribers.consent import Whence, Words
from subscribers.subscriber import ACTIVE, ERASED, PAUSED, PENDING, SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.tokens import CONFIRM, PREFERENCES, Tokens
from tests.web.world import (
    NOW,
    Parsed,
    a_comparison,
    a_reader,
    everything,
    key_to,
    queued,
    send,
    status_of,
    wishes,
)

both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
STATUSES = (PENDING, ACTIVE, PAUSED, UNSUBSCRIBED, SUPPRESSED)


def row(assembly: Assembly, reader: int) -> Subscriber:
    with reading(assembly.engine) as session:
        return session.get_one(Subscriber, reader)


def send_two(assembly: Assembly) -> None:
    """Send an issue: Agents against Agents, Writing against Data."""
    second = a_comparison("Quill", "Foundry").model_dump(mode="json")
    second["tools"][0]["category"], second["tools"][1]["category"] = "Writing", "Data"
    send(assembly, a_comparison(), a_comparison("Quill", "Foundry", tools=second["tools"]))


def choices(html: str) -> dict[str, bool]:
    boxes = [each for each in Parsed(html).named("input") if each.get("name") == "follow"]
    return {str(each["value"]): "checked" in each for each in boxes}


Post = Callable[..., Any]


@pytest.fixture
def post(client: TestClient, assembly: Assembly) -> Post:
    """Send one of the page's forms, twice, and see that the second time changes nothing any more."""

    def send_form(reader: int, **form: Any) -> Any:
        first = client.post(key_to(assembly, PREFERENCES, reader), data=form)
        after = everything(assembly)
        again = client.post(key_to(assembly, PREFERENCES, reader), data=form)
        assert again.status_code == first.status_code
        assert everything(assembly) == after
        return first

    return send_form


@pytest.mark.parametrize("status", STATUSES)
def test_looking_changes_nothing(client: TestClient, assembly: Assembly, status: str) -> None:
    reader = a_reader(assembly, status)
    send(assembly, a_comparison())
    before = everything(assembly)
    for path in (key_to(assembly, PREFERENCES, reader), key_to(assembly, PREFERENCES, reader) + "/data"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "ada@example.com" in answer.text
        assert client.head(path).status_code == 200
    assert everything(assembly) == before


def test_categories_are_those_that_readers_have_been_sent(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    assert choices(client.get(key_to(assembly, PREFERENCES, reader)).text) == {}
    send_two(assembly)
    shown = choices(client.get(key_to(assembly, PREFERENCES, reader)).text)
    assert shown == {"Agents": True, "Data": True, "Writing": True}


@both
def test_what_is_shown_and_not_chosen_is_muted(post: Post, assembly: Assembly) -> None:
    reader, other = a_reader(assembly), a_reader(assembly, email="other@example.com")
    send_two(assembly)
    answer = post(reader, do="categories", shown=["Agents", "Writing", "Data"], follow=["Data"])
    assert answer.status_code == 200
    assert 'role="status"' in answer.text
    assert choices(answer.text) == {"Agents": False, "Data": True, "Writing": False}
    assert row(assembly, reader).muted_categories == ["Agents", "Writing"]
    assert row(assembly, other).muted_categories == []
    assert wishes(assembly, reader) == []  # it is no step of consent


def test_what_was_not_shown_stays_as_it_was_and_what_nobody_knows_is_not_stored(post: Post, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    send_two(assembly)
    post(reader, do="categories", shown=["Agents"], follow=[])
    assert row(assembly, reader).muted_categories == ["Agents"]
    post(reader, do="categories", shown=["Data", "Nonsense\0", "agents "], follow=["agents", "<script>"])
    assert row(assembly, reader).muted_categories == ["Data"]


def tongues(html: str) -> dict[str, bool]:
    radios = [each for each in Parsed(html).named("input") if each.get("name") == "language"]
    return {str(each["value"]): "checked" in each for each in radios}


@pytest.mark.parametrize("status", [ACTIVE, PAUSED])
def test_a_reader_chooses_the_language_of_their_letters(post: Post, assembly: Assembly, status: str) -> None:
    reader = a_reader(assembly, status)
    assert tongues(post(reader).text) == {"en": True, "de": False}
    answer = post(reader, do="language", language="de")
    assert (answer.status_code, tongues(answer.text)) == (200, {"en": False, "de": True})
    assert answer.headers["content-language"] == "en"  # the page goes on as the browser prefers
    assert row(assembly, reader).language == "de"
    assert wishes(assembly, reader) == []  # it is no step of consent
    post(reader, do="language", language="en")
    assert row(assembly, reader).language == "en"


@pytest.mark.parametrize("language", ["", "tlh", "DE", "de-AT", "../de", "\0"])
def test_a_language_that_there_is_not_changes_nothing(post: Post, assembly: Assembly, language: str) -> None:
    reader = a_reader(assembly)
    answer = post(reader, do="language", language=language)
    assert answer.status_code == 422
    assert "Please choose one of these." in answer.text
    assert row(assembly, reader).language is None


def test_whoever_gets_nothing_chooses_no_language(post: Post, assembly: Assembly) -> None:
    for status in (PENDING, UNSUBSCRIBED, SUPPRESSED):
        reader = a_reader(assembly, status, f"{status}@example.com")
        assert tongues(post(reader).text) == {}
        assert post(reader, do="language", language="de").status_code == 422
        assert row(assembly, reader).language is None


def test_muting_everything_is_possible_and_said(post: Post, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    send_two(assembly)
    answer = post(reader, do="categories", shown=["Agents", "Data", "Writing"])
    assert "you get no letter" in answer.text
    assert row(assembly, reader).muted_categories == ["Agents", "Data", "Writing"]


@both
def test_a_rest_begins_and_ends(post: Post, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    answer = post(reader, do="pause", weeks="4")
    assert "No letters until 22 December 2026" in answer.text
    assert (row(assembly, reader).status, row(assembly, reader).paused_until) == (PAUSED, NOW + timedelta(weeks=4))
    post(reader, do="pause", weeks="1")
    assert row(assembly, reader).paused_until == NOW + timedelta(weeks=1)
    post(reader, do="resume")
    assert (row(assembly, reader).status, row(assembly, reader).paused_until) == (ACTIVE, None)


@pytest.mark.parametrize("weeks", ["", "0", "13", "-1", "1.5", "٣", "²", "1" * 5000, "four"])
def test_a_rest_of_another_length_is_refused_beside_its_field(post: Post, assembly: Assembly, weeks: str) -> None:
    reader = a_reader(assembly)
    answer = post(reader, do="pause", weeks=weeks)
    assert answer.status_code == 422
    (field,) = Parsed(answer.text).named("select")
    assert (field["aria-invalid"], field["aria-describedby"]) == ("true", "wrong")
    assert status_of(assembly, reader) == ACTIVE


def test_another_address_is_asked_for_at_that_address(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    answer = client.post(key_to(assembly, PREFERENCES, reader), data={"do": "address", "email": "New@Example.org"})
    assert answer.status_code == 200
    assert "Look into the inbox of New@example.org" in answer.text
    assert row(assembly, reader).email == "ada@example.com"
    assert sorted(queued(assembly)) == [("address", reader), ("notice", reader)]


@both
def test_whether_somebody_reads_us_there_cannot_be_told_from_the_answer(client: TestClient, assembly: Assembly) -> None:
    """Each is asked by another reader, so that no limit is met."""
    for status in STATUSES:
        a_reader(assembly, status, f"{status}@example.org")
    answers = set()
    for number, name in enumerate(("unknown", *STATUSES)):
        reader = a_reader(assembly, email=f"r{number}@example.com")
        answer = client.post(
            key_to(assembly, PREFERENCES, reader), data={"do": "address", "email": f"{name}@example.org"}
        )
        page = answer.text.replace(f"{name}@example.org", "NEW").replace(f"r{number}@example.com", "OLD")
        answers.add((answer.status_code, page.replace(key_to(assembly, PREFERENCES, reader), "KEY")))
    assert len(answers) == 1
    asked = Counter(kind for kind, _ in queued(assembly))
    assert asked == {"notice": len(STATUSES) + 1, "address": len(STATUSES)}  # nobody asks the suppressed one


@pytest.mark.parametrize("written", ["", "ana", "ana@example..com", "a\0b@example.com"])
def test_what_is_no_address_is_told_beside_its_field(post: Post, assembly: Assembly, written: str) -> None:
    answer = post(a_reader(assembly), do="address", email=written)
    assert answer.status_code == 422
    (field,) = [each for each in Parsed(answer.text).named("input") if each.get("name") == "email"]
    assert field["value"] == written
    assert field["aria-invalid"] == "true"
    assert "wrong" in (field["aria-describedby"] or "").split()
    assert queued(assembly) == []


def test_a_fourth_address_in_an_hour_has_to_wait(client: TestClient, assembly: Assembly) -> None:
    path = key_to(assembly, PREFERENCES, a_reader(assembly))
    answers = [client.post(path, data={"do": "address", "email": f"new{n}@example.org"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) == 3600
    assert answers[-1].headers["referrer-policy"] == "no-referrer"


@both
def test_a_reader_leaves_and_comes_back_by_their_own_word(post: Post, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    assert "You are unsubscribed" in post(reader, do="leave").text
    assert status_of(assembly, reader) == UNSUBSCRIBED
    answer = post(reader, do="join")
    assert "You are on the list" in answer.text
    assert status_of(assembly, reader) == ACTIVE
    assert wishes(assembly, reader) == [("left", "own page"), ("confirmed", "own page")]
    with reading(assembly.engine) as session:
        words = wording.confirm("Weekly AI Tool Verdicts")
        step = consent.history(session, reader)[-1]
        assert (step.words, step.words_version) == (words.text, words.version)


def test_who_has_not_confirmed_may_do_so_here(post: Post, client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly, PENDING)
    shown = client.get(key_to(assembly, PREFERENCES, reader)).text
    assert wording.confirm("Weekly AI Tool Verdicts").text in Parsed(shown).text
    post(reader, do="join")
    assert status_of(assembly, reader) == ACTIVE
    assert queued(assembly) == [("welcome", reader)]


def test_a_suppressed_reader_is_told_why_and_finds_no_way_back(
    post: Post, client: TestClient, assembly: Assembly
) -> None:
    reader = a_reader(assembly, SUPPRESSED)
    shown = client.get(key_to(assembly, PREFERENCES, reader)).text
    assert "reported as spam" in shown
    assert "verdicts@example.com" in shown
    wishes_shown = {each["value"] for each in Parsed(shown).named("input") if each.get("name") == "do"}
    assert wishes_shown == {"erase"}
    for do in ("join", "resume", "pause", "address", "categories"):
        assert post(reader, do=do, weeks="4", email="new@example.org").status_code == 422
        assert status_of(assembly, reader) == SUPPRESSED


def test_erasing_wants_its_box_ticked(post: Post, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    answer = post(reader, do="erase")
    assert answer.status_code == 422
    assert "Please tick" in answer.text
    assert status_of(assembly, reader) == ACTIVE


def test_no_byte_of_a_forgotten_address_stays_in_the_file_however_it_was_spelled(
    client: TestClient, assembly: Assembly
) -> None:
    reader = a_reader(assembly, email="Ada.Lovelace@gmail.com")
    waiting = "a.d.a.lovelace@googlemail.com"
    with writing(assembly.engine) as session:
        signup.ask(session, parse_address(waiting), Words("1", "Yes."), Whence(), "form", NOW)
        session.commit()
    database = sqlite_file(assembly.engine)
    assert database is not None

    def bytes_of_it() -> bytes:
        return b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*")).lower()

    assert waiting.encode() in bytes_of_it()
    client.post(key_to(assembly, PREFERENCES, reader), data={"do": "erase", "sure": "yes"})
    for spelled in (waiting, "ada.lovelace@gmail.com", "adalovelace@gmail.com"):
        assert spelled.encode() not in bytes_of_it()


@both
@pytest.mark.parametrize("status", STATUSES)
def test_a_reader_is_forgotten_and_their_links_lead_to_nobody(
    post: Post, client: TestClient, assembly: Assembly, status: str
) -> None:
    reader = a_reader(assembly, status, email="zoe@example.com")  # not ada: hashes may spell that
    out = f"/unsubscribe/{assembly.tokens.make('unsubscribe', reader)}"
    answer = client.post(key_to(assembly, PREFERENCES, reader), data={"do": "erase", "sure": "yes"})
    assert answer.status_code == 200
    assert "You are forgotten" in answer.text
    assert row(assembly, reader).status == ERASED
    assert "zoe" not in repr(everything(assembly))
    after = everything(assembly)
    for do in ("erase", "join", "leave", "address"):
        assert "You are not on the list" in post(reader, do=do, sure="yes", email="a@example.com").text
    assert "You are not on the list" in client.get(key_to(assembly, PREFERENCES, reader)).text
    assert client.get(key_to(assembly, PREFERENCES, reader) + "/data").status_code == 404
    for path in (out, f"{out}/undo", f"{out}/reason"):
        assert "You are not on the list" in client.post(path, data={"reason": "other"}).text
    client.post(key_to(assembly, CONFIRM, reader))
    assert everything(assembly) == after


@both
def test_what_we_hold_comes_as_a_file(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    client.post(key_to(assembly, PREFERENCES, reader), data={"do": "leave"})
    answer = client.get(key_to(assembly, PREFERENCES, reader) + "/data")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith("inline; filename=")
    assert answer.headers["cache-control"] == "no-store"
    held = json.loads(answer.text)
    assert (held["email"], held["status"]) == ("ada@example.com", "unsubscribed")
    assert [step["kind"] for step in held["consent"]] == ["left"]


@pytest.mark.parametrize("do", ["", "link", "nonsense", ["x", "erase"]])
def test_a_form_that_is_not_ours_changes_nothing(post: Post, assembly: Assembly, do: Any) -> None:
    reader = a_reader(assembly)
    before = everything(assembly)
    assert post(reader, do=do, sure="yes").status_code == 422
    assert everything(assembly) == before


@both
def test_an_expired_link_offers_a_fresh_one_to_the_address_that_we_have(client: TestClient, assembly: Assembly) -> None:
    ago = timedelta(days=60)
    readers = [a_reader(assembly, status, f"{status}@example.com") for status in STATUSES]
    before = everything(assembly)
    for number in readers:
        path = key_to(assembly, PREFERENCES, number, ago)
        looks = [client.get(path), client.get(path + "/data"), client.post(path, data={"do": "erase", "sure": "yes"})]
        for answer in looks:
            assert answer.status_code == 410
            assert "Send me a fresh link" in answer.text
            assert "@" not in answer.text
    assert everything(assembly) == before
    answers = [
        client.post(key_to(assembly, PREFERENCES, number, ago), data={"do": "link"}) for number in (*readers, 12345)
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert set(queued(assembly)) >= {("link", number) for number in readers[:4]}
    count = len(queued(assembly))
    client.post(key_to(assembly, PREFERENCES, readers[0], ago), data={"do": "link"})
    assert len(queued(assembly)) == count  # one an hour


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_link_changes_nothing(client: TestClient, assembly: Assembly, method: str) -> None:
    reader = a_reader(assembly)
    good = key_to(assembly, PREFERENCES, reader).removeprefix("/preferences/")
    forged = Tokens(["somebody else's key"]).make_passing(PREFERENCES, reader, NOW)
    elsewhere = [assembly.tokens.make_passing(CONFIRM, reader, NOW), assembly.tokens.make("unsubscribe", reader)]
    before = everything(assembly)
    for token in (good[:-1], good + "A", good.swapcase(), f"2{good}", forged, *elsewhere, "%00", "x" * 9000):
        data = {"do": "erase", "sure": "yes"} if method == "POST" else None
        for path in (f"/preferences/{token}", f"/preferences/{token}/data")[: 1 if data else 2]:
            answer = client.request(method, path, data=data)
            assert answer.status_code == 404
            assert "This link is incomplete" in answer.text
            assert answer.headers["referrer-policy"] == "no-referrer"
    assert everything(assembly) == before


@both
def test_what_could_not_be_written_is_not_called_done(client: TestClient, assembly: Assembly) -> None:
    reader = a_reader(assembly)
    with assembly.engine.begin() as connection:
        connection.execute(text("DROP TABLE consents"))
    answer = client.post(key_to(assembly, PREFERENCES, reader), data={"do": "leave"})
    assert answer.status_code == 503
    assert "nothing has changed" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert status_of(assembly, reader) == ACTIVE


def test_every_control_has_a_name_and_every_id_is_one(client: TestClient, assembly: Assembly) -> None:
    readers = [a_reader(assembly, status, f"{status}@example.com") for status in STATUSES]
    send_two(assembly)
    for number in readers:
        parsed = Parsed(client.get(key_to(assembly, PREFERENCES, number)).text)
        ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        named = {each["for"] for each in parsed.named("label") if "for" in each}
        for each in parsed.named("input", "select"):
            if each.get("type") not in ("hidden", "checkbox", "radio"):  # these stand inside their labels
                assert each["id"] in named
        described = {name for _, each in parsed.tags for name in (each.get("aria-describedby") or "").split()}
        assert described | named <= set(ids)
