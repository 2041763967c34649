"""What a bounce of each type is read as."""

from dataclasses import replace

import pytest

from newsletter.delivery.provider import Listed, Why
from newsletter.tracking import event as kinds
from newsletter.tracking.bounces import BOUNCES, alarms
from newsletter.tracking.event import OTHER
from tests.tracking.test_postmark import AT, bounced, told

WHAT_BOUNCES_SAY: dict[str, tuple[str, Why | None]] = {
    "HardBounce": (kinds.BOUNCED_HARD, "bounced"),
    "BadEmailAddress": (kinds.BOUNCED_HARD, "bounced"),
    "SpamComplaint": (kinds.COMPLAINED, "complained"),
    "Unsubscribe": (kinds.UNSUBSCRIBED, "left"),
    "ManuallyDeactivated": (kinds.UNSUBSCRIBED, "closed"),
    "Subscribe": (kinds.SUBSCRIBED, None),
    "AutoResponder": (kinds.ANSWERED, None),
    "AddressChange": (kinds.ANSWERED, None),
    "ChallengeVerification": (kinds.ANSWERED, None),
    "SMTPApiError": (kinds.FAILED, None),
    "TemplateRenderingFailed": (kinds.FAILED, None),
    "OpenRelayTest": (OTHER, None),
    "InboundError": (OTHER, None),
}
SOFT = ["Transient", "DnsError", "SpamNotification", "Unknown", "SoftBounce", "VirusNotification", "Unconfirmed"]
SOFT += ["Blocked", "DMARCPolicy"]


@pytest.mark.parametrize("name", BOUNCES)
def test_every_type_of_bounce_is_read_by_its_name_and_without_one_by_its_number(name: str) -> None:
    assert set(BOUNCES) == {*WHAT_BOUNCES_SAY, *SOFT}
    kind, why = WHAT_BOUNCES_SAY.get(name, (kinds.BOUNCED_SOFT, None))
    by_name = told(bounced(name, TypeCode=512))  # as older examples number complaints
    assert (by_name.kind, by_name.detail, by_name.at) == (kind, name, AT)
    assert by_name.said == (Listed("Ada@Example.com", "broadcast", why, AT) if why else None)
    by_number = told(bounced(None, TypeCode=BOUNCES[name].code))
    assert replace(by_number, body=None) == replace(by_name, body=None)


@pytest.mark.parametrize("name", [*BOUNCES, "BadWeather"])
def test_an_address_that_postmark_closed_over_a_passing_trouble_is_closed_unless_the_trouble_is_our_own(
    name: str,
) -> None:
    before, after = told(bounced(name)), told(bounced(name, Inactive="True"))
    closed = name in SOFT and name not in alarms()
    assert after.said == (Listed("Ada@Example.com", "broadcast", "closed", AT) if closed else before.said)


def test_trouble_of_our_own_alarms_with_a_sentence_and_says_nothing_of_anybody() -> None:
    assert set(alarms()) == {"DnsError", "DMARCPolicy", "SMTPApiError", "TemplateRenderingFailed"}
    for name, sentence in alarms().items():
        assert len(sentence) > 20
        assert told(bounced(name, Inactive=True)).said is None


def test_a_complaint_is_one_whatever_number_or_type_it_bears() -> None:
    for fields in ({"TypeCode": 512}, {"Type": "SpamNotification"}, {"Type": None}):
        event = told({**bounced(None, **fields), "RecordType": "SpamComplaint"})
        assert (event.kind, event.detail) == (kinds.COMPLAINED, "SpamComplaint")
        assert isinstance(event.said, Listed)
