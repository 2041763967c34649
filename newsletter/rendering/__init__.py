"""An issue becomes a letter.

* `edition`: what a letter is made of: the week's comparisons in order, and whose letter it is
* `letter`: an edition becomes a Letter, compiled once
* `page`, `card`: pure: what a letter says around its comparisons, and what it shows of each
* `looking_back`: pure: what it tells of the issues before it
* `markdown`: pure: an editor's note, for both parts of a letter and for web pages
* `ingredients`: what a letter is made of, by name: to tell what has changed since it was approved
* `personal`: a Letter to one person
* `note`: pure: what letters to one person say
* `excerpt`: pure: cutting long words to fit
* `armour`: pure: somebody else's text stays text
* `mjml`: MJML -> HTML: the only place that knows the compiler
* `plain_text`: pure: the text part
* `size`: pure: whether a letter is shown whole
* `lint`: pure: size, links, alt text, contrast, merge fields left over
* `contrast`, `elements`: pure: what colours and elements the HTML comes down to, for `lint`
"""
