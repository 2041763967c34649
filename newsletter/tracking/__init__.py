"""What came back after a letter was sent.

* `event`: pure: one happening in our words, whoever told it
* `postmark`: pure: what Postmark posts to us -> what it means
* `told`: pure: the fields of what was told, and what stands in every event alike
* `bounces`: pure: the one table of what a bounce of each type means
* `destination`: pure: where a click led, without keys
* `reading`: pure: what stands in somebody else's JSON, made fit to be kept
* `store`: the table of events: each once, as it came, and whose copy it is about
* `keeping`: how a group of events is stored, in as few statements as can be
* `postmark_polled`: pure: what Postmark shows when it is asked -> the same events
* `unheard`: of which copies were we not told what became?
* `polls`: how far the provider has been asked
* `newest`: events for people to look at
* `fading`: what of an event is not kept for long
* `audit`: what must always be true of events
* `scanners`: pure: which openings and clicks were machines', and why
* `labelling`: every copy is judged by those rules, and again when they change
* `stats`: what came back of one letter, in figures
* `returns`: the rule of soft bounces: does letter after letter to a reader come back?
"""
