"""Who has left at the provider: events and its list, in any order and however often, end in the same rows."""

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import Engine, event

from newsletter import departures
from newsletter.db import Table, open_engine, reading, writing
from newsletter.delivery.postmark import PostmarkProvider
from newsletter.delivery.provider import CannotAsk, Listed, Why
from newsletter.departures import CAME_BACK, ELSEWHERE, KEPT_OUT, KNOWN, LEFT, LET_GO, STRANGER, UNREADABLE, Polled
from newsletter.sandbox.server import Sandbox
from newsletter.tracking.event import LetGo
from subscribers import consent, subscriber, suppression
from subscribers.address import parse_address
from subscribers.subscriber import ACTIVE, PAUSED, STATUSES, SUPPRESSED, UNSUBSCRIBED
from subscribers.unsubscribe import undo
from tests.newsroom import MONDAY, post, subscribe

ADA = "ada@example.com"
AT = datetime(2026, 11, 20, 12, 30, 15, 123456, UTC)
DAY = timedelta(days=1)
WHYS: tuple[Why, ...] = get_args(Why)


def listed(why: Why = "left", email: str = ADA, stream: str | None = "broadcast", at: datetime = AT) -> Listed:
    return Listed(email, stream, why, at)


def hear(engine: Engine, *said: Listed | LetGo, now: datetime = MONDAY) -> list[str]:
    """What came of each."""
    outcomes = []
    for each in said:
        with writing(engine) as session:
            outcomes.append(departures.hear(session, each, "broadcast", now).outcome)
            session.commit()
    return outcomes


def status(engine: Engine, email: str = ADA) -> str:
    with reading(engine) as session:
        found = subscriber.find(session, parse_address(email))
        assert found is not None
        return found.status


def steps(engine: Engine, number: int) -> list[tuple[str, str, datetime]]:
    with reading(engine) as session:
        return [(step.kind, step.source, step.at) for step in consent.history(session, number)]


def kept_out(engine: Engine, email: str = ADA) -> tuple[str, datetime] | None:
    """Why an address is suppressed, and since when."""
    with reading(engine) as session:
        found = suppression.in_force(session, parse_address(email))
        return (found.reason, found.at) if found else None


def say(engine: Engine, number: int, kind: str, at: datetime) -> None:
    with writing(engine) as session:
        consent.note(session, number, kind, "a test", at)
        session.commit()


def rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """What is held of readers; without fingerprints, for which each database has its own key, and numbers of rows."""
    with reading(engine) as session:
        return {
            name: sorted(
                (
                    tuple(
                        value
                        for column, value in zip(table.columns, row, strict=True)
                        if column.name not in ("fingerprint", "id")
                    )
                    for row in session.execute(table.select())
                ),
                key=repr,
            )
            for name in ("subscribers", "consents", "suppressions")
            for table in [Table.metadata.tables[name]]
        }


@pytest.fixture
def ada(engine: Engine) -> int:
    (number,) = subscribe(engine, [ADA])
    return number


def test_who_left_there_has_left_here_at_that_moment(engine: Engine, ada: int) -> None:
    assert hear(engine, listed(email="ADA@example.com")) == [LEFT]
    assert status(engine) == UNSUBSCRIBED
    assert steps(engine, ada) == [(consent.LEFT, "unsubscribed at Postmark", AT)]
    assert kept_out(engine) is None


@pytest.mark.parametrize(
    ("why", "reason"),
    [("bounced", suppression.HARD_BOUNCE), ("complained", suppression.COMPLAINT), ("closed", suppression.PROVIDER)],
)
def test_what_is_no_wish_of_the_readers_suppresses(engine: Engine, ada: int, why: Why, reason: str) -> None:
    assert hear(engine, listed(why)) == [KEPT_OUT]
    assert status(engine) == SUPPRESSED
    assert kept_out(engine) == (reason, AT)
    assert steps(engine, ada) == []


@pytest.mark.parametrize("why", WHYS)
def test_twice_is_once(engine: Engine, ada: int, why: Why) -> None:
    hear(engine, listed(why))
    once = rows(engine)
    assert hear(engine, listed(why), listed(why), now=MONDAY + DAY) == [KNOWN, KNOWN]
    assert rows(engine) == once


@pytest.mark.parametrize("why", WHYS)
def test_a_provider_that_lets_go_changes_nothing(engine: Engine, ada: int, why: Why) -> None:
    hear(engine, listed(why))
    before = rows(engine)
    assert hear(engine, LetGo(ADA, "broadcast", AT + DAY), LetGo("new@example.com", "broadcast", AT)) == [LET_GO] * 2
    assert rows(engine) == before


@pytest.mark.parametrize("word", [consent.CONFIRMED, consent.RETURNED, consent.MOVED])
def test_what_is_older_than_the_readers_own_word_changes_nothing(engine: Engine, ada: int, word: str) -> None:
    say(engine, ada, word, AT + timedelta(seconds=1))
    before = rows(engine)
    assert hear(engine, listed()) == [CAME_BACK]
    assert rows(engine) == before
    assert hear(engine, listed(at=AT + timedelta(seconds=2))) == [LEFT]


@pytest.mark.parametrize("word", [consent.IMPORTED, consent.ADDED, consent.SIGNED_UP])
def test_a_list_brought_over_today_does_not_undo_what_its_readers_did_there(
    engine: Engine, ada: int, word: str
) -> None:
    say(engine, ada, word, AT + DAY)
    assert hear(engine, listed()) == [LEFT]


def test_taking_it_back_here_holds_against_the_same_event_and_list(engine: Engine, ada: int) -> None:
    say(engine, ada, consent.CONFIRMED, AT - DAY)
    hear(engine, listed())
    with writing(engine) as session:
        undo(session, session.get_one(subscriber.Subscriber, ada), "a page", AT + timedelta(minutes=5))
        session.commit()
    assert status(engine) == ACTIVE
    assert hear(engine, listed()) == [CAME_BACK]
    assert status(engine) == ACTIVE


@pytest.mark.parametrize("why", ["bounced", "complained", "closed"])
def test_what_is_older_than_an_editors_word_changes_nothing(engine: Engine, ada: int, why: Why) -> None:
    hear(engine, listed(why))
    say(engine, ada, consent.CONFIRMED, AT - DAY)
    with writing(engine) as session:
        suppression.lift(session, parse_address(ADA), "they wrote to us", AT + DAY)
        session.commit()
    after = rows(engine)
    # A complaint leaves a reader unsubscribed when it is lifted, so that nothing is refused to them.
    assert hear(engine, listed(why)) == [KNOWN if why == "complained" else CAME_BACK]
    assert rows(engine) == after
    assert hear(engine, listed(why, at=AT + 2 * DAY)) == [KEPT_OUT]
    assert status(engine) == SUPPRESSED


@pytest.mark.parametrize("why", WHYS)
def test_of_strangers_only_dead_addresses_and_complaints_are_kept(engine: Engine, why: Why) -> None:
    kept = why in ("bounced", "complained")
    assert hear(engine, listed(why)) == [KEPT_OUT if kept else STRANGER]
    assert (kept_out(engine) is not None) == kept
    assert rows(engine)["subscribers"] == []


@pytest.mark.parametrize("why", WHYS)
def test_wishes_about_other_mail_are_none_of_ours(engine: Engine, ada: int, why: Why) -> None:
    ours = why in ("bounced", "complained")
    assert hear(engine, listed(why, stream="outbound")) == [KEPT_OUT if ours else ELSEWHERE]
    assert status(engine) == (SUPPRESSED if ours else ACTIVE)


def test_an_event_that_names_no_stream_counts(engine: Engine, ada: int) -> None:
    assert hear(engine, listed(stream=None)) == [LEFT]


@pytest.mark.parametrize("state", STATUSES)
def test_leaving_from_every_state(engine: Engine, state: str) -> None:
    subscribe(engine, [ADA], state)
    (outcome,) = hear(engine, listed())
    assert outcome == (LEFT if state in (ACTIVE, PAUSED, SUPPRESSED) else KNOWN)
    assert status(engine) == (UNSUBSCRIBED if state in (ACTIVE, PAUSED) else state)
    assert hear(engine, listed()) == [KNOWN]


def test_a_complaint_takes_the_place_of_a_bounce(engine: Engine, ada: int) -> None:
    hear(engine, listed("bounced"), listed("complained", at=AT + DAY))
    assert kept_out(engine) == (suppression.COMPLAINT, AT + DAY)


def test_no_address_is_no_error(engine: Engine) -> None:
    assert hear(engine, listed(email="nobody"), listed(email="a\0@example.com")) == [UNREADABLE] * 2


def test_a_moment_to_come_is_written_down_as_now(engine: Engine, ada: int) -> None:
    hear(engine, listed(at=MONDAY + DAY))
    assert [step[2] for step in steps(engine, ada)] == [MONDAY]


class Provider(PostmarkProvider):
    """Postmark, with lists that the test writes."""

    def __init__(self, **lists: list[Listed]) -> None:
        super().__init__("a-token")
        self.lists = lists

    def listed(self, stream: str) -> Iterator[Listed]:
        return iter(self.lists.get(stream, []))


def poll(engine: Engine, directory: Path, **lists: list[Listed]) -> Polled:
    return departures.poll(engine, replace(post(directory), provider=Provider(**lists)), MONDAY)


def every_case() -> list[Listed]:
    """Each why on each stream, for readers in every state and for strangers."""
    return [
        listed(why, f"{state}-{why}-{stream}@example.com", stream, AT - timedelta(minutes=number))
        for number, state in enumerate([*STATUSES, "stranger"])
        for why in WHYS
        for stream in ("broadcast", "outbound")
    ]


def people(engine: Engine) -> None:
    for state in STATUSES:
        subscribe(engine, [each.email for each in every_case() if each.email.startswith(f"{state}-")], state)


def of_stream(cases: list[Listed], stream: str) -> list[Listed]:
    return [each for each in cases if each.stream == stream]


def test_events_and_the_list_end_in_the_same_rows(engine: Engine, tmp_path: Path, migrated_sqlite: Path) -> None:
    people(engine)
    cases = every_case()
    lists = {stream: of_stream(cases, stream) for stream in ("broadcast", "outbound")}
    outcomes = Counter(hear(engine, *cases))
    by_events = rows(engine)
    assert len(by_events["suppressions"]) > 20

    # All of it is known by now, and the list adds nothing.
    again = poll(engine, tmp_path, **lists)
    assert rows(engine) == by_events
    assert again.outcomes[LEFT] == again.outcomes[KEPT_OUT] == 0
    assert again.listed == len(cases) == sum(again.outcomes.values())

    # And the other way round, in another database.
    other = open_engine(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'other.db')}")
    people(other)
    polled = poll(other, tmp_path, **lists)
    assert rows(other) == by_events
    assert polled.outcomes == outcomes
    hear(other, *reversed(cases))
    assert rows(other) == by_events
    other.dispose()


def test_the_list_is_taken_in_chunks_each_on_the_disk_before_the_next(engine: Engine, tmp_path: Path) -> None:
    emails = [f"reader{number}@example.com" for number in range(departures.CHUNK + 1)]
    subscribe(engine, emails)
    commits: list[int] = []
    event.listen(engine, "commit", lambda _: commits.append(1))

    def entries() -> Iterator[Listed]:
        for number, email in enumerate(emails):
            if number == departures.CHUNK:
                assert status(engine, emails[0]) == UNSUBSCRIBED
            yield listed(email=email)

    provider = Provider()
    provider.listed = lambda stream: entries() if stream == "broadcast" else iter(())  # type: ignore[method-assign]
    polled = departures.poll(engine, replace(post(tmp_path), provider=provider), MONDAY)
    assert polled.outcomes == {LEFT: len(emails)}
    assert len(commits) == 2


def test_a_list_that_says_nothing_new_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    people(engine)
    # Who is suppressed and leaves there, and complaints, are looked at each time.
    cases = [each for each in every_case() if each.why != "complained" and "suppressed-left" not in each.email]
    lists = {stream: of_stream(cases, stream) for stream in ("broadcast", "outbound")}
    poll(engine, tmp_path, **lists)
    commits: list[int] = []
    event.listen(engine, "commit", lambda _: commits.append(1))
    assert set(poll(engine, tmp_path, **lists).outcomes) <= {KNOWN, STRANGER, ELSEWHERE}
    assert commits == []


def test_a_complaint_on_the_list_takes_the_place_of_a_bounce_too(engine: Engine, tmp_path: Path, ada: int) -> None:
    poll(engine, tmp_path, broadcast=[listed("bounced")])
    poll(engine, tmp_path, outbound=[listed("complained", stream="outbound", at=AT + DAY)])
    assert kept_out(engine) == (suppression.COMPLAINT, AT + DAY)


def test_one_stream_for_all_is_asked_once(engine: Engine, tmp_path: Path, ada: int) -> None:
    one = replace(post(tmp_path), provider=Provider(broadcast=[listed()]), personal_stream="broadcast")
    assert departures.poll(engine, one, MONDAY).listed == 1


def test_who_came_back_is_named_for_an_editor_and_not_in_a_log(engine: Engine, tmp_path: Path, ada: int) -> None:
    say(engine, ada, consent.CONFIRMED, AT + DAY)
    polled = poll(engine, tmp_path, broadcast=[listed(), listed(email="x@example.com"), listed(email="nobody")])
    assert polled.came_back == [ADA]
    assert polled.outcomes == {CAME_BACK: 1, STRANGER: 1, UNREADABLE: 1}
    assert ADA not in repr(polled)


def test_providers_that_keep_no_list_change_nothing(engine: Engine, tmp_path: Path, ada: int) -> None:
    assert departures.poll(engine, post(tmp_path), MONDAY) == Polled()


def test_a_provider_that_is_away_is_no_empty_list(engine: Engine, tmp_path: Path, ada: int) -> None:
    with Sandbox() as sandbox:
        away = PostmarkProvider(sandbox.token, sandbox.url, timeout=2)
    with pytest.raises(CannotAsk, match="the stream broadcast"):
        departures.poll(engine, replace(post(tmp_path), provider=away), MONDAY)


def test_two_who_say_the_same_at_once_write_it_down_once(engine: Engine, ada: int) -> None:
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: hear(engine, listed())[0], range(4)))
    assert sorted(outcomes) == [KNOWN] * 3 + [LEFT]
    assert len(steps(engine, ada)) == 1
