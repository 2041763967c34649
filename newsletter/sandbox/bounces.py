"""Which addresses bounce on purpose, or go nowhere, and what is said about a bounce?

Pure. `<BounceType>@bounce-testing.postmarkapp.com` bounces in that way, in any spelling; an unknown way is a hard
bounce.
"""

from dataclasses import dataclass

BOUNCING = "@bounce-testing.postmarkapp.com"
BLACKHOLE = "@blackhole.postmarkapp.com"


@dataclass(frozen=True, slots=True)
class BounceType:
    """A way to bounce, as Postmark names and numbers it."""

    type: str
    code: int
    name: str

    @property
    def deactivates(self) -> bool:
        """Whether the address goes on the stream's suppression list."""
        return self.type == "HardBounce"


TYPES = {
    bounce.type.lower(): bounce
    for bounce in (
        BounceType("HardBounce", 1, "Hard bounce"),
        BounceType("Transient", 2, "Message delayed/Undeliverable"),
        BounceType("Unsubscribe", 16, "Unsubscribe request"),
        BounceType("Subscribe", 32, "Subscribe request"),
        BounceType("AutoResponder", 64, "Auto responder"),
        BounceType("AddressChange", 128, "Address change"),
        BounceType("DnsError", 256, "DNS error"),
        BounceType("SpamNotification", 512, "Spam notification"),
        BounceType("OpenRelayTest", 1024, "Open relay test"),
        BounceType("Unknown", 2048, "Unknown"),
        BounceType("SoftBounce", 4096, "Soft bounce"),
        BounceType("VirusNotification", 8192, "Virus notification"),
        BounceType("ChallengeVerification", 16384, "Spam challenge verification"),
        BounceType("BadEmailAddress", 100000, "Invalid email address"),
        BounceType("ManuallyDeactivated", 100002, "Manually deactivated"),
        BounceType("Unconfirmed", 100003, "Registration not confirmed"),
        BounceType("Blocked", 100006, "ISP block"),
        BounceType("SMTPApiError", 100007, "SMTP API error"),
        BounceType("InboundError", 100008, "Processing failed"),
        BounceType("DMARCPolicy", 100009, "DMARC Policy"),
        BounceType("TemplateRenderingFailed", 100010, "Template rendering failed"),
    )
}

COMPLAINT = BounceType("SpamComplaint", 100001, "Spam complaint")
"""Listed with the bounces. No address brings it about: Postmark answers that one with a hard bounce."""


def bounce_of(recipient: str) -> BounceType | None:
    """How mail to this address (in lower case) bounces; None where it does not."""
    if not recipient.endswith(BOUNCING):
        return None
    return TYPES.get(recipient.removesuffix(BOUNCING).replace("_", ""), TYPES["hardbounce"])


def goes_nowhere(recipient: str) -> bool:
    """Whether mail to this address (in lower case) is accepted and then neither delivered nor bounced."""
    return recipient.endswith(BLACKHOLE)
