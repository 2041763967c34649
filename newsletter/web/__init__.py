"""The pages: what readers were sent, and everything that a reader can do.

* `app`: the application: routes, health, error pages
* `site`: what all pages share: settings, templates, the answer to a browser
* `tongue`: the language of a page, and the way to another
* `headers`: what every answer tells the browser to refuse
* `archive`: the issues that readers have, and the comparisons in them
* `shelf`: which of them a list shows, and which stand beside each other
* `panel`: pure: what a page shows of one comparison
* `tools`: all verdicts on one tool; `track`: the same as a small plot
* `feeds`: the newest issues for programs that follow us; `feed_format`: pure: Atom and JSON Feed
* `sitemap`: all pages that anyone may read, for search engines; `metadata`: what each says of itself to machines
* `listed`: which issues, comparisons and tools those are, and when they changed
* `postman`: the thread that carries the letters which pages cause
* `carrier`: the threads that send the issues which somebody at the desk has asked for
* `bookkeeper`: the thread that counts what takes too long to be counted on a page
* `porter`: the threads that bring readers in from files which somebody at the desk has uploaded
* `joining`: the sign-up form, and the button that confirms
* `box`: the same form in a frame on another site's page
* `choosing`: a reader's own page, and what they may do on it; `own_page`: what stands there
* `moving`: the button that confirms another address
* `leaving`: the way out, by a link in a letter; the way back, and why
* `vote`: a reader's vote on a comparison, and the link that only programs open
* `door`: which links of letters were opened at our own pages
* `keys`: what pages share whose address is a key
* `form`: what a form has sent, and from where
* `answers`: what the pages say of themselves to machines
* `api`: programs hand over comparisons, and ask what became of an issue; `shapes`: what they are answered with
* `desk/`: the editors' pages
* `webhooks`: the provider tells what became of letters and addresses
* `intake`: the thread that writes what the provider tells, and what pages note of themselves, in groups
"""
