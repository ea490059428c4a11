"""The console script `qrestore`: `main` parses the arguments and dispatches to one module a command.

May import everything in `app`; nothing imports it. This file and `main` import no dependency, so that `qrestore doctor`
runs where dependencies are missing, and children, which import the main module again, stay small.
"""
