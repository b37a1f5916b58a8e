"""One web page about a run: what was trained, how it went, and how well it does; needs no network."""
