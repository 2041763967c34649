"""Each reader is sent the issue in their language, less what they have muted, as its preview shows it."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from newsletter import approving, outgoing, weekly
from newsletter.approving import variant_of
from newsletter.comparisons import comparison
from newsletter.db import reading, writing
from newsletter.delivery.variants import Variant
from newsletter.issues import issue as issues
from newsletter.issues.variants import Selection
from newsletter.message import Filler
from newsletter.rendering import letter as rendering
from newsletter.rendering.mjml import compile_mjml
from newsletter.weekly import CannotDo
from subscribers.subscriber import Subscriber, muting
from tests.comparisons.samples import record, tool
from tests.newsroom import (
    IN_W47,
    MONDAY,
    RULES,
    TUESDAY,
    W47,
    approve,
    at,
    draft,
    issue_of,
    letters,
    post,
    publish,
    publish_what_cannot_lead,
    subscribe,
)
from tests.own_templates import begin_anew


def publish_two(engine: Engine) -> None:
    with writing(engine) as session:
        for left, right, category in (("Ada", "Ava", "Voice"), ("Bea", "Bo", "Training")):
            tools = [tool(left, category=category, panel_ship=50), tool(right, category=category, panel_ship=75)]
            comparison.save(session, record(left, right, tools=tools, published_at=IN_W47), IN_W47)
        session.commit()


def choose(engine: Engine, number: int, language: str | None, *muted: str) -> None:
    with engine.begin() as connection:
        of_reader = col(Subscriber.id) == number
        connection.execute(update(Subscriber).where(of_reader).values(language=language, muted=muting(muted)))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_each_reader_is_sent_their_language_and_choice_and_each_is_compiled_once(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_two(engine)
    draft(engine)
    languages, mutings = (None, "en", "xx", "de"), ((), ("Voice",), ("Gardening",), ("Training",))
    choices = [*product(languages, mutings), ("de", ("Voice", "Training"))]
    numbers = subscribe(engine, [f"r{place}@example.com" for place, _ in enumerate(choices)])
    for number, (language, muted) in zip(numbers, choices, strict=True):
        choose(engine, number, language, *muted)
    approve(engine)
    begin_anew()
    compiled: list[str] = []

    def counted(source: str) -> str:
        compiled.append(source)
        return compile_mjml(source)

    monkeypatch.setattr(rendering, "compile_mjml", counted)

    assert outgoing.send_issue(engine, RULES, post(tmp_path), W47, at(TUESDAY)).state == issues.SENT

    assert len(compiled) == len(set(compiled)) == 6
    messages = [message_from_bytes(one, policy=policy.default) for one in letters(tmp_path)]
    sent = {str(message["To"]): message for message in messages}
    assert len(sent) == len(messages) == len(choices) - 1
    with reading(engine) as session:
        whole = weekly.manuscript(session, RULES, issue_of(engine))
        frozen = session.exec(select(Variant.without, Variant.language).order_by(col(Variant.number))).all()
    assert frozen == [
        ('["ada-vs-ava"]', None),
        ('["bea-vs-bo"]', None),
        ("[]", "de"),
        ('["ada-vs-ava"]', "de"),
        ('["bea-vs-bo"]', "de"),
    ]
    for number, (language, muted) in zip(numbers, choices[:-1], strict=False):
        address = f"r{number - numbers[0]}@example.com"
        without = approving.left_without(whole.comparisons, [name for name in muted if name != "Gardening"], W47)
        expected = variant_of(whole, Selection(without, muted, "de" if language == "de" else None))
        html, text = Filler(expected).fill(post(tmp_path).recipient_at(MONDAY)("", number, address).values)
        message = sent[address]
        assert (part(message, "html"), part(message, "plain")) == (html, text)
        assert message["Subject"] == expected.subject
        assert re.findall(r"<html[^>]* lang=\"(\w+)\"", html) == ["de" if language == "de" else "en"]


@pytest.fixture
def unfit_german(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every letter in German lacks a way out, until the test takes that back."""

    def broken(source: str) -> str:
        made = compile_mjml(source)
        return made.replace("%%UNSUBSCRIBE_URL%%", "http://example.com/") if 'lang="de"' in made else made

    begin_anew()
    monkeypatch.setattr(rendering, "compile_mjml", broken)
    yield
    begin_anew()


@pytest.mark.parametrize(
    ("language", "muted", "whose"),
    [
        ("de", ("Voice",), "have muted Voice and read it in Deutsch"),
        ("de", (), "read it in Deutsch"),
        (None, (), "read it in Deutsch"),  # nobody does so far
    ],
)
@pytest.mark.usefixtures("unfit_german")
def test_an_approval_is_refused_for_a_language_that_is_not_fit_and_names_it(
    sqlite_engine: Engine, language: str | None, muted: tuple[str, ...], whose: str
) -> None:
    publish_two(sqlite_engine)
    draft(sqlite_engine)
    (ana,) = subscribe(sqlite_engine, ["ana@example.com"])
    choose(sqlite_engine, ana, language, *muted)
    with pytest.raises(CannotDo, match=rf"^the letter of 2026-W47 for those who {whose} is not fit to go out: "):
        approve(sqlite_engine)


def test_what_a_reader_chose_since_the_approval_does_not_go_out_unless_it_is_fit(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    publish_what_cannot_lead(sqlite_engine)
    draft(sqlite_engine)
    ana, _ = subscribe(sqlite_engine, ["ana@example.com", "bo@example.com"])
    approve(sqlite_engine)
    choose(sqlite_engine, ana, None, "Training")

    (held,) = outgoing.send_due(sqlite_engine, RULES, post(tmp_path), at(TUESDAY))

    assert held.state == issues.HELD
    assert held.note == (
        "held: the letter of 2026-W47 for those who have muted Training is not fit to go out: "
        "the subject has 62 characters, more than 60"
    )
    assert letters(tmp_path) == []
    choose(sqlite_engine, ana, None)
    assert outgoing.send_issue(sqlite_engine, RULES, post(tmp_path), W47, at(TUESDAY)).state == issues.SENT
    assert len(letters(tmp_path)) == 2


def write(engine: Engine, note: str) -> str | None:
    with writing(engine) as session:
        issue = weekly.write_note(session, RULES, W47, note)
        session.commit()
        return issue.note


def test_a_note_is_a_drafts_and_changes_the_letter(sqlite_engine: Engine) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    subscribe(sqlite_engine, ["ana@example.com"])
    before = approve(sqlite_engine)
    with pytest.raises(CannotDo, match=r"^issue 2026-W47 is approved; only a draft can be changed"):
        write(sqlite_engine, "Hello")
    with writing(sqlite_engine) as session:
        approving.unapprove(session, W47)
        session.commit()
    assert write(sqlite_engine, "\ufeff\nTwo lines,  \r\nof which *one*\tis short.\r\n\r\n") == (
        "Two lines,  \nof which *one*\tis short."
    )
    with writing(sqlite_engine) as session, pytest.raises(CannotDo, match="has changed since it was previewed"):
        approving.approve(session, RULES, W47, TUESDAY)
    assert approve(sqlite_engine) != before
    with writing(sqlite_engine) as session:
        issue = weekly.require(session, W47)
        issue.note = "Other words"  # by hand, beside the program
        session.add(issue)
        session.flush()
        (change,) = approving.changes_since_approval(session, RULES, issue)
        assert "note" in change
        approving.unapprove(session, W47)
        session.commit()
    draft(sqlite_engine)
    assert issue_of(sqlite_engine).note is not None  # it stays when the draft is made anew
    assert write(sqlite_engine, "") is None
    assert approve(sqlite_engine) == before


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("x" * 2001, "the note has 2,001 characters; 2,000 is the most"),
        ("fine\nnot\u202efine", "line 2 of the note holds a character that cannot be seen (U+202E); take it out"),
        ("a\x0bb", "line 1 of the note holds a character that cannot be seen (U+000B); take it out"),
    ],
)
def test_a_note_that_cannot_be_taken_is_refused_in_one_line(sqlite_engine: Engine, note: str, said: str) -> None:
    publish(sqlite_engine)
    draft(sqlite_engine)
    with pytest.raises(CannotDo, match=f"^{re.escape(said)}"):
        write(sqlite_engine, note)
    assert issue_of(sqlite_engine).note is None


def test_a_note_that_leaves_the_comparisons_too_little_room_is_refused_and_a_draft_makes_room(
    sqlite_engine: Engine,
) -> None:
    for number in range(20):
        publish(sqlite_engine, f"Left{number}", f"Right{number}", at=IN_W47)
    taken = draft(sqlite_engine).taken
    assert taken < 20
    longest = "\n\n".join(["ÄÖÜ " * 24 + "https://example.com/" + "x" * 40] * 12)[:2000]
    with pytest.raises(
        CannotDo, match=r"^with this note the letter of 2026-W47 is larger than clients show whole; make"
    ):
        write(sqlite_engine, longest)
    with writing(sqlite_engine) as session:
        issue = weekly.require(session, W47)
        issue.note = longest
        session.add(issue)
        session.commit()
    assert draft(sqlite_engine).taken < taken
