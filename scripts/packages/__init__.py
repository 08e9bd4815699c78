"""Order books from PyPI and npm beside our own, for scripts/compare_packages.

workload  the common messages
drivers   one package at a time, in an environment of theirs: no module of ours is there
install   .build/engines-venv and .build/engines-npm, both locked by hash
ours      the engine core and its reference on the same messages
compare   runs all of them and makes the table
"""
