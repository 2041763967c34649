"""The weekly letter of AI tool verdicts, from comparison pages to inboxes.

Read in this order:

* `weekly`: the main use case: one week's issue is drafted and edited
* `approving`: what an editor looks at and approves, and whether it still is what was approved
* `outgoing`: how an approved issue goes out: send, go on, reconcile
* `welcome`: letters to one person: confirm, welcome, your own page, your new address
* `wording`: the words to which readers agree
* `voting`: may this reader vote on that comparison, and what have they said
* `arrivals`: what came back is stored, and what it says of our books and of readers is done
* `departures`: who has left at the provider, or must not be written to
* `numbers`: how an issue did: what came back, who left, what was followed, how readers voted
* `growth`: how the list grew, week by week
* `counting`, `figures`: which of that is counted beside the pages, and kept; `columns`: its tables
* `farewell`: a reader is forgotten, in every table
* `dossier`: what we hold of one reader
* `keys`: which programs may use the interface for machines
* `today`, `health`, `queues`: what is to be done at the desk, whether all is well, what waits to be sent
* `chronicle`, `jobs`: what the clock writes down of itself
* `storage`: how large the database is, and how much room is left
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
