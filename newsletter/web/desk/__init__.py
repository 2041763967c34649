"""The editors' pages, below `/desk`. Every route is behind `guard`, but the way in.

frame       what all of them share: who is asking, what they may do, forms, templates, what was said of an act
cookies     what is kept in a browser, and how nobody plants it
trust       whether a form is one that we have shown to this very browser
rooms       all of the pages together, and the files that they fetch
wrong       what is said where something is wrong, and to strangers
entrance    signing in and out, and taking an invitation up
account     one's own password, second step and browsers
diary       who did what, and when
overview    the first page: what is to be done now
comparisons what we write about: the store, and bringing new ones in
health      whether all is well: the clock, the queues, what comes back, what must always be true
issues      all issues, and drafting the week's
write       the week's issue as it is written; `written` is what its page shows, `inbox_line` how programs cut it
history     who changed what of an issue, and what else was done to it
send        an issue on its way: approve it, give it its time, send it now
steer       what may be done to it then: let it rest or go on, call it off, ask, decide
progress    where every reader of it stands, while it goes
preview     an issue's letter as its readers will see it, its links asked, and tests of it
letters     all the other letters, each in each language
framed      how a letter is shown inside a page: as it is, and so that nothing can happen in it
numbers     how the issues do and how the list grows; `plots` draws it, `tables` has its rows and files
readers     who is on the list: the newest, those whose addresses begin in a way, and all of them as a file
reader      one reader's story, and what is done at their wish: leaving, taking out what is held, being forgotten
suppressing how an address is kept from being written to, and let back in
importing   readers from a file: uploaded, looked at, and only then brought in
uploads     how a file is taken: streamed to the disk, after its form has proven whose it is
"""
