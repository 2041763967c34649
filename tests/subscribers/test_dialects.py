from datetime import UTC, datetime
from pathlib import Path

import pytest

from subscribers.consent import KINDS
from subscribers.csv_file import open_csv
from subscribers.dialects import DIALECTS, FIELDS, OURS, UNWILLING, WORDS, recognise
from subscribers.entry import REASONS as ENTRY_REASONS
from subscribers.entry import STATUSES as ENTRY_STATUSES
from subscribers.entry import Entry, read_entry
from subscribers.subscriber import STATUSES
from subscribers.suppression import REASONS

EXPORTS = Path(__file__).parent / "exports"

SAYS = {
    "subscribed_email_audience_export_3f1c.csv": ("Mailchimp", ["active", "active"]),
    "unsubscribed_email_audience_export_3f1c.csv": ("Mailchimp", ["unsubscribed", "unsubscribed"]),
    "cleaned_email_audience_export_3f1c.csv": ("Mailchimp", ["suppressed hard_bounce"]),
    "substack.csv": ("Substack", ["active", "active", "unsubscribed"]),
    "substack_subscribers_page.csv": ("Substack", ["active", "active"]),
    "ghost.csv": ("Ghost", ["active", "unsubscribed", "unsubscribed"]),
    "beehiiv.csv": (
        "beehiiv",
        ["active", "unsubscribed", "pending", "unsubscribed", "suppressed hard_bounce", "status is 'needs_attention'"],
    ),
    "buttondown.csv": (
        "Buttondown",
        ["active", "active", "unsubscribed", "suppressed hard_bounce", "pending", "status is 'blocked'"],
    ),
    "listmonk.csv": ("listmonk", ["active", "unsubscribed", "suppressed manual"]),
    "kit.csv": ("Kit", ["active", "unsubscribed", "suppressed hard_bounce", "suppressed complaint", "pending"]),
    "plain_windows.csv": ("plain", ["active", "unsubscribed", "The part after the @-sign"]),
}


def entries(name: str, path: Path | None = None) -> tuple[str, list[Entry | str]]:
    """The dialect of a sample, and what its rows say, or why they were refused."""
    read: list[Entry | str] = []
    with open_csv(path or EXPORTS / name) as file:
        reading = recognise(file.header, name, {})
        for _, cells in file.rows():
            try:
                read.append(read_entry(reading, cells))
            except ValueError as error:
                read.append(str(error))
    return reading.dialect, read


def stands(entry: Entry | str) -> str:
    if isinstance(entry, str):
        return entry
    return " ".join(filter(None, (entry.standing.status, entry.standing.suppressed_for)))


def one(name: str, email: str) -> Entry:
    return next(each for each in entries(name)[1] if isinstance(each, Entry) and each.address.email == email)


@pytest.mark.parametrize("name", SAYS)
def test_every_services_export_is_recognised_and_its_statuses_are_carried(name: str) -> None:
    dialect, said = SAYS[name]
    found, read = entries(name)
    assert found == dialect
    assert [stands(entry)[: len(word)] for entry, word in zip(read, said, strict=True)] == said


def test_there_is_a_sample_of_every_service_and_a_line_in_the_document() -> None:
    assert {dialect for dialect, _ in SAYS.values()} == {one.name for one in DIALECTS[1:]} | {"plain"}
    assert set(SAYS) == {file.name for file in EXPORTS.iterdir()}
    document = Path("docs/importing.md").read_text(encoding="utf-8")
    assert [one.name for one in DIALECTS[1:] if f"| {one.name} |" not in document] == []


@pytest.mark.parametrize(
    ("name", "email", "consented_at", "since", "network"),
    [
        ("subscribed_email_audience_export_3f1c.csv", "ana@example.com", "2023-04-21 11:20:03", None, "203.0.113.8"),
        ("subscribed_email_audience_export_3f1c.csv", "bo@example.com", "2018-02-12 10:54:27", None, None),
        (
            "unsubscribed_email_audience_export_3f1c.csv",
            "cy@example.com",
            "2018-02-12 10:54:27",
            "2018-07-23 12:19:27",
            None,
        ),
        (
            "cleaned_email_audience_export_3f1c.csv",
            "eve@example.com",
            "2018-02-05 19:28:23",
            "2020-03-23 17:30:05",
            None,
        ),
        ("beehiiv.csv", "di@example.com", "2023-04-11 14:02:46", "2024-03-13 11:33:53", None),
        ("buttondown.csv", "ana@example.com", "2024-05-01 08:00:00", None, "203.0.113.7"),
        ("buttondown.csv", "di@example.com", "2024-05-04 08:00:00", "2025-03-01 00:00:00", None),
        ("listmonk.csv", "ana@example.com", "2023-01-04 05:42:24.123456", None, None),
        ("listmonk.csv", "bo@example.com", "2023-01-04 00:12:24.5", None, None),
        ("substack.csv", "ana@example.com", "2018-08-27 15:06:27.713", None, None),
        ("substack_subscribers_page.csv", "bo@example.com", "2025-02-01", None, None),
        ("ghost.csv", "ana@example.com", "2022-04-06 07:42:08", None, None),
        ("kit.csv", "ana@example.com", "2022-09-10 11:12:13", None, None),
    ],
)
def test_when_and_from_where_they_agreed_is_carried(
    name: str, email: str, consented_at: str, since: str | None, network: str | None
) -> None:
    entry = one(name, email)
    assert entry.consented_at == datetime.fromisoformat(consented_at).replace(tzinfo=UTC)
    assert entry.since == (datetime.fromisoformat(since).replace(tzinfo=UTC) if since else None)
    assert entry.network == network


def test_names_in_windows_letters_do_not_stop_a_file() -> None:
    with open_csv(EXPORTS / "plain_windows.csv") as file:
        assert (file.encoding, file.separator) == ("cp1252", ";")
        assert [cells[1] for _, cells in file.rows()] == ["Zoë Núñez", "François Ångström", "Jürgen Weiß"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unsubscribed_members_export_9.csv", "unsubscribed"),
        ("Bounced Subscribers.csv", "suppressed hard_bounce"),
        ("unsubscribed.csv", "unsubscribed"),
        ("readers.csv", "active"),
        ("subscribed_members_export_9.csv", "active"),
        ("2026-unsubscribed.csv", "unsubscribed"),
    ],
)
def test_a_files_name_tells_of_those_of_whom_the_rows_say_nothing(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text("email,status\nana@example.com,\nbo@example.com,pending\n")
    assert [stands(entry) for entry in entries(name, tmp_path / name)[1]] == [said, "pending"]


@pytest.mark.parametrize("columns", ["UNSUB_TIME", "CLEAN_TIME"])
def test_mailchimps_file_of_those_who_left_makes_nobody_active_under_another_name(tmp_path: Path, columns: str) -> None:
    (tmp_path / "list.csv").write_text(f"Email Address,MEMBER_RATING,{columns}\nana@example.com,2,\n")
    [entry] = entries("list.csv", tmp_path / "list.csv")[1]
    assert stands(entry) in ("unsubscribed", "suppressed hard_bounce")


@pytest.mark.parametrize("name", ["nonsubscribed_email_audience_export_1.csv", "archived_members.csv"])
def test_a_file_of_people_who_never_agreed_is_not_imported(name: str) -> None:
    with pytest.raises(ValueError, match="the file's name says"):
        recognise(["Email Address", "MEMBER_RATING"], name, {})


@pytest.mark.parametrize("word", ["inactive", "deleted", "SUBSCRIBED?", "yes", "non-subscribed", "1"])
def test_a_status_that_could_mean_two_things_makes_nobody_active(word: str) -> None:
    reading = recognise(["email", "status"], "readers.csv", {})
    with pytest.raises(ValueError, match=r"status is .*; it must be one of pending, active"):
        read_entry(reading, ["ana@example.com", word])


@pytest.mark.parametrize(
    "header",
    [
        "uuid,email,name,attributes,status,created_at",
        "first_name,email_address,state,created_at",
        "email_address,type,creation_date",
        "email,status,tier,created_at",
        ",".join(OURS),
    ],
)
def test_an_export_that_lost_somebodys_status_makes_them_not_active(header: str) -> None:
    names = header.split(",")
    cells = ["ana@example.com" if "email" in name else "" for name in names]
    with pytest.raises(ValueError, match="status is ''"):
        read_entry(recognise(names, "readers.csv", {}), cells)


def test_the_less_willing_of_two_things_that_a_row_says_counts() -> None:
    reading = recognise(["email", "status", "unsubscribed_at"], "readers.csv", {})
    assert stands(read_entry(reading, ["a@example.com", "active", "2025-01-01"])) == "unsubscribed"
    assert stands(read_entry(reading, ["a@example.com", "bounced", "2025-01-01"])) == "suppressed hard_bounce"
    assert stands(read_entry(reading, ["a@example.com", "active", " "])) == "active"


@pytest.mark.parametrize("value", ["perhaps", "-"])
def test_a_sign_that_is_neither_true_nor_false_refuses_the_row(value: str) -> None:
    for header, name in (("email_disabled", "Substack"), ("subscribed_to_emails", "Ghost")):
        reading = recognise(["email", header], "readers.csv", {})
        assert reading.dialect == name
        with pytest.raises(ValueError, match=f"{header} is '{value}'; it must be true or false"):
            read_entry(reading, ["ana@example.com", value])


def test_a_ghost_reader_of_whom_nothing_is_said_is_refused() -> None:
    with pytest.raises(ValueError, match="subscribed_to_emails is ''"):
        read_entry(recognise(["email", "subscribed_to_emails"], "g.csv", {}), ["ana@example.com", ""])


def test_columns_can_be_mapped_and_a_mapping_goes_before_what_is_recognised() -> None:
    header = ["Work mail", "Email", "State now", "Joined", "x"]
    mapping = {"work MAIL": "email", "State now": "status", "Joined": "consented_at", "x": "ignore"}
    reading = recognise(header, "readers.csv", mapping)
    entry = read_entry(reading, ["ana@example.com", "old@example.com", "cancelled", "2025-01-14", "y"])
    assert (entry.address.email, stands(entry)) == ("ana@example.com", "unsubscribed")
    assert entry.consented_at == datetime(2025, 1, 14, tzinfo=UTC)
    assert reading.not_read == ("email",)


def test_an_ignored_column_says_nothing() -> None:
    reading = recognise(["email", "email_disabled"], "s.csv", {"email_disabled": "ignore"})
    assert stands(read_entry(reading, ["ana@example.com", "true"])) == "active"
    assert reading.not_read == ()


def test_a_mapped_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="there is no column 'mail' to be mapped; there are: email, name"):
        recognise(["Email", "Name"], "readers.csv", {"Mail": "email"})


@pytest.mark.parametrize("header", [[], ["name"], ["email", "Email"], ["email", "e-mail"], ["email address", "email"]])
def test_there_must_be_one_column_of_addresses(header: list[str]) -> None:
    with pytest.raises(ValueError, match='the header line must have one column "email"'):
        recognise(header, "readers.csv", {})


def test_two_columns_of_one_name_are_refused_where_they_would_be_read() -> None:
    with pytest.raises(ValueError, match="two columns are called 'status'"):
        recognise(["email", "status", "Status"], "readers.csv", {})
    assert recognise(["email", "x", "x"], "readers.csv", {}).not_read == ("x", "x")


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("consented_at", "yesterday", "consented_at is 'yesterday'; write it like 2026-11-18T09:00:00Z"),
        ("consented_at", "14/01/2025 09:00", "consented_at is '14/01/2025 09:00'; write it like"),
        ("since", "0001-01-01T00:00:00+14:00", "since is '0001-01-01T00:00:00+14:00', which no calendar has"),
        ("network", "the office", "network is 'the office'; it must be an IP address or a network"),
        ("paused_until", "2027-01-01", "paused_until is given, and the status is active, not paused"),
        ("suppressed_for", "complaint", "suppressed_for is given, and the status is active, not suppressed"),
        ("muted_categories", '["a', "muted_categories is '[\"a'; write names between commas"),
        ("language", "German", "language is 'German'; write its code, like de, or leave the column out: --map"),
        ("muted_categories", "[1]", "muted_categories is '[1]'; write names between commas"),
    ],
)
def test_what_is_not_understood_refuses_the_row_in_one_line(column: str, value: str, complaint: str) -> None:
    reading = recognise(["email", "status", column], "readers.csv", {})
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        read_entry(reading, ["ana@example.com", "active", value])
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-11-18T09:00:00Z", 9),
        ("2026-11-18 09:00:00", 9),
        ("2026-11-18 09:00:00 UTC", 9),
        ("2026-11-18 09:00:00.123456789 +0000 UTC", 9),
        ("2026-11-18 09:00:00 +0200 CEST", 7),
        ("2026-11-18 09:00:00 -0300 -0300", 12),
        ("2026-11-18", 0),
        ("2026-11-18 09:00:00 CEST", None),
        ("2026-11-18 09:00:00 PM", None),
    ],
)
def test_moments_are_read_as_services_write_them_and_never_guessed(written: str, hour: int | None) -> None:
    reading = recognise(["email", "consented_at"], "readers.csv", {})
    if hour is None:
        with pytest.raises(ValueError, match="consented_at is"):
            read_entry(reading, ["ana@example.com", written])
        return
    moment = read_entry(reading, ["ana@example.com", written]).consented_at
    assert moment
    assert moment.replace(microsecond=0) == datetime(2026, 11, 18, hour, tzinfo=UTC)


def test_a_byte_order_mark_before_the_first_name_does_no_harm() -> None:
    assert recognise(["\ufeffEmail", "name"], "readers.csv", {}).columns["email"] == (0,)


def test_categories_are_a_json_array_or_names_between_commas() -> None:
    reading = recognise(["email", "muted_categories"], "readers.csv", {})
    for written, names in (('["a, b","c"]', ["a, b", "c"]), ("Coding , Video,", ["Coding", "Video"]), ("", [])):
        assert read_entry(reading, ["ana@example.com", written]).muted == names


def test_the_words_here_are_those_of_the_tables() -> None:
    assert set(UNWILLING) == set(ENTRY_STATUSES) == set(STATUSES)
    assert set(ENTRY_REASONS) == set(REASONS)
    standings = [*WORDS.values(), *(word for dialect in DIALECTS for word in dialect.words.values())]
    assert {standing.status for standing in standings} <= set(STATUSES)
    assert {standing.suppressed_for for standing in standings} <= {*REASONS, None}
    assert all(wanted in FIELDS for dialect in DIALECTS for wanted in dialect.columns)
    assert "imported" in KINDS
