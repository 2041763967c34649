"""The weekly letter of AI tool verdicts, from comparison pages to inboxes.

Read in this order:

* `weekly`: the main use case: draft, preview and approve one week's issue
* `outgoing`: how an approved issue goes out: send, go on, reconcile
* `welcome`: letters to one person: confirm, welcome, your own page, your new address
* `wording`: the words to which readers agree
* `arrivals`: what an event proves of a message that we thought was not sent
* `departures`: who has left at the provider, or must not be written to
* `farewell`: a reader is forgotten, in every table
* `dossier`: what we hold of one reader
* `housekeeping`: what has to be gone after its time
* `invariants`, `structure`: what must always be true of the database, and whether it is whole
* `comparisons`: what we write about
* `issues`: one week's letter, before anyone sees it
* `rendering`: an issue becomes a letter
* `delivery`: a letter reaches an inbox, once
* `tracking`: what came back after a letter was sent
* `sandbox`: a Postmark-compatible provider on loopback
* `web`: the pages that a letter links to
* `cli`: the commands
"""
