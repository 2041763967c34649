"""What we write about.

* `record`: the shape of a comparison as data, wherever it comes from (also the published JSON Schema)
* `categories`: pure: which categories a comparison is in, and whether it is muted
* `complaints`: pure: what is wrong with a record, in words for its writer
* `page`: pure: the text of a comparison page becomes a record
* `quotes`: pure: which lines of a page are one quote
* `importers`: files in, comparisons out; twice changes nothing
* `changes`: pure: what is different between a stored comparison and one that comes in
* `comparison`: the tables and every query on them
* `shelf`: what is in the store, page by page
* `votes`: what readers think of a comparison, and what it adds up to
"""
