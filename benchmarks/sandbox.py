"""The sandbox in a process of its own: `python -m benchmarks.sandbox` says where, then counts for each line read."""

import json
import sys
from collections import Counter

from newsletter.sandbox.server import Sandbox


def main() -> None:
    """Answer until stdin ends."""
    with Sandbox() as sandbox:
        print(json.dumps({"url": sandbox.url, "token": sandbox.token}), flush=True)
        for _ in sys.stdin:
            copies = Counter(address for message in sandbox.messages for address in message.recipients)
            counted = {"readers": len(copies), "duplicates": sum(copies.values()) - len(copies)}
            print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
