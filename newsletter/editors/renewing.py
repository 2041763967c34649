"""How does somebody who is signed in change the password, or the second step? With the password that they have.

Promises: what was proven is still so when the change is made; a change ends all other sessions of the account, for it
may be made because somebody else is in one of them.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.db import writing
from newsletter.editors import log, password, sessions
from newsletter.editors.editor import Editor
from newsletter.editors.sessions import SignedIn
from subscribers import limits

MOST: Final = 10
PER: Final = timedelta(minutes=15)
"""How often the password may be said by who is signed in: a browser that was left open is no place to guess it."""


def is_own(engine: Engine, editor: Editor, typed: str, now: datetime) -> bool | None:
    """Whether somebody knows the password of their account; None where they have said too many. Raises Busy."""
    with writing(engine) as session:
        within = limits.take(session, "passwords at the desk", str(editor.id), MOST, PER, now)
        session.commit()
    return password.is_right(editor.password, typed) if within else None


def change_password(session: Session, proven: Editor, here: SignedIn, kept: str, now: datetime) -> bool:
    """Keep the hash of a new password; False where the account has changed since it was proven. The caller commits."""
    editor = _unchanged(session, proven)
    if editor is None:
        return False
    editor.password = kept
    return _changed(session, editor, here, "changed the password", now)


def change_second_step(session: Session, proven: Editor, here: SignedIn, secret: str, step: int, now: datetime) -> bool:
    """Keep a new secret, of which the code of a half minute was shown; False as above. The caller commits."""
    editor = _unchanged(session, proven)
    if editor is None:
        return False
    editor.totp, editor.totp_used = secret, step
    return _changed(session, editor, here, "changed the second step", now)


def sign_out_elsewhere(session: Session, here: SignedIn, now: datetime) -> None:
    """End all sessions of an account but one. The caller commits."""
    sessions.end_all(session, here.editor_id, but=here.id)
    log.write(session, now, here.editor_id, "signed out everywhere else")


def _unchanged(session: Session, proven: Editor) -> Editor | None:
    editor = session.exec(select(Editor).where(Editor.id == proven.id).with_for_update()).one()
    same = (editor.password, editor.totp) == (proven.password, proven.totp)
    return editor if same and editor.disabled_at is None else None


def _changed(session: Session, editor: Editor, here: SignedIn, what: str, now: datetime) -> bool:
    session.add(editor)
    sessions.end_all(session, here.editor_id, but=here.id)
    log.write(session, now, editor.id, what)
    return True
