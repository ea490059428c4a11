"""SIGHUP has the API keys read again, while requests run on."""

import asyncio
import logging
import os
import signal

from app.http.keys import KeyRing

log = logging.getLogger("qrestore.serving")


def ignore_hangups() -> None:
    """Keeps SIGHUP from ending this process, and those that it starts, until `answer_hangups`. For the main thread."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def answer_hangups(keys: KeyRing | None) -> None:
    """Has SIGHUP read ``keys`` again. To be called in the event loop of the main thread.

    Where the terminal that the service was started from has gone, SIGHUP means that, and stops the service as SIGTERM
    does.
    """
    loop = asyncio.get_running_loop()
    had_terminal = _has_terminal()

    def answer() -> None:
        if had_terminal and not _has_terminal():
            log.info("the terminal has gone: stopping")
            os.kill(os.getpid(), signal.SIGTERM)
        elif keys is None:
            log.warning("SIGHUP: there are no API keys to read again; QRESTORE_API_KEYS_FILE names their file")
        else:
            loop.run_in_executor(None, keys.reload)

    loop.add_signal_handler(signal.SIGHUP, answer)


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
