"""The weekly letter of AI tool verdicts, from comparison pages to inboxes.

Read in this order:

* `weekly`: the main use case: draft, approve, send and reconcile one week's issue
* `comparisons`: what we write about
* `issues`: one week's letter, before anyone sees it
* `rendering`: an issue becomes a letter
* `delivery`: a letter reaches an inbox, once
* `sandbox`: a Postmark-compatible provider on loopback
* `web`: the pages that a letter links to
* `cli`: the commands
"""
