import email
import html
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from pathlib import Path

import pytest
from sqlalchemy import Engine

from newsletter import approving, asking, outgoing, weekly
from newsletter.asking import Decided, Decision
from newsletter.db import is_sqlite, reading, writing
from newsletter.delivery import ledger
from newsletter.delivery.reconcile import Reconciled
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.message import Filler
from newsletter.outgoing import Outcome
from newsletter.weekly import CannotDo, Rules
from subscribers.subscriber import ACTIVE, STATUSES, SUPPRESSED, UNSUBSCRIBED
from subscribers.tokens import UNSUBSCRIBE
from subscribers.unsubscribe import REASONS
from tests.newsroom import (
    IN_W46,
    MONDAY,
    RULES,
    TUESDAY,
    W46,
    W47,
    W48,
    approve,
    at,
    draft,
    issue_of,
    letters,
    post,
    publish,
    set_status,
    subscribe,
    titles,
)

READERS = [f"reader{number}@example.com" for number in range(5)]
AUTOMATIC = replace(RULES, approval="automatic")
RECORDED_BY_PROVIDERS = (
    *("delivered", "bounced", "bounces", "complained", "complaint_rate", "machines"),
    *("opened", "opened_by_people", "clicked", "clicked_by_people", "clicks"),
)
"""What nothing tells of a letter in the outbox."""
TOO_LATE = TUESDAY + RULES.max_lateness + timedelta(minutes=1)


def ready(engine: Engine, week: Week = W47) -> str:
    """One comparison, drafted and approved, and five readers; return the digest."""
    publish(engine)
    draft(engine, week)
    subscribe(engine, READERS)
    return approve(engine, week)


def send(engine: Engine, box: Path, week: Week = W47, moment: datetime = TUESDAY) -> Outcome:
    return outgoing.send_issue(engine, RULES, post(box), week, at(moment))


def send_due(engine: Engine, box: Path, moment: datetime = TUESDAY, rules: Rules = RULES) -> list[Outcome]:
    return outgoing.send_due(engine, rules, post(box), at(moment))


def sound(engine: Engine) -> None:
    with reading(engine) as session:
        assert violations(session) == []


def test_each_active_reader_has_one_letter_and_the_accounting_adds_up(engine: Engine, tmp_path: Path) -> None:
    digest = ready(engine)
    for status in set(STATUSES) - {ACTIVE}:
        subscribe(engine, [f"{status}@example.com"], status)
    outcome = send(engine, tmp_path)
    assert outcome.sent is not None
    assert outcome.sent.accounting == ledger.Accounting(audience=5, accepted=5)
    assert outcome.state == issues.SENT
    sent = [email.message_from_bytes(one, policy=policy.default) for one in letters(tmp_path)]
    assert sorted(str(message["To"]) for message in sent) == READERS
    issue = issue_of(engine)
    assert (issue.sent_at, issue.digest) == (TUESDAY, digest)
    with reading(engine) as session:
        status_ = outgoing.status(session, issue, issue.digest)
    zero = dict.fromkeys(("queued", "sending", "refused", "suppressed", "left", "in_doubt", "left_out"), 0)
    assert status_ == {
        "week": "2026-W47",
        "state": "sent",
        "digest": digest,
        "audience": 5,
        "accepted": 5,
        **zero,
        **dict.fromkeys(RECORDED_BY_PROVIDERS),
        "unsubscribed": 0,
        "unsubscribes": {"reasons": dict.fromkeys([*REASONS, "not_said"], 0), "at_provider": 0},
        "tracking": {"opens": "no", "clicks": "no"},
        "votes": [{"slug": "haiku-vs-codestral", "left": 0, "right": 0, "both": 0, "neither": 0, "all": 0}],
        "alarms": [],
        "held_because": None,
        "changes": [],
        "doubts": [],
        "decisions": [],
    }
    sound(engine)


def test_a_letter_carries_its_own_readers_way_out_and_the_true_figures(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    send(sqlite_engine, tmp_path)
    tokens = post(tmp_path).tokens
    numbers = set()
    for one in letters(tmp_path):
        message = email.message_from_bytes(one, policy=policy.default)
        url = str(message["List-Unsubscribe"]).strip("<>")
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        numbers.add(tokens.read(UNSUBSCRIBE, url.rpartition("/")[2]))
        for kind in ("plain", "html"):
            body = message.get_body((kind,))
            assert body is not None
            content = body.get_content()
            assert url in content
            assert "75%" in html.unescape(content)
            assert "%%" not in content
        assert message["Subject"] == issue_of(sqlite_engine).subject_line
    assert len(numbers) == len(READERS)


def test_the_second_send_does_nothing(engine: Engine, tmp_path: Path) -> None:
    ready(engine)
    send(engine, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    again = send(engine, tmp_path, moment=TUESDAY + timedelta(hours=1))
    assert (again.state, again.sent, again.note) == ("sent", None, "it has been sent; nothing to do")
    assert send_due(engine, tmp_path) == []
    assert sorted(tmp_path.rglob("*")) == before
    assert issue_of(engine).sent_at == TUESDAY


def test_sends_at_once_send_once(engine: Engine, tmp_path: Path) -> None:
    ready(engine)
    together = threading.Barrier(4)

    def one(_: int) -> Outcome:
        together.wait()
        return send(engine, tmp_path)

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(one, range(4)))
    at_it = [outcome for outcome in outcomes if outcome.sent is not None]
    assert len(at_it) == 1 if is_sqlite(engine) else at_it  # there may be several senders, each with rows of its own
    copies = Counter(str(email.message_from_bytes(one)["To"]) for one in letters(tmp_path))
    assert copies == Counter(READERS)
    assert issue_of(engine).state == issues.SENT
    sound(engine)


def test_what_is_not_approved_is_not_sent(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    subscribe(sqlite_engine, READERS)
    with pytest.raises(CannotDo, match="issue 2026-W47 is draft, not approved; look at `issues preview 2026-W47`"):
        send(sqlite_engine, tmp_path)
    assert send_due(sqlite_engine, tmp_path) == []
    with pytest.raises(CannotDo, match="there is no issue 2026-W48"):
        send(sqlite_engine, tmp_path, W48)
    assert letters(tmp_path) == []
    assert issue_of(sqlite_engine).letter_id is None


@pytest.mark.parametrize("change", ["comparison", "setting"])
def test_what_changed_since_it_was_approved_is_not_sent(sqlite_engine: Engine, tmp_path: Path, change: str) -> None:
    ready(sqlite_engine)
    rules = RULES
    if change == "comparison":
        publish(sqlite_engine, tagline="Another tagline")
    else:
        rules = replace(RULES, masthead=replace(RULES.masthead, name="Another name"))
    with pytest.raises(CannotDo, match=r"has changed since it was approved.*`issues unapprove 2026-W47`"):
        outgoing.send_issue(sqlite_engine, rules, post(tmp_path), W47, at(TUESDAY))
    assert issue_of(sqlite_engine).state == issues.APPROVED
    (held,) = send_due(sqlite_engine, tmp_path, rules=rules)
    assert held.state == issues.HELD
    assert held.note is not None
    assert held.note.startswith("held: issue 2026-W47 has changed since it was approved")
    assert "all the same" not in held.note
    assert letters(tmp_path) == []
    sound(sqlite_engine)


def test_a_change_after_the_list_was_drawn_up_changes_nothing(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    send(sqlite_engine, tmp_path)
    publish(sqlite_engine, tagline="Another tagline")
    subscribe(sqlite_engine, ["late@example.com"])
    assert send(sqlite_engine, tmp_path).sent is None
    assert len(letters(tmp_path)) == len(READERS)
    sound(sqlite_engine)


def test_an_issue_goes_out_at_its_time_and_not_before(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    assert send_due(sqlite_engine, tmp_path, TUESDAY - timedelta(seconds=1)) == []
    (outcome,) = send_due(sqlite_engine, tmp_path, TUESDAY)
    assert (outcome.week, outcome.state) == ("2026-W47", issues.SENT)
    assert len(letters(tmp_path)) == len(READERS)


def test_late_within_the_limit_is_sent(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    (outcome,) = send_due(sqlite_engine, tmp_path, TUESDAY + RULES.max_lateness)
    assert outcome.state == issues.SENT


def test_late_beyond_the_limit_is_held_and_said_once(engine: Engine, tmp_path: Path) -> None:
    ready(engine)
    (held,) = send_due(engine, tmp_path, TOO_LATE)
    assert (held.state, held.sent) == (issues.HELD, None)
    assert held.note == (
        "held: it was due on Tue 24 Nov 09:00 and is 6h01m late, more than 6h; `issues send 2026-W47` sends it all the "
        "same, `issues schedule 2026-W47 --at …` gives it another time"
    )
    issue = issue_of(engine)
    assert (issue.state, issue.held_because) == (
        issues.HELD,
        "it was due on Tue 24 Nov 09:00 and is 6h01m late, more than 6h",
    )
    assert send_due(engine, tmp_path, TOO_LATE) == []
    assert letters(tmp_path) == []
    sound(engine)


def test_an_editor_sends_what_was_held_all_the_same(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    send_due(sqlite_engine, tmp_path, TOO_LATE)
    assert send(sqlite_engine, tmp_path, moment=TOO_LATE).state == issues.SENT
    assert issue_of(sqlite_engine).held_because is None
    assert len(letters(tmp_path)) == len(READERS)


def test_what_was_held_goes_out_at_its_other_time(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    send_due(sqlite_engine, tmp_path, TOO_LATE)
    with writing(sqlite_engine) as session:
        weekly.schedule(session, W47, TOO_LATE + timedelta(hours=1), TOO_LATE)
        session.commit()
    assert send_due(sqlite_engine, tmp_path, TOO_LATE) == []
    assert [one.state for one in send_due(sqlite_engine, tmp_path, TOO_LATE + timedelta(hours=1))] == [issues.SENT]


def test_what_was_begun_goes_on_however_late_it_is(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    box = tmp_path / "box"
    box.write_text("a file where the outbox should be")
    stopped = send(sqlite_engine, box)
    assert stopped.sent is not None
    assert stopped.sent.stopped is not None
    assert (stopped.state, stopped.sent.accounting.queued) == (issues.SENDING, 5)
    box.unlink()
    (outcome,) = send_due(sqlite_engine, box, TOO_LATE)
    assert outcome.state == issues.SENT
    assert len(letters(box)) == len(READERS)


def test_with_automatic_approval_drafts_go_out_at_their_time(engine: Engine, tmp_path: Path) -> None:
    publish(engine)
    draft(engine)
    subscribe(engine, READERS)
    assert send_due(engine, tmp_path, MONDAY, AUTOMATIC) == []
    assert issue_of(engine).state == issues.DRAFT
    (outcome,) = send_due(engine, tmp_path, TUESDAY, AUTOMATIC)
    assert outcome.state == issues.SENT
    assert len(letters(tmp_path)) == len(READERS)
    issue = issue_of(engine)
    assert issue.digest is not None
    assert issue.approved_at == TUESDAY
    sound(engine)


def test_with_automatic_approval_a_late_draft_is_held_as_well(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    assert [one.state for one in send_due(sqlite_engine, tmp_path, TOO_LATE, AUTOMATIC)] == [issues.HELD]


def test_with_automatic_approval_a_look_at_the_draft_does_not_bind(sqlite_engine: Engine, tmp_path: Path) -> None:
    subscribe(sqlite_engine, READERS)
    publish(sqlite_engine)
    draft(sqlite_engine)
    with writing(sqlite_engine) as session:
        approving.preview(session, AUTOMATIC, W47)
        session.commit()
    publish(sqlite_engine, "Late")
    draft(sqlite_engine)
    assert [one.state for one in send_due(sqlite_engine, tmp_path, TUESDAY, AUTOMATIC)] == [issues.SENT]


def test_an_issue_that_cannot_go_out_keeps_no_other_from_it(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine, "A", at=IN_W46)
    draft(sqlite_engine, W46)
    publish(sqlite_engine, "B")
    draft(sqlite_engine, W47)
    subscribe(sqlite_engine, READERS)
    with writing(sqlite_engine) as session:  # so that W47 cannot be approved: it would repeat a subject
        first = weekly.require(session, W46)
        first.send_at = TUESDAY
        first.own_subject = weekly.require(session, W47).subject_line
        session.commit()
    publish(sqlite_engine, "C", at=MONDAY)
    draft(sqlite_engine, W48)
    with writing(sqlite_engine) as session:
        weekly.schedule(session, W48, TUESDAY, MONDAY)
        session.commit()
    outcomes = send_due(sqlite_engine, tmp_path, TUESDAY, AUTOMATIC)
    assert [(one.week, one.state) for one in outcomes] == [
        ("2026-W46", issues.SENT),
        ("2026-W47", issues.DRAFT),
        ("2026-W48", issues.SENT),
    ]
    assert "issue 2026-W46 has this subject" in (outcomes[1].note or "")
    sound(sqlite_engine)


def test_two_issues_that_are_due_both_go_out_the_older_first(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine, "A", at=IN_W46)
    draft(sqlite_engine, W46)
    with writing(sqlite_engine) as session:
        weekly.schedule(session, W46, TUESDAY, MONDAY)
        session.commit()
    approve(sqlite_engine, W46)
    ready(sqlite_engine)
    assert [one.week for one in send_due(sqlite_engine, tmp_path)] == ["2026-W46", "2026-W47"]
    assert len(letters(tmp_path / "2026-W46")) == len(letters(tmp_path / "2026-W47")) == len(READERS)
    assert titles(sqlite_engine, W46) == ["A vs Codestral"]


def test_who_left_between_the_list_and_the_send_gets_nothing(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    box = tmp_path / "box"
    box.write_text("in the way")
    send(sqlite_engine, box)
    box.unlink()
    set_status(sqlite_engine, UNSUBSCRIBED, READERS[0])
    set_status(sqlite_engine, SUPPRESSED, READERS[1])
    outcome = send(sqlite_engine, box)
    assert outcome.sent is not None
    assert outcome.sent.accounting == ledger.Accounting(audience=5, accepted=3, left=1, suppressed=1)
    assert outcome.state == issues.SENT
    sound(sqlite_engine)


def test_an_issue_for_nobody_is_not_used_up(sqlite_engine: Engine, tmp_path: Path) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    approve(sqlite_engine)
    with pytest.raises(CannotDo, match="nobody is on the list"):
        send(sqlite_engine, tmp_path)
    subscribe(sqlite_engine, ["ana@example.com"])
    assert send(sqlite_engine, tmp_path).state == issues.SENT


def test_before_the_list_is_drawn_up_the_accounting_is_all_zero(sqlite_engine: Engine) -> None:
    ready(sqlite_engine)
    with reading(sqlite_engine) as session:
        found = outgoing.status(session, weekly.require(session, W47), "digest")
    assert {found[name] for name in ("audience", *ledger.MOVES)} == {0}
    assert [found[name] for name in (*RECORDED_BY_PROVIDERS, "unsubscribed", "unsubscribes", "votes")] == [None] * 14


@pytest.mark.parametrize("decision", [None, *Decision])
def test_reconciling_what_is_not_in_doubt_does_nothing(
    sqlite_engine: Engine, tmp_path: Path, decision: Decision | None
) -> None:
    ready(sqlite_engine)
    decided = asking.decide(sqlite_engine, post(tmp_path), W47, lambda: TUESDAY, decision)
    assert decided == Decided(Reconciled(), issues.APPROVED)
    send(sqlite_engine, tmp_path)
    decided = asking.decide(sqlite_engine, post(tmp_path), W47, lambda: TUESDAY, decision)
    assert decided == Decided(Reconciled(), issues.SENT)


def test_the_sample_reader_is_nobody_and_fills_every_field(sqlite_engine: Engine, tmp_path: Path) -> None:
    ready(sqlite_engine)
    with reading(sqlite_engine) as session:
        letter = weekly.compose(session, RULES, weekly.require(session, W47))
    sample = post(tmp_path).sample_recipient(TUESDAY)
    html, text = Filler(letter).fill(sample.values)
    assert "%%" not in html + text
    assert sample.unsubscribe_url is not None
    assert post(tmp_path).tokens.read(UNSUBSCRIBE, sample.unsubscribe_url.rpartition("/")[2]) == 0
    assert replace(post(tmp_path), own_unsubscribe=False).sample_recipient(TUESDAY).unsubscribe_url is None
