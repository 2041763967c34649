"""How is a person forgotten? What remains is a row without an address, by which letters are counted."""

from datetime import datetime

from sqlmodel import Field

from newsletter.db import Table


class Erasure(Table, table=True):
    """The fingerprint of an address that was erased: by it we can tell whether a trace of it is left anywhere."""

    __tablename__ = "erasures"

    fingerprint: str = Field(primary_key=True)
    at: datetime
