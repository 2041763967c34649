import csv
import stat
from contextlib import closing
from pathlib import Path

import pytest

from subscribers.importing import BadRow
from subscribers.rejects import Rejects


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_rows_keep_their_columns_and_get_line_and_reason(tmp_path: Path) -> None:
    with closing(Rejects(["Email", "Name"])) as rejects:
        rejects.add(BadRow(3, "no @", ["nobody", "Zoë, the first"]))
        rejects.add(BadRow(5, "too short", ["x"]))
        rejects.add(BadRow(7, "too long", ["a", "b", "c", "d"]))
        rejects.save(tmp_path / "r.csv")
    assert rows(tmp_path / "r.csv") == [
        ["Email", "Name", "line", "reason"],
        ["nobody", "Zoë, the first", "3", "no @"],
        ["x", "", "5", "too short"],
        ["a", "b", "7", "too long", "c", "d"],
    ]
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


def test_line_and_reason_of_rows_rejected_before_give_way(tmp_path: Path) -> None:
    with closing(Rejects(["email", "line", "reason"])) as rejects:
        rejects.add(BadRow(2, "new", ["nobody", "77", "old"]))
        rejects.save(tmp_path / "r.csv")
    assert rows(tmp_path / "r.csv") == [["email", "line", "reason"], ["nobody", "2", "new"]]


def test_no_file_is_written_over_and_the_same_rows_make_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for email, name in (("a", ""), ("b", ".2"), ("b", ".2"), ("a", ""), ("c", ".3")):
        with closing(Rejects(["email"])) as rejects:
            rejects.add(BadRow(2, "no @", [email]))
            assert rejects.save_beside("new") == Path(f"new.rejected{name}.csv")
    assert [rows(path)[1][0] for path in sorted(tmp_path.iterdir())] == ["b", "c", "a"]
    with closing(Rejects(["email"])) as rejects, pytest.raises(FileExistsError):
        rejects.save(Path("new.rejected.csv"))
