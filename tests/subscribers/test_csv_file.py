import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.csv_file import BLOCK, MAX_FIELD, MAX_LINE, CannotRead, open_csv


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "readers.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, encoding: str | None = None) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    with open_csv(path, encoding) as opened:
        rows = list(opened.rows())
        assert len(rows) == opened.count
        assert list(opened.rows()) == rows
        return opened.header, rows


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfemail,name\r\nana@example.com,Ana\r\nbo@example.com,Bo\r\n",
        b"email,name\rana@example.com,Ana\rbo@example.com,Bo",
        b"email;name\nana@example.com;Ana\n\n;\nbo@example.com;Bo\n",
        b"email\tname\nana@example.com\tAna\nbo@example.com\tBo\n",
        b'"email";"name"\nana@example.com;"Ana"\nbo@example.com;Bo',
        "email,name\nana@example.com,Ana\nbo@example.com,Bo\n".encode("utf-16"),
        "email,name\r\nana@example.com,Ana\r\nbo@example.com,Bo\r\n".encode("utf-16-be").join([b"\xfe\xff", b""]),
    ],
    ids=["BOM and CRLF", "CR", "semicolons", "tabs", "quoted semicolons", "UTF-16", "UTF-16, big end first"],
)
def test_files_are_read_as_spreadsheets_write_them(tmp_path: Path, content: bytes) -> None:
    header, rows = read(file(tmp_path, content))
    assert header == ("email", "name")
    assert [cells for _, cells in rows] == [["ana@example.com", "Ana"], ["bo@example.com", "Bo"]]


def test_a_separator_within_quotes_is_none(tmp_path: Path) -> None:
    header, _ = read(file(tmp_path, 'Email;"Last, first, middle"\n'))
    assert header == ("Email", "Last, first, middle")


def test_rows_have_the_lines_that_an_editor_shows(tmp_path: Path) -> None:
    content = (
        'email,name\n"ana@example.com","says ""hi"", often"\n\n  ,\n"bo@example.com","two\nlines"\ncy@example.com\n'
    )
    _, rows = read(file(tmp_path, content))
    assert [line for line, _ in rows] == [2, 5, 7]
    assert rows[1][1] == ["bo@example.com", "two\nlines"]


def test_odd_line_ends_in_a_field_stay_there(tmp_path: Path) -> None:
    _, rows = read(file(tmp_path, "email,name\nana@example.com,a\u2028b\x0c\x85c\n"))
    assert rows == [(2, ["ana@example.com", "a\u2028b\x0c\x85c"])]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ["José"]),
        ("cp1252", ["Müller", "Zoë", "Núñez", "Peña — “x”"]),
        ("latin-1", ["François Ångström", "Søren"]),
        ("cp1251", ["Иванов Пётр", "Мария Смирнова", "Ольга Кузнецова"]),
        ("shift_jis", ["山田太郎", "佐藤花子さん", "こんにちは世界"]),
    ],
)
def test_letters_of_older_encodings_survive(tmp_path: Path, encoding: str, names: list[str]) -> None:
    content = "email,name\n" + "".join(f"reader{n}@example.com,{name}\n" for n, name in enumerate(names))
    _, rows = read(file(tmp_path, content.encode(encoding)))
    assert [cells[1] for _, cells in rows] == names


def test_one_odd_letter_after_many_plain_rows_is_found(tmp_path: Path) -> None:
    plain = b"ana@example.com,Ana\n" * (4 * BLOCK // 20)
    _, rows = read(file(tmp_path, b"email,name\n" + plain + "bo@example.com,Renée\n".encode("cp1252")))
    assert rows[-1][1][1] == "Renée"


def test_the_encoding_can_be_said(tmp_path: Path) -> None:
    path = file(tmp_path, "email,name\nana@example.com,Łukasz\n".encode("cp1250"))
    assert read(path, "cp1250")[1][0][1][1] == "Łukasz"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"email\nana@example.com\nbo\x00@example.com\n", ": holds NUL bytes in line 3"),
        ("email\nana@example.com\n".encode("utf-16-le"), ": holds NUL bytes in line 1"),
        (b'email,name\nana@example.com,Ana\nbo@example.com,"Bo\ncy@example.com,Cy\n', ":3: "),
        (b'email\nana@example.com\n"bo@example.com"x\n', ":3: "),
        (b'email,name\nana@example.com,"' + b"x\n" * MAX_FIELD + b'"\n', ":2: a quote is opened here and never closed"),
        (b"email,name\nana@example.com," + b"x" * (MAX_FIELD + 1) + b"\n", ":2: a quote is opened here"),
        (b"email,name\nana@example.com," + b"x," * MAX_LINE + b"\n", f":2: the line is longer than {MAX_LINE:,}"),
        (b"\xef\xbb\xbfemail\nren\xe9@example.com\n", ": somewhere after line 1 it is not UTF-8"),
        (b"\xff\xfee\x00m\x00a", ": somewhere after line 1 it is not UTF-16"),
    ],
    ids=[
        "NUL",
        "UTF-16 without mark",
        "open quote",
        "odd quote",
        "long quote",
        "long field",
        "long line",
        "BOM",
        "half",
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole_in_one_line(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = file(tmp_path, content)
    with pytest.raises(CannotRead) as caught, open_csv(path):
        pass
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(CannotRead, match=complaint) as caught, open_csv(path):
            pass
        assert str(path) in str(caught.value)


def test_an_empty_file_has_no_header(tmp_path: Path) -> None:
    assert read(file(tmp_path, b"")) == ((), [])


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"email\nana@example.com\nbo@example.com\n",))
    writer.start()
    assert read(pipe) == (("email",), [(2, ["ana@example.com"]), (3, ["bo@example.com"])])
    writer.join()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_whatever_the_bytes_it_ends_in_rows_or_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(content)
    try:
        read(path)
    except CannotRead as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
