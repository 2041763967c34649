"""The commands: `newsletter …`.

* `app`: all commands together, and how errors end
* `console`: what commands print, and where
* `whole_file`: how a file is written that somebody named
* `comparisons`, `issues`, `readers`, `system`: a group of commands each
* `transfer`, `provider_list`: three commands more for the readers: in, out, and what the provider knows of them
"""
