"""What became of a command."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that stdout holds; anything else there fails the test."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    def ok(self) -> str:
        """Stdout of a command that did what it was asked for, and had nothing to remark."""
        assert (self.status, self.err) == (0, ""), self
        return self.out

    def refused(self) -> str:
        """The lines on stderr of a command that could not: status 1, no traceback, nothing on stdout."""
        assert self.status == 1, self
        assert "Traceback" not in self.err
        assert "defect of ours" not in self.err
        assert self.out == ""
        assert any(line.startswith("newsletter: ") for line in self.err.splitlines())
        return self.err.strip()

    def misused(self) -> str:
        """What stderr says to wrong usage: status 2."""
        assert (self.status, self.out) == (2, ""), self
        assert "Traceback" not in self.err
        return " ".join(self.err.replace("│", " ").split())
