import re
from contextlib import closing
from datetime import UTC, datetime

from sqlmodel import col, select

from newsletter.assembly import assemble
from newsletter.db import reading, writing
from newsletter.editors import accounts, sessions
from newsletter.editors.editor import Editor
from newsletter.editors.log import Entry
from newsletter.editors.sessions import SignedIn
from tests.cli.conftest import Newsletter


def logged() -> list[tuple[str, int | None, str | None]]:
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        found = session.exec(select(Entry).order_by(col(Entry.id)))
        return [(entry.act, entry.editor_id, entry.detail) for entry in found]


def token_of(link: str) -> str:
    return link.strip().rpartition("/")[2]


def invited(token: str) -> str | None:
    """Whom a token invites."""
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        found = accounts.invited(session, token, datetime.now(UTC))
        return found.email if found else None


def test_an_invitation_is_printed_alone_and_once_and_only_its_hash_is_kept(newsletter: Newsletter) -> None:
    done = newsletter("editors", "add", "Ana@Example.com", "--name", " Ana  Ruiz ", "--role", "publisher")
    assert done.status == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/desk/invited/[\w-]{43}\n", done.out)
    assert done.err.startswith("this is shown once")
    token = token_of(done.out)
    assert invited(token) == "Ana@example.com"
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        [editor] = session.exec(select(Editor))
    assert (editor.name, editor.role, editor.password) == ("Ana Ruiz", "publisher", None)
    for shown in (newsletter("editors", "list").ok(), newsletter("editors", "list", "--json").ok()):
        assert "Ana@example.com" in shown
        assert "invited" in shown
        assert token not in shown
        assert str(editor.invitation) not in shown
    assert token not in repr(editor)
    assert logged() == [("made an account", None, "Ana Ruiz, publisher")]


def test_what_is_no_address_no_name_and_no_role_is_refused_in_a_line(newsletter: Newsletter) -> None:
    assert "is no address to write to" in newsletter("editors", "add", "ana").refused()
    assert "a name has 1 to 100 characters" in newsletter("editors", "add", "a@example.com", "--name", " ").refused()
    assert (
        "a name has 1 to 100 characters" in newsletter("editors", "add", "a@example.com", "--name", "\x1b[1m").refused()
    )
    assert newsletter("editors", "add", "a@example.com", "--role", "king").refused() == (
        "newsletter: there is no role 'king'; there are editor and publisher"
    )
    assert newsletter("editors", "list", "--json").document == []
    newsletter("editors", "add", "a@example.com")
    assert "has an account" in newsletter("editors", "add", "A@example.COM").refused()
    for command in (("invite",), ("disable",), ("enable",)):
        assert "there is no account of 'b@example.com'" in newsletter("editors", *command, "b@example.com").refused()


def test_disabling_ends_sessions_and_the_invitation_and_again_there_is_nothing_to_do(newsletter: Newsletter) -> None:
    token = token_of(newsletter("editors", "add", "ana@example.com").out)
    with closing(assemble()) as assembly, writing(assembly.engine) as session:
        sessions.begin(session, session.exec(select(Editor)).one(), datetime.now(UTC))
        session.commit()
    assert newsletter("editors", "disable", "ana@example.com").ok() == "ana@example.com is disabled\n"
    with closing(assemble()) as assembly, reading(assembly.engine) as session:
        assert not session.exec(select(SignedIn)).all()
    assert invited(token) is None
    assert "nothing to do" in newsletter("editors", "disable", "ana@example.com").ok()
    assert "`newsletter editors enable` comes first" in newsletter("editors", "invite", "ana@example.com").refused()
    assert newsletter("editors", "enable", "ana@example.com").ok() == "ana@example.com may sign in again\n"
    assert "nothing to do" in newsletter("editors", "enable", "ana@example.com").ok()
    assert [act for act, *_ in logged()] == ["made an account", "disabled an account", "enabled an account"]


def test_a_role_is_changed_once_and_a_new_invitation_replaces_the_old(newsletter: Newsletter) -> None:
    old = token_of(newsletter("editors", "add", "ana@example.com").out)
    assert newsletter("editors", "role", "ana@example.com", "publisher").ok() == "ana@example.com is publisher now\n"
    assert "nothing to do" in newsletter("editors", "role", "ana@example.com", "publisher").ok()
    assert "there is no role 'x'" in newsletter("editors", "role", "ana@example.com", "x").refused()
    document = newsletter("editors", "invite", "ana@example.com", "--json").document
    assert sorted(document) == ["email", "good_until", "link", "name", "role"]
    assert invited(token_of(document["link"])) == "ana@example.com"
    assert invited(old) is None
    assert logged()[1:] == [
        ("gave another role", None, "ana: editor, now publisher"),
        ("invited anew", None, "ana"),
    ]
