"""One week's letter, before anyone sees it.

* `week`: pure: a week in our time zone, DST and all
* `wall_clock`: pure: which moment a local time means, and what clocks elsewhere show then
* `ordering`: pure: which comparison leads, and why
* `subject`: pure: subject line and preheader
* `variants`: pure: which variants an issue has for those who have muted some of it or read another language
* `retrospect`: pure: what an issue says of the ones before it
* `issue`: the Issue table: draft -> approved -> sending -> sent
* `catalogue`: all of them, page by page
* `whereabouts`: in which issue a comparison is
* `versions`: what an editor changed of a draft, and who
* `history`: what readers were told of a tool before and since, and how they voted on the last issue
"""
