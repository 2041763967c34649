"""What readers have muted is left out of what they are sent, and nobody pays for it but once a variant."""

import email
import random
import re
from collections import Counter
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from itertools import combinations
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from newsletter import approving, outgoing, weekly
from newsletter.comparisons import comparison
from newsletter.db import reading, writing
from newsletter.delivery import ledger, variants
from newsletter.delivery.ledger import Delivery, StoredLetter
from newsletter.delivery.variants import Variant
from newsletter.invariants import violations
from newsletter.issues import issue as issues
from newsletter.message import Filler, Letter
from newsletter.outgoing import Outcome
from newsletter.rendering import letter as rendering
from newsletter.rendering.mjml import compile_mjml
from newsletter.weekly import CannotDo
from subscribers import preferences
from subscribers.subscriber import PAUSED, Subscriber
from tests.comparisons.samples import record, tool
from tests.newsroom import (
    IN_W46,
    IN_W47,
    MONDAY,
    RULES,
    TUESDAY,
    W46,
    W47,
    approve,
    at,
    draft,
    issue_of,
    letters,
    mute,
    post,
    publish_what_cannot_lead,
    set_status,
    subscribe,
    titles,
)
from tests.own_templates import begin_anew

CATEGORIES = {
    "ada-vs-ava": ("Voice", "Voice"),
    "bea-vs-bo": ("Databases", "Databases"),
    "cy-vs-cleo": ("Voice", "Databases"),
    "dot-vs-dan": ("Training", "Training"),
}


@pytest.fixture
def issue(engine: Engine) -> Engine:
    """An issue of four comparisons, drafted and approved: `dot-vs-dan` leads, then by age."""
    publish_four(engine)
    draft(engine)
    approve(engine)
    return engine


def publish_four(engine: Engine, hour: int = 0) -> None:
    with writing(engine) as session:
        for number, (slug, of) in enumerate(CATEGORIES.items()):
            left, right = slug.title().split("-Vs-")
            share = 50 if slug.startswith("dot") else 75
            tools = [tool(left, category=of[0], panel_ship=share), tool(right, category=of[1], panel_ship=25)]
            when = IN_W47 + timedelta(hours=hour + number)
            comparison.save(session, record(left, right, tools=tools, published_at=when), when)
        session.commit()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What went to the MJML compiler, which compiles as ever."""
    sources: list[str] = []

    def counted(source: str) -> str:
        sources.append(source)
        return compile_mjml(source)

    monkeypatch.setattr(rendering, "compile_mjml", counted)
    begin_anew()
    return sources


def send(engine: Engine, box: Path) -> Outcome:
    return outgoing.send_issue(engine, RULES, post(box), W47, at(TUESDAY))


def sent_to(box: Path) -> dict[str, EmailMessage]:
    """Address -> the one letter that it was sent."""
    messages = [email.message_from_bytes(one, policy=policy.default) for one in letters(box)]
    found = {str(message["To"]): message for message in messages}
    assert len(found) == len(messages)
    return found


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def compared_in(message: EmailMessage) -> list[str]:
    """The comparisons of a letter in their order, as its text and its HTML both link to them."""
    in_text, in_html = (re.findall(r"/comparisons/([\w-]+)", part(message, kind)) for kind in ("plain", "html"))
    assert in_text == in_html
    return in_text


def variant_rows(engine: Engine) -> list[Variant]:
    with reading(engine) as session:
        return list(session.exec(select(Variant).order_by(col(Variant.number))))


def books(engine: Engine) -> ledger.Accounting:
    with reading(engine) as session:
        found = ledger.accounting(session, issue_of(engine).letter_id)
        assert found.adds_up
        assert violations(session) == []
    return found


def test_each_reader_gets_what_they_have_not_muted_in_the_order_of_the_issue(issue: Engine, tmp_path: Path) -> None:
    whole = ["dot-vs-dan", "ada-vs-ava", "bea-vs-bo", "cy-vs-cleo"]
    assert [title.lower().replace(" ", "-") for title in titles(issue)] == whole
    names = ["Voice", "Databases", "Training", "Gardening"]
    muted_by = {
        f"{'-'.join(muted).lower() or 'nothing'}@example.com": muted
        for count in range(5)
        for muted in combinations(names, count)
    }
    subscribe(issue, muted_by)
    for address, muted in muted_by.items():
        mute(issue, address, *(random.Random(address).choice([name, f" {name.upper()}"]) for name in muted))

    outcome = send(issue, tmp_path)

    assert outcome.state == issues.SENT
    expected = {
        address: [slug for slug in whole if not set(CATEGORIES[slug]) <= set(muted)]
        for address, muted in muted_by.items()
    }
    received = {address: compared_in(message) for address, message in sent_to(tmp_path).items()}
    assert received == {address: left for address, left in expected.items() if left}
    assert books(issue) == ledger.Accounting(audience=14, accepted=14, left_out=2)
    assert len(variant_rows(issue)) == len({tuple(left) for left in expected.values()}) - 2  # none of it, all of it


def test_a_variant_is_compiled_once_however_many_readers_and_ways_of_muting_lead_to_it(
    issue: Engine, tmp_path: Path, compiled: list[str]
) -> None:
    ways = [["Voice"], ["voice"], ["VOICE", "Gardening"], ["Training"], ["training", "Chess"], ["Gardening"], []]
    for index, muted in enumerate(ways):
        addresses = [f"reader{index}-{number}@example.com" for number in range(4)]
        subscribe(issue, addresses)
        for address in addresses:
            mute(issue, address, *muted)

    send(issue, tmp_path)

    assert len(variant_rows(issue)) == 2
    assert len(compiled) == 3  # the letter, against its approval, and two variants
    assert len(set(compiled)) == 3
    assert books(issue) == ledger.Accounting(audience=28, accepted=28)
    counts = Counter(tuple(compared_in(message)) for message in sent_to(tmp_path).values())
    assert sorted(counts.values()) == [8, 8, 12]


def test_who_has_muted_all_of_it_has_no_row_and_is_counted(issue: Engine, tmp_path: Path) -> None:
    (gone,) = subscribe(issue, ["gone@example.com"])
    subscribe(issue, ["ana@example.com"])
    mute(issue, "gone@example.com", "Voice", "Databases", "Training")

    send(issue, tmp_path)

    assert set(sent_to(tmp_path)) == {"ana@example.com"}
    with reading(issue) as session:
        assert session.exec(select(Delivery).where(Delivery.subscriber_id == gone)).all() == []
        status = outgoing.status(session, issue_of(issue), None)
    assert (status["audience"], status["accepted"], status["left_out"]) == (1, 1, 1)
    assert books(issue).left_out == 1


def test_an_issue_that_everybody_has_muted_is_not_used_up(issue: Engine, tmp_path: Path) -> None:
    subscribe(issue, ["ana@example.com", "bo@example.com"])
    for address in ("ana@example.com", "bo@example.com"):
        mute(issue, address, *{name for pair in CATEGORIES.values() for name in pair})
    with pytest.raises(
        CannotDo, match=r"^every reader has muted everything in issue 2026-W47 \(2 left out\), so it was"
    ):
        send(issue, tmp_path)
    assert issue_of(issue).state == issues.APPROVED
    assert variant_rows(issue) == []
    (held,) = outgoing.send_due(issue, RULES, post(tmp_path), at(TUESDAY))
    assert held.state == issues.HELD

    mute(issue, "bo@example.com", "Voice")
    assert send(issue, tmp_path).state == issues.SENT
    assert set(sent_to(tmp_path)) == {"bo@example.com"}


def test_a_rest_that_is_over_ends_before_the_list_is_drawn_up(issue: Engine, tmp_path: Path) -> None:
    subscribe(issue, ["over@example.com", "resting@example.com", "for-good@example.com"])
    set_status(issue, PAUSED, "for-good@example.com")
    with writing(issue) as session:
        for address, weeks in (("over@example.com", 1), ("resting@example.com", 2)):
            one = session.exec(select(Subscriber).where(Subscriber.email == address)).one()
            preferences.pause(session, one, weeks, TUESDAY - timedelta(weeks=1))
        session.commit()
    send(issue, tmp_path)
    assert set(sent_to(tmp_path)) == {"over@example.com"}
    assert books(issue).audience == 1


def test_the_preview_of_a_variant_is_byte_for_byte_what_such_a_reader_was_sent(issue: Engine, tmp_path: Path) -> None:
    (number,) = subscribe(issue, ["ana@example.com"])
    mute(issue, "ana@example.com", "Training", "Gardening")
    with reading(issue) as session:
        ours = weekly.require(session, W47)
        whole = weekly.manuscript(session, RULES, ours)
    previewed = rendering.render(whole, approving.left_without(whole.comparisons, ["Training"], W47))

    send(issue, tmp_path)

    message = sent_to(tmp_path)["ana@example.com"]
    html, text = Filler(previewed).fill(post(tmp_path).recipient_at(MONDAY)("", number, "ana@example.com").values)
    assert (part(message, "html"), part(message, "plain")) == (html, text)
    assert message["Subject"] == previewed.subject != issue_of(issue).subject_line
    (row,) = variant_rows(issue)
    assert row.letter() == previewed
    with reading(issue) as session:
        stored = session.get_one(StoredLetter, 1)
        assert variants.find(session, stored, ["dot-vs-dan"]) == previewed
        assert variants.find(session, stored, ["ada-vs-ava"]) is None


def test_a_send_that_goes_on_sends_the_variants_that_were_frozen(
    issue: Engine, tmp_path: Path, compiled: list[str]
) -> None:
    subscribe(issue, ["ana@example.com", "bo@example.com"])
    mute(issue, "ana@example.com", "Voice")
    box = tmp_path / "box"
    box.write_text("in the way")
    stopped = send(issue, box)
    assert stopped.sent is not None
    assert stopped.sent.accounting.queued == 2
    box.unlink()
    (frozen,) = variant_rows(issue)
    publish_four(issue, hour=1)  # every comparison is another one now, and so are the tastes
    mute(issue, "ana@example.com", "Databases")
    compiled.clear()

    assert send(issue, box).state == issues.SENT

    assert compiled == []
    received = sent_to(box)
    assert compared_in(received["ana@example.com"]) == ["dot-vs-dan", "bea-vs-bo", "cy-vs-cleo"]
    assert len(compared_in(received["bo@example.com"])) == 4
    assert variant_rows(issue) == [frozen]
    books(issue)


def test_the_subject_of_a_variant_is_not_that_of_the_issue_before(sqlite_engine: Engine, tmp_path: Path) -> None:
    with writing(sqlite_engine) as session:
        comparison.save(session, record("Ada", "Ava", slug="first", title="First", published_at=IN_W46), IN_W46)
        session.commit()
    draft(sqlite_engine, W46)
    with writing(sqlite_engine) as session:
        weekly.edit(session, W46, "Ada 75%, Ava 25%: ship or skip?", None)
        session.commit()
    approve(sqlite_engine, W46)
    publish_four(sqlite_engine)
    draft(sqlite_engine)
    approve(sqlite_engine)
    subscribe(sqlite_engine, ["ana@example.com"])
    mute(sqlite_engine, "ana@example.com", "Training")
    send(sqlite_engine, tmp_path)
    assert sent_to(tmp_path)["ana@example.com"]["Subject"] == "Ada 75%, Ava 25%"


def test_twenty_thousand_ways_of_muting_go_into_one_list(engine: Engine) -> None:
    """More values than SQLite binds in one statement; quotes and other marks of SQL among them."""
    letter = Letter("A subject", "", "<p></p>", "")
    odd = ["'; DROP TABLE readers; --", '"', "\\", "%s %% :name ?", "日本", "it's", "\\'"]
    mutings = [f'["{name}{number}"]' for number in range(20_000) for name in (odd[number % len(odd)],)]
    rows = [
        {
            "email": f"{n}@example.com",
            "address_key": f"{n}@example.com",
            "status": "active",
            "since": IN_W46,
            "muted": m,
        }
        for n, m in enumerate(["[]", *mutings])
    ]
    with engine.begin() as connection:
        connection.execute(Subscriber.__table__.insert(), rows)  # type: ignore[attr-defined]
    numbers = {m: None if place % 4 == 0 else place % 499 for place, m in enumerate(mutings)}
    with writing(engine) as session:
        stored = ledger.store(session, letter, "2026-W47", IN_W46)
        assert ledger.draw_up(session, stored, {(m, None): number for m, number in numbers.items()}) == 1 + 15_000
        session.commit()
    with reading(engine) as session:
        query = select(Subscriber.muted, Delivery.variant).join(Delivery)
        found = dict(session.exec(query).all())
    assert found == {"[]": 0, **{m: number for m, number in numbers.items() if number is not None}}


def test_approval_is_refused_for_a_variant_that_is_not_fit_and_says_for_whom(sqlite_engine: Engine) -> None:
    publish_what_cannot_lead(sqlite_engine)
    draft(sqlite_engine)
    subscribe(sqlite_engine, ["ana@example.com"])
    approve(sqlite_engine)
    with writing(sqlite_engine) as session:
        approving.unapprove(session, W47)
        session.commit()

    mute(sqlite_engine, "ana@example.com", "TRAINING", "Gardening")
    with pytest.raises(CannotDo) as refused:
        approve(sqlite_engine)
    assert str(refused.value) == (
        "the letter of 2026-W47 for those who have muted Training is not fit to go out: "
        "the subject has 62 characters, more than 60"
    )
    assert issue_of(sqlite_engine).state == issues.DRAFT


def test_looking_over_beforehand_leaves_the_approval_nothing_to_compile_but_the_letter(
    issue: Engine, compiled: list[str]
) -> None:
    subscribe(issue, ["ana@example.com", "bo@example.com"])
    mute(issue, "ana@example.com", "Training", "Databases")
    mute(issue, "bo@example.com", "Voice", "Databases")
    with writing(issue) as session:
        approving.unapprove(session, W47)
        session.commit()
    with reading(issue) as session:
        approving.look_over(session, RULES, W47)
    assert len(compiled) == 3  # two variants, and the letter in the other language, which anybody may choose
    compiled.clear()
    with writing(issue) as session:
        approving.approve(session, RULES, W47, TUESDAY)
        session.commit()
    assert len(compiled) == 1
