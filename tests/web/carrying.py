"""A process that sends an issue as the pages' carrier does, in small batches, so that a test may kill it in the midst.

`python -m tests.web.carrying WEEK BATCH_SIZE`, with the settings in the environment. It ends once the issue is sent.
"""

import sys
import time
from contextlib import closing
from datetime import UTC, datetime

from newsletter import weekly
from newsletter.assembly import assemble
from newsletter.db import reading
from newsletter.issues import issue as issues
from newsletter.issues.week import Week
from newsletter.web import carrier as module
from newsletter.web.carrier import Carrier

module.ROUND = 0.3  # type: ignore[misc]  # seconds; what a killed one left in doubt settles within one


def main(week: str, batch_size: str) -> None:
    with closing(assemble()) as assembly:
        assembly.provider.max_batch = int(batch_size)
        carrier = Carrier(assembly, lambda: datetime.now(UTC))
        carrier.start()
        carrier.send(week)
        state = ""
        while state != issues.SENT:
            time.sleep(0.05)
            with reading(assembly.engine) as session:
                state = weekly.require(session, Week.parse(week)).state
        carrier.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
