"""The sender that everybody writes first: postmarker's `send_batch` in a loop, and written down after.

`python -m tests.journeys.naive WEEK BATCH_SIZE`, with the settings in the environment, like `tests.journeys.sender`. It
remembers whom it has sent to in a table of its own, so that it can be started again. It is here to be found out.
"""

import sqlite3
import sys
from contextlib import closing

from postmarker.core import PostmarkClient
from sqlmodel import col, select

from newsletter.assembly import assemble
from newsletter.db import reading, sqlite_file
from subscribers.subscriber import Subscriber


def main(week: str, batch_size: str) -> None:
    size = int(batch_size)
    with closing(assemble()) as assembly:
        file = sqlite_file(assembly.engine)
        assert file is not None
        with reading(assembly.engine) as session:
            readers = list(session.exec(select(Subscriber.email).order_by(col(Subscriber.id))))
        settings = assembly.settings
        assert settings.postmark_server_token is not None
        token = settings.postmark_server_token.get_secret_value()
        client = PostmarkClient(server_token=token, root_api_url=settings.postmark_api_url)
        sender = assembly.post.sender
    with closing(sqlite3.connect(file.with_name("naive.db"))) as memory:
        memory.execute("CREATE TABLE IF NOT EXISTS sent (email TEXT PRIMARY KEY)")
        done = {email for (email,) in memory.execute("SELECT email FROM sent")}
        to_do = [email for email in readers if email not in done]
        for first in range(0, len(to_do), size):
            batch = to_do[first : first + size]
            client.emails.send_batch(*(message(email, sender, week) for email in batch))
            memory.executemany("INSERT INTO sent VALUES (?)", [(email,) for email in batch])
            memory.commit()
    print(f"sent to {len(to_do)}")


def message(email: str, sender: str, week: str) -> dict[str, str]:
    return {
        "From": sender,
        "To": email,
        "Subject": "The week's verdicts",
        "TextBody": "Who would ship what.",
        "MessageStream": "broadcast",
        "Tag": week,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
