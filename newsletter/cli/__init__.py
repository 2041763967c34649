"""The commands: `newsletter …`.

* `app`: all commands together, and how errors end
* `console`: what commands print, and where
* `languages`: the option that names a language
* `whole_file`: how a file is written that somebody named
* `ending`: how long work ends when it is told to
* `comparisons`, `issues`, `letters`, `readers`, `keys`, `editors`, `system`: a group of commands each
* `steering`: the commands for an issue on its way out; `came_back`: what `status` says of what came back
* `numbers`: how issues did, and how the list grew
* `work`: who helps to carry what is going out
* `transfer`, `provider_list`: three commands more for the readers: in, out, and what the provider knows of them
"""
