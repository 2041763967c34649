"""A sender process that sends in small batches, so that a test finds many moments to kill it in.

`python -m tests.journeys.sender WEEK BATCH_SIZE`, with the settings in the environment. All else is as in
`newsletter issues send`.
"""

import sys
from contextlib import closing
from datetime import UTC, datetime

from newsletter.assembly import assemble
from newsletter.issues.week import Week
from newsletter.outgoing import Run, send_issue


def main(week: str, batch_size: str) -> None:
    with closing(assemble()) as assembly:
        assembly.provider.max_batch = int(batch_size)
        outcome = send_issue(
            assembly.engine, assembly.rules, assembly.post, Week.parse(week), Run(clock=lambda: datetime.now(UTC))
        )
    print(outcome)
    sys.exit(0 if outcome.state == "sent" else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
