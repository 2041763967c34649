"""The front-end checkers: programs for Node in `checks/`, which are development tools and have a lock of their own."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHECKS = Path(__file__).parents[2] / "checks"
AXE = CHECKS / "node_modules" / "axe-core" / "axe.min.js"


def missing(message: str) -> None:
    """Skip a gate whose tool is not there; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def need_checkers() -> None:
    """Skips without Node or without the packages; fails in CI."""
    if shutil.which("node") is None or not AXE.is_file():
        missing(
            "Node and the packages in checks/ are not installed (make checkers): "
            "NO LETTER AND NO PAGE WENT THROUGH axe, html-validate AND caniemail"
        )


def check(letters: Mapping[str, str], pages: Mapping[str, str]) -> dict[str, Any]:
    """What `checks/check.mjs` finds in letters and pages (name to HTML): its head says the shape."""
    need_checkers()
    done = subprocess.run(
        ["node", "check.mjs"],
        cwd=CHECKS,
        input=json.dumps({"letters": letters, "pages": pages}),
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@cache
def axe() -> str:
    """The script that checks a page for accessibility."""
    need_checkers()
    return AXE.read_text(encoding="utf-8")
