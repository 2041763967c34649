"""How does an editor come in? Address, password and code at once; nothing is told of which of them was wrong.

Promises: it takes the same work whether there is such an account or not, and ends in the same outcome; guessing is slow
from one place and from many, and locks nobody out who comes from where they have been before; what was tried is in the
log, without the address that was typed.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, select

from newsletter.db import reading, writing
from newsletter.editors import log, password, second_step, sessions
from newsletter.editors.editor import Editor
from newsletter.editors.sessions import SignedIn
from subscribers import limits
from subscribers.address import readable
from subscribers.consent import Whence
from subscribers.whence import network_of, shortened_network

PER: Final = timedelta(minutes=15)
MOST_OF_A_NETWORK: Final = 30
"""In `PER`, whatever accounts are tried: an office of three who all mistype is far below it."""
MOST_AT_AN_ACCOUNT: Final = 10
"""In `PER`, for one account from one network, or from one browser that has been in it before."""
LONG: Final = timedelta(hours=1)
MOST_FROM_ELSEWHERE: Final = 20
"""In `LONG`, for one account from all networks together, but for those where its editor is known.

Whoever guesses from many networks is stopped by this. It would let anybody keep an editor out, who need only guess on;
so it does not count for a browser that was in this account before, nor for a network from which a session of it is
alive. What is right to come in from there is two secrets all the same.
"""
MOST_NOTED: Final = 100
"""Failures an hour that are in the log, which is kept for good: whoever tries for weeks is not to fill the disk."""


@dataclass(frozen=True)
class Typed:
    """What somebody typed at the door."""

    address: str = field(repr=False)
    password: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True)
class CameIn:
    """Somebody is signed in: who, and the secret of the session for the cookie."""

    editor_id: int
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TooOften:
    """Nothing was looked at; it may be tried again after this time at the latest."""

    wait: timedelta


@dataclass(frozen=True)
class NotIn:
    """Something was wrong, or there is no such account, or it is disabled."""


def sign_in(
    engine: Engine,
    typed: Typed,
    whence: Whence,
    now: datetime,
    *,
    known_as: tuple[int, str] | None = None,
    before: str = "",
) -> CameIn | TooOften | NotIn:
    """Try to sign somebody in, in transactions of its own; no hash is made while one is open.

    `known_as`: the account that this browser was in before, and what tells it from other browsers. `before`: the secret
    of a session that it still has; it ends. Raises `password.Busy`.
    """
    address = readable(typed.address)
    key = address.key if address else ""
    with reading(engine) as session:
        editor = session.exec(select(Editor).where(Editor.address_key == key)).one_or_none()
        number = editor.id if editor is not None and editor.id is not None else -1
        networks = [
            network_of(one) for one in session.exec(select(SignedIn.network).where(SignedIn.editor_id == number))
        ]
    network = network_of(whence.network)
    browser = f"{number} {known_as[1]}" if known_as is not None and known_as[0] == number else None
    at_home = browser is not None or (network is not None and network in networks)
    with writing(engine) as session:
        wait = _too_often(session, key or typed.address, network, browser, at_home, now)
        session.commit()  # an attempt counts whatever becomes of it
    if wait is not None:
        return TooOften(wait)
    open_ = editor if editor is not None and editor.disabled_at is None else None
    right = password.is_right(open_.password if open_ else None, typed.password)
    step = second_step.step_of(open_.totp if open_ else None, typed.code, now, open_.totp_used if open_ else None)
    if open_ is None or not right or step is None:
        _note_failure(engine, number, whence, now)
        return NotIn()
    anew = password.hashed(typed.password) if open_.password and password.is_stale(open_.password) else None
    with writing(engine) as session:
        came_in = session.exec(select(Editor).where(Editor.id == number).with_for_update()).one()
        # Meanwhile the account may have been disabled, the password changed, or the code used.
        still = came_in.disabled_at is None and (came_in.password, came_in.totp) == (open_.password, open_.totp)
        if still and (came_in.totp_used is None or step > came_in.totp_used):
            came_in.totp_used = step
            came_in.password = anew or came_in.password
            session.add(came_in)
            secret = open_session(session, came_in, whence, now, before)
            session.commit()
            return CameIn(number, secret)
    _note_failure(engine, number, whence, now)
    return NotIn()


def open_session(session: Session, editor: Editor, whence: Whence, now: datetime, before: str = "") -> str:
    """Begin a session for who has proven who they are, end the one that the browser still had; the new secret."""
    if before:
        sessions.end_by(session, before)
    log.write(session, now, editor.id, "signed in")
    return sessions.begin(session, editor, now, whence.network, whence.user_agent)


def _too_often(
    session: Session, account: str, network: str | None, browser: str | None, at_home: bool, now: datetime
) -> timedelta | None:
    """Count an attempt; how long to wait where it is one too many."""
    if browser is not None:  # this very browser was in this very account: others cannot use its attempts up
        return None if limits.take(session, "browsers at the desk", browser, MOST_AT_AN_ACCOUNT, PER, now) else PER
    where = network or "unknown"
    if not limits.take(session, "networks at the desk", where, MOST_OF_A_NETWORK, PER, now):
        return PER
    if not limits.take(
        session, "accounts of a network at the desk", f"{where} {account}", MOST_AT_AN_ACCOUNT, PER, now
    ):
        return PER
    if not at_home and not limits.take(session, "accounts at the desk", account, MOST_FROM_ELSEWHERE, LONG, now):
        return LONG
    return None


def _note_failure(engine: Engine, number: int, whence: Whence, now: datetime) -> None:
    """Of an account that there is, and of one that there is not, the same is done and one thing more is said."""
    with writing(engine) as session:
        if limits.take(session, "failures at the desk", "all", MOST_NOTED, LONG, now):
            known = session.exec(select(Editor.name).where(Editor.id == number)).one_or_none()
            detail = f"as {known}" if known is not None else "as nobody that there is"
            place = shortened_network(whence.network)
            log.write(session, now, None, "could not sign in", detail=f"{detail}, from {place}" if place else detail)
        session.commit()
