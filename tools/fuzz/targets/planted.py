"""A target that misbehaves on request: it proves that the harness notices each kind of finding."""

import os
import signal
import time


def planted(data: bytes) -> str:
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"hang":
        time.sleep(600)
    if data == b"raise":
        raise ValueError("planted")
    if data == b"memory":
        return f"filled {len(bytearray(b'x') * (200 << 20))}"
    if data == b"more memory than there is":
        return f"filled {len(bytearray(2 << 30))}"
    if data == b"spin":
        began = time.process_time()
        while time.process_time() - began < 3:
            pass
    if data.startswith(b"say"):
        os.write(2, b"complaint number %s\n" % data[4:])
    return "well"
