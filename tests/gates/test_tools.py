"""The checkers' lock: whole, exact, and naming no host."""

import json
import re

from tests.gates.tools import CHECKS

LOCK = json.loads((CHECKS / "package-lock.json").read_text(encoding="utf-8"))
PACKAGES = {path: each for path, each in LOCK["packages"].items() if path}


def test_every_package_is_locked_by_hash_and_from_nowhere() -> None:
    assert len(PACKAGES) > 50
    assert [path for path, each in PACKAGES.items() if not each.get("integrity", "").startswith("sha512-")] == []
    assert "://" not in json.dumps(LOCK)


def test_what_is_asked_for_is_exact_and_locked() -> None:
    asked = json.loads((CHECKS / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked.values())
    assert {name: PACKAGES[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_no_package_runs_anything_when_it_is_installed() -> None:
    assert [path for path, each in PACKAGES.items() if each.get("hasInstallScript")] == []
