"""How does somebody get an account of the desk, and lose it? Only at the command line: no page makes accounts.

An account is made with an invitation, a link that is good once and for three days; who opens it sets a password and the
second step. Promises: of a link only a hash is kept; disabling ends all sessions in the same transaction, and so does
taking up an invitation; everything is in the log.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from sqlmodel import Session, col, select, update

from newsletter.editors import log, sessions
from newsletter.editors.editor import RIGHTS, Editor
from subscribers.address import parse_address

INVITED_FOR: Final = timedelta(days=3)
CHANCE: Final = 32  # bytes
MOST_NAME: Final = 100  # characters


class Refused(ValueError):  # noqa: N818  the name says what happened
    """It cannot be done; the text says why and what to do, on one line."""


def add(session: Session, written: str, name: str | None, role: str, now: datetime) -> tuple[Editor, str]:
    """Make an account and its invitation; the token for the link, which is kept nowhere. The caller commits.

    Without a name it is called by what stands before the @. Raises Refused.
    """
    _check_role(role)
    try:
        address = parse_address(written)
    except ValueError as error:
        raise Refused(f"{written[:MOST_NAME]!r} is no address to write to: {error}") from None
    if find(session, address.email) is not None:
        raise Refused(f"{address.email} has an account; `newsletter editors invite` makes a new link for it")
    called = " ".join((name if name is not None else address.email.partition("@")[0]).split())
    if not called or not called.isprintable() or len(called) > MOST_NAME:
        raise Refused(f"a name has 1 to {MOST_NAME} characters that can be seen, not {called[:MOST_NAME]!r}")
    editor = Editor(email=address.email, address_key=address.key, name=called, role=role, created_at=now)
    session.add(editor)
    session.flush()
    log.write(session, now, None, "made an account", detail=f"{called}, {role}")
    return editor, _invite(session, editor, now)


def invite(session: Session, editor: Editor, now: datetime) -> str:
    """A new invitation in place of one that may be open: for who forgot the password or lost the phone.

    Until it is taken up, everything is as it was. Returns the token. Raises Refused for an account that is disabled.
    """
    if editor.disabled_at is not None:
        raise Refused(f"the account of {editor.email} is disabled; `newsletter editors enable` comes first")
    log.write(session, now, None, "invited anew", detail=editor.name)
    return _invite(session, editor, now)


def disable(session: Session, editor: Editor, now: datetime) -> bool:
    """Let nobody in by an account, and end its sessions; False where it was so before. The caller commits."""
    assert editor.id is not None  # it was read from the database
    if editor.disabled_at is not None:
        return False
    editor.disabled_at = now
    editor.invitation = editor.invited_until = None
    session.add(editor)
    sessions.end_all(session, editor.id)
    log.write(session, now, None, "disabled an account", detail=editor.name)
    return True


def enable(session: Session, editor: Editor, now: datetime) -> bool:
    """Let somebody in again by the password that they had; False where nothing was to be done. The caller commits."""
    assert editor.id is not None  # it was read from the database
    if editor.disabled_at is None:
        return False
    editor.disabled_at = None
    session.add(editor)
    sessions.end_all(session, editor.id)  # of a signing in that was under way when it was disabled
    log.write(session, now, None, "enabled an account", detail=editor.name)
    return True


def give_role(session: Session, editor: Editor, role: str, now: datetime) -> bool:
    """Let somebody do more, or less, from the next click on; False where it is so already. Raises Refused."""
    _check_role(role)
    if editor.role == role:
        return False
    log.write(session, now, None, "gave another role", detail=f"{editor.name}: {editor.role}, now {role}")
    editor.role = role
    session.add(editor)
    return True


def find(session: Session, written: str) -> Editor | None:
    """An account by an address, locked until the transaction ends where others may write; None for none."""
    try:
        key = parse_address(written, to_write=False).key
    except ValueError:
        return None
    return session.exec(select(Editor).where(Editor.address_key == key).with_for_update()).one_or_none()


def invited(session: Session, token: str, now: datetime) -> Editor | None:
    """Whom a link invites; None where it is none of ours, was taken up or replaced, or its time is over. Reads only."""
    editor = session.exec(select(Editor).where(Editor.invitation == _digest(token))).one_or_none()
    if editor is None or editor.disabled_at is not None:
        return None
    return editor if editor.invited_until is not None and now < editor.invited_until else None


def take_up(session: Session, token: str, password: str, totp: str, step: int, now: datetime) -> Editor | None:
    """Set what an invited person has chosen: the hash of a password, the secret of the codes, the code's half minute.

    Ends all sessions of the account. None where the link is not good any more: two that are pressed at once cannot both
    be. The caller commits.
    """
    taken = (
        update(Editor)
        .where(
            col(Editor.invitation) == _digest(token),
            col(Editor.invited_until) > now,
            col(Editor.disabled_at).is_(None),
        )
        .values(password=password, totp=totp, totp_used=step, invitation=None, invited_until=None)
        .returning(col(Editor.id))
    )
    number = session.connection().execute(taken).scalar_one_or_none()
    if number is None:
        return None
    sessions.end_all(session, number)
    log.write(session, now, number, "took an invitation up")
    return session.get_one(Editor, number, populate_existing=True)


def _invite(session: Session, editor: Editor, now: datetime) -> str:
    token = token_urlsafe(CHANCE)
    editor.invitation = _digest(token)
    editor.invited_until = now + INVITED_FOR
    session.add(editor)
    return token


def _check_role(role: str) -> None:
    if role not in RIGHTS:
        raise Refused(f"there is no role {role[:MOST_NAME]!r}; there are {' and '.join(RIGHTS)}")


def _digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()
