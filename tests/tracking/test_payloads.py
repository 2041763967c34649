"""Every example of what Postmark posts ends as it says that it should: the committed ones, and more where there are."""

import json
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.provider import Listed
from newsletter.tracking.postmark import translate
from tests.tracking.test_postmark import AT, EXAMPLES, OURS

MORE = Path(__file__).parents[3] / "shared" / "payloads"
ALL = EXAMPLES + [json.loads(path.read_text(encoding="utf-8")) for path in sorted(MORE.glob("*.json"))]


@pytest.mark.parametrize("example", ALL, ids=[example["name"] for example in ALL])
def test_every_example_is_read_as_it_is_meant(example: dict[str, Any]) -> None:
    payload, expected = example["payload"], example["expect"]
    event = translate(json.dumps(payload).encode(), None, OURS)
    assert event.record_type == payload["RecordType"]
    assert (event.email, event.message_id, event.stream, event.kind, isinstance(event.said, Listed), event.at) == (
        expected["recipient"],
        expected["message_id"],
        expected["stream"],
        expected["kind"],
        expected["suppress"],
        AT,
    )


@pytest.mark.parametrize("example", ALL, ids=[example["name"] for example in ALL])
def test_every_example_ends_in_one_row_however_often_and_in_whatever_order_it_comes(example: dict[str, Any]) -> None:
    body = json.dumps(example["payload"]).encode()
    turned = json.dumps(dict(reversed(example["payload"].items()))).encode()
    assert len({translate(told, trace, OURS).key for told in (body, turned) for trace in ("one", "two", None)}) == 1
