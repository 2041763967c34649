"""The pages that a letter links to.

* `app`: the application: routes, health, error pages
* `site`: what all pages share: settings, templates, the answer to a browser
* `headers`: what every answer tells the browser to refuse
* `archive`: the issues that readers have, and the comparisons in them
* `panel`: pure: what a page shows of one comparison
* `leaving`: the way out, by a link in a letter
"""
