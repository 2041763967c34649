"""The commands: `newsletter …`.

* `app`: all commands together, and how errors end
* `console`: what commands print, and where
* `comparisons`, `issues`, `readers`, `system`: a group of commands each
"""
