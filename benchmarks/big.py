"""What does a newsletter look like that has grown large? A SQLite database with a million readers and 200 issues.

Of the newest two issues there is a row for each reader (one is out, with all that came back of it; the other is stopped
in its midst), of the others for `EARLIER` readers each. Comparisons, the draft and the letters are made through the
project's own doors, the rest by SQL, with no chance in it. All invariants hold of what is made.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from sqlmodel import Session, select

from newsletter import weekly
from newsletter.assembly import Assembly
from newsletter.comparisons import comparison
from newsletter.comparisons.comparison import ComparisonRow
from newsletter.comparisons.importers import read_file
from newsletter.comparisons.record import Comparison
from newsletter.db import reading, sqlite_file, writing
from newsletter.delivery import ledger
from newsletter.delivery.ledger import BY_READER, StoredLetter
from newsletter.demo import SAMPLE
from newsletter.issues import issue as issues
from newsletter.issues.issue import Issue
from newsletter.issues.week import Week
from newsletter.message import Letter
from newsletter.tracking.scanners import RULES
from subscribers.address import Address
from subscribers.fingerprint import Fingerprints

NOW: Final = datetime(2026, 11, 24, 8, tzinfo=UTC)
DRAFT, GOING, OUT = Week(2026, 47), Week(2026, 46), Week(2026, 45)
EARLIER: Final = 5_000
"""Readers of each issue before the newest two."""
IN_EACH: Final = 4  # comparisons
BATCH: Final = 500  # copies
BODY: Final = "x" * 250  # of an event; the provider's are about three times as long

_CHANCE: Final = "((n * 2654435761 + {salt}) % 1000003 % 1000)"
"""0 to 999, the same for the same reader."""
_KEY: Final = "printf('%08x%08x%016x', {}, {}, {})"


@dataclass(frozen=True)
class Size:
    """How large it is to be."""

    readers: int = 1_000_000
    issues: int = 200


def make(assembly: Assembly, size: Size, console: Console) -> None:
    """Fill an empty SQLite database, in minutes."""
    weeks = _weeks(size.issues)
    with _step(console, f"{size.issues} issues with {IN_EACH * size.issues} comparisons"):
        _issues(assembly, weeks)
    file = sqlite_file(assembly.engine)
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # it can be made again
        connection.execute("PRAGMA cache_size = -400000")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("BEGIN")
        with _step(console, f"{size.readers:,} readers"):
            _readers(connection, size.readers, weeks[0])
        with _step(console, "what they agreed to"):
            _consents(connection)
        with _step(console, "whom we must not write to"):
            _suppressions(connection, assembly)
        letters = dict(connection.execute("SELECT tag, id FROM letters").fetchall())
        for week in weeks[:-1]:
            newest = week in (OUT, GOING)
            with _step(console, f"the letters of {week}") if newest else _quiet():
                most = size.readers if newest else min(EARLIER, size.readers)
                _deliveries(connection, letters[str(week)], week, most)
                _events(connection, letters[str(week)], week)
                _votes(connection, week)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _weeks(count: int) -> list[Week]:
    weeks = [DRAFT]
    while len(weeks) < count:
        weeks.insert(0, weeks[0].before())
    return weeks


def _issues(assembly: Assembly, weeks: list[Week]) -> None:
    sample = _sample()
    with writing(assembly.engine) as session:
        for ago, week in enumerate(reversed(weeks)):
            at = week.start(assembly.rules.zone) + timedelta(days=2)
            records = [_another(sample, IN_EACH * ago + place, at) for place in range(IN_EACH)]
            slugs = [comparison.save(session, record, at).slug for record in records]
            if week == DRAFT:
                continue
            send_at = week.slot_after(assembly.rules.send_at, assembly.rules.zone)
            issue = Issue(
                week=str(week), subject=records[0].title, preheader=records[1].title, send_at=send_at, created_at=at
            )
            session.add(issue)
            session.flush()
            assert issue.id is not None
            issues.assign(session, issue.id, [_number(session, slug) for slug in slugs])
        session.commit()
    _letters(assembly, weeks)


def _number(session: Session, slug: str) -> int:
    number = session.exec(select(ComparisonRow.id).where(ComparisonRow.slug == slug)).one()
    assert number is not None  # it has been stored
    return number


def _letters(assembly: Assembly, weeks: list[Week]) -> None:
    """A draft of the newest week, and letters with their state for all others."""
    with writing(assembly.engine) as session:
        drafted = weekly.draft(session, assembly.rules, DRAFT, NOW).issue
        assert drafted is not None
        letter = weekly.compose(session, assembly.rules, drafted)
        for week in weeks[:-1]:
            _begin(session, week, letter)
        session.commit()


def _begin(session: Session, week: Week, letter: Letter) -> None:
    issue = issues.find(session, week)
    assert issue is not None
    text = Letter(f"{issue.subject} {week}", letter.preheader, letter.html, letter.text)
    stored = ledger.store(session, text, str(week), issue.send_at)
    stored.open, stored.opens, stored.clicks = False, BY_READER, BY_READER
    issue.letter_id, issue.digest, issue.approved_at = stored.id, stored.digest, issue.send_at
    issue.state = issues.PAUSED if week == GOING else issues.SENT  # paused: nobody is to send it
    issue.sent_at = None if week == GOING else issue.send_at + timedelta(minutes=30)
    session.add_all([issue, stored])


def _sample() -> list[Comparison]:
    return read_file(SAMPLE / "comparisons.jsonl", NOW)


def _another(sample: list[Comparison], number: int, at: datetime) -> Comparison:
    """A comparison like one of the sample's, of two of some hundred tools."""
    like = sample[number % len(sample)]
    version = number // len(sample) % 12 + 1
    renamed = {tool.name: f"{tool.name} {version}" for tool in like.tools}
    return Comparison.model_validate(
        {
            **like.model_dump(exclude={"slug", "url"}),
            "title": f"{like.title}, {number}",
            "published_at": at,
            "tools": [{**tool.model_dump(), "name": renamed[tool.name]} for tool in like.tools],
            "reviews": [{**review.model_dump(), "tool": renamed[review.tool]} for review in like.reviews],
        }
    )


def _readers(connection: sqlite3.Connection, count: int, first: Week) -> None:
    since = int(datetime.combine(first.first_day(), datetime.min.time(), UTC).timestamp())
    span = int(NOW.timestamp()) - since
    connection.execute(
        f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count),
        drawn AS (
          SELECT n, {_CHANCE.format(salt=7)} AS status, {_CHANCE.format(salt=11)} AS wish,
            {_CHANCE.format(salt=13)} AS tongue, {_CHANCE.format(salt=17)} AS host,
            :since + CAST(1.0 * n * :span / (:count + 1) AS INTEGER) AS joined
          FROM numbers
        ),
        told AS (
          SELECT *, CASE WHEN status < 840 THEN 'active' WHEN status < 850 THEN 'paused'
            WHEN status < 935 THEN 'unsubscribed' WHEN status < 955 THEN 'suppressed'
            WHEN status < 970 THEN 'erased' ELSE 'pending' END AS word,
            CASE WHEN host < 450 THEN 'gmail.com' WHEN host < 600 THEN 'outlook.com' WHEN host < 700 THEN 'yahoo.com'
            ELSE 'company' || (n % 4001) || '.example' END AS domain
          FROM drawn
        )
        INSERT INTO subscribers (id, email, address_key, status, since, muted, language)
        SELECT n,
          CASE word WHEN 'erased' THEN '' ELSE 'Reader' || n || '@' || domain END,
          CASE word WHEN 'erased' THEN 'erased:' || n ELSE 'reader' || n || '@' || domain END,
          word,
          strftime('%Y-%m-%d %H:%M:%S.000000', CASE WHEN word IN ('active', 'pending') THEN joined
            ELSE joined + (:until - joined) * wish / 1000 END, 'unixepoch'),
          CASE WHEN word = 'erased' OR wish < 900 THEN '[]' WHEN wish < 960 THEN '["Databases"]'
            WHEN wish < 990 THEN '["Coding Agents"]' ELSE '["Coding Agents","Databases"]' END,
          CASE WHEN tongue < 150 THEN 'de' WHEN tongue < 200 THEN 'en' END
        FROM told
        """,
        {"count": count, "since": since, "span": span, "until": int(NOW.timestamp())},
    )


def _consents(connection: sqlite3.Connection) -> None:
    """Some 1.3 for each reader, in the order in which they were said."""
    said = "CASE status WHEN 'erased' THEN '' ELSE '{}' END"
    before = "strftime('%Y-%m-%d %H:%M:%S.000000', since, '-20 days')"
    active = "CASE WHEN status IN ('active', 'pending') THEN since ELSE " + before + " END"
    chance = _CHANCE.replace("n ", "id ")
    steps = (
        ("signed_up", "the sign-up form", active, f"status = 'pending' OR {chance.format(salt=23)} < 180"),
        ("confirmed", "the link of the letter", active, f"status <> 'pending' AND {chance.format(salt=29)} < 600"),
        ("imported", "readers.csv", active, f"status <> 'pending' AND {chance.format(salt=29)} >= 600"),
        ("left", "the link of the letter", "since", "status = 'unsubscribed'"),
    )
    for kind, source, at, which in steps:
        connection.execute(
            f"INSERT INTO consents (subscriber_id, kind, source, at) "
            f"SELECT id, '{kind}', {said.format(source)}, {at} FROM subscribers WHERE {which} ORDER BY id"
        )
    connection.execute(
        "INSERT INTO consents (subscriber_id, kind, source, at, words) SELECT id, 'reason', 'the page', since, "
        "'Too many letters' FROM subscribers WHERE status = 'unsubscribed' AND id % 3 = 0"
    )


def _suppressions(connection: sqlite3.Connection, assembly: Assembly) -> None:
    with reading(assembly.engine) as session:
        prints = Fingerprints(session)
    connection.create_function("fingerprint", 1, lambda key: prints.of(Address("", key)), deterministic=True)
    connection.execute(
        "INSERT INTO suppressions (fingerprint, reason, source, at) SELECT fingerprint(address_key), "
        "CASE id % 5 WHEN 0 THEN 'complaint' WHEN 1 THEN 'soft_bounce' ELSE 'hard_bounce' END, 'postmark', since "
        "FROM subscribers WHERE status = 'suppressed'"
    )


def _deliveries(connection: sqlite3.Connection, letter: int, week: Week, most: int) -> None:
    """A row for each reader who has ever confirmed, or for so many of them; in the order of the primary key."""
    chance = _CHANCE.format(salt=letter).replace("n ", "id ")
    # Of what is going out, the last two fifths are queued, and one batch is in doubt.
    late = f"id > {most * 3 // 5}" if week == GOING else "0"
    doubt = f"id BETWEEN {most // 2} AND {most // 2 + BATCH - 1}" if week == GOING else "0"
    at = _text(_sent(week))
    connection.execute(
        f"""
        WITH drawn AS (
          SELECT id, CASE WHEN {late} THEN 'queued' WHEN {doubt} THEN 'in_doubt' WHEN {chance} < 3 THEN 'refused'
            WHEN {chance} < 5 THEN 'suppressed' WHEN {chance} < 6 THEN 'left' ELSE 'accepted' END AS word
          FROM subscribers WHERE id <= {most} AND status <> 'pending'
        )
        INSERT INTO deliveries
          (letter_id, subscriber_id, variant, state, batch, settled_at, message_id, reason, passing)
        SELECT {letter}, id, 0, word,
          CASE WHEN word IN ('accepted', 'refused', 'in_doubt') THEN {_KEY.format(letter, 0, f"id / {BATCH}")} END,
          CASE WHEN word NOT IN ('queued', 'in_doubt') THEN '{at}' END,
          CASE word WHEN 'accepted' THEN {_KEY.format("id", 1, letter)} END,
          CASE word WHEN 'refused' THEN 'the provider will not write to this address' END, 0
        FROM drawn ORDER BY id
        """
    )
    connection.execute(
        f"""
        INSERT INTO claims (key, letter_id, sender, claimed_at, rests_since, rests_after, way, taken)
        SELECT batch, {letter}, 1, '{at}', '{at}', 0, 'postmark', SUM(state = 'accepted')
        FROM deliveries WHERE letter_id = {letter} AND batch IS NOT NULL GROUP BY batch ORDER BY batch
        """
    )
    rows = f"SELECT COUNT(*) FROM deliveries WHERE letter_id = {letter}"
    connection.execute(f"UPDATE letters SET audience = ({rows}) WHERE id = {letter}")


def _events(connection: sqlite3.Connection, letter: int, week: Week) -> None:
    """Nearly all were delivered, a third opened, a fourteenth clicked; word for word only where it is not long ago."""
    at = _text(_sent(week) + timedelta(minutes=20))
    body = f"'{BODY}'" if week in (OUT, GOING) else "NULL"
    links = connection.execute(
        "SELECT slug FROM comparisons JOIN issue_comparisons ON comparison_id = comparisons.id "
        "JOIN issues ON issues.id = issue_id WHERE week = ? ORDER BY place",
        (str(week),),
    ).fetchall()
    slugs = " ".join(f"WHEN {place} THEN 'comparisons/{slug}'" for place, (slug,) in enumerate(links))
    chance = _CHANCE.format(salt=letter * 31).replace("n ", "d.subscriber_id ")
    scanner = "CASE WHEN d.subscriber_id % 9 = 0 THEN 'burst' WHEN d.subscriber_id % 31 = 0 THEN 'canary' END"
    proxy = "CASE WHEN d.subscriber_id % 2 = 0 THEN 'proxy' END"
    kinds = (
        (0, "delivered", "Delivery", "NULL", "NULL", "NULL", f"{chance} >= 15"),
        (1, "bounced_hard", "Bounce", "'HardBounce'", "NULL", "NULL", f"{chance} < 8"),
        (2, "bounced_soft", "Bounce", "'Transient'", "NULL", "NULL", f"{chance} BETWEEN 8 AND 14"),
        (3, "complained", "SpamComplaint", "'SpamComplaint'", "NULL", "NULL", "d.subscriber_id % 3001 = 7"),
        (4, "opened", "Open", "NULL", "NULL", proxy, f"{chance} BETWEEN 15 AND 365"),
        (5, "clicked", "Click", "NULL", f"CASE d.subscriber_id % {IN_EACH} {slugs} END", scanner, f"{chance} > 930"),
    )
    for number, kind, record, detail, link, machine, which in kinds:
        rules = RULES if kind in ("opened", "clicked") else "NULL"
        connection.execute(
            f"""
            INSERT INTO events (key, source, record_type, kind, detail, at, received_at, letter_id, subscriber_id,
              message_id, stream, link, machine, rules, pending, body)
            SELECT {_KEY.format("d.subscriber_id", number, letter)}, 'webhook', '{record}', '{kind}', {detail}, '{at}',
              '{at}', {letter}, d.subscriber_id, d.message_id, 'broadcast', {link}, {machine}, {rules}, 0, {body}
            FROM deliveries d WHERE d.letter_id = {letter} AND d.state = 'accepted' AND {which}
              AND d.subscriber_id NOT IN (SELECT id FROM subscribers WHERE status = 'erased')
            """
        )


def _votes(connection: sqlite3.Connection, week: Week) -> None:
    at = _text(_sent(week) + timedelta(hours=5))
    connection.execute(
        f"""
        INSERT INTO votes (comparison_id, subscriber_id, choice, voted_at, changed_at)
        SELECT c.comparison_id, d.subscriber_id,
          CASE (d.subscriber_id + c.place) % 5 WHEN 0 THEN 'right' WHEN 1 THEN 'both' WHEN 2 THEN 'neither'
            ELSE 'left' END, '{at}', '{at}'
        FROM issues i JOIN issue_comparisons c ON c.issue_id = i.id JOIN deliveries d ON d.letter_id = i.letter_id
        WHERE i.week = '{week}' AND d.state = 'accepted' AND (d.subscriber_id * 7919 + c.place * 131) % 23 = 0
          AND d.subscriber_id NOT IN (SELECT id FROM subscribers WHERE status = 'erased')
        """
    )


def _sent(week: Week) -> datetime:
    """The Tuesday after a week, as all of its letters have it."""
    return datetime.combine(week.after().first_day(), datetime.min.time(), UTC) + timedelta(days=1, hours=9)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    console.print(f"made {what} in {time.perf_counter() - begun:.1f} s")


@contextmanager
def _quiet() -> Iterator[None]:
    yield


def folder_of(keep: Path, size: Size) -> Path:
    """Where a database of this size is kept."""
    return keep / f"{size.readers}-readers-{size.issues}-issues"


def newest_letters(session: Session) -> dict[str, int]:
    """The week of each of the newest two letters -> its audience."""
    found = (issues.find(session, week) for week in (OUT, GOING))
    letters = {one.week: session.get_one(StoredLetter, one.letter_id) for one in found if one}
    return {week: letter.audience or 0 for week, letter in letters.items()}
