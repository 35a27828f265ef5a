"""Files and rows in, contract tables out: read, check, drop repeats, commit, quarantine.

``load`` holds the ways in; the other modules are its steps, in the order of that sentence.
"""
