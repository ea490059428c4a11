"""Many files at once, for `qrestore decode`: which files, the child processes that read them, and what is written.

May import everything below `app.cli`; nothing here prints except through `app.cli.terminal`.
"""
