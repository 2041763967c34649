"""Whatever readers, editors, files and the provider do, in whatever order: nobody is written to who does not want it.

What a reader wants is written down here by a few plain rules, beside the program and without it.
"""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, event
from sqlmodel import select

from newsletter import departures, farewell, housekeeping
from newsletter.db import open_engine, reading, writing
from newsletter.delivery import claiming, doubts, ledger
from newsletter.delivery.claiming import Batch, Claimant
from newsletter.delivery.provider import Accepted, Listed, NotSent, Outcome, Refused, Unknown, Why
from newsletter.departures import LEFT
from newsletter.invariants import violations
from newsletter.message import Letter
from subscribers import preferences, signup, subscriber, suppression
from subscribers.address import parse_address
from subscribers.audience import MEMBERS
from subscribers.consent import NOWHERE, Words
from subscribers.importing import import_csv
from subscribers.signup import Confirmed
from subscribers.subscriber import SUPPRESSED, UNSUBSCRIBED, Subscriber
from subscribers.suppression import COMPLAINT, REASONS
from subscribers.unsubscribe import Undone, undo, unsubscribe
from tests.delivery.readers import GONE
from tests.newsroom import MONDAY

EMAILS = ["ana@example.com", "b.o@gmail.com"]
WORDS = Words("1", "Yes.")
LETTER = Letter("Subject", "Preheader", "<p>%%UNSUBSCRIBE_URL%%</p>", "%%UNSUBSCRIBE_URL%%")
OUTCOMES: list[Outcome] = [
    Accepted("?"),
    Refused("no: ana@example.com", passing=False),
    Unknown("a line was cut"),
    NotSent("not reached"),
]

emails = st.sampled_from([EMAILS[0], *EMAILS])


def _in_a_hurry(connection: Any, _: object) -> None:
    """Nobody cuts the power here, so that nothing need be on the disk."""
    connection.execute("PRAGMA synchronous = OFF")


class Readers(RuleBasedStateMachine):
    """Two addresses, and all that can befall their readers."""

    folder: Path
    template: Path
    made = 0

    def __init__(self) -> None:
        super().__init__()
        Readers.made += 1
        file = self.folder / f"{Readers.made}.db"
        shutil.copy(self.template, file)
        self.engine: Engine = open_engine(f"sqlite:///{file}")
        event.listen(self.engine, "connect", _in_a_hurry)
        self.now = MONDAY
        self.wants: dict[int, bool] = {}
        """Reader -> whether agreeing came after the last that they said of leaving; a complaint is such a word."""
        self.told: list[Listed] = []
        """What the provider's list goes on saying for ever."""
        self.links: list[tuple[int, datetime]] = []
        """Confirmation links in inboxes: whose, and when they were made."""
        self.letters: list[int] = []
        self.batches: list[tuple[int, Batch]] = []
        self.messages = 0

    def teardown(self) -> None:
        try:
            with reading(self.engine) as session:
                assert violations(session) == []
        finally:
            self.engine.dispose()

    @initialize(status=st.sampled_from(["active", "active", "pending"]))
    def was_there_before(self, status: str) -> None:
        self.is_in_a_file(EMAILS[0], status)

    @rule(email=emails)
    def signs_up(self, email: str) -> None:
        with writing(self.engine) as session:
            signup.ask(session, parse_address(email), WORDS, NOWHERE, "form", self.now)
            session.commit()

    @rule()
    def somebody_attends(self) -> None:
        with writing(self.engine) as session:
            for number in signup.waiting_ids(session, 0, 10):
                wish = signup.attend(session, number, self.now)
                if wish:
                    self.links.append((wish.subscriber_id, self.now))
            session.commit()

    @precondition(lambda self: self.links)
    @rule(data=st.data())
    def confirms(self, data: st.DataObject) -> None:
        number, made_at = data.draw(st.sampled_from(self.links))
        with writing(self.engine) as session:
            confirmed = signup.confirm(session, number, made_at, WORDS, NOWHERE, "button", self.now)
            session.commit()
        if confirmed is Confirmed.NOW:
            self.wants[number] = True

    @rule(
        email=emails, status=st.sampled_from(["active", "pending", "paused", "unsubscribed", "bounced", "complained"])
    )
    def is_in_a_file(self, email: str, status: str) -> None:
        before = self._reader(email)
        file = self.folder / "file.csv"
        file.write_text(f"email,status\n{email},{status}\n")
        import_csv(self.engine, file, None, self.now)
        reader = self._reader(email)
        if reader and (before is None or status in ("unsubscribed", "complained")):
            # Whoever had left before stays so.
            self.wants[reader.id or 0] = before is None and status in ("active", "paused", "bounced")

    @rule(email=emails, weeks=st.integers(1, 2))
    def rests(self, email: str, weeks: int) -> None:
        self._on_own_page(email, lambda session, reader: preferences.pause(session, reader, weeks, self.now))

    @rule(email=emails)
    def ends_the_rest(self, email: str) -> None:
        self._on_own_page(email, lambda session, reader: preferences.resume(session, reader, self.now))

    @rule(email=emails)
    def mutes(self, email: str) -> None:
        self._on_own_page(email, lambda session, reader: preferences.mute(session, reader, ["Coding"]))

    @rule(email=emails, to=emails)
    def names_another_address(self, email: str, to: str) -> None:
        self._on_own_page(
            email, lambda session, reader: preferences.ask_address(session, reader, parse_address(to), self.now)
        )

    @rule(email=emails)
    def confirms_the_other_address(self, email: str) -> None:
        reader = self._reader(email)
        with writing(self.engine) as session:
            change = preferences.asked_change(session, reader) if reader else None
            if change is None:
                return
            preferences.move_address(session, change.id or 0, NOWHERE, "button", self.now)
            session.commit()

    @rule(email=emails)
    def leaves(self, email: str) -> None:
        self._on_own_page(email, lambda session, reader: unsubscribe(session, reader, "link", self.now), wants=False)

    @rule(email=emails)
    def takes_it_back(self, email: str) -> None:
        reader = self._reader(email)
        if reader is None or reader.status != UNSUBSCRIBED:
            return
        with writing(self.engine) as session:
            reader = session.get_one(Subscriber, reader.id)
            undone = undo(session, reader, "link", self.now)
            if undone is Undone.BACK:
                self.wants[reader.id or 0] = reader.status == "active"
            session.add(reader)
            session.commit()

    @rule(email=emails, reason=st.sampled_from(sorted(REASONS)))
    def is_suppressed(self, email: str, reason: str) -> None:
        with writing(self.engine) as session:
            suppression.suppress(session, parse_address(email), reason, "an editor", self.now)
            session.commit()
        self._complained(email, reason == COMPLAINT)

    @rule(email=emails)
    def is_let_in_again(self, email: str) -> None:
        with writing(self.engine) as session:
            suppression.lift(session, parse_address(email), "they wrote to us", self.now)
            session.commit()

    @rule(email=emails, reason=st.sampled_from(sorted(REASONS)))
    def is_kept_out_for_a_while(self, email: str, reason: str) -> None:
        """Both at once, since by chance the second seldom follows."""
        self.is_suppressed(email, reason)
        self.is_let_in_again(email)

    @rule(email=emails, why=st.sampled_from(["left", "bounced", "complained", "closed"]))
    def does_something_at_the_provider(self, email: str, why: Why) -> None:
        self.told.append(Listed(email, "broadcast", why, self.now))
        self._heard(self.told[-1])

    @rule()
    def the_provider_shows_its_list(self) -> None:
        for said in self.told:
            self._heard(said)

    @rule(email=emails)
    def is_erased(self, email: str) -> None:
        reader = self._reader(email)
        if reader is None:
            return
        with writing(self.engine) as session:
            farewell.forget(session, session.get_one(Subscriber, reader.id), self.now)
            session.commit()
        self.wants[reader.id or 0] = False

    @rule()
    def a_letter_is_drawn_up(self) -> None:
        with writing(self.engine) as session:
            preferences.wake(session, self.now)
            stored = ledger.store(session, LETTER, "2026-W47", self.now)
            if ledger.draw_up(session, stored):
                session.commit()
                self.letters.append(stored.id or 0)

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), limit=st.integers(1, 2))
    def a_batch_is_claimed(self, data: st.DataObject, limit: int) -> None:
        letter = data.draw(st.sampled_from(self.letters))
        batch = claiming.claim(self.engine, letter, limit, Claimant(GONE, self.now))
        if batch is None:
            return
        self.batches.append((letter, batch))
        with reading(self.engine) as session:
            for number, email in batch.readers:
                assert self.wants[number], f"reader {number} is written to and does not want it"
                assert suppression.in_force(session, parse_address(email)) is None

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def a_batch_is_recorded(self, data: st.DataObject, outcome: Outcome) -> None:
        letter, batch = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        outcomes = [self._message() if isinstance(outcome, Accepted) else outcome for _ in batch.readers]
        claiming.record(self.engine, letter, batch, outcomes, self.now)

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def what_is_in_doubt_is_queued_again(self, data: st.DataObject) -> None:
        letter = data.draw(st.sampled_from(self.letters))
        with reading(self.engine) as session:
            found = doubts.open_doubts(session, letter)
        for doubt in found:
            doubts.requeue(self.engine, letter, doubt.batch)

    @rule(days=st.sampled_from([0.001, 0.5, 8, 31]))
    def time_passes(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule()
    def old_things_are_tidied_away(self) -> None:
        housekeeping.tidy(self.engine, self.now)

    @invariant()
    def members_want_to_be_members(self) -> None:
        with reading(self.engine) as session:
            members = session.exec(select(Subscriber.id).where(MEMBERS.belongs)).all()
        assert all(self.wants[number] for number in members if number is not None), (members, self.wants)

    def _heard(self, said: Listed) -> None:
        with writing(self.engine) as session:
            heard = departures.hear(session, said, "broadcast", self.now)
            session.commit()
        if heard.outcome == LEFT:
            self.wants[heard.subscriber or 0] = False
        with reading(self.engine) as session:
            known = suppression.in_force(session, parse_address(said.email))
        self._complained(said.email, known is not None and known.reason == COMPLAINT)

    def _complained(self, email: str, complained: bool) -> None:
        reader = self._reader(email)
        if reader and complained:
            self.wants[reader.id or 0] = False

    def _on_own_page(self, email: str, act: Any, wants: bool | None = None) -> None:
        known = self._reader(email)
        if known is None:
            return
        with writing(self.engine) as session:
            reader = session.get_one(Subscriber, known.id)
            if reader.status == SUPPRESSED and wants is None:
                return
            act(session, reader)
            session.commit()
        if wants is not None:
            self.wants[known.id or 0] = wants

    def _reader(self, email: str) -> Subscriber | None:
        with reading(self.engine) as session:
            return subscriber.find(session, parse_address(email))

    def _message(self) -> Accepted:
        self.messages += 1
        return Accepted(f"message-{self.messages}")


def test_in_no_order_of_events_is_anybody_written_to_who_does_not_want_it(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    Readers.folder, Readers.template = tmp_path, migrated_sqlite
    run_state_machine_as_test(
        Readers,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
