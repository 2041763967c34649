"""One week's letter, before anyone sees it.

* `week`: pure: a week in our time zone, DST and all
* `ordering`: pure: which comparison leads, and why
* `subject`: pure: subject line and preheader
* `variants`: pure: which variants an issue has for those who have muted some of it, and who gets which
* `issue`: the Issue table: draft -> approved -> sending -> sent
"""
