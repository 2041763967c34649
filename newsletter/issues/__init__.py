"""One week's letter, before anyone sees it.

* `week`: pure: a week in our time zone, DST and all
* `ordering`: pure: which comparison leads, and why
* `subject`: pure: subject line and preheader
* `issue`: the Issue table: draft -> approved -> sending -> sent
"""
