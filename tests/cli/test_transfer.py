import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Newsletter

EXPORTS = Path(__file__).parents[1] / "subscribers" / "exports"


def write(name: str, content: str) -> Path:
    Path(name).write_text(content)
    return Path(name)


def statuses(newsletter: Newsletter) -> dict[str, str]:
    return {one["email"]: one["status"] for one in newsletter("subscribers", "list", "--json").document}


def test_bad_rows_are_named_with_their_line_and_all_of_them_are_in_a_file_that_can_be_imported(
    newsletter: Newsletter,
) -> None:
    done = newsletter("subscribers", "import", write("new.csv", "Email,Name\nbo@example,Bo\nana@example.com,Ana\n"))
    assert (done.status, done.out) == (1, "added: 1 active; on the list before: 0; left out: 1\n")
    lines = done.err.splitlines()
    assert lines[0] == "new.csv:1: not read: name (what is: email)"
    assert lines[1].startswith("new.csv:2: ")
    assert lines[2] == (
        "newsletter: new.csv: 1 rows were left out; mend them in new.rejected.csv, which has the reasons, "
        "and import that file"
    )
    rejected = Path("new.rejected.csv").read_text(encoding="utf-8-sig")
    assert rejected.startswith("Email,Name,line,reason\nbo@example,Bo,2,")
    mended = write("mended.csv", rejected.replace("bo@example,", "bo@example.com,"))
    assert newsletter("subscribers", "import", mended).out.startswith("added: 1 active; on the list before: 0")
    assert statuses(newsletter) == {"ana@example.com": "active", "bo@example.com": "active"}


def test_of_many_bad_rows_twenty_are_named_and_all_are_kept(newsletter: Newsletter) -> None:
    file = write("new.csv", "email\n" + "nobody\n" * 25)
    done = newsletter("subscribers", "import", file, "--rejected", "bad.csv")
    assert done.status == 1
    assert len(done.err.splitlines()) == 22
    assert "… and 5 more" in done.err
    with Path("bad.csv").open(encoding="utf-8-sig", newline="") as kept:
        assert [row["line"] for row in csv.DictReader(kept)] == [str(line) for line in range(2, 27)]
    assert newsletter("subscribers", "import", file, "--rejected", "bad.csv").refused() == (
        "newsletter: bad.csv: is there already; remove it, or name another file"
    )
    assert not Path("new.rejected.csv").exists()


def test_a_file_that_cannot_be_read_is_named(newsletter: Newsletter) -> None:
    assert newsletter("subscribers", "import", "none.csv").refused() == (
        "newsletter: none.csv: No such file or directory"
    )
    assert "new.csv:1: the header line" in newsletter("subscribers", "import", write("new.csv", "x\n")).refused()
    assert statuses(newsletter) == {}


def test_columns_that_are_not_read_are_named(newsletter: Newsletter) -> None:
    done = newsletter("subscribers", "import", write("readers.csv", "email,stauts\nana@example.com,unsubscribed\n"))
    assert (done.status, done.err) == (0, "readers.csv:1: not read: stauts (what is: email)\n")


def test_a_column_can_be_mapped(newsletter: Newsletter) -> None:
    file = write("readers.csv", "email,stauts\nana@example.com,unsubscribed\n")
    newsletter("subscribers", "import", file, "--map", "stauts=status").ok()
    assert statuses(newsletter) == {"ana@example.com": "unsubscribed"}
    refused = newsletter("subscribers", "import", file, "--map", "state=status").refused()
    assert refused == "newsletter: readers.csv:1: there is no column 'state' to be mapped; there are: email, stauts"


def test_a_services_export_is_said_to_be_one(newsletter: Newsletter) -> None:
    done = newsletter("subscribers", "import", EXPORTS / "unsubscribed_email_audience_export_3f1c.csv")
    assert done.status == 0
    assert "read as an export, Mailchimp, in UTF-8, separated by commas" in done.err
    assert "as its name says, all in it count as unsubscribed of whom it says nothing else" in done.err
    done = newsletter("subscribers", "import", EXPORTS / "plain_windows.csv", "--dry-run")
    assert "read as a plain file, in Windows-1252, separated by semicolons" in done.err


def test_rejected_rows_do_not_lose_what_the_files_name_says_of_them(newsletter: Newsletter) -> None:
    file = write("unsubscribed_2025.csv", "email\nana@example\n")
    refused = newsletter("subscribers", "import", file, "--rejected", "bad.csv").refused()
    assert refused == (
        "newsletter: bad.csv: the rows were active under that name; let it begin like that of unsubscribed_2025.csv"
    )
    newsletter("subscribers", "import", file)
    rejected = Path("unsubscribed_2025.rejected.csv")
    rejected.write_text(rejected.read_text().replace("ana@example,", "ana@example.com,"))
    newsletter("subscribers", "import", rejected)
    assert statuses(newsletter) == {"ana@example.com": "unsubscribed"}


def test_a_dry_run_says_the_same_and_leaves_nothing_behind(newsletter: Newsletter) -> None:
    rows = "email,status\nana@example.com,\nANA@example.com,unsubscribed\nbo@example.com,bounced\nnobody,\n"
    file = write("readers.csv", rows)
    foretold = newsletter("subscribers", "import", file, "--dry-run")
    assert statuses(newsletter) == {}
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["readers.csv"]
    done = newsletter("subscribers", "import", file)
    assert foretold.status == done.status == 1
    assert foretold.out == done.out
    assert foretold.out == (
        "added: 1 active, 1 suppressed; on the list before: 0; left out: 1\n"
        "further up in the file: 1, where the first row counts\n"
        "left the list, as the file says: 1\n"
    )
    assert foretold.err.splitlines()[0] == done.err.splitlines()[0]
    assert "a dry run: nothing was written" in foretold.err
    newsletter("subscribers", "import", file, "--dry-run", "--rejected", "bad.csv")
    assert Path("bad.csv").exists()


def test_an_address_that_must_not_be_written_to_is_kept_out_and_counted(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", "ana@example.com").ok()
    newsletter("subscribers", "suppress", "ana@example.com", "--reason", "complaint", "--note", "by phone").ok()
    newsletter("subscribers", "erase", "ana@example.com", "--yes").ok()
    said = newsletter("subscribers", "import", write("readers.csv", "email\nAna@Example.com\nbo@example.com\n")).ok()
    assert said == (
        "added: 1 active; on the list before: 0; left out: 0\n"
        "kept out, since they were forgotten at their wish or must not be written to: 1\n"
    )
    assert statuses(newsletter) == {"bo@example.com": "active"}


def test_what_was_exported_is_imported_again_without_a_change(newsletter: Newsletter) -> None:
    rows = "email,status,muted_categories\nana@example.com,,Video\nbo@example.com,paused,\n=x@example.com,,\n"
    newsletter("subscribers", "import", write("readers.csv", rows)).ok()
    assert newsletter("subscribers", "export", "--out", "out.csv").ok() == "out.csv: 3 readers\n"
    assert Path("out.csv").stat().st_mode & 0o077 == 0
    shown = newsletter("subscribers", "export").ok()
    assert Path("out.csv").read_bytes().decode() == shown.replace("\n", "\r\n").replace("\r\r", "\r")
    assert [row["email"] for row in csv.DictReader(shown.splitlines())] == [
        "ana@example.com",
        "bo@example.com",
        "'=x@example.com",
    ]
    done = newsletter("subscribers", "import", "out.csv")
    assert done.out == "added: none; on the list before: 3; left out: 0\n"
    assert "read as an export, our own" in done.err
    assert len(newsletter("subscribers", "export", "--status", "paused").ok().splitlines()) == 2


def test_an_export_as_json_has_addresses_as_they_are(newsletter: Newsletter) -> None:
    assert newsletter("subscribers", "export", "--json").document == []
    rows = (
        "email,status,consented_at,muted_categories\n=x@example.com,active,2025-01-14,Video\nbo@example.com,bounced,,\n"
    )
    newsletter("subscribers", "import", write("readers.csv", rows), "--source", "a form").ok()
    one, other = newsletter("subscribers", "export", "--json").document
    assert {name: one[name] for name in ("email", "source", "consented_at", "muted_categories", "network")} == {
        "email": "=x@example.com",
        "source": "a form",
        "consented_at": "2025-01-14T00:00:00Z",
        "muted_categories": ["Video"],
        "network": None,
    }
    assert (other["status"], other["suppressed_for"]) == ("suppressed", "hard_bounce")
    newsletter("subscribers", "export", "--json", "--out", "out.json").ok()
    assert json.loads(Path("out.json").read_text()) == [one, other]


def test_a_file_that_cannot_be_written_is_named_and_nothing_half_is_left(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", "ana@example.com").ok()
    assert newsletter("subscribers", "export", "--out", "none/out.csv").refused() == (
        "newsletter: none/out.csv: No such file or directory"
    )
    Path("folder").mkdir()
    assert newsletter("subscribers", "export", "--out", "folder").refused() == "newsletter: folder: Is a directory"
    assert [path.name for path in Path.cwd().iterdir()] == ["folder"]


def test_rejected_rows_that_could_not_be_kept_are_refused_before_the_first_row_is_written(
    newsletter: Newsletter,
) -> None:
    file = write("readers.csv", "email\nana@example.com\nnobody\n")
    for place in ("none/bad.csv", "readers.csv/bad.csv"):
        assert (
            newsletter("subscribers", "import", file, "--rejected", place)
            .refused()
            .startswith(f"newsletter: {place}: ")
        )
    assert statuses(newsletter) == {}


def test_an_old_file_undoes_no_newer_word_and_says_how_often(newsletter: Newsletter) -> None:
    newsletter("subscribers", "suppress", "ana@example.com", "--reason", "hard_bounce").ok()
    newsletter("subscribers", "lift", "ana@example.com", "--because", "a new mailbox")
    file = write("readers.csv", "email,status,since\nana@example.com,cleaned,2025-02-01\nbo@example.com,,\n")
    foretold = newsletter("subscribers", "import", file, "--dry-run").out
    said = newsletter("subscribers", "import", file).ok()
    assert (
        foretold
        == said
        == (
            "added: 1 active; on the list before: 0; left out: 0\n"
            "said of somebody who has said otherwise since, or of whom an editor has; not done: 1\n"
        )
    )
    assert statuses(newsletter) == {"bo@example.com": "active"}


def test_what_is_read_is_named_by_its_column(newsletter: Newsletter) -> None:
    file = write("readers.csv", "status,mail,joined,name\nana@example.com,active,2025-01-14,Ana\n")
    maps = [word for one in ("status=email", "mail=status", "joined=consented_at") for word in ("--map", one)]
    done = newsletter("subscribers", "import", file, *maps)
    assert (
        done.err == "readers.csv:1: not read: name (what is: status as email, mail as status, joined as consented_at)\n"
    )


@pytest.mark.parametrize("command", ["export", "list"])
def test_a_status_that_is_none_is_wrong_usage(newsletter: Newsletter, command: str) -> None:
    said = newsletter("subscribers", command, "--status", "erased").misused()
    assert "'--status'" in said
    assert "'erased' is none of pending, active, paused, unsubscribed, suppressed" in said


def test_an_export_to_stdout_by_name_is_the_export_alone(newsletter: Newsletter) -> None:
    newsletter("subscribers", "add", "ana@example.com").ok()
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "subscribers", "export", "--out", "/dev/stdout", "--json"],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert [one["email"] for one in json.loads(done.stdout)] == ["ana@example.com"]
    assert done.stderr == b"/dev/stdout: 1 readers\n"


def test_a_terminal_shows_a_bar(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    write("readers.csv", "email\n" + "".join(f"reader{number}@example.com\n" for number in range(3000)))
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "newsletter", "subscribers", "import", "readers.csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            shown += block
    os.close(ours)
    assert process.returncode == 0
    assert b"import readers.csv" in shown
    assert b"3000/3000" in shown
