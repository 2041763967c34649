"""What can somebody see and change of their own account? Password, second step, and where they are signed in."""

from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from newsletter.editors import password, renewing, second_step, sessions
from newsletter.web.desk import trust
from newsletter.web.desk.entrance import BUSY, BUSY_FOR, TOO_OLD, WAIT, WRONG_CODE, known_of
from newsletter.web.desk.frame import HOME, Desk, Form, Here, back_to, page
from newsletter.web.form import Sent

ACCOUNT: Final = f"{HOME}/account"
WRONG: Final = "This is not your password. Nothing has changed."
CHANGED: Final = "Your account was changed meanwhile. Look at it, and try again."
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)

router = APIRouter(default_response_class=HTMLResponse)


@router.get("/account")
def account(desk: Here) -> Response:
    """Who one is here, and in which browsers."""
    return _account(desk)


@router.post("/account/password")
def change_password(desk: Here, sent: Form) -> Response:
    """Set another password; all other browsers are signed out."""
    try:
        right = renewing.is_own(desk.site.engine, desk.editor, _as_typed(sent, "old"), desk.now)
        if right is None:
            return _too_often(_account(desk, 429, wrong_old=WAIT.format(_minutes())))
        if not right:
            return _account(desk, 422, wrong_old=WRONG)
        chosen = _as_typed(sent, "password")
        wrong = password.what_is_wrong(chosen, _as_typed(sent, "again"), known_of(desk.site, desk.editor))
        if wrong is not None:
            return _account(desk, 422, wrong_password=wrong)
        kept = password.hashed(chosen)
    except password.Busy:
        return _busy(_account(desk, 503, wrong_old=BUSY))
    with desk.writing() as session:
        done = renewing.change_password(session, desk.editor, desk.signed_in, kept, desk.now)
        session.commit()
    said = "Your password is changed. Everywhere else you are signed out."
    return back_to(desk, ACCOUNT, said if done else CHANGED, wrong=not done)


@router.post("/account/elsewhere")
def sign_out_elsewhere(desk: Here) -> Response:
    """Sign out all other browsers."""
    with desk.writing() as session:
        renewing.sign_out_elsewhere(session, desk.signed_in, desk.now)
        session.commit()
    return back_to(desk, ACCOUNT, "You are signed in here, and nowhere else.")


@router.get("/account/second-step")
def second_step_page(desk: Here) -> Response:
    """A new second step, of which nothing is kept until it is confirmed."""
    return _second_step(desk, second_step.new_secret())


@router.post("/account/second-step")
def change_second_step(desk: Here, sent: Form) -> Response:
    """Take the new second step in the place of the old one."""
    secret = trust.carried(desk.site, sent.one("secret"), desk.signed_in.digest)
    if secret is None:
        return _second_step(desk, second_step.new_secret(), 422, wrong_code=TOO_OLD)
    try:
        right = renewing.is_own(desk.site.engine, desk.editor, _as_typed(sent, "old"), desk.now)
    except password.Busy:
        return _busy(_second_step(desk, secret, 503, wrong_old=BUSY))
    if right is None:
        return _too_often(_second_step(desk, secret, 429, wrong_old=WAIT.format(_minutes())))
    if not right:
        return _second_step(desk, secret, 422, wrong_old=WRONG)
    step = second_step.step_of(secret, sent.one("code"), desk.now, None)
    if step is None:
        return _second_step(desk, secret, 422, wrong_code=WRONG_CODE)
    with desk.writing() as session:
        done = renewing.change_second_step(session, desk.editor, desk.signed_in, secret, step, desk.now)
        session.commit()
    said = "Codes come from the new second step now. Remove the old one from your app."
    return back_to(desk, ACCOUNT, said if done else CHANGED, wrong=not done)


def _account(desk: Desk, status: int = 200, **wrong: str) -> Response:
    with desk.reading() as session:
        found = sessions.of(session, desk.by, desk.now)
    browsers = [(one, browser_of(one.user_agent)) for one in found]
    return page(desk, "account.html", status, browsers=browsers, least=password.LEAST, **wrong)


def _second_step(desk: Desk, secret: str, status: int = 200, **wrong: Any) -> Response:
    link = second_step.link(secret, desk.editor.email, desk.site.assembly.settings.name)
    return page(
        desk,
        "second_step.html",
        status,
        secret=second_step.in_groups(secret),
        picture=second_step.picture(link),
        carried=trust.carry(desk.site, secret, desk.signed_in.digest),
        **wrong,
    )


def browser_of(agent: str | None) -> str:
    """What a person calls a browser by its user agent, as far as that can be told: all of them claim to be others."""
    known = agent or ""
    browser = next((name for word, name in BROWSERS if f"{word}/" in known), "A browser")
    system = next((name for word, name in SYSTEMS if word in known), None)
    return f"{browser} on {system}" if system else browser


def _too_often(answer: Response) -> Response:
    answer.headers["Retry-After"] = str(int(renewing.PER.total_seconds()))
    return answer


def _busy(answer: Response) -> Response:
    answer.headers["Retry-After"] = str(BUSY_FOR)
    return answer


def _minutes() -> int:
    return int(renewing.PER.total_seconds()) // 60


def _as_typed(sent: Sent, name: str) -> str:
    return next(iter(sent.all(name)), "")
