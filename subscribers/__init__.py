"""Who reads us; knows nothing of newsletters.

* `subscriber`: the Subscriber table and its states
* `address`: pure: what is an e-mail address, and when are two the same?
* `consent`: who agreed to what, when and how; also who left
* `signup`: what a form was sent, what that leads to, and the button that confirms
* `limits`: how often one may do something
* `whence`: pure: from where something was said, and how much of that is kept
* `tokens`: pure: signed links, one purpose each
* `preferences`: what a reader may choose: categories, a rest, another address
* `unsubscribe`: the way out, the way back for a day, and why
* `audience`: who gets an issue
* `suppression`: which addresses must not be written to, by `fingerprint`
* `erasure`: how a reader is forgotten
* `remains`: whether an erased address is left anywhere
* `looking_up`: where a reader is whom somebody looks for
* `importing`: readers from a CSV file
* `exporting`: the list as a CSV file
* `csv_file`: a file that somebody else wrote: encoding, separator, rows
* `dialects`: pure: which columns mean what, in seven services' exports, ours and plain files
* `entry`: pure: what one row says of a reader
* `rejects`: the rows that were left out, with reasons
* `seen`: which addresses a file named already
"""
