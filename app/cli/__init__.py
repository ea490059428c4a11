"""The console script `qrestore`: one module a command; `main` parses arguments and imports the command chosen.

May import everything below it; nothing imports it.
"""
