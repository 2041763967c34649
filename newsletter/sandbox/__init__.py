"""A Postmark-compatible provider on loopback, for the demo, for people who try things out and for the tests.

It imports nothing else of the project.

* `server`: starting and stopping it: `Sandbox`, `serve`
* `line`: a connection that can be cut before or in the midst of an answer
* `app`: every route, and the envelope that all of Postmark's calls share
* `switches`: the routes that set faults and let held messages go
* `failing`: what a call gets that a fault has struck
* `sending`: a request to send becomes accepted messages and an answer per message
* `aftermath`: what became of a message: at once by its address, and later
* `acting`: what a reader, a machine or a mail server may do with a message later: open, follow, return, complain, leave
* `gestures`: the routes for that
* `events`: pure: what has happened as it is posted, in details, and in the list of bounces
* `returned`: the list of bounces
* `activity`: what is said about accepted messages: search, details, dump
* `checks`: pure: what Postmark refuses, with its code and its words
* `addresses`: pure: `Name <name@example.com>, other@example.com` -> addresses
* `mailbox`: the accepted messages, rendered only when somebody looks
* `suppressions`: who gets nothing more on which stream
* `templates`: stored letters and their versions
* `mustachio`: pure: the template language
* `source`: pure: a message as an RFC 5322 source
* `bounces`: pure: the addresses that bounce on purpose, and what is said about them
* `webhooks`: events told to an endpoint, in the background
* `striking`: the faults that are on: which strikes now, and how often each has
* `faults`: pure: every fault by name, and how one is written
* `clock`: pure: moments as Postmark writes and reads them
* `leaving`: the way out that the provider itself offers
* `inbox`: the pages for people, from `pages/`
"""
