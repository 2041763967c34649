"""Who reads us; knows nothing of newsletters.

* `subscriber`: the Subscriber table and its states
* `address`: pure: what is an e-mail address, and when are two the same?
* `consent`: who agreed to what, when and how; also who left
* `tokens`: pure: signed links, one purpose each
* `unsubscribe`: the way out
* `audience`: who gets an issue
* `transfer`: readers from a CSV file
"""
