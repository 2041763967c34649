"""Posts events as fast as they are answered, in a process of its own: `python -m benchmarks.flood PORT EVENTS …`.

A cheap client, since it shares the machine with what it measures: plain sockets that are kept open, and one request
under way on each. Prints a line of JSON at the start, in the middle, and at the end.
"""

import json
import select
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Iterator

HEAD = (
    "POST /webhooks/postmark HTTP/1.1\r\n"
    "Host: 127.0.0.1:%d\r\n"
    "User-Agent: Postmark\r\n"
    "Accept: */*\r\n"
    "Authorization: Basic %s\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "X-PM-Retries-Remaining: 6\r\n"
    "X-PM-Webhook-Trace-Id: %s\r\n"
    "Content-Length: %d\r\n\r\n"
)
TAKEN = b"HTTP/1.1 200 "
END = b"recorded\n"


def delivery(letter_key: str, number: int) -> dict[str, object]:
    """What Postmark tells of a reader's copy that was delivered."""
    return {
        "RecordType": "Delivery",
        "ServerID": 23,
        "MessageStream": "broadcast",
        "MessageID": message_id(number),
        "Recipient": f"reader{number}@example.com",
        "Tag": "2026-W47",
        "DeliveredAt": "2026-11-24T09:01:02.5170946Z",
        "Details": "smtp;250 2.0.0 OK 1763974862 41be03b00d2f7-be3f9e1c4a2si1234567a12.345 - gsmtp",
        "Metadata": {"row": f"{letter_key}-{number}", "batch": "0" * 32},
    }


def message_id(number: int) -> str:
    """The provider's name for the message to a reader."""
    return f"883953f4-6105-42a2-a16a-{number:012x}"


def main() -> None:
    """Post deliveries of the copies of readers 1 … EVENTS."""
    port, events, connections, letter_key, pair = sys.argv[1:]
    flood(int(port), int(events), int(connections), letter_key, pair)


def flood(port: int, events: int, connections: int, letter_key: str, pair: str) -> None:
    """Post, and print what was seen: seconds, and how long answers took."""
    waiting = _requests(port, events, letter_key, b64encode(pair.encode()).decode())
    poll = select.epoll()
    lines = {}
    for _ in range(connections):
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(line, select.EPOLLIN)
        lines[line.fileno()] = line
    since: dict[int, float] = {}
    heard: dict[int, bytes] = {}
    took: list[float] = []
    refused = 0
    _say(at="start")
    began = time.perf_counter()
    for number, line in lines.items():
        since[number] = time.perf_counter()
        line.sendall(next(waiting))
    while len(took) < events:
        for number, _ in poll.poll():
            answer = heard.pop(number, b"") + lines[number].recv(65536)
            if not answer.partition(b"\r\n\r\n")[2]:  # the body may come after the head
                assert answer, "it was cut"
                heard[number] = answer
                continue
            now = time.perf_counter()
            refused += not (answer.startswith(TAKEN) and answer.endswith(END))
            took.append(now - since[number])
            if len(took) == events // 2:
                _say(at="middle")
            request = next(waiting, None)
            if request is not None:
                since[number] = now
                lines[number].sendall(request)
    seconds = time.perf_counter() - began
    took.sort()
    _say(
        at="end",
        seconds=seconds,
        refused=refused,
        p50=took[events // 2],
        p99=took[events * 99 // 100],
        longest=took[-1],
        cpu=time.process_time(),
    )


def _requests(port: int, events: int, letter_key: str, pair: str) -> Iterator[bytes]:
    for number in range(1, events + 1):
        body = json.dumps(delivery(letter_key, number)).encode()
        yield (HEAD % (port, pair, f"{number:032x}", len(body))).encode() + body


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
