"""How does Postmark write and read moments?

With seven digits of a second and, except in webhooks, in US Eastern time; a moment without a zone is Eastern too.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")


def eastern(moment: datetime) -> str:
    """An aware moment as in answers: `2026-11-22T07:25:01.4178640-05:00`."""
    local = moment.astimezone(EASTERN)
    offset = local.isoformat()[-6:]
    return f"{local:%Y-%m-%dT%H:%M:%S.%f}0{offset}"


def zulu(moment: datetime) -> str:
    """An aware moment in UTC as in webhooks: `2026-11-22T12:25:01.4178640Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def read(text: str, *, end_of_day: bool = False) -> datetime:
    """A date or a moment from a query, as an aware moment. A bare date is its first instant, or its last.

    Raises ValueError.
    """
    if len(text) == len("2026-11-22"):
        day = date.fromisoformat(text)
        if end_of_day:
            return datetime.combine(day + timedelta(days=1), time(), EASTERN) - timedelta(microseconds=1)
        return datetime.combine(day, time(), EASTERN)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=EASTERN)
