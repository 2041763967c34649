"""The commands: `newsletter …`.

* `app`: all commands together, and how errors end
* `console`: what commands print, and where
* `provider_list`: one command more for the readers: what the provider knows of them
* `comparisons`, `issues`, `readers`, `system`: a group of commands each
"""
