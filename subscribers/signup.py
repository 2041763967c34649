"""Who would like to read us? What the form was sent, until somebody looks at it.

A form is answered before anybody asks whether the address is on the list: so neither the answer nor the time that it
takes can tell.
"""

from datetime import datetime

from sqlmodel import Field

from newsletter.db import Table


class SignUp(Table, table=True):
    """What a form was sent. Gone as soon as it was attended to."""

    __tablename__ = "sign_ups"

    id: int | None = Field(default=None, primary_key=True)
    email: str
    address_key: str = Field(index=True)
    source: str
    """Which form."""
    words: str
    words_version: str
    network: str | None = None
    user_agent: str | None = None
    at: datetime
