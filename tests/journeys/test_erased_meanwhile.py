"""What happens to a reader at the very moment of their erasure neither brings them back nor hinders it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter import departures, farewell, welcome
from newsletter.db import reading, writing
from newsletter.delivery.provider import Listed
from newsletter.invariants import violations
from newsletter.welcome import WelcomeDesk
from subscribers import suppression
from subscribers.address import parse_address
from subscribers.consent import NOWHERE
from subscribers.importing import import_csv
from subscribers.preferences import AddressChange, ask_address, move_address
from subscribers.subscriber import ERASED, Subscriber
from subscribers.suppression import COMPLAINT
from tests.letterbox import ANA, BO, HOUR, sign_up
from tests.newsroom import MONDAY, RULES, post, subscribe

Act = Callable[[Engine, Path], object]


def complains(engine: Engine, _: Path) -> None:
    with writing(engine) as session:
        departures.hear(session, Listed(ANA, None, "complained", MONDAY), "broadcast", MONDAY)
        session.commit()


def is_let_in_again(engine: Engine, _: Path) -> None:
    with writing(engine) as session:
        suppression.lift(session, parse_address(ANA), "they wrote to us", MONDAY)
        session.commit()


def leaves_in_a_file(engine: Engine, folder: Path) -> None:
    file = folder / "left.csv"
    file.write_text(f"email,status\n{ANA},unsubscribed\n")
    import_csv(engine, file, None, MONDAY)


def signs_up(engine: Engine, folder: Path) -> None:
    welcome.carry(engine, WelcomeDesk(RULES.masthead, post(folder)), lambda: MONDAY)


def moves(engine: Engine, _: Path) -> None:
    with writing(engine) as session:
        change = session.exec(select(AddressChange.id)).first()
        move_address(session, change or 0, NOWHERE, "link", MONDAY)
        session.commit()


@pytest.mark.parametrize("act", [complains, is_let_in_again, leaves_in_a_file, signs_up, moves])
@pytest.mark.parametrize("suppressed", [False, True])
def test_whoever_is_erased_just_then_stays_so(engine: Engine, tmp_path: Path, act: Act, suppressed: bool) -> None:
    (ana,) = subscribe(engine, [ANA])
    with writing(engine) as session:
        ask_address(session, session.get_one(Subscriber, ana), parse_address(BO), MONDAY)
        if suppressed:
            suppression.suppress(session, parse_address(ANA), COMPLAINT, "a test", MONDAY)
        session.commit()
    sign_up(engine)
    troubles: list[Exception] = []

    def do() -> None:
        try:
            act(engine, tmp_path)
        except Exception as error:  # noqa: BLE001  it is looked at below
            troubles.append(error)

    other = threading.Thread(target=do)
    with writing(engine) as session:
        reader = session.get_one(Subscriber, ana, with_for_update=True)
        other.start()
        time.sleep(0.15)  # until it waits for that row, or, on SQLite, for its turn
        farewell.forget(session, reader, MONDAY + HOUR)
        session.commit()
    other.join()
    assert troubles == []
    with reading(engine) as session:
        assert session.get_one(Subscriber, ana).status == ERASED
        assert violations(session) == []
