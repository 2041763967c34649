from sqlalchemy import Engine

from newsletter.db import reading
from subscribers import audience
from subscribers.subscriber import ACTIVE, STATUSES
from tests.newsroom import subscribe


def test_the_audience_is_every_active_reader_and_nobody_else(engine: Engine) -> None:
    ids = {
        status: subscribe(engine, [f"{status}{number}@example.com" for number in (1, 2)], status) for status in STATUSES
    }
    with reading(engine) as session:
        assert set(session.connection().scalars(audience.member_ids())) == set(ids[ACTIVE])
        assert audience.size(session) == 2


def test_a_list_of_nobody_has_no_audience(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        assert audience.size(session) == 0
