"""What a process that Ray started must know before it starts children of its own."""

import sys


def hide_main() -> None:
    """Keeps Ray's own code out of the child processes.

    multiprocessing imports the parent's main module in each child that the fork server makes. In a worker of Ray that
    is Ray's: the child would load all of Ray, 45 MB of memory, before it is confined.
    """
    sys.modules["__main__"].__file__ = None
