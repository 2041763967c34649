"""How fast, how heavy, how sure? Real sends through the sandbox, measured; run them with `make bench`."""
