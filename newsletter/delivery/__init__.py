"""A letter reaches an inbox, once.

* `provider`: the Provider protocol, its outcomes and its errors
* `postmark`, `smtp`, `outbox`: who carries letters
* `postmark_client`, `postmark_answers`, `postmark_message`, `postmark_template`: the four parts of speaking to Postmark
* `postmark_suppressions`: what Postmark's own list of those whom it will not write to means
* `mime`: a filled letter as an RFC 5322 message, for the two that need one
* `deadline`: a conversation with any of them ends, however slowly it is led
* `wire`: what of ours may be written into a message's head
* `ledger`: one row per reader and letter: draw up, claim, record, account
* `variants`: what a letter says to those who have muted some of it, or read another language
* `sender_lock`: one sender at a time; a dead one is noticed at once
* `send`: claim -> provider -> record, until nothing is queued
* `soundness`: whether a letter is as it was frozen, and its rows make sense
* `audit`: what must always be true of the ledger
* `speed`: how fast a letter goes out, and when it will be through
* `stillness`: when nothing of a letter that was stopped is under way any more
* `reconcile`: rows whose outcome is unknown: ask the provider, then decide
"""
