"""Which right does each form of the desk take, and each page that not everybody may see? A new route has to be here."""

from typing import Final

from newsletter.editors.editor import APPROVE, LIFT, MANAGE, READ, SEND, STOP, SUPPRESS, WRITE

ANYBODY: Final = {
    "/desk/login": "the way in",
    "/desk/invited/{token}": "the way in, for who has been invited",
}
"""Forms in front of the door."""

SIGNED_IN: Final = (
    "/desk/health/count",
    "/desk/logout",
    "/desk/account/password",
    "/desk/account/elsewhere",
    "/desk/account/second-step",
)
"""Forms about nothing but one's own account, or nothing at all: whoever is signed in may send them."""

ISSUE: Final = "/desk/issues/{week}"
READER: Final = "/desk/readers/{number}"

_WRITING: Final = ("write", "arrange", "postpone", "take-up", "quote", "refresh", "undo", "redo", "note")

FORMS: Final = {
    "/desk/issues": WRITE,
    **{f"{ISSUE}/{act}": WRITE for act in _WRITING},
    f"{ISSUE}/preview": READ,
    f"{ISSUE}/links": WRITE,
    f"{ISSUE}/test": WRITE,
    f"{ISSUE}/approve": APPROVE,
    f"{ISSUE}/unapprove": APPROVE,
    f"{ISSUE}/schedule": SEND,
    f"{ISSUE}/send": SEND,
    f"{ISSUE}/pause": STOP,
    f"{ISSUE}/resume": SEND,
    f"{ISSUE}/go-on": SEND,
    f"{ISSUE}/cancel": SEND,
    f"{ISSUE}/retry": SEND,
    f"{ISSUE}/ask": SEND,
    f"{ISSUE}/decide": SEND,
    "/desk/import-comparisons": WRITE,
    "/desk/import-comparisons/file": WRITE,
    "/desk/import-comparisons/file/store": WRITE,
    "/desk/readers": READ,
    "/desk/readers/export": MANAGE,
    "/desk/readers/import": MANAGE,
    "/desk/readers/import/{key}": MANAGE,
    "/desk/readers/import/{key}/look": MANAGE,
    "/desk/readers/import/{key}/forget": MANAGE,
    "/desk/readers/suppress": SUPPRESS,
    "/desk/readers/lift": LIFT,
    f"{READER}/suppress": SUPPRESS,
    f"{READER}/lift": LIFT,
    f"{READER}/unsubscribe": SUPPRESS,
    f"{READER}/export": MANAGE,
    f"{READER}/erase": MANAGE,
}
"""Every other form -> the right that it takes."""

PAGES: Final = {
    "/desk/readers/import": MANAGE,
    "/desk/readers/import/{key}": MANAGE,
    "/desk/readers/import/{key}/rejected.csv": MANAGE,
}
"""Pages that an editor may not even look at -> the right that it takes."""
